"""Searches a DiracDeltaNet for an accelerator (Ch. 6 §4-5, Ch. 7 §6).

    python -m experiments.search_dirac --config=smoke --workdir=DIR
    python -m tools.synetgy.search_table --config=digits --output=table.json
    python -m experiments.search_dirac --config=digits --workdir=DIR \
        --set=cost=latency --set=latency_table=table.json

Ours: the thesis designs this network by hand. Trains the super net with the
weights and activations of few bits that the accelerator takes, draws
architectures of its distribution, trains them from scratch and prints their
accuracy and cost. A search that was stopped, even by kill -9, goes on when it
is started again with the same flags. The folder of each network,
DIR/children/NAME, is a run of train_classifier, which tools.synetgy simulates.
"""

import pathlib

from absl import flags

from experiments import (
    search_problems,
    search_run,
    segmentation_run,
)
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config

_CONFIG = flags.DEFINE_enum(
    "config", "digits", sorted(search_config.DIRAC), "Which setting."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where all is kept.", required=True
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    sorted(segmentation_run.STRATEGIES),
    "How a batch of the super net is shared between devices.",
)


def main(_: list[str]) -> None:
    """Searches and prints the table."""
    config = config_lib.override(search_config.DIRAC[_CONFIG.value], _SET.value)
    workdir = pathlib.Path(_WORKDIR.value)
    search_run.finish(config, search_problems.dirac, workdir, _STRATEGY.value)


if __name__ == "__main__":
    command_line.run(main)
