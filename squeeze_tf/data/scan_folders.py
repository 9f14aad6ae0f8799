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
        sequences/NN/labels/*.label (all scans of a sequence or none); or one
        such sequence NN.
      kitti_object: velodyne/*.bin, label_2/*.txt (if there), calib/*.txt.
      simulated: velodyne/*.bin, labels/*.label; the simulator's exact labels
        of points, where kitti_object makes them from its boxes.
      kitti_raw: velodyne_points/data/*.bin, tracklet_labels.xml (if there),
        of one drive or of the drives of a date.
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
            f"{folder}: expected scans in the layout {layout}, "
            f"{_PATTERNS[layout]}; got none"
        )
    return samples


def read_list(path: str | os.PathLike, layout: str = "plain") -> list[Sample]:
    """Scans named in a text file, one a line, such as a split of a data set.

    Args:
      path: the list; names are relative to its folder or absolute, empty
        lines and lines starting with # are skipped.
      layout: of the folders that the scans lie in, as in `find`, nuscenes
        excepted; "plain" ones in a folder velodyne take their labels from
        the folder labels next to that.

    Returns:
      The samples in the list's order.

    Raises:
      ValueError: a scan that does not exist (the message names the list,
        the line and the file), no scans, or a layout without lists.
      OSError: the list cannot be read.
    """
    if layout not in _SAMPLES:
        raise ValueError(
            f"{path}: lists are for the layouts {', '.join(_SAMPLES)}; got "
            f"{layout!r}"
        )
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
        samples.append(_SAMPLES[layout](scan))
    if not samples:
        raise ValueError(f"{path}: expected at least one scan; got none")
    return samples


def find_all(places: str, layout: str) -> list[Sample]:
    """Scans of folders and of .txt lists, with commas between them.

    Raises:
      ValueError: as `find` and `read_list`.
      OSError: a list cannot be read.
    """
    samples = []
    for place in places.split(","):
        read = read_list if place.endswith(".txt") else find
        samples += read(place, layout)
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
    scans = sorted(folder.glob("sequences/*/velodyne/*.bin"))
    scans = scans or sorted(folder.glob("velodyne/*.bin"))
    samples = [_beside_velodyne(scan) for scan in scans]
    for sample in samples:
        labels = sample.scan_path.parent.parent / "labels"
        if labels.is_dir() and sample.label_path is None:
            raise ValueError(
                f"{labels / sample.frame}.label: expected labels for every "
                f"scan of the sequence; {sample.scan_path.name} has none"
            )
    return samples


def _kitti_object(folder: pathlib.Path) -> list[Sample]:
    return [_object(scan) for scan in sorted(folder.glob("velodyne/*.bin"))]


def _simulated(folder: pathlib.Path) -> list[Sample]:
    scans = sorted(folder.glob("velodyne/*.bin"))
    return [_beside_velodyne(scan) for scan in scans]


def _kitti_raw(folder: pathlib.Path) -> list[Sample]:
    scans = sorted(folder.glob("velodyne_points/data/*.bin"))
    scans = scans or sorted(folder.glob("*/velodyne_points/data/*.bin"))
    return [_raw(scan) for scan in scans]


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
        _beside(path)
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


_PATTERNS = {
    "semantic_kitti": "sequences/*/velodyne/*.bin or velodyne/*.bin",
    "kitti_object": "velodyne/*.bin",
    "simulated": "velodyne/*.bin (in the folder training)",
    "kitti_raw": "velodyne_points/data/*.bin, there or one folder below",
    "nuscenes": "samples/LIDAR_TOP/*.pcd.bin",
    "plain": f"files of {', '.join(SCAN_SUFFIXES)}",
}


def _beside(scan: pathlib.Path) -> Sample:
    """With the .label of the same name, if that is there."""
    if scan.parent.name == "velodyne":
        return _beside_velodyne(scan)
    return Sample(scan, _if_file(scan.with_suffix(".label")), "points")


def _beside_velodyne(scan: pathlib.Path) -> Sample:
    label = scan.parent.parent / "labels" / f"{scan.stem}.label"
    return Sample(scan, _if_file(label), "points")


def _object(scan: pathlib.Path) -> Sample:
    label = scan.parent.parent / "label_2" / f"{scan.stem}.txt"
    return Sample(scan, _if_file(label), "kitti_object")


def _raw(scan: pathlib.Path) -> Sample:
    tracklets = scan.parents[2] / "tracklet_labels.xml"
    return Sample(scan, _if_file(tracklets), "kitti_raw")


_SAMPLES: dict[str, Callable[[pathlib.Path], Sample]] = {
    "semantic_kitti": _beside_velodyne,
    "kitti_object": _object,
    "simulated": _beside_velodyne,
    "kitti_raw": _raw,
    "plain": _beside,
}


def _if_file(path: pathlib.Path) -> pathlib.Path | None:
    """The path, if there is a file."""
    return path if path.is_file() else None


def _rows(path: pathlib.Path) -> list[dict]:
    """The records of a nuScenes table."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
