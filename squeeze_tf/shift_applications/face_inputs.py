"""Batches of faces, for training and for embedding."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.data import face_folders
from squeeze_tf.shift_applications import images


def labelled(
    identities: Sequence[face_folders.Identity],
) -> tuple[list[str], np.ndarray]:
    """All images, and whose they are.

    Args:
      identities: persons.

    Returns:
      [N] paths, and class ids [N] int32: a person's place in the list.
    """
    paths = [str(path) for person in identities for path in person.paths]
    counts = [len(person.paths) for person in identities]
    return paths, np.repeat(np.arange(len(counts)), counts).astype(np.int32)


def training_batches(
    paths: Sequence[str],
    class_ids: np.ndarray,
    *,
    image_size: int,
    batch_size: int,
    flip: bool,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """One shuffled epoch; the same for equal arguments.

    Args:
      paths: of the images, [N].
      class_ids: [N] int32.
      image_size: side of the square to which images are stretched.
      batch_size: the last, smaller batch is kept.
      flip: mirror half of the images; Wen et al. 2016 §4.1.
      seed: of the run.
      epoch: from 0.

    Returns:
      Dataset of ((`image` [B, S, S, 3] float32 in 0 to 255, `class_id` [B]
      int32), class id [B] int32): what classifier() takes, and the truth.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(paths))
    names = np.asarray(paths)[order]

    def load(
        place: tf.Tensor, sample: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        path, class_id = sample
        image = _read(path, image_size)
        if flip:
            key = tf.stack([tf.constant(seed, tf.int64), epoch * 10**8 + place])
            is_mirrored = tf.random.stateless_uniform((), key) < 0.5
            image = tf.where(is_mirrored, image[:, ::-1], image)
        return (image, class_id), class_id

    return (
        tf.data.Dataset.from_tensor_slices((names, class_ids[order]))
        .enumerate()
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def image_batches(
    paths: Sequence[str | os.PathLike], image_size: int, batch_size: int
) -> tf.data.Dataset:
    """Images alone, in order: [B, S, S, 3] float32 in 0 to 255."""
    return (
        tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
        .map(
            lambda path: _read(path, image_size),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def _read(path: tf.Tensor, size: int) -> tf.Tensor:
    """[size, size, 3] float32, bilinear."""
    image = tf.image.resize(images.decode(path), (size, size), antialias=True)
    return tf.ensure_shape(image, [size, size, 3])
