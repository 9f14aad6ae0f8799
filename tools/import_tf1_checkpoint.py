"""Turns a checkpoint of the authors' TensorFlow 1 code into a workdir.

    python -m tools.import_tf1_checkpoint --config=squeezeseg_v2 \
        --checkpoint=DIR/model.ckpt-30700 --workdir=DIR

The workdir then serves evaluate_segmentation, segment_scans and export_model
like one of train_segmentation. Settings follow the released code: its CRF and
its normalisation.
"""

import pathlib

from absl import flags, logging

from experiments import segmentation_run
from squeeze_tf import command_line, tf1_checkpoint, training
from squeeze_tf import config as config_lib
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.segmentation import models

_CONFIG = flags.DEFINE_enum(
    "config", "squeezeseg_v2", ["squeezeseg", "squeezeseg_v2"], "Which network."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Without .index.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where to write.")
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")


def main(_: list[str]) -> None:
    """Imports with the flags' settings."""
    defaults = [
        "crf=released",
        "mean=" + ",".join(map(str, models.KITTI_MEAN)),
        "std=" + ",".join(map(str, models.KITTI_STD)),
    ]
    config = config_lib.override(
        segmentation_config.CONFIGS[_CONFIG.value], [*defaults, *_SET.value]
    )
    workdir = pathlib.Path(_WORKDIR.value)
    model = segmentation_run.build(config, (64, 512, 5))
    left = tf1_checkpoint.load(model, _CHECKPOINT.value)
    segmentation_run.prepare_workdir(config, workdir, (64, 512))
    training.save_model(model, workdir)
    logging.info("left out, as only training needs them: %s", left)
    print(f"{model.count_params():,} parameters imported into {workdir}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["checkpoint", "workdir"])
    command_line.run(main)
