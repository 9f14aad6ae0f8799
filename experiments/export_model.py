"""Exports a trained model as SavedModel and TFLite, and checks each export.

    python -m experiments.export_model --workdir=DIR --output=DIR

Every file needs plain TensorFlow or the TFLite interpreter alone. Of
segmentation: input `grid` [1, H, W, 5] (x, y, z, intensity, range, 0 where
there is no return), output `scores` [1, H, W, C]. Of detection: input `image`
[1, H, W, 3] (red, green, blue, 0 to 255), outputs `boxes` [1, N, 4] (centre
x, y, width, height in pixels of it), `class_ids` and `scores` [1, N], 0 where
there is no box: the final ones, nothing is left to do outside. Of classifiers:
input `image` as before, output `scores` [1, C], logits. Of faces: `embedding`
[1, E] of unit length. Of a style: `picture` [1, H, W, 3], 0 to 255. Each is
compared with the live model on the validation data (faces and styles: what
they learned on); one that agrees less than the bound is removed and the exit
code is 1.
"""

from absl import flags

from experiments import (
    classification_export,
    classification_run,
    detection_export,
    detection_run,
    faces_export,
    faces_run,
    kept_config,
    model_export,
    segmentation_export,
    segmentation_run,
    style_export,
    style_run,
)
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Of a training script or stylize."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_DATA = flags.DEFINE_string("data", None, "Scans or images to compare on.")
_FORMATS = flags.DEFINE_list(
    "formats", list(model_export.FORMATS), "Which to write."
)
_NUM_INPUTS = flags.DEFINE_integer(
    "num_inputs", 4, "Scans or images to compare on."
)
# Of a run's settings: what exports it.
_EXPORTS = {
    segmentation_run.SegmentationConfig: segmentation_export.run,
    detection_run.DetectionConfig: detection_export.run,
    classification_run.ClassificationConfig: classification_export.run,
    faces_run.FaceConfig: faces_export.run,
    style_run.StyleConfig: style_export.run,
}


def main(_: list[str]) -> None:
    """Exports with the flags' settings."""
    kind = kept_config.kind(_WORKDIR.value, _EXPORTS)
    _EXPORTS[kind](
        _WORKDIR.value,
        _OUTPUT.value,
        _DATA.value,
        _FORMATS.value,
        _NUM_INPUTS.value,
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    command_line.run(main)
