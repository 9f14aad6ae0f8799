"""The road and the ground beside it, in coordinates along the road.

`s` runs along the centre line and `t` to its left, both in metres. The centre
line is a circular arc; heights are a slope, gentle waves and a kerb.
"""

import dataclasses
import functools

import numpy as np

from squeeze_tf.simulation import materials, shapes

KERB_HEIGHT = 0.12  # Metres; common for European streets (Ours).
_CAMBER = 0.02  # Fall from the crown to the kerb, 2 % (Ours).
_WAVES = ((95.0, 0.10), (41.0, 0.05), (17.0, 0.025))  # Length, height; Ours.


@dataclasses.dataclass(frozen=True)
class Road:
    """Shape of the road and its surroundings.

    Attributes:
      half_width: centre line to kerb, metres.
      lane_width: metres.
      num_lanes: lanes in each direction.
      sidewalk_width: kerb to its outer edge, metres; 0 where there is none.
      curvature: 1 / radius, per metre, positive to the left.
      slope: rise along s.
      bank: rise of the terrain per metre away from the road, right and left.
      phases: of the waves of the ground, radians.
      crossing: s of a crossing street's centre, or None.
      start: smallest s of the modelled ground.
      end: largest s of the modelled ground.
    """

    half_width: float
    lane_width: float
    num_lanes: int
    sidewalk_width: float
    curvature: float = 0.0
    slope: float = 0.0
    bank: tuple[float, float] = (0.0, 0.0)
    phases: tuple[float, ...] = (0.0, 0.0, 0.0)
    crossing: float | None = None
    start: float = -100.0
    end: float = 120.0

    @property
    def outer(self) -> float:
        """Distance of the sidewalk's outer edge from the centre line."""
        return self.half_width + self.sidewalk_width


CROSSING_HALF = 3.6  # Half the width of a crossing street, metres (Ours).
_EDGE = 60.0  # Distance from the road up to which there is ground, metres.


def to_world(
    road: Road, s: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World position and heading at road coordinates.

    Args:
      road: the road.
      s: [...] float, metres along the centre line.
      t: [...] float, metres to its left.

    Returns:
      [..., 3] float64 positions on the ground, metres; [...] headings of the
      road in radians from +x to +y.
    """
    s, t = np.broadcast_arrays(
        np.asarray(s, np.float64), np.asarray(t, np.float64)
    )
    heading = road.curvature * s
    if abs(road.curvature) < 1e-9:
        x, y = s, t
    else:
        x = (1 / road.curvature - t) * np.sin(heading)
        y = 1 / road.curvature - (1 / road.curvature - t) * np.cos(heading)
    return np.stack([x, y, height(road, s, t)], -1), heading


def to_road(
    road: Road, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Road coordinates (s, t) of world positions, the inverse of `to_world`."""
    if abs(road.curvature) < 1e-9:
        return np.asarray(x), np.asarray(y)
    radius = 1 / road.curvature
    side = np.sign(radius)
    angle = np.arctan2(side * x, side * (radius - y))
    return angle * radius, radius - side * np.hypot(x, radius - y)


def height(road: Road, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Height of the ground at road coordinates, metres; same shape."""
    ground = road.slope * s
    for (length, rise), phase in zip(_WAVES, road.phases):
        ground = ground + rise * np.sin(2 * np.pi * s / length + phase)
    distance = np.abs(t)
    ground = ground - _CAMBER * np.minimum(distance, road.half_width)
    kerb = KERB_HEIGHT * _kerb_share(road, s)
    if road.sidewalk_width > 0:
        ground = ground + np.where(distance > road.half_width, kerb, 0.0)
    beyond = np.maximum(distance - road.outer, 0.0)
    bank = np.where(t > 0, road.bank[1], road.bank[0])
    rough = 0.12 * np.sin(0.31 * s + 0.47 * t + road.phases[0])
    return ground + bank * beyond + rough * np.minimum(beyond / 8.0, 1.0)


@functools.lru_cache(maxsize=16)
def ground_mesh(road: Road) -> shapes.Mesh:
    """Road, kerbs, sidewalks and terrain as one sheet in world coordinates.

    Args:
      road: the road.

    Returns:
      A mesh of about 2,000 faces, materials asphalt, concrete and grass.
    """
    s = _stations(road)
    t = _lanes(road)
    grid_s, grid_t = np.meshgrid(s, t, indexing="ij")
    points, _ = to_world(road, grid_s, grid_t)
    index = np.arange(len(s) * len(t)).reshape(len(s), len(t))
    a, b = index[:-1, :-1], index[:-1, 1:]
    c, d = index[1:, :-1], index[1:, 1:]
    faces = np.concatenate(
        [
            np.stack([a, c, d], -1).reshape(-1, 3),
            np.stack([a, d, b], -1).reshape(-1, 3),
        ]
    )
    distance = np.abs((t[1:] + t[:-1]) / 2)
    ids = np.full(len(distance), materials.INDEX["grass"], np.uint8)
    ids[distance < road.outer] = materials.INDEX["concrete"]
    ids[distance < road.half_width] = materials.INDEX["asphalt"]
    ids = np.tile(ids, (len(s) - 1, 1))
    if road.crossing is not None:
        middle = np.abs((s[1:] + s[:-1]) / 2 - road.crossing)
        ids[middle < CROSSING_HALF] = materials.INDEX["asphalt"]
    return shapes.Mesh(
        points.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        np.tile(ids.reshape(-1), 2),
    )


def is_marking(road: Road, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Whether there is white paint at road coordinates.

    Lines 0.12 m wide, dashes of 3 m with gaps of 6 m between lanes (German
    guideline for road markings, RMS-1); solid lines beside the outer lanes.

    Args:
      road: the road.
      s: [...] float, metres.
      t: [...] float, metres.

    Returns:
      [...] bool.
    """
    distance = np.abs(t)
    lanes = road.num_lanes * road.lane_width
    nearest = np.round(distance / road.lane_width) * road.lane_width
    on_line = (np.abs(distance - nearest) < 0.06) & (distance < lanes + 0.06)
    solid = np.abs(distance - lanes) < 0.06
    marking = on_line & (solid | (np.mod(s, 9.0) < 3.0))
    if road.crossing is not None:
        marking &= np.abs(s - road.crossing) > CROSSING_HALF + 1.0
    return marking


def _kerb_share(road: Road, s: np.ndarray) -> np.ndarray:
    """1 along the street, falling to 0 over 1.5 m before a crossing."""
    if road.crossing is None:
        return np.ones_like(s)
    distance = np.abs(s - road.crossing) - CROSSING_HALF
    return np.clip(distance / 1.5, 0.0, 1.0)


def _stations(road: Road) -> np.ndarray:
    """Positions along s at which the sheet is cut, metres."""
    s = np.arange(road.start, road.end + 2.0, 4.0)
    if road.crossing is None:
        return s
    edges = road.crossing + np.array([-1, 1]) * CROSSING_HALF
    cuts = np.concatenate([edges, edges + [-1.5, 1.5]])
    apart = np.abs(s[:, None] - cuts).min(1) > 0.7
    return np.sort(np.concatenate([s[apart], cuts]))


def _lanes(road: Road) -> np.ndarray:
    """Positions along t at which the sheet is cut, metres."""
    half, outer = road.half_width, road.outer
    right = [0.0, half / 2, half]
    if road.sidewalk_width > 0:
        right += [half + 0.02, outer]
    right += [outer + d for d in (0.5, 4.0, 9.0, 16.0, 28.0, _EDGE)]
    right = np.array(right)
    return np.concatenate([-right[:0:-1], right])
