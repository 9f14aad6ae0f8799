"""Measures the design space of Ch. 2 Table 4 on this device, and one's data.

    python -m experiments.explore_detection --config=squeezedet --workdir=DIR
    python -m experiments.explore_detection --config=own --train \
        --set=train_data=DIR --set=split=hash --workdir=DIR

Rows are the image's size times 1, 1.5 and 0.75, 16 anchors, and other
backbones: FLOPs, size, activations and frames per second, with --power energy
per frame (Table 6), and with --train their accuracy, for which each row is
trained and evaluated; a call that was interrupted goes on where it stopped.
"""

from absl import flags

from experiments import detection_exploration
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.detection import config as detection_config

_CONFIG = flags.DEFINE_enum(
    "config",
    "squeezedet",
    sorted(detection_config.CONFIGS),
    "The design that the rows change.",
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where to write.")
_ROWS = flags.DEFINE_list(
    "rows", list(detection_exploration.ROWS), "Which rows."
)
_TRAIN = flags.DEFINE_bool("train", False, "Train and evaluate each row.")
_REPEATS = flags.DEFINE_integer("repeats", 20, "Timed calls.", 1)
_POWER = flags.DEFINE_bool("power", False, "Measure energy as well.")
_THRESHOLD = flags.DEFINE_float(
    "power_threshold", 20.0, "Idle below these watts, Ch. 2 §4.3."
)


def main(_: list[str]) -> None:
    """Explores with the flags' settings."""
    detection_exploration.run(
        config_lib.override(
            detection_config.CONFIGS[_CONFIG.value], _SET.value
        ),
        _WORKDIR.value,
        _ROWS.value,
        train=_TRAIN.value,
        repeats=_REPEATS.value,
        with_power=_POWER.value,
        threshold=_THRESHOLD.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
