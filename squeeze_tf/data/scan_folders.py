"""Finds scans and their point labels in the layouts of public data sets."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable

import numpy as np

from squeeze_tf.data import (
    kitti_lidar,
    label_maps,
    point_clouds,
    scan_labels,
)

SCAN_SUFFIXES = (".bin", ".pcd", ".ply", ".las", ".laz", ".npy")


@dataclasses.dataclass(frozen=True)
class Sample:
    """A scan and where its labels are.

    Attributes:
      scan_path: the scan.
      label_path: .label, lidarseg .bin, label_2 .txt or tracklet_labels.xml;
        None where there are none.
      kind: how to read the labels: "points" (SemanticKITTI .label),
        "kitti_object", "kitti_raw" or "nuscenes".
    """

    scan_path: pathlib.Path
    label_path: pathlib.Path | None
    kind: str

    @property
    def frame(self) -> str:
        """The scan's file name without suffix, such as 000123."""
        return self.scan_path.stem


def find(folder: str | os.PathLike, layout: str) -> list[Sample]:
    """Scans of a folder, in the order of their names.

    Layouts, each below `folder`:
      semantic_kitti: sequences/NN/velodyne/*.bin, labels in
        sequences/NN/labels/*.label (all scans of a sequence or none).
      kitti_object: velodyne/*.bin, label_2/*.txt (if there), calib/*.txt.
      simulated: velodyne/*.bin, labels/*.label; the simulator's exact labels
        of points, where kitti_object makes them from its boxes.
      kitti_raw: velodyne_points/data/*.bin, tracklet_labels.xml (if there).
      nuscenes: samples/LIDAR_TOP/*.pcd.bin; labels lidarseg/**/
        *_lidarseg.bin, matched through the tables lidarseg.json and
        sample_data.json of a folder v1.0-*, without them by the scan's name.
      plain: files of the suffixes `point_clouds.read` knows, each with a
        .label of the same name beside it, or none.

    Args:
      folder: the data set's folder.
      layout: one of the above.

    Returns:
      The samples, at least one.

    Raises:
      ValueError: an unknown layout, no scans, or labels for some scans of a
        sequence only; the message names folder and pattern.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"layout must be one of {', '.join(LAYOUTS)}; got {layout!r}"
        )
    samples = LAYOUTS[layout](pathlib.Path(folder))
    if not samples:
        raise ValueError(
            f"{folder}: expected scans in the layout {layout} "
            "(see scan_folders.find); got none"
        )
    return samples


def read_list(path: str | os.PathLike) -> list[Sample]:
    """Scans named in a text file, one a line.

    Args:
      path: the list; names are relative to its folder or absolute, empty
        lines and lines starting with # are skipped.

    Returns:
      The samples in the list's order. A scan in a folder velodyne takes its
      label from the folder labels next to that, others from a .label of the
      same name beside them, where there is one.

    Raises:
      ValueError: a scan that does not exist (the message names the list,
        the line and the file), or no scans.
      OSError: the list cannot be read.
    """
    path = pathlib.Path(path)
    samples = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        scan = path.parent / name
        if not scan.is_file():
            raise ValueError(
                f"{path}:{number}: expected an existing scan; got {scan}"
            )
        label = scan.with_suffix(".label")
        if scan.parent.name == "velodyne":
            label = scan.parent.parent / "labels" / f"{scan.stem}.label"
        samples.append(_points_sample(scan, label))
    if not samples:
        raise ValueError(f"{path}: expected at least one scan; got none")
    return samples


def load(
    sample: Sample,
    label_map: label_maps.LabelMap,
    drop_invalid: bool = False,
    intensity_scale: float | None = None,
) -> tuple[point_clouds.Scan, np.ndarray, np.ndarray]:
    """Reads a sample.

    Args:
      sample: of `find` or `read_list`.
      label_map: for the raw ids or box types of the sample's labels.
      drop_invalid: as in `point_clouds.read`.
      intensity_scale: as in `point_clouds.read`.

    Returns:
      scan: the points.
      class_ids: [N] int32, all 0 where the sample has no labels.
      instance_ids: [N] int32, 0 where none.

    Raises:
      ValueError: a file that cannot be understood, labels that do not fit
        the scan, or raw ids or types outside the map; the message names the
        file.
      OSError: a file cannot be read.
    """
    scan = point_clouds.read(sample.scan_path, drop_invalid, intensity_scale)
    if sample.label_path is None:
        none = np.zeros(len(scan.points), np.int32)
        return scan, none, none.copy()
    class_ids, instance_ids = scan_labels.read(
        sample.label_path, sample.kind, scan.points, sample.frame, label_map
    )
    return scan, class_ids, instance_ids


def files(sample: Sample) -> tuple[pathlib.Path, ...]:
    """All files that `load` reads for a sample, the scan first."""
    paths = [sample.scan_path, sample.label_path]
    if sample.kind == "kitti_object" and sample.label_path:
        paths.append(kitti_lidar.calibration_path(sample.label_path))
    return tuple(path for path in paths if path)


def _semantic_kitti(folder: pathlib.Path) -> list[Sample]:
    samples = []
    for scan in sorted(folder.glob("sequences/*/velodyne/*.bin")):
        labels = scan.parent.parent / "labels"
        label = labels / f"{scan.stem}.label"
        if labels.is_dir() and not label.is_file():
            raise ValueError(
                f"{label}: expected labels for every scan of the sequence; "
                f"{scan.name} has none"
            )
        samples.append(_points_sample(scan, label))
    return samples


def _kitti_object(folder: pathlib.Path) -> list[Sample]:
    return [
        Sample(
            scan,
            _if_file(folder / "label_2" / f"{scan.stem}.txt"),
            "kitti_object",
        )
        for scan in sorted(folder.glob("velodyne/*.bin"))
    ]


def _simulated(folder: pathlib.Path) -> list[Sample]:
    return [
        _points_sample(scan, folder / "labels" / f"{scan.stem}.label")
        for scan in sorted(folder.glob("velodyne/*.bin"))
    ]


def _kitti_raw(folder: pathlib.Path) -> list[Sample]:
    tracklets = _if_file(folder / "tracklet_labels.xml")
    return [
        Sample(scan, tracklets, "kitti_raw")
        for scan in sorted(folder.glob("velodyne_points/data/*.bin"))
    ]


def _nuscenes(folder: pathlib.Path) -> list[Sample]:
    label_names = {}
    for table in sorted(folder.glob("v1.0-*/lidarseg.json")):
        scans = {
            row["token"]: row["filename"]
            for row in _rows(table.with_name("sample_data.json"))
        }
        for row in _rows(table):
            scan_name = scans.get(row["sample_data_token"])
            label_names[scan_name] = folder / row["filename"]
    by_name = {
        path.name: path for path in folder.glob("lidarseg/**/*_lidarseg.bin")
    }
    samples = []
    for scan in sorted(folder.glob("samples/LIDAR_TOP/*.pcd.bin")):
        stem = scan.name.removesuffix(".pcd.bin")
        label = label_names.get(
            scan.relative_to(folder).as_posix(),
            by_name.get(f"{stem}_lidarseg.bin"),
        )
        samples.append(Sample(scan, label, "nuscenes"))
    return samples


def _plain(folder: pathlib.Path) -> list[Sample]:
    return [
        _points_sample(path, path.with_suffix(".label"))
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SCAN_SUFFIXES
    ]


LAYOUTS: dict[str, Callable[[pathlib.Path], list[Sample]]] = {
    "semantic_kitti": _semantic_kitti,
    "kitti_object": _kitti_object,
    "simulated": _simulated,
    "kitti_raw": _kitti_raw,
    "nuscenes": _nuscenes,
    "plain": _plain,
}


def _points_sample(scan: pathlib.Path, label: pathlib.Path) -> Sample:
    """A scan with a .label file if that is there."""
    return Sample(scan, _if_file(label), "points")


def _if_file(path: pathlib.Path) -> pathlib.Path | None:
    """The path, if there is a file."""
    return path if path.is_file() else None


def _rows(path: pathlib.Path) -> list[dict]:
    """The records of a nuScenes table."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
