"""Times the parts of SqueezeDet beside each other, in one run.

    python -m tools.benchmark_detection [--rounds=20]

Reading and augmenting beside a training step, both for each image of 1242 x
375; the final boxes beside the forward pass that they follow; KITTI's average
precision of 3,700 images. Goals are this project's.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf
from absl import app, flags

from experiments import detection_run
from squeeze_tf import config as config_lib
from squeeze_tf.data import class_lists, image_labels, synthetic
from squeeze_tf.detection import average_precision, inputs
from squeeze_tf.detection import config as detection_config
from squeeze_tf.detection import loss as loss_lib

_ROUNDS = flags.DEFINE_integer("rounds", 20, "How often each side's turn is.")
_BATCH = flags.DEFINE_integer("batch_size", 8, "Of training.")
_SIZE = (375, 1242)
_READ_AHEAD = 20  # batches


def times(sides: dict[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """Milliseconds of interleaved runs of each side."""
    found = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(_ROUNDS.value):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            found[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(value) for name, value in found.items()}


def pipeline(folder: pathlib.Path) -> None:
    """Reading, augmenting and encoding against a training step."""
    synthetic.write_images(folder, count=32, size=_SIZE)
    config = config_lib.override(
        detection_config.CONFIGS["squeezedet"],
        [f"train_data={folder}", f"batch_size={_BATCH.value}"],
    )
    samples = detection_run.samples(config, "train")
    classes = class_lists.load(config.class_list)
    model = detection_run.build(config)
    grid = detection_run.anchor_grid(config, model)
    size = detection_run.image_size(config)
    model.compile(
        detection_run.optimizer(config, 100),
        loss_lib.DetectionLoss(
            anchors=grid, num_classes=len(classes), image_size=size
        ),
    )
    batches = inputs.training_batches(
        samples,
        inputs.objects(samples, classes),
        image_size=size,
        anchors=grid,
        batch_size=_BATCH.value,
        augmentation=detection_run.changes(config),
        fill=config.mean,
        seed=0,
        epoch=0,
    )
    batch = next(iter(batches))
    found = times({"training step": lambda: model.train_on_batch(*batch)})
    stream = iter(batches.repeat())
    for _ in range(_READ_AHEAD):  # what threads have prepared meanwhile
        next(stream)
    start = time.perf_counter()
    for _ in range(_ROUNDS.value):
        next(stream)
    alone = 1e3 * (time.perf_counter() - start) / _ROUNDS.value
    step = np.median(found["training step"])
    print(f"\nimages of {_SIZE[1]} x {_SIZE[0]}, input {size[1]} x {size[0]}")
    for name, value in (("pipeline alone", alone), ("training step", step)):
        print(f"  {name:24}{value / _BATCH.value:9.1f} ms an image")
    print(f"  pipeline feeds {step / alone:.1f} x (goal 2)")


def final_boxes() -> None:
    """Decoding and suppression against the forward pass."""
    config = detection_config.CONFIGS["squeezedet"]
    model = detection_run.build(config)
    detector = detection_run.detector(config, model)
    output = model.output
    layer = detector.get_layer("detections")
    image = tf.random.uniform((1, *detection_run.image_size(config), 3)) * 255
    forward = tf.function(lambda x: model(x, training=False))
    whole = tf.function(lambda x: detector(x, training=False))
    boxes = tf.function(layer)
    raw = forward(image)
    raw = tf.random.normal(raw.shape)  # boxes that differ
    found = times(
        {
            "forward": lambda: forward(image),
            "forward and final boxes": lambda: whole(image),
            "final boxes alone": lambda: boxes(raw),
        }
    )
    print(f"\nfinal boxes, ConvDet's output {tuple(output.shape[1:])}, batch 1")
    for name, value in found.items():
        print(f"  {name:24}{np.percentile(value, 10):9.2f} ms")
    share = np.percentile(found["final boxes alone"], 10) / np.percentile(
        found["forward"], 10
    )
    print(f"  final boxes take {share:.1%} of the forward pass (goal 5 %)")


def kitti_precision(num_images: int = 3700, num_objects: int = 20) -> None:
    """KITTI's average precision; its goal is 10 s."""
    random = np.random.default_rng(0)
    truth, found = [], []
    for _ in range(num_images):
        corners = random.uniform([0, 0], [1100, 300], (num_objects, 2))
        sides = random.uniform(20, 120, (num_objects, 2))
        corners = np.concatenate([corners, corners + sides], axis=1)
        types = random.choice(["Car", "Pedestrian", "Cyclist"], num_objects)
        truth.append(image_labels.make(types, corners))
        found.append(
            image_labels.make(
                types,
                corners + random.normal(0, 4, corners.shape),
                scores=random.random(num_objects),
            )
        )
    start = time.perf_counter()
    average_precision.evaluate(truth, found)
    seconds = time.perf_counter() - start
    print(
        f"\nKITTI AP of {num_images} images, {num_objects} objects each, 9 "
        f"curves: {seconds:.2f} s (goal 10)"
    )


def main(_: list[str]) -> None:
    """Runs all benchmarks."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        pipeline(pathlib.Path(folder))
    final_boxes()
    kitti_precision()


if __name__ == "__main__":
    app.run(main)
