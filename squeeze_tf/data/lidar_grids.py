"""Projected scans on disk: H x W x 6 arrays, TFRecords of them, statistics."""

import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from squeeze_tf import whole_file

# x, y, z (m), intensity, range (m), label id: the format of the original
# release (Ch. 3 §3.1 and its code).
NUM_CHANNELS = 6
SUFFIXES = (".npy", ".npz")
_IDS = ("label_ids", "instance_ids")  # channels 5 and 6 of a loaded grid
# What NumPy raises for files that hold something else, or only a part.
_NO_ARRAY = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def read(path: str | os.PathLike) -> np.ndarray:
    """Reads one projected scan.

    Args:
      path: of a .npy array or of a .npz archive with the array `grid`.

    Returns:
      [H, W, 6] float32: x, y, z, range in metres, intensity before the range,
      label id last; range 0 where there is no return.

    Raises:
      ValueError: the file is no such array, or holds non-finite numbers.
      OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    try:
        grid = np.load(path, allow_pickle=False)
        if isinstance(grid, np.lib.npyio.NpzFile):
            with grid as arrays:
                grid = arrays["grid"]
        grid = np.asarray(grid, np.float32)
    except _NO_ARRAY as error:
        raise ValueError(
            f"{path}: expected an array [H, W, 6] (in a .npz under the name "
            f"'grid'); got {error}"
        ) from error
    if grid.ndim != 3 or grid.shape[2] != NUM_CHANNELS or 0 in grid.shape:
        raise ValueError(
            f"{path}: expected [H, W, 6] (x, y, z, intensity, range, label); "
            f"got {grid.shape}"
        )
    num_bad = int((~np.isfinite(grid)).any(axis=-1).sum())
    if num_bad:
        raise ValueError(f"{path}: {num_bad} cells are NaN or infinite")
    return grid


def write(path: str | os.PathLike, grid: np.ndarray) -> None:
    """Writes one [H, W, 6] float32 grid as .npy, whole or not at all."""
    with whole_file.replacing(path) as scratch, open(scratch, "wb") as file:
        np.save(file, np.asarray(grid, np.float32))


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
    """The grids of a folder, sorted by name.

    Raises:
      FileNotFoundError: the folder is absent or holds none.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of grids")
    paths = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"{folder}: holds no .npy or .npz grid")
    return paths


def dataset(
    load: Callable[[int], np.ndarray], num_samples: int
) -> tf.data.Dataset:
    """Samples of the segmentation contract, read in parallel.

    Args:
      load: index to [H, W, 6] float32 grid whose label ids are final, or
        [H, W, 7] with instance ids (0 where none) last; all of one shape.
      num_samples: how many there are.

    Returns:
      Dataset of dicts in the order of the indices: `grid` [H, W, 5] float32,
      `mask` [H, W] bool, `label_ids` [H, W] int32 and, where the grids have
      them, `instance_ids` [H, W] int32.
    """
    if num_samples < 1:
        raise ValueError("a dataset needs at least one sample")
    shape = load(0).shape

    def read_one(index: tf.Tensor) -> tf.Tensor:
        grid = tf.numpy_function(load, [index], tf.float32, stateful=False)
        return tf.ensure_shape(grid, shape)

    indices = tf.data.Dataset.range(num_samples)
    return indices.map(
        read_one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).map(_as_sample)


def write_records(
    path: str | os.PathLike, samples: tf.data.Dataset, progress: bool = True
) -> int:
    """Caches samples in one TFRecord file, whole or not at all.

    Args:
      path: of the file to write.
      samples: as from dataset().
      progress: show a bar.

    Returns:
      How many samples were written.
    """
    count = 0
    options = tf.io.TFRecordOptions(compression_type="ZLIB")
    with (
        whole_file.replacing(path, shared=True) as scratch,
        tf.io.TFRecordWriter(str(scratch), options) as writer,
    ):
        for sample in tqdm.tqdm(samples, "cache", disable=not progress):
            ids = [sample[name] for name in _IDS if name in sample]
            packed = tf.concat(
                [sample["grid"], tf.cast(tf.stack(ids, axis=-1), tf.float32)],
                axis=-1,
            )
            writer.write(tf.io.serialize_tensor(packed).numpy())
            count += 1
    return count


def read_records(
    path: str | os.PathLike, shape: Sequence[int]
) -> tf.data.Dataset:
    """Samples of a file of write_records(), whose grids have `shape`."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such TFRecord file")

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        grid = tf.io.parse_tensor(record, tf.float32)
        return _as_sample(tf.ensure_shape(grid, shape))

    records = tf.data.TFRecordDataset(os.fspath(path), compression_type="ZLIB")
    return records.map(
        parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


def statistics(
    samples: Iterable[dict[str, np.ndarray]], num_classes: int
) -> dict[str, np.ndarray]:
    """What training needs to know of a data set, over its returns alone.

    Args:
      samples: as from dataset().as_numpy_iterator().
      num_classes: labels outside [0, num_classes) are an error.

    Returns:
      mean, std: [5] float64 of x, y, z, intensity, range; frequencies:
      [num_classes] share of the returns of each class.

    Raises:
      ValueError: a label outside the classes, or no return at all.
    """
    count, total, squares = 0, np.zeros(5), np.zeros(5)
    frequencies = np.zeros(num_classes)
    for sample in samples:
        values = sample["grid"][sample["mask"]].astype(np.float64)
        labels = sample["label_ids"][sample["mask"]]
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(
                f"label ids must lie in [0, {num_classes}); got "
                f"{labels.min()} to {labels.max()}"
            )
        count += len(values)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
        frequencies += np.bincount(labels, minlength=num_classes)
    if not count:
        raise ValueError("the scans hold no return")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return {"mean": mean, "std": std, "frequencies": frequencies / count}


def _as_sample(grid: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        "grid": grid[..., :5],
        "mask": grid[..., 4] > 0,
    } | {
        name: tf.cast(ids, tf.int32)
        for name, ids in zip(_IDS, tf.unstack(grid[..., 5:], axis=-1))
    }
