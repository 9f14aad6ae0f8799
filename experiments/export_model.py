"""Exports a trained model as SavedModel and TFLite, and checks each export.

    python -m experiments.export_model --workdir=DIR --output=DIR

Every file needs plain TensorFlow or the TFLite interpreter alone: input
`grid` [1, H, W, 5] (x, y, z, intensity, range, 0 where there is no return),
output `scores` [1, H, W, C]. Each is compared with the live model on scans of
the validation data; one whose labels agree less than the bound is removed and
the exit code is 1.
"""

from absl import flags

from experiments import segmentation_export
from squeeze_tf import command_line, export

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_segmentation.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_DATA = flags.DEFINE_string("data", None, "Scans to compare on.")
_FORMATS = flags.DEFINE_list(
    "formats", ["saved_model", *export.TFLITE_KINDS], "Which to write."
)
_NUM_SCANS = flags.DEFINE_integer("num_scans", 4, "Scans to compare on.")


def main(_: list[str]) -> None:
    """Exports with the flags' settings."""
    segmentation_export.run(
        _WORKDIR.value,
        _OUTPUT.value,
        _DATA.value,
        _FORMATS.value,
        _NUM_SCANS.value,
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    command_line.run(main)
