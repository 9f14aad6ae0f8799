"""Objects cut out of training scans and set down elsewhere in others.

Ours, after the ground-truth sampling of SECOND (Yan et al. 2018, §3.2.1): few
scans show each class at few distances, while a network must know it at all.
An object moves rigidly, so it keeps its size in metres, and is projected anew,
so that it covers fewer cells farther away.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from squeeze_tf.geometry import clustering

_RADIUS = 0.7  # metres between points of an object, wide for far scan lines
_MIN_POINTS = 5
_FARTHEST = 45.0  # metres to set objects down at; beyond, few cells are left



@dataclasses.dataclass(frozen=True)
class ObjectBank:
    """Objects and the view that projects them.

    Attributes:
      objects: each [N, 5] float32: x, y, z (m), intensity, class id.
      class_ids: [K] int class of each object.
      row_zenith: [H] falling, radians.
      column_azimuth: [W] falling, radians.
    """

    objects: tuple[np.ndarray, ...]
    class_ids: np.ndarray
    row_zenith: np.ndarray
    column_azimuth: np.ndarray


def collect(
    samples: Iterable[dict[str, np.ndarray]], class_ids: Sequence[int]
) -> ObjectBank:
    """Cuts the objects of some classes out of labelled scans.

    Args:
      samples: dicts `grid` [H, W, 5], `mask`, `label_ids` [H, W].
      class_ids: which classes.

    Returns:
      A bank; the view is the median angle of each row and column.

    Raises:
      ValueError: the scans hold no object of these classes.
    """
    samples = list(samples)
    objects, kinds = [], []
    for sample in samples:
        for class_id in class_ids:
            chosen = sample["mask"] & (sample["label_ids"] == class_id)
            points = sample["grid"][chosen]
            clusters = clustering.dbscan(points[:, :3], _RADIUS, _MIN_POINTS)
            for cluster in range(clusters.max(initial=-1) + 1):
                found = points[clusters == cluster].astype(np.float32)
                found[:, 4] = class_id
                objects.append(found)
                kinds.append(class_id)
    if not objects:
        raise ValueError(f"the scans hold no object of classes {class_ids}")
    zenith, azimuth = _view(samples)
    return ObjectBank(tuple(objects), np.array(kinds), zenith, azimuth)


def paste(
    bank: ObjectBank,
    grid: np.ndarray,
    label_ids: np.ndarray,
    seed: int | Sequence[int],
    most: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sets up to `most` objects down in a scan, classes drawn evenly.

    Each is turned to a random azimuth, perhaps mirrored, and moved away from
    the sensor, never nearer, since its unseen points cannot be made up. It
    takes the place of whatever its cells held, also of what was nearer: in a
    narrow street nothing far could be set down otherwise.

    Args:
      bank: of collect().
      grid: [H, W, 5] float32; not changed.
      label_ids: [H, W] int32; not changed.
      seed: of the draw.
      most: largest number of objects.

    Returns:
      grid, label_ids: changed copies.
    """
    random = np.random.default_rng(seed)
    grid, label_ids = grid.copy(), label_ids.copy()
    kinds = np.unique(bank.class_ids)
    for _ in range(random.integers(0, most + 1)):
        same = np.flatnonzero(bank.class_ids == random.choice(kinds))
        chosen = bank.objects[random.choice(same)]
        _set_down(_moved(chosen, bank, random), bank, grid, label_ids)
    return grid, label_ids


def _set_down(
    found: np.ndarray,
    bank: ObjectBank,
    grid: np.ndarray,
    label_ids: np.ndarray,
) -> None:
    """Writes an object into a scan."""
    distance = np.linalg.norm(found[:, :3], axis=1)
    rows = _nearest(
        bank.row_zenith, np.arcsin(found[:, 2] / np.maximum(distance, 1e-6))
    )
    columns = _nearest(
        bank.column_azimuth, np.arctan2(found[:, 1], found[:, 0])
    )
    order = np.argsort(-distance)  # the nearest is written last and stays
    order = order[(rows[order] >= 0) & (columns[order] >= 0)]
    cells = rows[order], columns[order]
    grid[cells] = np.column_stack([found[order, :4], distance[order]])
    label_ids[cells] = found[order, 4]


def _moved(
    found: np.ndarray, bank: ObjectBank, random: np.random.Generator
) -> np.ndarray:
    """A copy at a random azimuth of the view and a distance not below."""
    found = found.copy()
    if random.random() < 0.5:
        found[:, 1] *= -1
    centre = found[:, :2].mean(axis=0)
    before = np.arctan2(centre[1], centre[0])
    distance = np.hypot(*centre)
    farther = random.uniform(distance, max(distance, _FARTHEST)) - distance
    turn = random.uniform(*bank.column_azimuth[[-1, 0]]) - before
    cos, sin = np.cos(turn), np.sin(turn)
    found[:, :2] = found[:, :2] @ np.array([[cos, sin], [-sin, cos]])
    found[:, :2] += farther * np.array(
        [np.cos(before + turn), np.sin(before + turn)]
    )
    return found.astype(np.float32)


def _view(
    samples: list[dict[str, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Median zenith of each row and azimuth of each column, radians."""
    grid = np.stack([sample["grid"] for sample in samples])
    seen = np.stack([sample["mask"] for sample in samples])
    distance = np.maximum(grid[..., 4], 1e-6)
    zenith = np.where(seen, np.arcsin(grid[..., 2] / distance), np.nan)
    azimuth = np.arctan2(grid[..., 1], grid[..., 0])
    azimuth = np.where(seen, azimuth, np.nan)
    return (
        _filled(np.nanmedian(zenith.swapaxes(0, 1).reshape(len(zenith[0]), -1), 1)),
        _filled(np.nanmedian(azimuth.reshape(-1, azimuth.shape[-1]), 0)),
    )


def _filled(angles: np.ndarray) -> np.ndarray:
    """Falling angles; rows or columns without a return lie on the line."""
    known = np.flatnonzero(np.isfinite(angles))
    angles = np.interp(np.arange(len(angles)), known, angles[known])
    return np.minimum.accumulate(angles)


def _nearest(falling: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index of the nearest angle; -1 beyond half a step of the outer ones."""
    limits = -(falling[1:] + falling[:-1]) / 2
    index = np.searchsorted(limits, -values)
    outside = (values > falling[0] + (falling[0] - falling[1])) | (
        values < falling[-1] - (falling[-2] - falling[-1])
    )
    return np.where(outside, -1, index)
