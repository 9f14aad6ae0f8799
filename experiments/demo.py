"""The main job on built-in data: simulate, train, evaluate, export, label.

    make demo        (or: python -m experiments.demo --workdir=DIR)

Nine minutes on two cores. A network that has seen simulated scans alone
labels unseen simulated scans and, where the recordings for the tests are
there (SQUEEZE_TF_SHARED), real ones. Interrupt and start it as you like: what
is done stays done.
"""

import os
import pathlib
import shutil
import subprocess
import sys

from absl import flags

from experiments import (
    segmentation_evaluation,
    segmentation_export,
    segmentation_run,
)
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.segmentation import released
from squeeze_tf.simulation import config as simulation_config
from squeeze_tf.simulation import generation

_WORKDIR = flags.DEFINE_string("workdir", "demo", "Where everything is kept.")
_NUM_TRAIN = flags.DEFINE_integer("num_train", 240, "Simulated scans to learn.")
_NUM_TEST = flags.DEFINE_integer("num_test", 40, "Simulated scans to test on.")
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_REAL = ("data/grids/kitti_front/val", "dataset=grids", "label_map=kitti_grids")


def main(_: list[str]) -> None:
    """Runs all steps."""
    workdir = pathlib.Path(_WORKDIR.value)
    streets = simulation_config.CONFIGS["street_front"]
    processes = os.cpu_count() or 1
    folders = {}
    for name, seed, count in (
        ("train", 1, _NUM_TRAIN.value),
        ("test", 2, _NUM_TEST.value),
    ):
        print(f"\n== {count} simulated scans: {name}")
        folders[name] = generation.generate(
            streets, workdir / "data" / name, count, seed, processes, False
        )
    print("\n== one street with its camera image")
    street = generation.generate(
        streets, workdir / "data" / "street", 1, 3, 1, True
    )

    print("\n== training SqueezeSegV2 with the recurrent CRF")
    config = config_lib.override(
        segmentation_config.CONFIGS["demo"],
        [
            f"train_data={folders['train']}/training",
            f"validation_data={folders['test']}/training",
            *_SET.value,
        ],
    )
    run = workdir / "run"
    segmentation_run.train(config, run)

    print("\n== unseen simulated scans")
    segmentation_evaluation.run(run, output=run / "simulated")
    real = pathlib.Path(os.environ.get("SQUEEZE_TF_SHARED", "../shared"))
    if (real / _REAL[0]).is_dir():
        print("\n== real scans (KITTI), never seen in training")
        segmentation_evaluation.run(
            run, real / _REAL[0], run / "real", list(_REAL[1:])
        )
        print("\n== the same scans by the weights that come with the package")
        segmentation_evaluation.run(
            released.workdir(),
            real / _REAL[0],
            run / "released",
            list(_REAL[1:]),
        )
    print("\n== export")
    exports = workdir / "exports"
    shutil.rmtree(exports, ignore_errors=True)
    segmentation_export.run(
        run, exports, formats=["saved_model", "float32", "float16"]
    )

    print("\n== a label for every point of the street, and a picture")
    labels = workdir / "labels"
    script = [sys.executable, "-m", "experiments.segment_scans"]
    scans = f"--input={street / 'training' / 'velodyne'}"
    where = [f"--workdir={run}", scans, f"--output={labels}"]
    asked = ["--picture", "--overwrite", "--instances=car"]
    if subprocess.run([*script, *where, *asked]).returncode:
        sys.exit(1)  # it has said why

    here = workdir.resolve()
    print(
        f"\nDone. In {here}:\n"
        f"  {street}: a simulated street, training/image_2 its image\n"
        "  run/simulated, run/real, run/released: tables and pictures, "
        "prediction beside truth\n"
        "  run/tensorboard: tensorboard --logdir\n"
        "  exports: SavedModel and TFLite\n"
        f"  {labels}: labels and a picture of the street's scan\n"
        "Label your own scans with\n"
        f"  .venv/bin/python -m experiments.segment_scans --workdir={run} "
        "--input=SCANS --output=LABELS --picture"
    )


if __name__ == "__main__":
    command_line.run(main)
