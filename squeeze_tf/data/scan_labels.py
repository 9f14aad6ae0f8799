"""Reads point labels of every kind of data set as class and instance ids."""

import functools
import pathlib

import numpy as np

from squeeze_tf.data import kitti_lidar, label_maps, point_clouds


def read(
    path: pathlib.Path,
    kind: str,
    points: np.ndarray,
    frame: str,
    label_map: label_maps.LabelMap,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the labels of one scan.

    Args:
      path: .label (kind "points"), nuScenes lidarseg .bin ("nuscenes"),
        label_2 .txt ("kitti_object") or tracklet_labels.xml ("kitti_raw").
      kind: as above.
      points: [N, 3 or more] float metres, of the scan.
      frame: the scan's file name without suffix; its number in a drive.
      label_map: for the file's raw ids or box types.

    Returns:
      class_ids: [N] int32.
      instance_ids: [N] int32, 0 where none.

    Raises:
      ValueError: an unknown kind, a file that cannot be understood or does
        not fit the scan, or raw ids or types outside the map; the message
        names the file.
      OSError: the file cannot be read.
    """
    if kind not in _READERS:
        raise ValueError(
            f"kind must be one of {sorted(_READERS)}; got {kind!r}"
        )
    return _READERS[kind](path, points, frame, label_map)


_Labels = tuple[np.ndarray, np.ndarray]  # class ids, instance ids


def _applied(
    path: pathlib.Path, label_map: label_maps.LabelMap, raw_ids: np.ndarray
) -> np.ndarray:
    """Class ids; an error names the file."""
    try:
        return label_maps.apply(label_map, raw_ids)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _point_labels(
    path: pathlib.Path,
    points: np.ndarray,
    frame: str,
    label_map: label_maps.LabelMap,
) -> _Labels:
    """Labels of a SemanticKITTI .label."""
    raw_ids, instance_ids = point_clouds.read_labels(path, len(points))
    return _applied(path, label_map, raw_ids), instance_ids


def _lidarseg_labels(
    path: pathlib.Path,
    points: np.ndarray,
    frame: str,
    label_map: label_maps.LabelMap,
) -> _Labels:
    """Labels of a nuScenes lidarseg file, one uint8 per point."""
    raw_ids = np.fromfile(path, np.uint8).astype(np.int32)
    if len(raw_ids) != len(points):
        raise ValueError(
            f"{path}: expected {len(points)} labels of 1 "
            f"byte, one per point; got {len(raw_ids)}"
        )
    class_ids = _applied(path, label_map, raw_ids)
    return class_ids, np.zeros_like(class_ids)


def _object_labels(
    path: pathlib.Path,
    points: np.ndarray,
    frame: str,
    label_map: label_maps.LabelMap,
) -> _Labels:
    """Labels from the boxes of a KITTI object frame."""
    boxes = kitti_lidar.read_object_boxes(path)
    return _box_labels(path, points, label_map, boxes)


def _raw_labels(
    path: pathlib.Path,
    points: np.ndarray,
    frame: str,
    label_map: label_maps.LabelMap,
) -> _Labels:
    """Labels from the tracklets of a KITTI raw drive."""
    modified = path.stat().st_mtime_ns
    if not frame.isdecimal():
        raise ValueError(
            f"{path}: expected scans named by their number in the drive; got "
            f"{frame}"
        )
    frames = _tracklets(path, modified)
    boxes = frames.get(int(frame), kitti_lidar.empty())
    return _box_labels(path, points, label_map, boxes)


@functools.lru_cache(maxsize=4)
def _tracklets(
    path: pathlib.Path, modified: int
) -> dict[int, kitti_lidar.Boxes]:
    """The tracklets of a drive, parsed once for all of its scans."""
    del modified  # only part of the key
    return kitti_lidar.read_tracklets(path)


def _box_labels(
    path: pathlib.Path,
    points: np.ndarray,
    label_map: label_maps.LabelMap,
    boxes: kitti_lidar.Boxes,
) -> _Labels:
    """Labels of the points inside boxes; an error names the file."""
    try:
        return kitti_lidar.point_labels(
            points, boxes.types, boxes.boxes, label_map
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


_READERS = {
    "points": _point_labels,
    "nuscenes": _lidarseg_labels,
    "kitti_object": _object_labels,
    "kitti_raw": _raw_labels,
}
