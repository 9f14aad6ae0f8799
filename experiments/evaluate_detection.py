"""Evaluates a trained detector (Ch. 2 Tables 2-3, Figs. 4-5).

    python -m experiments.evaluate_detection --workdir=DIR [--data=DIR]

Prints KITTI's average precision with 95 % bootstrap intervals, COCO's
numbers, errors by kind and recall by the number of boxes kept; writes them as
evaluation.json with curves, boxes as KITTI text and pictures of errors (truth
white).
"""

from absl import flags

from experiments import detection_evaluation
from squeeze_tf import command_line
from squeeze_tf.detection import average_precision

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_detection.")
_DATA = flags.DEFINE_string(
    "data", None, "Folder to evaluate on; the validation data if not given."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to write; WORKDIR/evaluation if not given."
)
_HEIGHT_RULE = flags.DEFINE_enum(
    "height_rule",
    "original",
    average_precision.HEIGHT_RULES,
    "KITTI's rule of small boxes.",
)
_RESAMPLES = flags.DEFINE_integer(
    "resamples", 200, "Of the bootstrap; 0 for no intervals.", 0
)
_RECALL = flags.DEFINE_bool("recall", True, "Recall by boxes kept as well.")
_PICTURES = flags.DEFINE_integer("pictures", 4, "To draw of each kind.", 0)


def main(_: list[str]) -> None:
    """Evaluates with the flags' settings."""
    detection_evaluation.run(
        _WORKDIR.value,
        _DATA.value,
        _OUTPUT.value,
        _SET.value,
        height_rule=_HEIGHT_RULE.value,
        num_resamples=_RESAMPLES.value,
        with_recall=_RECALL.value,
        num_pictures=_PICTURES.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
