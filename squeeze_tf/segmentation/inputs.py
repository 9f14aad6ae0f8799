"""Reads, augments and batches labelled scans; DATASETS."""

import functools
import hashlib
import json
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf import config as config_lib
from squeeze_tf.data import label_maps, lidar_grids, scan_folders, synthetic
from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import augmentation as augmentation_lib
from squeeze_tf.segmentation import inference, loss

_SHUFFLE_SCANS = 2048  # a shuffle's buffer holds at most so many,
_SHUFFLE_BYTES = 2**29  # and so much; training with mixing has two
_Loader = tuple[Callable[[int], np.ndarray], list[tuple[pathlib.Path, ...]]]


def grids(
    folder: str,
    label_map: label_maps.LabelMap,
    projection: spherical.Projection | None = None,
) -> _Loader:
    """Projected scans on disk; `projection` is not needed.

    Returns:
      load, files: index to [H, W, 6] grid of class ids, and the files of
      each sample, the scan first.
    """
    paths = [p for part in folder.split(",") for p in lidar_grids.find(part)]

    def load(index: int) -> np.ndarray:
        grid = lidar_grids.read(paths[index])
        raw_ids = grid[..., 5].astype(np.int32)
        try:
            if np.any(raw_ids != grid[..., 5]):
                raise ValueError("expected whole label ids")
            grid[..., 5] = label_maps.apply(label_map, raw_ids)
        except ValueError as error:
            raise ValueError(f"{paths[index]}: {error}") from error
        return grid

    return load, [(path,) for path in paths]


_LABEL_FILES = {  # of the layouts that scans() reads, * is the scan's name
    "semantic_kitti": "sequences/NN/labels/*.label",
    "kitti_object": "label_2/*.txt",
    "simulated": "labels/*.label",
    "kitti_raw": "tracklet_labels.xml",
    "nuscenes": "lidarseg/**/*_lidarseg.bin",
    "plain": "a .label of the same name beside it",
}


def scans(
    folder: str,
    label_map: label_maps.LabelMap,
    projection: spherical.Projection,
    layout: str,
) -> _Loader:
    """Labelled scans of a folder layout, projected as they are read.

    Grids are [H, W, 7], with instance ids last.

    Args:
      folder: top of the data set or a .txt list of its scans; or several of
        them, with commas between.
      label_map: raw labels to classes.
      projection: how points become cells.
      layout: as in data.scan_folders.

    Returns:
      load, files: as grids().

    Raises:
      ValueError: a scan has no labels, which would make it all class 0.
    """
    samples = scan_folders.find_all(folder, layout)
    for sample in samples:
        if sample.label_path is None:
            raise ValueError(
                f"{sample.scan_path}: expected labels in "
                f"{_LABEL_FILES[layout]}; got none"
            )

    def load(index: int) -> np.ndarray:
        scan, *ids = scan_folders.load(samples[index], label_map)
        projected = inference.project(scan, projection)
        ids = np.pad(np.stack(ids, axis=-1), [(0, 1), (0, 0)])
        return np.concatenate(  # place -1, a row of zeros, is "no return"
            [projected.grid, ids[projected.point_index]], axis=-1
        ).astype(np.float32)

    return load, [scan_folders.files(sample) for sample in samples]


def synthetic_grids(
    folder: str,
    label_map: label_maps.LabelMap,
    projection: spherical.Projection | None = None,
) -> _Loader:
    """Generated scans for tests; `folder` seeds them. As grids()."""
    made = synthetic.lidar_grids(len(label_map.names), seed=folder)
    return lambda index: made[index], []


DATASETS = {
    "grids": grids,
    "semantic_kitti": functools.partial(scans, layout="semantic_kitti"),
    "kitti_object": functools.partial(scans, layout="kitti_object"),
    "simulated": functools.partial(scans, layout="simulated"),
    "kitti_raw": functools.partial(scans, layout="kitti_raw"),
    "nuscenes": functools.partial(scans, layout="nuscenes"),
    "plain": functools.partial(scans, layout="plain"),
    "synthetic": synthetic_grids,
}


def find_projection(name: str) -> spherical.Projection:
    """A preset by name, or a sensor's own from a JSON file of its fields.

    Args:
      name: key of geometry.spherical.PROJECTIONS or path ending in .json, as
        tools.inspect_scan writes it.

    Raises:
      ValueError: neither.
    """
    if name in spherical.PROJECTIONS:
        return spherical.PROJECTIONS[name]
    if not name.endswith(".json"):
        raise ValueError(
            f"projection must be one of {sorted(spherical.PROJECTIONS)} or a "
            f".json file; got {name!r}"
        )
    return config_lib.read(spherical.Projection, name)


