"""Readers and writers of LiDAR scans and of SemanticKITTI point labels."""

import dataclasses
import os
import pathlib
import warnings

import numpy as np

from squeeze_tf import whole_file
from squeeze_tf.data import scan_formats
from squeeze_tf.geometry import laser_rings

_MAX_RING = 255  # Ours: no scanner has more lasers
_FAR = 1e5  # metres; beyond it float32 steps pass 8 mm


@dataclasses.dataclass(frozen=True)
class Scan:
    """One scan.

    Attributes:
      points: [N, 4] float32, x, y, z in metres (x forward, y left, z up)
        and intensity in the file's unit, 0 where the file has none.
      rings: [N] int32 laser index, 0 = topmost, or None.
    """

    points: np.ndarray
    rings: np.ndarray | None = None


def read(
    path: str | os.PathLike,
    drop_invalid: bool = False,
    intensity_scale: float | None = None,
) -> Scan:
    """Reads a scan; the suffix names the format.

    .bin is KITTI's (float32 x, y, z, intensity); .pcd.bin is nuScenes'
    (float32 x right, y forward, z up, intensity, ring), turned into our
    frame; .pcd, .ply, .las and .laz hold fields x, y, z and, where there
    are any, an intensity and a laser index (ring, laser_id, laser or
    channel); .npy is [N, 3] or [N, 4 or more], the fifth and later columns
    left out.

    Laser indices are renumbered so that 0 is the topmost, since drivers
    differ: Velodyne's count from the lowest. Indices beyond 255 are no
    lasers: they are left out with a warning.

    Args:
      path: the file.
      drop_invalid: make points with a NaN or infinite value points without
        return (all zeros, laser 0) instead of raising an error. They keep
        their place, so that labels still fit the file.
      intensity_scale: factor on the intensities, such as 1 / 255 for sensors
        that count to 255. Those of LAS and LAZ are 0..1 already, since the
        format fixes the full scale of 65535; others are as in the file.

    Returns:
      The scan, in the file's order.

    Raises:
      ValueError: unknown suffix, no points, missing coordinates, a size
        that is no whole number of points, non-finite values without
        `drop_invalid`, or coordinates beyond 100 km; the message names the
        file, what was expected and what came.
      OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    points, rings = scan_formats.read(path)
    if len(points) == 0:
        raise ValueError(f"{path}: expected at least one point; got none")
    if intensity_scale is not None:
        points[:, 3] *= intensity_scale
    return _checked(path, points, rings, drop_invalid)


def write_bin(path: str | os.PathLike, points: np.ndarray) -> None:
    """Writes a KITTI velodyne file, whole or not at all.

    Args:
      path: the file; its folder must exist.
      points: [N, 4] float, x, y, z in metres and intensity.

    Raises:
      ValueError: `points` is not [N, 4].
      OSError: the file cannot be written.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 4:
        raise ValueError(
            f"points must be [N, 4] (x, y, z, intensity); got {points.shape}"
        )
    whole_file.write(path, points.astype("<f4").tobytes())


def read_labels(
    path: str | os.PathLike, num_points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a SemanticKITTI .label file.

    Source: Behley et al., SemanticKITTI (2019), semantic-kitti-api readme:
    one uint32 per point, class in the lower, instance in the upper 16 bits.

    Args:
      path: the file.
      num_points: of the scan it belongs to.

    Returns:
      class_ids: [N] int32 raw SemanticKITTI ids.
      instance_ids: [N] int32, 0 where none.

    Raises:
      ValueError: the file's count of labels is not `num_points`.
      OSError: the file cannot be read.
    """
    content = pathlib.Path(path).read_bytes()
    if len(content) != 4 * num_points:
        raise ValueError(
            f"{path}: expected {num_points} labels of 4 bytes, one per "
            f"point; got {len(content) / 4:g}"
        )
    labels = np.frombuffer(content, "<u4")
    return (
        (labels & 0xFFFF).astype(np.int32),
        (labels >> 16).astype(np.int32),
    )


def write_labels(
    path: str | os.PathLike,
    class_ids: np.ndarray,
    instance_ids: np.ndarray | None = None,
) -> None:
    """Writes a SemanticKITTI .label file, whole or not at all.

    Args:
      path: the file; its folder must exist.
      class_ids: [N] int raw ids, 0..65535.
      instance_ids: [N] int, 0..65535; all 0 if None.

    Raises:
      ValueError: the two differ in shape, or an id does not fit in 16 bits.
      OSError: the file cannot be written.
    """
    class_ids = np.asarray(class_ids)
    if instance_ids is None:
        instance_ids = np.zeros_like(class_ids)
    instance_ids = np.asarray(instance_ids)
    if class_ids.ndim != 1 or class_ids.shape != instance_ids.shape:
        raise ValueError(
            "class_ids and instance_ids must both be [N]; "
            f"got {class_ids.shape} and {instance_ids.shape}"
        )
    for name, ids in (("class", class_ids), ("instance", instance_ids)):
        if len(ids) and (ids.min() < 0 or ids.max() > 0xFFFF):
            raise ValueError(
                f"{name}_ids must lie in 0..65535; got {ids.min()}..{ids.max()}"
            )
    labels = instance_ids.astype("<u4") << 16 | class_ids.astype("<u4")
    whole_file.write(path, labels.astype("<u4").tobytes())


def _checked(
    path: pathlib.Path,
    points: np.ndarray,
    rings: np.ndarray | None,
    drop_invalid: bool,
) -> Scan:
    """The scan, invalid points without return if asked, rings from the top."""
    valid = np.isfinite(points).all(axis=1)
    if not valid.all():
        if not drop_invalid:
            raise ValueError(
                f"{path}: expected finite values; {np.sum(~valid)} of "
                f"{len(points)} points are not (with drop_invalid they "
                "count as no return)"
            )
        if not valid.any():
            raise ValueError(f"{path}: none of {len(points)} points is finite")
        points = np.where(valid[:, np.newaxis], points, 0)
        rings = None if rings is None else np.where(valid, rings, 0)
    farthest = np.abs(points[:, :3]).max()
    if farthest > _FAR:
        raise ValueError(
            f"{path}: expected metres from the sensor, within {_FAR:g}; got "
            f"{farthest:g} (map coordinates?)"
        )
    if rings is None:
        return Scan(points)
    if not np.all((rings >= 0) & (rings <= _MAX_RING)):  # NaN fails too
        warnings.warn(
            f"{path}: laser indices {rings.min()}..{rings.max()} left out; "
            f"expected 0..{_MAX_RING}",
            stacklevel=3,
        )
        return Scan(points)
    level = np.hypot(points[:, 0], points[:, 1])
    zenith = np.arctan2(points[:, 2], level)
    from_top = np.zeros(len(points), np.int32)
    from_top[valid] = laser_rings.from_top(rings[valid], zenith[valid])
    return Scan(points, from_top)
