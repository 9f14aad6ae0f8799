"""KITTI calibration files; LiDAR points to rectified camera and image."""

import dataclasses
import os
import pathlib

import numpy as np

from squeeze_tf import whole_file

_CAMERAS = ("P0", "P1", "P2", "P3")
# The object benchmark's name first, then those of tracking and odometry.
_ALIASES = {
    "rectification": ("R0_rect", "R_rect"),
    "velo_to_cam": ("Tr_velo_to_cam", "Tr_velo_cam", "Tr"),
    "imu_to_velo": ("Tr_imu_to_velo", "Tr_imu_velo"),
}


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How a LiDAR and the cameras of one car stand to each other.

    Source: Geiger et al., Vision meets Robotics: The KITTI Dataset (2013),
    §III, and the object development kit's readme.

    Attributes:
      projections: P0..P3 to [3, 4] float64, rectified camera 0 to pixels.
      rectification: [3, 3] float64 rotation R0_rect, camera 0 to rectified.
      velo_to_cam: [3, 4] float64, LiDAR to (unrectified) camera 0, metres.
      imu_to_velo: [3, 4] float64 or None, GPS/IMU to LiDAR, metres.
    """

    projections: dict[str, np.ndarray]
    rectification: np.ndarray
    velo_to_cam: np.ndarray
    imu_to_velo: np.ndarray | None = None


def read(path: str | os.PathLike) -> Calibration:
    """Reads the one-file calibration of KITTI object, tracking or odometry.

    An odometry file's `Tr` already leads to the rectified camera; its
    rectification is the identity.

    Args:
      path: a text file of lines "NAME: numbers".

    Returns:
      The calibration; only the cameras in the file are in `projections`.

    Raises:
      ValueError: a matrix is missing or has the wrong count of numbers.
      OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    rows = _number_rows(path)
    projections = {
        name: _matrix(path, rows, (name,), (3, 4))
        for name in _CAMERAS
        if name in rows
    }
    if not projections:
        raise ValueError(
            f"{path}: expected a projection P0, P1, P2 or P3; "
            f"got {sorted(rows)}"
        )
    if "Tr" in rows:
        rectification = np.eye(3)
    else:
        rectification = _matrix(path, rows, _ALIASES["rectification"], (3, 3))
    has_imu = any(name in rows for name in _ALIASES["imu_to_velo"])
    return Calibration(
        projections,
        rectification,
        _matrix(path, rows, _ALIASES["velo_to_cam"], (3, 4)),
        _matrix(path, rows, _ALIASES["imu_to_velo"], (3, 4))
        if has_imu
        else None,
    )


def read_raw(folder: str | os.PathLike) -> Calibration:
    """Reads calib_cam_to_cam.txt and calib_velo_to_cam.txt of KITTI raw.

    calib_imu_to_velo.txt is read too where it exists.

    Args:
      folder: the date's folder that holds the files.

    Returns:
      The calibration with P_rect_00..03 as P0..P3 and R_rect_00.

    Raises:
      ValueError: a matrix is missing or has the wrong count of numbers.
      OSError: one of the first two files cannot be read.
    """
    folder = pathlib.Path(folder)
    cameras_path = folder / "calib_cam_to_cam.txt"
    cameras = _number_rows(cameras_path)
    projections = {
        name: _matrix(cameras_path, cameras, (f"P_rect_0{index}",), (3, 4))
        for index, name in enumerate(_CAMERAS)
    }
    imu_path = folder / "calib_imu_to_velo.txt"
    return Calibration(
        projections,
        _matrix(cameras_path, cameras, ("R_rect_00",), (3, 3)),
        _rigid(folder / "calib_velo_to_cam.txt"),
        _rigid(imu_path) if imu_path.exists() else None,
    )


def write(path: str | os.PathLike, calibration: Calibration) -> None:
    """Writes a KITTI object calibration file, whole or not at all.

    Args:
      path: the text file; its folder must exist.
      calibration: what to write; numbers carry 13 significant digits.

    Raises:
      OSError: the file cannot be written.
    """
    matrices = dict(sorted(calibration.projections.items()))
    matrices["R0_rect"] = calibration.rectification
    matrices["Tr_velo_to_cam"] = calibration.velo_to_cam
    if calibration.imu_to_velo is not None:
        matrices["Tr_imu_to_velo"] = calibration.imu_to_velo
    lines = (
        f"{name}: " + " ".join(f"{number:.12e}" for number in np.ravel(matrix))
        for name, matrix in matrices.items()
    )
    whole_file.write(path, "\n".join(lines) + "\n")


