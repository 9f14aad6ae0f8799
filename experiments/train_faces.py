"""Trains ShiftFaceNet and tells persons apart with it (Ch. 6 §3.3, Table 9).

    python -m experiments.train_faces --config=shift_facenet --workdir=DIR \
        --set=train_data=DIR --set=test_data=DIR --set=pairs=pairs.txt

train_data and test_data hold a folder of images for each person, faces cut out
and aligned (the thesis: MTCNN), as LFW does; pairs is LFW's list or a CSV with
the columns first, second, same and perhaps fold, of images or of folders with
a video's frames. Without it pairs are drawn from persons that did not train.
A run that was stopped, even by kill -9, goes on when it is started again with
the same flags. `--config=demo` draws its own persons, which takes some minutes
and says nothing of real faces.
"""

import pathlib

from absl import flags

from experiments import faces_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.shift_applications import face_config

_CONFIG = flags.DEFINE_enum(
    "config",
    "shift_facenet",
    sorted(face_config.FACE_CONFIGS),
    "Which named setting.",
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the run is kept.")


def main(_: list[str]) -> None:
    """Trains and tests with the flags' settings."""
    config = config_lib.override(
        face_config.FACE_CONFIGS[_CONFIG.value], _SET.value
    )
    faces_run.run(config, _WORKDIR.value)
    workdir = pathlib.Path(_WORKDIR.value).resolve()
    print(
        f"Checkpoints, record.jsonl, embedder/, {faces_run.EVALUATION} and "
        f"{faces_run.ROC} lie in {workdir}"
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
