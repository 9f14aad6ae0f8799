"""Batches of pictures that a style network learns to repaint."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.shift_applications import images


def training_batches(
    paths: Sequence[str | os.PathLike],
    *,
    image_size: int,
    batch_size: int,
    steps: int,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """One epoch of some steps; the same for equal arguments.

    Ours: epochs are parts of an endless row in which each pass over the images
    has an order of its own, so that an epoch can be short where the images
    are many.

    Args:
      paths: of the images.
      image_size: of the squares cut from their middle.
      batch_size: of all batches.
      steps: batches in the epoch.
      seed: of the run.
      epoch: from 0.

    Returns:
      Dataset of (`image`, `image`), [B, size, size, 3] float32 in 0 to 255:
      what the network takes, and whose content its picture shall have.

    Raises:
      ValueError: there are no images.
    """
    order = places(len(paths), count=steps * batch_size, seed=seed, epoch=epoch)
    names = [str(paths[i]) for i in order]

    def load(path: tf.Tensor) -> tf.Tensor:
        return images.square(images.decode(path), image_size)

    return (
        tf.data.Dataset.from_tensor_slices(names)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder=True)
        .map(lambda image: (image, image))
        .prefetch(tf.data.AUTOTUNE)
    )


def places(num_images: int, *, count: int, seed: int, epoch: int) -> np.ndarray:
    """Which images an epoch has: a part of shuffled passes in a row.

    Args:
      num_images: how many there are.
      count: how many an epoch has, perhaps more.
      seed: of the run.
      epoch: from 0.

    Returns:
      [count] int64.

    Raises:
      ValueError: there are no images.
    """
    if num_images < 1:
        raise ValueError("an epoch needs at least one image; got none")
    first, last = epoch * count, (epoch + 1) * count
    passes = range(first // num_images, -(-last // num_images))
    row = np.concatenate(
        [
            np.random.default_rng([seed, p]).permutation(num_images)
            for p in passes
        ]
    )
    start = first - passes.start * num_images
    return row[start : start + count]
