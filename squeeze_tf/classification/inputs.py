"""Reads, augments and batches labelled images; DATASETS."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from squeeze_tf.data import cifar, classification, image_records

LabelledImages = classification.LabelledImages

# Each takes a folder and a part of data.classification.PARTS.
DATASETS: dict[str, Callable[..., LabelledImages]] = {
    "digits": classification.digits,
    "cifar10": cifar.cifar10,
    "cifar100": cifar.cifar100,
    "folders": classification.folders,
    "records": image_records.read,
}
# Further arguments of a reader.
OPTIONS: dict[str, tuple[str, ...]] = {
    "folders": ("share", "channels"),
    "records": ("channels",),
}
NEEDS_NO_FOLDER = ("digits",)
_ASPECT_RATIOS = (3 / 4, 4 / 3)  # of random crops, as is usual on ImageNet


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How to change training images; the default changes nothing.

    Args:
      min_crop: crop a random rectangle of at least this share of the image's
        area, at most all of it, and resize it; 1 crops none.
      pad: move by up to so many pixels; what is uncovered becomes 0.
      flip: mirror left and right in half of the images.
    """

    min_crop: float = 1.0
    pad: int = 0
    flip: bool = False


def training_batches(
    images: LabelledImages,
    *,
    image_size: tuple[int, int],
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """One shuffled, augmented epoch; the same for equal arguments.

    Args:
      images: labelled images.
      image_size: H, W of the network's input.
      batch_size: the last, smaller batch is kept.
      augmentation: what to change.
      seed: of the run.
      epoch: from 0.

    Returns:
      Dataset of (`image` [B, H, W, C] float32 in 0 to 255, probabilities of
      the classes [B, num_classes] float32, 1 for the true one).
    """

    def change(place: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        number = epoch * images.num_images + place
        key = tf.stack([tf.constant(seed, tf.int64), number])
        return augment(image, key, image_size, augmentation)

    state = np.random.SeedSequence([seed, epoch]).generate_state(1)
    return _batches(images, int(state[0]), batch_size, image_size, change)


def evaluation_batches(
    images: LabelledImages,
    *,
    image_size: tuple[int, int],
    batch_size: int,
    crop_share: float = 1.0,
) -> tf.data.Dataset:
    """Batches in the order of the source; as training_batches() otherwise.

    Args:
      images: labelled images.
      image_size: H, W of the network's input.
      batch_size: the last, smaller batch is kept.
      crop_share: see central().
    """
    return _batches(
        images,
        None,
        batch_size,
        image_size,
        lambda place, image: central(image, image_size, crop_share),
    )


def augment(
    image: tf.Tensor,
    seed: tf.Tensor,
    image_size: tuple[int, int],
    settings: Augmentation,
) -> tf.Tensor:
    """A randomly changed image of the size wanted.

    Source: Ch. 6 §3.1 follows ResNet on CIFAR (pad 4, crop, flip); for
    ImageNet, crops of 20 to 100 % of the area, as the code of Ch. 6 §4.

    Args:
      image: [H, W, C] float.
      seed: [2] int.
      image_size: H, W wanted.
      settings: how strongly.
    """
    keys = tf.random.experimental.stateless_split(seed, 3)
    if settings.min_crop < 1:
        image = _random_crop(image, keys[0], settings.min_crop)
    image = _resized(image, image_size)
    if settings.pad:
        channels = image.shape[2]
        edges = [[settings.pad] * 2] * 2 + [[0, 0]]
        image = tf.image.stateless_random_crop(
            tf.pad(image, edges), (*image_size, channels), keys[1]
        )
    if settings.flip:
        image = tf.image.stateless_random_flip_left_right(image, keys[2])
    return image


def central(
    image: tf.Tensor, image_size: tuple[int, int], crop_share: float
) -> tf.Tensor:
    """The middle of an image, resized.

    Args:
      image: [H, W, C] float.
      image_size: H, W wanted.
      crop_share: side of the largest centred rectangle of these proportions
        that is kept; .875 is ImageNet's usual 224 of 256.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    wanted = tf.constant(image_size, tf.float32)
    kept = wanted * tf.reduce_min(size / wanted) * crop_share
    kept = tf.maximum(tf.cast(tf.round(kept), tf.int32), 1)
    top, left = tf.unstack((tf.shape(image)[:2] - kept) // 2)
    image = image[top : top + kept[0], left : left + kept[1]]
    return _resized(image, image_size)


@contextlib.contextmanager
def naming_damaged(*sets: LabelledImages | None) -> Iterator[None]:
    """Turns TensorFlow's complaint about an image into one that names it.

    Raises:
      ValueError: an image of `sets` cannot be decoded.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        for images in filter(None, sets):
            for path in images.paths:
                problem = image_records.problem(path, images.channels)
                if problem:
                    raise ValueError(f"{path}: {problem}") from error
        raise


def _batches(
    images: LabelledImages,
    shuffle: int | None,
    batch_size: int,
    image_size: tuple[int, int],
    change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.data.Dataset:
    """Reads, changes and batches the images in some order."""
    num_classes = len(images.class_names)

    def encode(
        place: tf.Tensor, sample: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.ensure_shape(sample["image"], (None, None, images.channels))
        image = tf.ensure_shape(
            change(place, image), (*image_size, images.channels)
        )
        return image, tf.one_hot(sample["class_id"], num_classes)

    return (
        images.read(shuffle)
        .enumerate()
        .map(encode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def _random_crop(image: tf.Tensor, seed: tf.Tensor, least: float) -> tf.Tensor:
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        tf.zeros((1, 0, 4)),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=_ASPECT_RATIOS,
        area_range=(least, 1.0),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    crop = tf.slice(image, begin, size)
    return tf.ensure_shape(crop, (None, None, image.shape[2]))


def _resized(image: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Bilinear, averaged where it shrinks; exact where nothing changes."""
    same = tf.reduce_all(tf.shape(image)[:2] == tf.constant(image_size))
    resized = tf.cond(
        same,
        lambda: image,
        lambda: tf.image.resize(image, image_size, antialias=True),
    )
    return tf.ensure_shape(resized, (*image_size, image.shape[2]))
