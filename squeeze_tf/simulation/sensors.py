"""LiDAR and camera presets and the rays they send."""

import dataclasses
import pathlib

import numpy as np

from squeeze_tf import config
from squeeze_tf.geometry import calibration, spherical


@dataclasses.dataclass(frozen=True)
class LidarSensor:
    """A spinning LiDAR. Angles are degrees, as in the makers' manuals.

    Attributes:
      name: for messages.
      beam_degrees: angle of each laser above the horizon, descending.
      left_degrees: azimuth of the field's left edge.
      right_degrees: azimuth of its right edge; left - right = 360 for a turn.
      columns: rays of each laser over the field.
      beam_heights: of each laser above the origin of the scan, metres; empty:
        all sit there.
      height: above the ground, metres.
      pitch_degrees: of the mount, positive nose up.
      min_range: shorter returns are dropped, metres.
      max_range: longer returns are dropped, metres.
      travel: metres that the sensor drives during a turn, from left to right,
        where points are told as seen from its place when it looks ahead
        ("untwisted"); 0 where they are left as they were measured.

    Raises:
      ValueError: no falling beams or not a height for each, no field, or no
        ranges between.
    """

    name: str
    beam_degrees: tuple[float, ...]
    left_degrees: float
    right_degrees: float
    columns: int
    beam_heights: tuple[float, ...] = ()
    height: float = 1.73  # KITTI, cvlibs.net/datasets/kitti/setup.php
    pitch_degrees: float = 0.0
    min_range: float = 0.9
    max_range: float = 80.0
    travel: float = 0.0

    def __post_init__(self) -> None:
        width = self.left_degrees - self.right_degrees
        if not self.beam_degrees or np.any(np.diff(self.beam_degrees) >= 0):
            raise ValueError(f"beam_degrees must fall; got {self.beam_degrees}")
        if len(self.beam_heights) not in (0, len(self.beam_degrees)):
            raise ValueError(
                f"beam_heights must be as many as beam_degrees, "
                f"{len(self.beam_degrees)}, or none; got "
                f"{len(self.beam_heights)}"
            )
        if not 0 < width <= 360 or self.columns < 1:
            raise ValueError(
                "a sensor needs 0 < left - right <= 360 degrees and columns; "
                f"got {self.left_degrees}, {self.right_degrees} and "
                f"{self.columns}"
            )
        if not 0 <= self.min_range < self.max_range:
            raise ValueError(
                "a sensor needs 0 <= min_range < max_range; got "
                f"{self.min_range} and {self.max_range}"
            )

    @property
    def rows(self) -> int:
        """Number of lasers."""
        return len(self.beam_degrees)


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera looking along +x of the LiDAR frame.

    It stands where the LiDAR does, as in the thesis (Ch. 3 §3.4).

    Attributes:
      width: pixels.
      height: pixels.
      focal: pixels.
      centre_x: principal point, pixels.
      centre_y: principal point, pixels.
    """

    width: int
    height: int
    focal: float
    centre_x: float
    centre_y: float


def _even(top: float, bottom: float, count: int) -> tuple[float, ...]:
    return tuple(float(b) for b in np.linspace(top, bottom, count))


# The rows of the presets that project real scans, so that simulated and real
# returns of one laser meet in one row.
_HDL64E_BEAMS, _HDL32E_BEAMS, _VLP16_BEAMS = (
    spherical.PROJECTIONS[name].beam_degrees
    for name in ("hdl64e_front", "hdl32e", "vlp16")
)

LIDARS = {
    # 64 x 512 cells over the front 90 degrees, Ch. 3 §3.1.
    "hdl64e_front": LidarSensor(
        "hdl64e_front", _HDL64E_BEAMS, 45.0, -45.0, 512
    ),
    "hdl64e": LidarSensor("hdl64e", _HDL64E_BEAMS, 180.0, -180.0, 2048),
    # Ranges: the HDL-32E's and the VLP-16's manual.
    "hdl32e": LidarSensor(
        "hdl32e", _HDL32E_BEAMS, 180.0, -180.0, 1024, max_range=70.0
    ),
    "vlp16": LidarSensor(
        "vlp16", _VLP16_BEAMS, 180.0, -180.0, 1024, max_range=100.0
    ),
    "tiny": LidarSensor("tiny", _even(2, -24.33, 24), 45.0, -45.0, 96),
}

# KITTI 2011_09_26, calib_cam_to_cam.txt, P_rect_02 and S_rect_02.
KITTI_CAMERA = Camera(1242, 375, 721.5377, 609.5593, 172.854)


def find(
    name: str,
    height: float | None = None,
    pitch_degrees: float | None = None,
    max_range: float | None = None,
) -> LidarSensor:
    """A preset by name, or an own sensor from a .json file.

    Args:
      name: key of LIDARS, or a path ending in .json of a LidarSensor or of a
        geometry.spherical.Projection: then a laser for each row, in the middle
        of rows of equal height. tools.inspect_scan writes both.
      height: metres above the ground, where it is not the sensor's own.
      pitch_degrees: of the mount, likewise.
      max_range: metres, likewise.

    Raises:
      ValueError: neither, or a file that describes neither.
      OSError: the file cannot be read.
    """
    if name in LIDARS:
        sensor = LIDARS[name]
    elif name.endswith(".json"):
        sensor = _own(name)
    else:
        raise ValueError(
            f"sensor must be of {list(LIDARS)} or a .json file; got {name!r}"
        )
    changes = {
        "height": height,
        "pitch_degrees": pitch_degrees,
        "max_range": max_range,
    }
    return dataclasses.replace(
        sensor, **{k: v for k, v in changes.items() if v is not None}
    )


def _own(path: str) -> LidarSensor:
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if '"name"' in text:  # a projection has none
        return config.read(LidarSensor, path)
    view = config.read(spherical.Projection, path)
    edges = spherical.row_edges(view)
    return LidarSensor(
        path,
        view.beam_degrees or tuple((edges[1:] + edges[:-1]) / 2),
        view.left_degrees,
        view.right_degrees,
        view.columns,
    )


def rays(
    sensor: LidarSensor,
    jitter_degrees: float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Directions of all rays of a scan, through the centres of the cells.

    Args:
      sensor: the LiDAR.
      jitter_degrees: standard deviation added to both angles of each ray.
      rng: draws the jitter; needed where that is not 0.

    Returns:
      [rows * columns, 3] float32 unit vectors in the LiDAR frame (x forward,
      y left, z up), row by row from the topmost laser, each from left to
      right.

    Raises:
      ValueError: jitter is asked for without `rng`.
    """
    zenith, azimuth = np.meshgrid(
        np.radians(np.asarray(sensor.beam_degrees, np.float32)),
        np.radians(_azimuth(sensor).astype(np.float32)),
        indexing="ij",
    )
    if jitter_degrees:
        if rng is None:
            raise ValueError("rays with jitter need an rng; got None")
        sigma = np.float32(np.radians(jitter_degrees))
        noise = rng.standard_normal((2, *zenith.shape), np.float32)
        zenith, azimuth = zenith + sigma * noise[0], azimuth + sigma * noise[1]
    flat = np.cos(zenith)
    directions = np.empty((*zenith.shape, 3), np.float32)
    directions[..., 0] = flat * np.cos(azimuth)
    directions[..., 1] = flat * np.sin(azimuth)
    directions[..., 2] = np.sin(zenith)
    return directions.reshape(-1, 3)


