"""Trains SqueezeSeg or SqueezeSegV2 (Ch. 3 §4, Ch. 5 §5).

    python -m experiments.train_segmentation --config=squeezeseg_v2 \
        --set=train_data=DIR --set=validation_data=DIR --workdir=DIR

A run that was stopped, even by kill -9, goes on from its last epoch when it
is started again with the same flags. With `--strategy=multi_worker`, start it
once for each worker with the TF_CONFIG of tf.distribute. Configs of the
thesis take the released grids (`dataset=grids`); RESULTS.md says how long
each took and what came out.
"""

import pathlib

from absl import flags

from experiments import segmentation_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.segmentation import config as segmentation_config

_CONFIG = flags.DEFINE_enum(
    "config",
    "squeezeseg_v2",
    sorted(segmentation_config.CONFIGS),
    "Which named setting.",
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the run is kept.")
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    sorted(segmentation_run.STRATEGIES),
    "How to share the work between devices or machines.",
)


def main(_: list[str]) -> None:
    """Trains with the flags' settings."""
    config = config_lib.override(
        segmentation_config.CONFIGS[_CONFIG.value], _SET.value
    )
    segmentation_run.train(config, _WORKDIR.value, _STRATEGY.value)
    workdir = pathlib.Path(_WORKDIR.value).resolve()
    print(f"Checkpoints, record.jsonl and tensorboard/ lie in {workdir}")


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
