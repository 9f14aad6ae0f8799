"""Turns a checkpoint of the authors' TensorFlow 1 code into a workdir.

    python -m tools.import_tf1_checkpoint --config=squeezeseg_v2 \
        --checkpoint=DIR/model.ckpt-30700 --workdir=DIR

The workdir then serves the scripts that evaluate, predict and export like one
of train_segmentation or train_detection. Settings follow the released code:
the CRF, the normalisation, how boxes are counted and suppressed.
"""

import pathlib

import tensorflow as tf
from absl import flags, logging

from experiments import detection_run, segmentation_run
from squeeze_tf import command_line, tf1_checkpoint, training
from squeeze_tf import config as config_lib
from squeeze_tf.detection import config as detection_config
from squeeze_tf.detection import models as detection_models
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.segmentation import models

_SEGMENTATION = ("squeezeseg", "squeezeseg_v2")
_DETECTION = ("squeezedet", "squeezedet_plus", "vgg16", "resnet50")
_CONFIG = flags.DEFINE_enum(
    "config", "squeezeseg_v2", [*_SEGMENTATION, *_DETECTION], "Which network."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Without .index.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where to write.")
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")


def main(_: list[str]) -> None:
    """Imports with the flags' settings."""
    workdir = pathlib.Path(_WORKDIR.value)
    if _CONFIG.value in _DETECTION:
        model, left = detector(workdir)
    else:
        model, left = segmenter(workdir)
    training.save_model(model, workdir)
    logging.info("left out, as only training needs them: %s", left)
    print(f"{model.count_params():,} parameters imported into {workdir}")


def segmenter(workdir: pathlib.Path) -> tuple[tf.keras.Model, list[str]]:
    """SqueezeSeg or SqueezeSegV2, and the variables left out."""
    defaults = [
        "crf=released",
        "mean=" + ",".join(map(str, models.KITTI_MEAN)),
        "std=" + ",".join(map(str, models.KITTI_STD)),
    ]
    config = config_lib.override(
        segmentation_config.CONFIGS[_CONFIG.value], [*defaults, *_SET.value]
    )
    model = segmentation_run.build(config, (64, 512, 5))
    left = tf1_checkpoint.load(model, _CHECKPOINT.value)
    segmentation_run.prepare_workdir(config, workdir, (64, 512))
    return model, left


def detector(workdir: pathlib.Path) -> tuple[tf.keras.Model, list[str]]:
    """SqueezeDet or its kin, and the variables left out."""
    defaults = [
        "loss_form=released",
        "suppression=released",
        "inclusive=true",
        "frozen=true",
    ]
    config = config_lib.override(
        detection_config.CONFIGS[_CONFIG.value], [*defaults, *_SET.value]
    )
    model = detection_run.build(config)
    left = tf1_checkpoint.load(
        model, _CHECKPOINT.value, detection_models.FROM_RELEASED
    )
    detection_run.prepare_workdir(config, workdir)
    return model, left


if __name__ == "__main__":
    flags.mark_flags_as_required(["checkpoint", "workdir"])
    command_line.run(main)
