"""Learns a style from one picture, and repaints others (Ch. 6 §3.4, Fig. 6).

    python -m experiments.stylize --style=PICTURE --content=FOLDER \
        --vgg_weights=FILE --workdir=DIR
    python -m experiments.stylize --workdir=DIR --input=PATH --output=PATH

The first learns: FOLDER holds some thousand photographs (the thesis: COCO) and
FILE the ImageNet weights of VGG16 (.caffemodel, .pkl or .h5). A run that was
stopped, even by kill -9, goes on when it is started again with the same flags.
Without that file `--vgg_weights=random` tries the program out; colours and
some texture are all that such features know. The second repaints a picture, or
all of a folder, of any size. `--config=original` is the network without
shifts.
"""

import pathlib

from absl import flags

from experiments import style_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.shift_applications import style_config

_STYLE = flags.DEFINE_string("style", None, "Picture whose style to learn.")
_CONTENT = flags.DEFINE_string("content", None, "Folder of images to learn on.")
_VGG_WEIGHTS = flags.DEFINE_string(
    "vgg_weights", None, 'ImageNet weights of VGG16, or "random".'
)
_INPUT = flags.DEFINE_string("input", None, "Picture or folder to repaint.")
_OUTPUT = flags.DEFINE_string("output", None, "Where the result is written.")
_CONFIG = flags.DEFINE_enum(
    "config", "shift", sorted(style_config.STYLE_CONFIGS), "Which setting."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the style is kept.")


def main(_: list[str]) -> None:
    """Learns or repaints with the flags' settings."""
    if (_INPUT.value is None) != (_OUTPUT.value is None):
        raise ValueError("--input and --output go together")
    if _INPUT.value is not None:
        if _STYLE.value or _CONTENT.value:
            raise ValueError(
                "--style and --content learn, --input and --output repaint; "
                "give one pair at a time"
            )
        count = style_run.apply(_WORKDIR.value, _INPUT.value, _OUTPUT.value)
        where = pathlib.Path(_OUTPUT.value).resolve()
        print(f"{count} repainted: {where}")
        return
    named = {
        "style": _STYLE.value,
        "content": _CONTENT.value,
        "vgg_weights": _VGG_WEIGHTS.value,
    }
    given = [f"{field}={value}" for field, value in named.items() if value]
    config = config_lib.override(
        style_config.STYLE_CONFIGS[_CONFIG.value], [*given, *_SET.value]
    )
    style_run.train(config, _WORKDIR.value)
    workdir = pathlib.Path(_WORKDIR.value).resolve()
    print(f"Checkpoints, record.jsonl and tensorboard/ lie in {workdir}")


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
