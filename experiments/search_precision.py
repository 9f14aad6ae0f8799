"""Searches the bits of a ResNet's blocks (Ch. 7 §4-5, Tables 1-4).

    python -m experiments.search_precision --config=smoke --workdir=DIR
    python -m experiments.search_precision --config=digits_resnet20 \
        --workdir=DIR

Trains the super net, draws architectures of its distribution, trains them from
scratch and prints their accuracy and cost. A search that was stopped, even by
kill -9, goes on when it is started again with the same flags. The folder of
each network, DIR/children/NAME, is a run of train_classifier.
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
    "config",
    "digits_resnet20",
    sorted(search_config.PRECISION),
    "Which setting.",
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
    config = config_lib.override(
        search_config.PRECISION[_CONFIG.value], _SET.value
    )
    workdir = pathlib.Path(_WORKDIR.value)
    search_run.finish(
        config, search_problems.precision, workdir, _STRATEGY.value
    )


if __name__ == "__main__":
    command_line.run(main)
