"""Distances of pairs of faces and of videos, by an embedder."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.data import face_pairs, image_folders
from squeeze_tf.shift_applications import face_inputs, images

keras = tf.keras

FRAME_PAIRS = 100  # Ch. 6 §3.3


def embed(
    embedder: keras.Model,
    paths: Sequence[str | os.PathLike],
    batch_size: int = 64,
) -> np.ndarray:
    """Embeddings of image files.

    Args:
      embedder: of face.shift_facenet(), whose input's size is taken.
      paths: of the images, [N].
      batch_size: how many at once.

    Returns:
      [N, D] float32 of length 1.

    Raises:
      ValueError: a file is not a whole image; the message names it.
    """
    run = tf.function(
        lambda x: embedder(x, training=False), reduce_retracing=True
    )
    batches = face_inputs.image_batches(
        paths, embedder.input_shape[1], batch_size
    )
    with images.naming_damaged(paths):
        return np.concatenate([run(batch).numpy() for batch in batches])


def squared_distances(
    embedder: keras.Model,
    pairs: face_pairs.Pairs,
    *,
    frame_pairs: int = FRAME_PAIRS,
    seed: int = 0,
    batch_size: int = 64,
) -> np.ndarray:
    """Squared distance of each pair's embeddings, 0 to 4.

    Source: Ch. 6 §3.3: of videos, "the average similarity of 100 random pairs
    of frames, one from each video". Unit vectors at squared distance d have
    the cosine 1 - d / 2, so the mean of either says the same.

    Args:
      embedder: of face.shift_facenet().
      pairs: of images, or of folders with frames, which may be mixed.
      frame_pairs: how many pairs of frames; of two images there is one.
      seed: of the choice of frames, with the pair's place.
      batch_size: images embedded at once.

    Returns:
      [N] float64.

    Raises:
      ValueError: a folder has no frames, or a file is not a whole image; the
        message names it.
    """
    draws = [
        frame_draws(first, second, frame_pairs, [seed, place])
        for place, (first, second) in enumerate(zip(pairs.first, pairs.second))
    ]
    paths = list(dict.fromkeys(p for ends in draws for e in ends for p in e))
    places = {path: i for i, path in enumerate(paths)}
    embeddings = embed(embedder, paths, batch_size).astype(np.float64)
    distances = np.empty(len(draws))
    for i, ends in enumerate(draws):
        first, second = (
            embeddings[[places[path] for path in end]] for end in ends
        )
        distances[i] = np.sum((first - second) ** 2, axis=1).mean()
    return distances


def frame_draws(
    first: pathlib.Path,
    second: pathlib.Path,
    count: int,
    seed: Sequence[int],
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Frames to compare, one of each video; an image is a video of one.

    Args:
      first: image or folder.
      second: likewise.
      count: pairs of frames, drawn independently.
      seed: of the draws.

    Returns:
      Two lists of `count` paths; of one, for two images.
    """
    random = np.random.default_rng(seed)
    frames = [
        image_folders.find(path) if path.is_dir() else [path]
        for path in (first, second)
    ]
    if len(frames[0]) == len(frames[1]) == 1:
        count = 1
    drawn = [random.integers(len(found), size=count) for found in frames]
    one, other = (
        [found[i] for i in places] for found, places in zip(frames, drawn)
    )
    return one, other
