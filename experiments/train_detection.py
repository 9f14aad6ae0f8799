"""Trains SqueezeDet and its kin (Ch. 2 §3-4).

    python -m experiments.train_detection --config=squeezedet \
        --set=train_data=DIR --set=split=hash --workdir=DIR

A run that was stopped, even by kill -9, goes on from its last epoch when it
is started again with the same flags. `--config=own` and a class list of one's
own (`--set=class_list=FILE.yaml`) train on any images from scratch; RESULTS.md
says how long each took and what came out.
"""

import pathlib

from absl import flags

from experiments import detection_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.detection import config as detection_config

_CONFIG = flags.DEFINE_enum(
    "config", "own", sorted(detection_config.CONFIGS), "Which named setting."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the run is kept.")


def main(_: list[str]) -> None:
    """Trains with the flags' settings."""
    config = config_lib.override(
        detection_config.CONFIGS[_CONFIG.value], _SET.value
    )
    detection_run.train(config, _WORKDIR.value)
    workdir = pathlib.Path(_WORKDIR.value).resolve()
    print(f"Checkpoints, record.jsonl and tensorboard/ lie in {workdir}")


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
