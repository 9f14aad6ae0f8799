"""Files of points in the formats LiDAR scans come in, before any check."""

import pathlib
from collections.abc import Callable

import laspy
import numpy as np
import plyfile

from squeeze_tf.data import pcd

_LAS_FULL_SCALE = 65535.0  # LAS 1.4 R15 §2.4: intensity is an unsigned short
# laspy passes on what NumPy and lazrs (RuntimeError) raise for cut files.
_LAS_ERRORS = (laspy.errors.LaspyException, ValueError, RuntimeError)
_COORDINATES = ("x", "y", "z")
_INTENSITY_NAMES = ("intensity", "Intensity", "i", "reflectance", "remission")
_RING_NAMES = ("ring", "laser_id", "laser", "channel")

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
      ValueError: unknown suffix, an empty file, missing coordinates or a
        size that is no whole number of points; the message names the file.
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
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a NumPy array: {error}") from error
    is_number = np.issubdtype(values.dtype, np.number)
    if values.ndim != 2 or values.shape[1] < 3 or not is_number:
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
        content = plyfile.PlyData.read(str(path))
    except plyfile.PlyParseError as error:
        raise ValueError(f"{path}: PLY not understood: {error}") from error
    if "vertex" not in content:
        names = [element.name for element in content.elements]
        raise ValueError(f"{path}: expected an element vertex; got {names}")
    vertices = content["vertex"].data
    return _from_columns(
        path, {name: vertices[name] for name in vertices.dtype.names}
    )


def _read_las(path: pathlib.Path) -> _Columns:
    """LAS or LAZ; extra dimensions may hold the laser index."""
    try:
        content = laspy.read(path)
    except _LAS_ERRORS as error:
        raise ValueError(f"{path}: LAS not understood: {error}") from error
    if len(content.points) != content.header.point_count:
        raise ValueError(
            f"{path}: the header promises {content.header.point_count} "
            f"points; got {len(content.points)}"
        )
    names = set(content.point_format.dimension_names)
    columns = {name: np.asarray(content[name]) for name in _COORDINATES}
    for name in (*_INTENSITY_NAMES, *_RING_NAMES):
        if name in names:
            columns[name] = np.asarray(content[name])
    points, rings = _from_columns(path, columns)
    points[:, 3] /= _LAS_FULL_SCALE
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
    points = np.zeros((len(columns["x"]), 4), np.float32)
    for axis, name in enumerate((*_COORDINATES, *intensity[:1])):
        points[:, axis] = columns[name]
    rings = [columns[name] for name in _RING_NAMES if name in columns]
    return points, rings[0] if rings else None
