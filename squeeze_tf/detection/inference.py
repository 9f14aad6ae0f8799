"""Runs a detector on images and hands back boxes in their own pixels."""

import pathlib
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import tensorflow as tf

from squeeze_tf.data import class_lists, image_labels
from squeeze_tf.detection import inputs
from squeeze_tf.geometry import boxes as boxes_lib

keras = tf.keras
_Run = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def detect(
    detector: keras.Model,
    paths: Sequence[pathlib.Path],
    classes: tuple[class_lists.ImageClass, ...],
    *,
    min_score: float = 0.0,
    batch_size: int = 1,
) -> Iterator[image_labels.ImageLabels]:
    """Detections of image files, in their order.

    Args:
      detector: images [B, H, W, 3] to the dict of decode.Detections.
      paths: of PNG, JPEG or BMP files.
      classes: the detector's, which name the types.
      min_score: boxes with lower scores are left out.
      batch_size: how many images at a time.

    Yields:
      For each image its detections, best first, pixels of the file.

    Raises:
      ValueError: a file is not an image; the message names it.
    """
    image_size = tuple(detector.input_shape[1:3])
    run = tf.function(
        lambda x: detector(x, training=False), reduce_retracing=True
    )
    batches = inputs.image_batches(paths, image_size, batch_size)
    with inputs.naming_damaged(paths):
        for images, sizes in batches:
            found = {k: v.numpy() for k, v in run(images).items()}
            for i, size in enumerate(sizes.numpy()):
                one = {name: value[i] for name, value in found.items()}
                yield to_labels(one, image_size, size, classes, min_score)


def detect_frame(
    run: _Run,
    frame: np.ndarray,
    image_size: tuple[int, int],
    classes: tuple[class_lists.ImageClass, ...],
    min_score: float = 0.0,
) -> image_labels.ImageLabels:
    """Detections of one image in memory, [H, W, 3] uint8 red, green, blue."""
    image, _ = inputs.resize(tf.constant(frame), tf.zeros((0, 4)), image_size)
    found = {k: v.numpy()[0] for k, v in run(image[None]).items()}
    return to_labels(found, image_size, frame.shape[:2], classes, min_score)


def to_labels(
    found: dict[str, np.ndarray],
    image_size: tuple[int, int],
    file_size: Sequence[int],
    classes: tuple[class_lists.ImageClass, ...],
    min_score: float = 0.0,
) -> image_labels.ImageLabels:
    """One image's final boxes as labels with scores.

    Args:
      found: `boxes` [N, 4], `class_ids` [N], `scores` [N], 0 where there is
        none.
      image_size: H, W of the network's input, which the boxes lie in.
      file_size: H, W of the image, which they shall lie in.
      classes: whose names become the types.
      min_score: lower ones are left out.
    """
    kept = np.flatnonzero(
        (found["scores"] > 0) & (found["scores"] >= min_score)
    )
    scale = np.tile(np.divide(file_size, image_size)[::-1], 2)
    corners = boxes_lib.to_corners(tf.constant(found["boxes"][kept])).numpy()
    return image_labels.make(
        [classes[i].name for i in found["class_ids"][kept]],
        corners * scale,
        truncated=-1.0,
        occluded=-1,
        scores=found["scores"][kept],
    )


def above(
    labels: image_labels.ImageLabels, min_score: float
) -> image_labels.ImageLabels:
    """The detections of at least a score."""
    return image_labels.select(labels, labels.scores >= min_score)


def frames(path: pathlib.Path) -> Iterator[np.ndarray]:
    """The frames of a video, [H, W, 3] uint8 red, green, blue.

    Raises:
      ValueError: the file is no video, or has no frame.
    """
    video = cv2.VideoCapture(str(path))
    try:
        is_read, frame = video.read()
        if not is_read:
            raise ValueError(f"{path}: expected a video; it has no frame")
        while is_read:
            yield frame[..., ::-1]
            is_read, frame = video.read()
    finally:
        video.release()


def video_rate(path: pathlib.Path) -> tuple[float, int]:
    """Frames a second, and how many there may be; 0 where unknown."""
    video = cv2.VideoCapture(str(path))
    try:
        return (
            float(video.get(cv2.CAP_PROP_FPS)),
            max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0),
        )
    finally:
        video.release()