def samples(
    dataset: str,
    folder: str,
    *,
    label_map: label_maps.LabelMap,
    projection: str,
    cache: str | None = None,
) -> tf.data.Dataset:
    """Samples of the segmentation contract, one epoch in file order.

    Args:
      dataset: key of DATASETS.
      folder: of the data; several with commas between, and of folder layouts
        also .txt lists of scans.
      label_map: raw labels to classes.
      projection: as for find_projection(); grids on disk do not need it.
      cache: None to read the files each time, "memory", or a folder that
        keeps a TFRecord file of the projected scans.

    Returns:
      Dataset of dicts: `grid` [H, W, 5], `mask` [H, W], `label_ids` [H, W],
      and of folder layouts `instance_ids` [H, W], 0 where none.

    Raises:
      ValueError: `dataset` or `projection` is unknown.
    """
    if dataset not in DATASETS:
        raise ValueError(
            f"dataset must be one of {sorted(DATASETS)}: {dataset}"
        )
    view = find_projection(projection)
    load, files = DATASETS[dataset](str(folder), label_map, view)
    shape = load(0).shape
    load = _of_one_shape(load, files, shape)
    num_samples = len(files) or synthetic.NUM_GRIDS
    read = lidar_grids.dataset(load, num_samples)
    if cache is None:
        return read
    if cache == "memory":
        return read.cache()
    key = hashlib.sha256(
        json.dumps(
            [
                dataset,
                str(folder),
                repr(view),
                shape,
                [label_map.names, label_map.lookup.tolist()],
                [[str(p), p.stat().st_mtime] for paths in files for p in paths],
            ]
        ).encode()
    ).hexdigest()[:16]
    record = pathlib.Path(cache) / f"{key}.tfrecord"
    if not record.exists():
        record.parent.mkdir(parents=True, exist_ok=True)
        lidar_grids.write_records(record, read)
    # Schedules ask how many samples there are; a record file does not tell.
    return lidar_grids.read_records(record, shape).apply(
        tf.data.experimental.assert_cardinality(num_samples)
    )


def training_batches(
    samples: tf.data.Dataset,
    *,
    batch_size: int,
    augmentation: augmentation_lib.Augmentation,
    seed: int,
    epoch: int,
    ignored_ids: Sequence[int] = (),
    projection: spherical.Projection | None = None,
) -> tf.data.Dataset:
    """One shuffled, augmented epoch; the same for equal arguments.

    The order also depends on TensorFlow's global seed (training.set_seed).

    Args:
      samples: as from samples().
      batch_size: of all workers together; the last, smaller batch is kept.
      augmentation: what to change.
      seed: of the run.
      epoch: from 0.
      ignored_ids: classes that carry no loss.
      projection: of the grids; pasting needs it.

    Returns:
      Dataset of (`grid` [B, H, W, 5], labels [B, H, W] int32, IGNORED where
      there is no return).
    """
    samples = samples.map(
        lambda sample: {
            name: sample[name] for name in ("grid", "mask", "label_ids")
        }
    )
    buffer = _shuffle_buffer(samples)
    order = samples.shuffle(buffer, seed=2 * (seed + 7919 * epoch))
    partners = order  # not looked at
    if augmentation.mix or augmentation.paste_ids:
        partners = samples.shuffle(buffer, seed=2 * (seed + 7919 * epoch) + 1)

    def change(
        index: tf.Tensor,
        sample: dict[str, tf.Tensor],
        other: dict[str, tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.stack([tf.constant(seed, tf.int64), epoch * 1_000_000 + index])
        return _encode(
            augmentation_lib.augment(
                sample, other, key, augmentation, projection
            ),
            ignored_ids,
        )

    return (
        tf.data.Dataset.zip((tf.data.Dataset.range(2**62), order, partners))
        .map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(_split_between_workers())
    )


def evaluation_batches(
    samples: tf.data.Dataset, batch_size: int, ignored_ids: Sequence[int] = ()
) -> tf.data.Dataset:
    """Batches in order, unchanged; as training_batches() otherwise."""
    encoded = samples.map(lambda sample: _encode(sample, ignored_ids))
    batches = encoded.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    return batches.with_options(_split_between_workers())


def class_weights(frequencies: np.ndarray, power: float = 0.5) -> np.ndarray:
    """Weights that favour rare classes, with mean 1 over the returns.

    Ours: frequency ** -power; classes that never occur get 0.

    Args:
      frequencies: [C] share of the returns of each class.
      power: 0 counts all returns alike, 1 all classes.

    Returns:
      [C] float64.
    """
    frequencies = np.asarray(frequencies, np.float64)
    present = frequencies > 0
    weights = np.zeros_like(frequencies)
    weights[present] = frequencies[present] ** -power
    return weights / np.sum(weights * frequencies)


def _shuffle_buffer(samples: tf.data.Dataset) -> int:
    """Scans that a shuffle holds, so that large grids do not fill memory."""
    size = sum(
        spec.shape.num_elements() * spec.dtype.size
        for spec in samples.element_spec.values()
    )
    return max(1, min(_SHUFFLE_SCANS, _SHUFFLE_BYTES // size))


def _split_between_workers() -> tf.data.Options:
    """Each worker takes its part of every batch, instead of some files."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


def _of_one_shape(
    load: Callable[[int], np.ndarray],
    files: list[tuple[pathlib.Path, ...]],
    shape: tuple[int, ...],
) -> Callable[[int], np.ndarray]:
    """`load`, but grids that differ from the first are refused by name."""

    def checked(index: int) -> np.ndarray:
        grid = load(index)
        if grid.shape != shape:
            raise ValueError(
                f"{files[index][0]}: expected {shape} as in {files[0][0]}; "
                f"got {grid.shape}"
            )
        return grid

    return checked


def _encode(
    sample: dict[str, tf.Tensor], ignored_ids: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    label_ids, counted = sample["label_ids"], sample["mask"]
    for class_id in ignored_ids:
        counted &= label_ids != class_id
    return sample["grid"], tf.where(counted, label_ids, loss.IGNORED)
