"""Height and pitch of a sensor, from the ground that its scan shows. Ours."""

import math

import numpy as np

# KITTI's scans have their first ground at 4 m.
_RANGE = 20.0  # metres
_NOISE = 0.1  # metres; kerbs are higher
_SLOPE = math.tan(math.radians(10))
_SHARE = 0.3  # of the points that are looked at
_TRIALS = 200  # at that share, all miss once in 240 times


def estimate(points: np.ndarray) -> tuple[float, float]:
    """Height and pitch of the sensor over the plane in front of it, x > 0.

    RANSAC (Fischler and Bolles, 1981) over points below the sensor and less
    than 20 m away in front, then least squares over those within 0.1 m. The
    pitch is that of the sensor against the road, which may slope itself.

    Args:
      points: [N, 3 or more] float, x forward, y left, z up in metres.

    Returns:
      Metres above the ground, and degrees, positive nose up; both nan where
      less than 30 % of these points lie on a plane that is level within 10
      degrees.
    """
    x, y, z = np.float64(points[:, :3]).T
    near = (x > 0) & (z < 0) & (np.hypot(x, y) < _RANGE)
    level, z = np.stack([x, y, np.ones_like(x)], axis=-1)[near], z[near]
    if len(z) < 3:
        return math.nan, math.nan
    random = np.random.default_rng(0)
    chosen = random.integers(len(z), size=(_TRIALS, 3))
    # Twice a triangle's area in square metres; thin ones say nothing.
    chosen = chosen[np.abs(np.linalg.det(level[chosen])) > 1]
    planes = np.linalg.solve(level[chosen], z[chosen][..., np.newaxis])[..., 0]
    planes = planes[np.hypot(*planes[:, :2].T) < _SLOPE]
    fits = np.abs(level @ planes.T - z[:, np.newaxis]) < _NOISE
    on_plane = fits[:, np.argmax(fits.sum(axis=0))] if len(planes) else 0
    if np.mean(on_plane) < _SHARE:
        return math.nan, math.nan
    for _ in range(2):
        (a, b, c), *_ = np.linalg.lstsq(level[on_plane], z[on_plane], None)
        on_plane = np.abs(level @ (a, b, c) - z) < _NOISE
    return -c / math.sqrt(1 + a**2 + b**2), -math.degrees(math.atan(a))
