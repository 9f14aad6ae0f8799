"""Reads, augments, encodes and batches labelled images; DATASETS."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import PIL.Image
import tensorflow as tf
from absl import logging

from squeeze_tf.data import class_lists, image_folders, image_labels
from squeeze_tf.detection import augmentation as augmentation_lib
from squeeze_tf.detection import targets
from squeeze_tf.geometry import boxes as boxes_lib

DATASETS = image_folders.LAYOUTS
Sample = image_folders.ImageSample


@dataclasses.dataclass(frozen=True)
class Objects:
    """The objects that a network learns, of all images in one array.

    Attributes:
      starts: [images + 1] int64, where each image's objects begin.
      boxes: [N, 4] float32 centre x, centre y, width, height, pixels.
      class_ids: [N] int32.
    """

    starts: np.ndarray
    boxes: np.ndarray
    class_ids: np.ndarray


def objects(
    samples: Sequence[Sample],
    classes: tuple[class_lists.ImageClass, ...],
    inclusive: bool = False,
) -> Objects:
    """The samples' objects of some class that count and have a size.

    Args:
      samples: labelled images.
      classes: what to learn.
      inclusive: whether widths are x1 - x0 + 1, as in the released code.

    Returns:
      Their boxes; how many boxes without a size were left out is logged.
    """
    corners, ids, counts, empty = [], [], [], 0
    for sample in samples:
        found = of_classes(sample.labels, classes)
        sides = found.corners[:, 2:] - found.corners[:, :2]
        kept = (sides > 0).all(1) & ~found.is_ignored
        empty += int((~(sides > 0).all(1)).sum())
        corners.append(found.corners[kept])
        ids.append(class_lists.class_ids(classes, found.types[kept]))
        counts.append(int(kept.sum()))
    if empty:
        logging.warning("%d boxes without width or height left out", empty)
    edges = np.concatenate([*corners, np.zeros((0, 4))])
    if inclusive:
        edges[:, 2:] += 1
    return Objects(
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=boxes_lib.from_corners(tf.constant(edges, tf.float32)).numpy(),
        class_ids=np.concatenate([*ids, np.zeros(0, np.int32)]).astype(
            np.int32
        ),
    )


def of_classes(
    labels: image_labels.ImageLabels,
    classes: tuple[class_lists.ImageClass, ...],
) -> image_labels.ImageLabels:
    """The objects whose type belongs to a class."""
    ids = class_lists.class_ids(classes, labels.types)
    return image_labels.select(labels, ids >= 0)


def training_batches(
    samples: Sequence[Sample],
    learned: Objects,
    *,
    image_size: tuple[int, int],
    anchors: np.ndarray,
    batch_size: int,
    augmentation: augmentation_lib.Augmentation,
    fill: Sequence[float],
    seed: int,
    epoch: int,
    inclusive: bool = False,
) -> tf.data.Dataset:
    """One shuffled, augmented epoch; the same for equal arguments.

    Args:
      samples: labelled images.
      learned: their objects.
      image_size: H, W of the network's input, to which images are resized.
      anchors: [A, 4] on that input.
      batch_size: the last, smaller batch is kept.
      augmentation: what to change.
      fill: [3] colour of uncovered pixels.
      seed: of the run.
      epoch: from 0.
      inclusive: see objects().

    Returns:
      Dataset of (`image` [B, H, W, 3] float32 in 0 to 255, targets [B, M, 6]
      float32, see targets.make()).
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(samples))

    def change(
        image: tf.Tensor, boxes: tf.Tensor, place: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.stack([tf.constant(seed, tf.int64), epoch * 1_000_000 + place])
        image, boxes = augmentation_lib.augment(
            image, boxes, key, augmentation, fill, inclusive
        )
        image, boxes = resize(image, boxes, image_size)
        if augmentation.colour:
            image = augmentation_lib.change_colour(
                image, key, augmentation.colour
            )
        return image, boxes

    return _batches(
        order, samples, learned, image_size, anchors, batch_size, change
    )


def evaluation_batches(
    samples: Sequence[Sample],
    learned: Objects,
    *,
    image_size: tuple[int, int],
    anchors: np.ndarray,
    batch_size: int,
) -> tf.data.Dataset:
    """Batches in order, unchanged; as training_batches() otherwise."""
    return _batches(
        np.arange(len(samples)),
        samples,
        learned,
        image_size,
        anchors,
        batch_size,
        lambda image, boxes, place: resize(image, boxes, image_size),
    )


def image_batches(
    paths: Sequence[str], image_size: tuple[int, int], batch_size: int
) -> tf.data.Dataset:
    """Images alone: (`image` [B, H, W, 3] float32, file's H, W [B, 2])."""

    def load(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = read_image(path)
        resized, _ = resize(image, tf.zeros((0, 4)), image_size)
        return resized, tf.shape(image)[:2]

    return (
        tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def read_image(path: tf.Tensor) -> tf.Tensor:
    """[H, W, 3] uint8 red, green, blue of a PNG, JPEG or BMP file."""
    return tf.io.decode_image(
        tf.io.read_file(path), channels=3, expand_animations=False
    )


def resize(
    image: tf.Tensor, boxes: tf.Tensor, image_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Bilinear, as in the released code; boxes follow.

    Args:
      image: [H, W, 3].
      boxes: [N, 4] float.
      image_size: H, W wanted.

    Returns:
      [H, W, 3] float32 and [N, 4] float32.
    """
    scale = tf.constant(image_size, tf.float32) / tf.cast(
        tf.shape(image)[:2], tf.float32
    )
    image = tf.image.resize(image, image_size)
    return image, boxes * tf.tile(scale[::-1], [2])


def image_sizes(paths: Sequence[object]) -> np.ndarray:
    """[N, 2] int64 H, W of image files, from their first bytes.

    Raises:
      ValueError: a file is no image; the message names it.
      OSError: a file cannot be read.
    """
    sizes = []
    for path in paths:
        try:
            with PIL.Image.open(path) as image:
                sizes.append(image.size[::-1])
        except PIL.UnidentifiedImageError as error:
            raise ValueError(f"{path}: not an image file") from error
    return np.array(sizes, np.int64).reshape(-1, 2)


@contextlib.contextmanager
def naming_damaged(paths: Sequence[object]) -> Iterator[None]:
    """Turns TensorFlow's complaint about an image into one that names it.

    Raises:
      ValueError: one of `paths` cannot be decoded.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        for path in paths:
            try:
                read_image(tf.constant(str(path)))
            except (
                tf.errors.InvalidArgumentError,
                tf.errors.NotFoundError,
            ):
                raise ValueError(
                    f"{path}: not a whole image file (PNG, JPEG or BMP)"
                ) from error
        raise


def _batches(
    order: np.ndarray,
    samples: Sequence[Sample],
    learned: Objects,
    image_size: tuple[int, int],
    anchors: np.ndarray,
    batch_size: int,
    change: Callable[..., tuple[tf.Tensor, tf.Tensor]],
) -> tf.data.Dataset:
    """Reads, changes and encodes the samples in some order."""
    paths = tf.constant([str(sample.path) for sample in samples])
    starts = tf.constant(learned.starts)
    all_boxes = tf.constant(learned.boxes)
    all_ids = tf.constant(learned.class_ids)
    anchors = tf.constant(anchors, tf.float32)

    def load(place: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ours = slice(starts[index], starts[index + 1])
        image, boxes = change(read_image(paths[index]), all_boxes[ours], place)
        return image, targets.make(boxes, all_ids[ours], anchors)

    return (
        tf.data.Dataset.from_tensor_slices(order)
        .enumerate()
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .padded_batch(
            batch_size,
            ([*image_size, 3], [None, targets.NUM_FIELDS]),
            (0.0, targets.PADDING),
        )
        .prefetch(tf.data.AUTOTUNE)
    )
