"""Flags and main of the scripts that search architectures."""

import pathlib
from collections.abc import Callable, Mapping

from absl import flags

from experiments import classification_run, search_problems, search_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config

SearchConfig = search_config.SearchConfig


def run(
    configs: Mapping[str, SearchConfig],
    default: str,
    make_problem: Callable[[SearchConfig, int], search_problems.Problem],
) -> None:
    """Reads the flags, searches and prints the table.

    Args:
      configs: named settings.
      default: of --config.
      make_problem: of search_problems.
    """
    name = flags.DEFINE_enum(
        "config", default, sorted(configs), "Which setting."
    )
    settings = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
    workdir = flags.DEFINE_string(
        "workdir", None, "Where all is kept.", required=True
    )
    strategy = flags.DEFINE_enum(
        "strategy",
        "none",
        sorted(classification_run.STRATEGIES),
        "How a batch is shared between devices.",
    )

    def main(_: list[str]) -> None:
        config = config_lib.override(configs[name.value], settings.value)
        search_run.finish(
            config, make_problem, pathlib.Path(workdir.value), strategy.value
        )

    command_line.run(main)
