"""Files of points in the formats LiDAR scans come in, before any check."""

import pathlib
import re
from collections.abc import Callable

import numpy as np
import plyfile

from squeeze_tf.data import las, pcd

_COORDINATES = ("x", "y", "z")
_INTENSITY_NAMES = ("intensity", "Intensity", "i", "reflectance", "remission")
_RING_NAMES = ("ring", "laser_id", "laser", "channel")

_NUMBERS = "iuf"  # kinds of NumPy types: signed, unsigned, floating

_Columns = tuple[np.ndarray, np.ndarray | None]  # points [N, 4], rings [N]


def read(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads points and laser indices; the suffix names the format.

    Args:
      path: a .bin, .pcd.bin, .pcd, .ply, .las, .laz or .npy file.

    Returns:
      points: [N, 4] float32, x, y, z in metres in our frame (x forward, y
        left, z up) and intensity in the file's unit (LAS: 0..1).
      rings: [N] laser index as the file has it, any number type, or None.

    Raises:
      ValueError: unknown suffix, an empty or damaged file, missing
        coordinates or a size that is no whole number of points; the message
        names the file.
      OSError: the file cannot be read.
    """
    reader = _reader(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: expected a scan; the file is empty")
    return reader(path)


def _reader(path: pathlib.Path) -> Callable[[pathlib.Path], _Columns]:
    """The function that reads this file's format."""
    if path.name.lower().endswith(".pcd.bin"):
        return _read_nuscenes
    readers = {
        ".bin": _read_kitti,
        ".pcd": lambda path: _from_columns(path, pcd.read(path)),
        ".ply": _read_ply,
        ".las": _read_las,
        ".laz": _read_las,
        ".npy": _read_npy,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise ValueError(
            f"{path}: expected one of {', '.join(readers)}; got {suffix!r}"
        )
    return readers[suffix]


def _floats(path: pathlib.Path, columns: int) -> np.ndarray:
    """A file of float32 records of so many columns."""
    content = path.read_bytes()
    if len(content) % (4 * columns):
        raise ValueError(
            f"{path}: expected a multiple of {4 * columns} bytes "
            f"({columns} float32 per point); got {len(content)} bytes"
        )
    values = np.frombuffer(content, "<f4").reshape(-1, columns)
    return values.astype(np.float32)


def _read_kitti(path: pathlib.Path) -> _Columns:
    """Velodyne .bin of KITTI and SemanticKITTI."""
    return _floats(path, 4), None


def _read_nuscenes(path: pathlib.Path) -> _Columns:
    """LIDAR_TOP .pcd.bin of nuScenes; its x points right, its y forward."""
    values = _floats(path, 5)
    points = np.stack(
        [values[:, 1], -values[:, 0], values[:, 2], values[:, 3]], axis=1
    )
    return points, values[:, 4]


def _read_npy(path: pathlib.Path) -> _Columns:
    """A NumPy array of points."""
    with path.open("rb") as file:
        prefix = file.read(len(np.lib.format.MAGIC_PREFIX))
    if prefix != np.lib.format.MAGIC_PREFIX:  # NumPy would try zip and pickle
        raise ValueError(
            f"{path}: not a NumPy array: expected the first bytes "
            f"{np.lib.format.MAGIC_PREFIX!r}; got {prefix!r}"
        )
    try:  # mapped, as reading takes all the memory that the header promises
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the header is Python and fails like it
        raise ValueError(f"{path}: not a NumPy array: {error}") from error
    if (
        values.ndim != 2
        or values.shape[1] < 3
        or values.dtype.kind not in _NUMBERS
    ):
        raise ValueError(
            f"{path}: expected points [N, 3] or [N, 4 or more] of numbers; "
            f"got {values.shape} of {values.dtype}"
        )
    points = np.zeros((len(values), 4), np.float32)
    points[:, : values.shape[1]] = values[:, :4]
    return points, None


def _read_ply(path: pathlib.Path) -> _Columns:
    """The vertices of a PLY file."""
    try:
        _check_ply_counts(path.read_bytes())
        content = plyfile.PlyData.read(str(path))
    except Exception as error:  # damage shows anywhere in the parser
        raise ValueError(f"{path}: PLY not understood: {error}") from error
    if "vertex" not in content:
        names = [element.name for element in content.elements]
        raise ValueError(f"{path}: expected an element vertex; got {names}")
    vertices = content["vertex"].data
    return _from_columns(
        path, {name: vertices[name] for name in vertices.dtype.names}
    )


def _check_ply_counts(content: bytes) -> None:
    """Refuses more elements than bytes, since plyfile makes room for all."""
    header = content.partition(b"end_header")[0]
    for count in re.findall(rb"[\r\n]element\s+\S+\s+(\d+)", header):
        if int(count) > len(content):
            raise ValueError(
                f"{int(count)} elements do not fit into {len(content)} bytes"
            )


def _read_las(path: pathlib.Path) -> _Columns:
    """LAS or LAZ; extra dimensions may hold the laser index."""
    columns = las.read(path, (*_INTENSITY_NAMES, *_RING_NAMES))
    points, rings = _from_columns(path, columns)
    points[:, 3] /= las.INTENSITY_SCALE
    return points, rings


def _from_columns(
    path: pathlib.Path, columns: dict[str, np.ndarray]
) -> _Columns:
    """Points and rings of named fields."""
    missing = [name for name in _COORDINATES if name not in columns]
    if missing:
        raise ValueError(
            f"{path}: expected fields x, y, z; {', '.join(missing)} missing "
            f"from {sorted(columns)}"
        )
    intensity = [name for name in _INTENSITY_NAMES if name in columns]
    rings = [name for name in _RING_NAMES if name in columns]
    used = (*_COORDINATES, *intensity[:1], *rings[:1])
    for name in used:
        if columns[name].dtype.kind not in _NUMBERS or columns[name].ndim != 1:
            raise ValueError(
                f"{path}: expected one number per point as {name}; got "
                f"{columns[name].dtype} {columns[name].shape}"
            )
    points = np.zeros((len(columns["x"]), 4), np.float32)
    for axis, name in enumerate((*_COORDINATES, *intensity[:1])):
        points[:, axis] = columns[name]
    return points, columns[rings[0]] if rings else None
