"""Where each laser of a spinning scanner sits and points. Ours."""

import math

import numpy as np

_MIN_POINTS = 50
_CLIP = 3.0  # standard deviations; double returns and rounding lie beyond
_ROUNDS = 5
# Degrees, root mean square. Real lasers scatter by 0.002 (KITTI), the rows of
# a projection, into which any laser may fall, by height / sqrt(12): 0.13 for 64
# rows over 28 degrees.
_MAX_SCATTER = 0.05
_MAX_ERROR = 0.01  # metres, standard error of a height


def fit(points: np.ndarray, lasers: np.ndarray, num_lasers: int) -> np.ndarray:
    """Angle and height of each laser.

    A laser that turns about the vertical draws a cone, so its returns lie on
    the line z = height + tan(angle) * distance from the axis, whatever they
    hit. The lasers of an HDL-64E sit .12 to .21 m above the origin of KITTI's
    scans: the angle under which the origin sees a return depends on its range.

    Args:
      points: [N, 3 or more] float, x, y, z in metres.
      lasers: [N] int, 0 to num_lasers - 1.
      num_lasers: K.

    Returns:
      [K, 2] float64, degrees above the horizon and metres above the origin of
      the points; nan where the points are too few or on no line.
    """
    x, y, z = np.float64(points[:, :3]).T
    distance = np.hypot(x, y)
    found = np.full((num_lasers, 2), math.nan)
    for laser in range(num_lasers):
        own = lasers == laser
        found[laser] = _line(distance[own], z[own])
    return found


def _line(distance: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Degrees and metres of the line through most points, or nan."""
    nothing = math.nan, math.nan
    kept = distance > 0
    for _ in range(_ROUNDS):
        x = distance[kept]
        spread = np.square(x - x.mean()).sum() if len(x) else 0.0
        if len(x) < _MIN_POINTS or spread == 0:
            return nothing
        slope = ((x - x.mean()) * z[kept]).sum() / spread
        height = z[kept].mean() - slope * x.mean()
        off = z - height - slope * distance
        sigma = float(np.std(off[kept]))
        kept &= np.abs(off) <= _CLIP * sigma + 1e-9
    x = distance[kept]
    error = sigma * math.sqrt(1 / len(x) + x.mean() ** 2 / spread)
    # Along the beam, off / distance is the angle it is off by.
    scatter = math.degrees(np.sqrt(np.mean(np.square(off[kept] / x))))
    if error > _MAX_ERROR or scatter > _MAX_SCATTER:
        return nothing
    return math.degrees(math.atan(slope)), float(height)