def origins(sensor: LidarSensor) -> np.ndarray:
    """Where all rays of a scan start, [rows * columns, 3] float32 metres."""
    found = np.zeros((sensor.rows, sensor.columns, 3), np.float32)
    found[..., 0] = -sensor.travel * _azimuth(sensor) / 360
    if sensor.beam_heights:
        found[..., 2] = np.asarray(sensor.beam_heights)[:, np.newaxis]
    return found.reshape(-1, 3)


def _azimuth(sensor: LidarSensor) -> np.ndarray:
    """Degrees of the centres of the cells, from left to right."""
    step = (sensor.left_degrees - sensor.right_degrees) / sensor.columns
    return sensor.left_degrees - (np.arange(sensor.columns) + 0.5) * step


def scaled(camera: Camera, scale: float) -> Camera:
    """The same view with `scale` times as many pixels along each axis."""
    return Camera(
        width=round(camera.width * scale),
        height=round(camera.height * scale),
        focal=camera.focal * scale,
        centre_x=(camera.centre_x + 0.5) * scale - 0.5,
        centre_y=(camera.centre_y + 0.5) * scale - 0.5,
    )


def pixel_rays(camera: Camera) -> np.ndarray:
    """Directions through the pixels' centres.

    Args:
      camera: the camera; pixel (0, 0) has its centre at (0, 0).

    Returns:
      [height * width, 3] float32 in the LiDAR frame, not of unit length: the
      x part is 1, so the distance along a ray is the depth.
    """
    columns, rows = np.meshgrid(
        np.arange(camera.width), np.arange(camera.height)
    )
    y = -(columns - camera.centre_x) / camera.focal
    z = -(rows - camera.centre_y) / camera.focal
    directions = np.stack([np.ones_like(y), y, z], -1)
    return directions.reshape(-1, 3).astype(np.float32)


def camera_calibration(camera: Camera) -> calibration.Calibration:
    """KITTI calibration of a camera that stands at the LiDAR's place."""
    projection = np.array(
        [
            [camera.focal, 0, camera.centre_x, 0],
            [0, camera.focal, camera.centre_y, 0],
            [0, 0, 1, 0],
        ]
    )
    axes = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]], np.float64)
    return calibration.Calibration(
        projections={f"P{i}": projection.copy() for i in range(4)},
        rectification=np.eye(3),
        velo_to_cam=axes,
    )
