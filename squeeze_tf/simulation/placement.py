"""Where things go: free room on tracks, and what stands beside the road."""

import dataclasses

import numpy as np

from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import road as road_lib
from squeeze_tf.simulation import shapes, surroundings

_LOT = 12.0  # Width of a house, metres.
_WALLS = ((214, 200, 170), (196, 186, 172), (222, 214, 200), (186, 146, 112),
          (160, 98, 80), (168, 176, 178))  # fmt: skip
_TRIES = 12


@dataclasses.dataclass(frozen=True)
class Piece:
    """A thing that does not move: part of a house, a tree, a pole, a wall.

    Attributes:
      mesh: in its own frame.
      position: [3] float64 of the frame's origin in world coordinates, metres.
      yaw: radians from +x to +y.
      tint: RGB, 0-255.
      coarse: a mesh of fewer triangles, for when it is far away, or None.
    """

    mesh: shapes.Mesh
    position: np.ndarray
    yaw: float
    tint: tuple[int, int, int] = (255, 255, 255)
    coarse: shapes.Mesh | None = None


@dataclasses.dataclass(frozen=True)
class _Spot:
    """A piece in coordinates of the road, `lift` metres above the ground."""

    mesh: shapes.Mesh
    s: float
    t: float
    lift: float = 0.0
    turn: float = 0.0
    tint: tuple[int, int, int] = (255, 255, 255)
    coarse: shapes.Mesh | None = None


class Tracks:
    """Intervals already taken along lines of constant lateral place."""

    def __init__(
        self, low: float, high: float, rng: np.random.Generator
    ) -> None:
        """Tracks run from `low` to `high` metres; `rng` draws places."""
        self._low, self._high, self._rng = low, high, rng
        self._taken: dict[float, list[tuple[float, float]]] = {}

    def reserve(self, t: float, low: float, high: float) -> None:
        """Keeps an interval of the track at `t` free, metres."""
        self._taken.setdefault(round(t, 3), []).append((low, high))

    def place(
        self, t: float, room: float, spread: float | None = None
    ) -> float | None:
        """Takes `room` metres of the track at `t`.

        Args:
          t: lateral place of the track, metres.
          room: length to take, metres.
          spread: mean distance from the sensor, metres; None draws
            uniformly. Small things are of use only where rays hit them.

        Returns:
          The middle of the interval, or None if no free one was found.
        """
        taken = self._taken.setdefault(round(t, 3), [])
        for _ in range(_TRIES):
            if spread is None:
                middle = self._rng.uniform(self._low, self._high)
            else:
                sign = 1 if self._rng.random() < 0.75 else -1
                middle = sign * (3.0 + self._rng.exponential(spread))
            low, high = middle - room / 2, middle + room / 2
            inside = self._low <= low and high <= self._high
            if inside and all(high < a or low > b for a, b in taken):
                taken.append((low, high))
                return float(middle)
        return None


def surroundings_of(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    rng: np.random.Generator,
) -> tuple[Piece, ...]:
    """Houses, walls, trees, poles and shrubs in world coordinates.

    Args:
      config: how many of each.
      road: along which they stand.
      rng: draws them.

    Returns:
      The pieces, their -y sides towards the road.
    """
    spots: list[_Spot] = []
    low, high = road.start + 10.0, road.end - 10.0
    for side in (-1, 1):
        for s in np.arange(low, high, _LOT) + _LOT / 2:
            if _clear(road, s, _LOT / 2 + 1.0):
                spots += _lot(config, road, float(s), side, rng)
    kerbs = Tracks(low, high, rng)
    spots += _plants(config, road, kerbs, rng)
    spots += _poles(config, road, kerbs, rng)
    if config.guard_rails:
        for side in (-1, 1):
            for s in np.arange(low, high, 8.0) + 4.0:
                mesh = surroundings.guard_rail(0)
                t = side * (road.half_width + 0.6)
                spots.append(_Spot(mesh, float(s), t))
    return _pieces(road, spots)


