"""Exports a trained model as SavedModel and TFLite, and checks each export.

    python -m experiments.export_model --workdir=DIR --output=DIR

Every file needs plain TensorFlow or the TFLite interpreter alone. Of
segmentation: input `grid` [1, H, W, 5] (x, y, z, intensity, range, 0 where
there is no return), output `scores` [1, H, W, C]. Of detection: input `image`
[1, H, W, 3] (red, green, blue, 0 to 255), outputs `boxes` [1, N, 4] (centre
x, y, width, height in pixels of it), `class_ids` and `scores` [1, N], 0 where
there is no box: the final ones, nothing is left to do outside. Each is
compared with the live model on the validation data; one that agrees less than
the bound is removed and the exit code is 1.
"""

import pathlib

from absl import flags

from experiments import (
    detection_export,
    detection_run,
    model_export,
    segmentation_export,
)
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Of train_segmentation or train_detection."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_DATA = flags.DEFINE_string("data", None, "Scans or images to compare on.")
_FORMATS = flags.DEFINE_list(
    "formats", list(model_export.FORMATS), "Which to write."
)
_NUM_INPUTS = flags.DEFINE_integer(
    "num_inputs", 4, "Scans or images to compare on."
)


def main(_: list[str]) -> None:
    """Exports with the flags' settings."""
    workdir = pathlib.Path(_WORKDIR.value)
    is_detector = (workdir / detection_run.CLASS_LIST).exists()
    run = (detection_export if is_detector else segmentation_export).run
    run(
        _WORKDIR.value,
        _OUTPUT.value,
        _DATA.value,
        _FORMATS.value,
        _NUM_INPUTS.value,
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    command_line.run(main)
