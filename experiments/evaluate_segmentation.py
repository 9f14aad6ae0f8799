"""Evaluates a trained segmentation network (Ch. 3 Table 1, Ch. 5 Table 1).

    python -m experiments.evaluate_segmentation --workdir=DIR [--data=DIR]

Prints precision, recall and IoU by class, by instance and by distance, and
writes evaluation.json, confusion.csv and pictures of prediction beside truth.
"""

from absl import flags

from experiments import segmentation_evaluation
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_segmentation.")
_DATA = flags.DEFINE_string(
    "data", None, "Folder to evaluate on; the validation data if not given."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to write; WORKDIR/evaluation if not given."
)
_INSTANCES = flags.DEFINE_list(
    "instances",
    ["car", "pedestrian", "cyclist"],
    "Classes with instance-level scores; those that the labels lack are left "
    "out.",
)
_PICTURES = flags.DEFINE_integer("pictures", 4, "How many scans to draw.")


def main(_: list[str]) -> None:
    """Evaluates with the flags' settings."""
    segmentation_evaluation.run(
        _WORKDIR.value,
        _DATA.value,
        _OUTPUT.value,
        _SET.value,
        _INSTANCES.value,
        _PICTURES.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
