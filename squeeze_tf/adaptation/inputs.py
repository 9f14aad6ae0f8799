"""Unlabelled scans, whose labels, where there are any, are never read."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from squeeze_tf.data import lidar_grids, point_clouds, scan_folders
from squeeze_tf.geometry import laser_rings, spherical
from squeeze_tf.segmentation import inference

_Loader = tuple[Callable[[int], np.ndarray], list[pathlib.Path]]


def grids(
    folder: str, projection: spherical.Projection, turns: int = 1
) -> _Loader:
    """Projected scans on disk, whose last channel is left out.

    Raises:
      ValueError: `turns` is not 1; what lies beside the view is lost.
    """
    del projection
    if turns != 1:
        raise ValueError(f"grids on disk cannot be turned; got turns {turns}")
    paths = [p for part in folder.split(",") for p in lidar_grids.find(part)]
    return lambda index: lidar_grids.read(paths[index])[..., :5], paths


def scans(
    folder: str,
    projection: spherical.Projection,
    turns: int = 1,
    *,
    layout: str,
) -> _Loader:
    """Scans of a folder layout of data.scan_folders, projected."""
    paths = [
        sample.scan_path
        for sample in scan_folders.find_all(folder, layout)
        for _ in range(turns)
    ]

    def load(index: int) -> np.ndarray:
        scan = point_clouds.read(paths[index])
        if scan.rings is None:  # which follow from the order before a turn
            rings = laser_rings.from_scan_order(scan.points, projection.rows)
            scan = dataclasses.replace(scan, rings=rings)
        points = _turned(scan.points, 2 * np.pi * (index % turns) / turns)
        scan = dataclasses.replace(scan, points=points)
        return inference.project(scan, projection).grid

    return load, paths


DATASETS = {"grids": grids} | {
    layout: functools.partial(scans, layout=layout)
    for layout in (
        *("semantic_kitti", "kitti_object", "simulated", "kitti_raw"),
        *("nuscenes", "plain"),
    )
}


def unlabelled(
    dataset: str,
    folder: str,
    projection: spherical.Projection,
    turns: int = 1,
) -> tf.data.Dataset:
    """Scans of the segmentation contract with label 0 everywhere.

    Args:
      dataset: key of DATASETS.
      folder: of the data, or a .txt list of scans; several of them with commas
        between.
      projection: of scans; grids on disk have theirs already.
      turns: views of each scan, turned by equal steps about the vertical, for
        projections that show a part of what scans of a full turn hold.

    Returns:
      Dataset of dicts `grid` [H, W, 5], `mask` [H, W], `label_ids` [H, W], kept
      in memory.

    Raises:
      ValueError: `dataset` is unknown, or a grid has another size than the
        first.
      FileNotFoundError: there are no scans.
    """
    if dataset not in DATASETS:
        raise ValueError(
            f"dataset must be one of {sorted(DATASETS)}; got {dataset!r}"
        )
    load, paths = DATASETS[dataset](folder, projection, turns)
    shape = load(0).shape

    def with_no_label(index: int) -> np.ndarray:
        grid = load(index)
        if grid.shape != shape:
            raise ValueError(
                f"{paths[index]}: expected {shape} as in {paths[0]}; got "
                f"{grid.shape}"
            )
        return np.pad(grid, [(0, 0), (0, 0), (0, 1)])

    return lidar_grids.dataset(with_no_label, len(paths)).cache()


def split(
    samples: tf.data.Dataset, every: int
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Holds every `every`-th sample out; one alone is on both sides.

    Returns:
      The rest, and those held out.
    """
    numbered = samples.enumerate()

    def chosen(held_out: bool) -> tf.data.Dataset:
        return numbered.filter(
            lambda i, _: (i % every == every - 1) == held_out
        ).map(lambda _, sample: sample)

    count = int(samples.cardinality())
    if count < every:
        return samples, samples.skip(count - 1)
    held = count // every
    known = tf.data.experimental.assert_cardinality
    return chosen(False).apply(known(count - held)), chosen(True).apply(
        known(held)
    )


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Points [N, 4] after a turn to the left by `angle` radians."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = points[:, 0], points[:, 1]
    turned = points.copy()
    turned[:, 0], turned[:, 1] = cos * x - sin * y, sin * x + cos * y
    return turned
