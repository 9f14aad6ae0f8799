"""Evaluates a trained classifier (Ch. 6 Tables 1-6, 8 and 11).

    python -m experiments.evaluate_classifier --workdir=DIR [--data=DIR]

Prints top-1 and top-5 accuracy and a table by class; writes them as
evaluation.json with the confusions as confusion.csv and confusion.png.
"""

from absl import flags

from experiments import classification_evaluation
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_classifier.")
_DATA = flags.DEFINE_string(
    "data", None, "Folder to evaluate on; the validation data if not given."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to write; WORKDIR/evaluation if not given."
)


def main(_: list[str]) -> None:
    """Evaluates with the flags' settings."""
    classification_evaluation.run(
        _WORKDIR.value, _DATA.value, _OUTPUT.value, _SET.value
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
