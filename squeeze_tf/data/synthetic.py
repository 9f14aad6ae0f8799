"""Tiny generated samples, for tests and smoke runs."""

import zlib

import numpy as np

NUM_GRIDS = 4
_ROWS, _COLUMNS = 16, 64


def lidar_grids(num_classes: int, seed: str = "") -> np.ndarray:
    """Projected scans of a flat ground with boxes of every class on it.

    Ours: cells look down on z = -1.73 m; each object is a patch of cells at
    one range, whose intensity tells its class, so that a network can learn it.

    Args:
      num_classes: labels, 0 being the ground.
      seed: any text.

    Returns:
      [NUM_GRIDS, 16, 64, 6] float32: x, y, z, intensity, range (m), label id.
    """
    random = np.random.default_rng(zlib.crc32(seed.encode()))
    zenith = np.radians(np.linspace(2, -24, _ROWS))[:, None]
    azimuth = np.radians(np.linspace(45, -45, _COLUMNS))[None]
    grids = np.zeros((NUM_GRIDS, _ROWS, _COLUMNS, 6), np.float32)
    for grid in grids:
        ground = 1.73 / np.maximum(np.sin(-zenith), 1e-3)  # metres
        distance = np.where(ground < 60, ground, 0) * np.ones_like(azimuth)
        label = np.zeros_like(distance)
        for class_id in range(1, num_classes):
            row, column = random.integers(1, 10), random.integers(0, 52)
            patch = np.s_[row : row + 5, column : column + 10]
            distance[patch] = random.uniform(5, 20)
            label[patch] = class_id
        distance[random.random(distance.shape) < 0.05] = 0  # missing returns
        intensity = 0.1 + 0.8 * label / max(num_classes - 1, 1)
        grid[..., 0] = distance * np.cos(zenith) * np.cos(azimuth)
        grid[..., 1] = distance * np.cos(zenith) * np.sin(azimuth)
        grid[..., 2] = distance * np.sin(zenith)
        grid[..., 3] = np.where(distance > 0, intensity, 0)
        grid[..., 4] = distance
        grid[..., 5] = np.where(distance > 0, label, 0)
    return grids