def lidar_to_rectified(
    calibration: Calibration, points: np.ndarray
) -> np.ndarray:
    """LiDAR points in the rectified frame of camera 0.

    Args:
      calibration: of the car.
      points: [N, 3] float metres, LiDAR frame (x forward, y left, z up).

    Returns:
      [N, 3] float64 metres (x right, y down, z forward).

    Raises:
      ValueError: `points` is not [N, 3].
    """
    points = _checked_points(points)
    rotation, translation = _lidar_to_rectified(calibration)
    return points @ rotation.T + translation


def rectified_to_lidar(
    calibration: Calibration, points: np.ndarray
) -> np.ndarray:
    """Inverse of `lidar_to_rectified`, with the same shapes and errors."""
    points = _checked_points(points)
    rotation, translation = _lidar_to_rectified(calibration)
    # The printed matrices are rotations only to about seven digits, so
    # solve rather than transpose: the round trip is then exact.
    return np.linalg.solve(rotation, (points - translation).T).T


def lidar_to_image(
    calibration: Calibration, points: np.ndarray, camera: str = "P2"
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels where a camera sees LiDAR points.

    Source: Geiger et al. (2013), Eq. 8: y = P_rect R_rect T_velo_cam x.

    Args:
      calibration: of the car.
      points: [N, 3] float metres, LiDAR frame.
      camera: which of `calibration.projections`; P2 is the left colour one.

    Returns:
      pixels: [N, 2] float64, column u and row v; NaN where depth <= 0.
      depth: [N] float64 metres in front of the camera.

    Raises:
      ValueError: `points` is not [N, 3] or the camera is not calibrated.
    """
    if camera not in calibration.projections:
        raise ValueError(
            f"camera must be one of {sorted(calibration.projections)}; "
            f"got {camera!r}"
        )
    matrix = calibration.projections[camera]
    rectified = lidar_to_rectified(calibration, points)
    image = rectified @ matrix[:, :3].T + matrix[:, 3]
    depth = image[:, 2]
    pixels = np.full((len(image), 2), np.nan)
    ahead = depth > 0
    pixels[ahead] = image[ahead, :2] / depth[ahead, None]
    return pixels, depth


def _lidar_to_rectified(
    calibration: Calibration,
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation [3, 3] and translation [3], LiDAR to rectified camera."""
    transform = calibration.rectification @ calibration.velo_to_cam
    return transform[:, :3], transform[:, 3]


def _checked_points(points: np.ndarray) -> np.ndarray:
    """The points as float64 [N, 3]."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points must be [N, 3] (x, y, z); got {points.shape}")
    return points


def _number_rows(path: pathlib.Path) -> dict[str, list[float]]:
    """The file's lines of numbers by name; other lines are left out."""
    rows = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        name, _, numbers = line.strip().replace(":", " ", 1).partition(" ")
        try:
            rows[name] = [float(number) for number in numbers.split()]
        except ValueError:  # calib_time: and corner_dist: hold dates and text
            continue
    return rows


def _matrix(
    path: pathlib.Path,
    rows: dict[str, list[float]],
    names: tuple[str, ...],
    shape: tuple[int, int],
) -> np.ndarray:
    """The first of `names` that the file has, as a matrix."""
    found = [name for name in names if name in rows]
    if not found:
        raise ValueError(
            f"{path}: expected a line {' or '.join(names)}; got {sorted(rows)}"
        )
    numbers = rows[found[0]]
    if len(numbers) != shape[0] * shape[1]:
        raise ValueError(
            f"{path}: {found[0]} must hold {shape[0] * shape[1]} numbers; "
            f"got {len(numbers)}"
        )
    return np.array(numbers).reshape(shape)


def _rigid(path: pathlib.Path) -> np.ndarray:
    """[3, 4] of a KITTI raw file with lines R: and T:."""
    rows = _number_rows(path)
    rotation = _matrix(path, rows, ("R",), (3, 3))
    return np.hstack([rotation, _matrix(path, rows, ("T",), (3, 1))])