def _pieces(road: road_lib.Road, spots: list[_Spot]) -> tuple[Piece, ...]:
    """All spots in world coordinates at once."""
    s = np.array([spot.s for spot in spots])
    t = np.array([spot.t for spot in spots])
    positions, headings = road_lib.to_world(road, s, t)
    positions[:, 2] += [spot.lift for spot in spots]
    yaws = headings + np.where(t > 0, 0.0, np.pi)
    yaws += [spot.turn for spot in spots]
    return tuple(
        Piece(spot.mesh, position, float(yaw), spot.tint, spot.coarse)
        for spot, position, yaw in zip(spots, positions, yaws)
    )


def _plants(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    kerbs: Tracks,
    rng: np.random.Generator,
) -> list[_Spot]:
    """Trees at the kerb and in the gardens, bushes in the gardens."""
    spots = []
    for index in range(config.num_trees + config.num_greens):
        is_tree = index < config.num_trees
        side = int(rng.choice((-1, 1)))
        t = side * (road.outer + 1.3 + rng.exponential(9.0))
        s = rng.uniform(road.start + 10.0, road.end - 10.0)
        if is_tree and rng.random() < 0.4:
            t = side * _kerb(config, road)
            s = kerbs.place(t, 4.0)
        if s is None or not _clear(road, s, 2.0):
            continue
        variant, turn = _variant(rng), float(rng.uniform(0, 2 * np.pi))
        if is_tree:
            near, far = (surroundings.tree(variant, c) for c in (False, True))
        else:
            near, far = (
                (surroundings.bush(variant, c),) for c in (False, True)
            )
        spots += [
            _Spot(mesh, s, t, turn=turn, coarse=coarse)
            for mesh, coarse in zip(near, far)
        ]
    return spots


def _poles(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    kerbs: Tracks,
    rng: np.random.Generator,
) -> list[_Spot]:
    """Lamp posts, arms over the road, and signs for those who drive by."""
    spots = []
    for index in range(config.num_poles):
        t = int(rng.choice((-1, 1))) * _kerb(config, road)
        s = kerbs.place(t, 3.0)
        if s is None or not _clear(road, s, 1.5):
            continue
        make = (surroundings.lamp_post, surroundings.sign_post)[index % 2]
        # A sign's -x side faces the traffic of its side of the road.
        turn = np.pi * (index % 2)
        spots.append(_Spot(make(_variant(rng)), s, t, turn=turn))
    return spots


def _kerb(config: config_lib.SimulationConfig, road: road_lib.Road) -> float:
    """Where furniture stands: 0.45 m behind the kerb or off the road."""
    return road.half_width + (0.45 if config.sidewalk_width else 1.2)


def _lot(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    s: float,
    side: int,
    rng: np.random.Generator,
) -> list[_Spot]:
    """A house with its setback, or a garden; perhaps a wall in front."""
    spots = []
    setback = float(rng.choice((1.0, 1.5, 4.5, 7.0)))
    has_house = rng.random() < config.building_share
    if has_house:
        variant = _variant(rng)
        tint = _WALLS[int(rng.integers(len(_WALLS)))]
        t = side * (road.outer + setback)
        floors = int(rng.integers(2, 5))
        for floor in range(floors):
            mesh = surroundings.facade(variant, floor > 0)
            lift = floor * surroundings.FLOOR_HEIGHT - 0.1
            spots.append(_Spot(mesh, s, t, lift, tint=tint))
        lift = floors * surroundings.FLOOR_HEIGHT - 0.1
        spots.append(_Spot(surroundings.roof(variant), s, t, lift))
    if rng.random() < config.wall_share and (setback > 2 or not has_house):
        make = surroundings.hedge if rng.random() < 0.45 else surroundings.fence
        mesh = make(_variant(rng))
        gap = int(rng.integers(0, 4))
        for part in range(3):
            if part != gap:
                at = s - _LOT / 2 + 2.0 + 4.0 * part
                t = side * (road.outer + 0.6)
                spots.append(_Spot(mesh, at, t))
    return spots


def _variant(rng: np.random.Generator) -> int:
    return int(rng.integers(surroundings.NUM_VARIANTS))


def _clear(road: road_lib.Road, s: float, half: float) -> bool:
    """Whether an interval of the road side keeps off the crossing street."""
    if road.crossing is None:
        return True
    return abs(s - road.crossing) > road_lib.CROSSING_HALF + half
