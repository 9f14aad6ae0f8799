"""Where things go: free room on tracks, and what stands beside the road."""

import numpy as np

from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import road as road_lib
from squeeze_tf.simulation import shapes, surroundings

# The first fields of `scene.Piece`.
_Piece = tuple

_LOT = 12.0  # Width of a house, metres.
_WALLS = ((214, 200, 170), (196, 186, 172), (222, 214, 200), (186, 146, 112),
          (160, 98, 80), (168, 176, 178))  # fmt: skip
_TRIES = 12


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
) -> list[_Piece]:
    """Houses, walls, trees, poles and shrubs in world coordinates.

    Args:
      config: how many of each.
      road: along which they stand.
      rng: draws them.

    Returns:
      Meshes with positions, yaws (their front towards the road) and tints.
    """
    pieces: list[_Piece] = []
    low, high = road.start + 10.0, road.end - 10.0
    for side in (-1, 1):
        for s in np.arange(low, high, _LOT) + _LOT / 2:
            if _clear(road, s, _LOT / 2 + 1.0):
                pieces += _lot(config, road, float(s), side, rng)
    kerbs = Tracks(low, high, rng)
    pieces += _plants(config, road, kerbs, rng)
    pieces += _poles(config, road, kerbs, rng)
    if config.guard_rails:
        for side in (-1, 1):
            for s in np.arange(low, high, 8.0) + 4.0:
                mesh = surroundings.guard_rail(0)
                t = side * (road.half_width + 0.6)
                pieces.append(_placed(road, mesh, float(s), t, 0.0))
    return pieces


def _plants(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    kerbs: Tracks,
    rng: np.random.Generator,
) -> list[_Piece]:
    """Trees at the kerb and in the gardens, bushes in the gardens."""
    pieces = []
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
        variant, yaw = _variant(rng), float(rng.uniform(0, 2 * np.pi))
        if is_tree:
            near, far = (surroundings.tree(variant, c) for c in (False, True))
        else:
            near, far = (
                (surroundings.bush(variant, c),) for c in (False, True)
            )
        pieces += [
            (*_placed(road, mesh, s, t, yaw), coarse)
            for mesh, coarse in zip(near, far)
        ]
    return pieces


def _poles(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    kerbs: Tracks,
    rng: np.random.Generator,
) -> list[_Piece]:
    """Lamp posts, arms over the road, and signs for those who drive by."""
    pieces = []
    for index in range(config.num_poles):
        t = int(rng.choice((-1, 1))) * _kerb(config, road)
        s = kerbs.place(t, 3.0)
        if s is None or not _clear(road, s, 1.5):
            continue
        make = (surroundings.lamp_post, surroundings.sign_post)[index % 2]
        # A sign's -x side faces the traffic of its side of the road.
        yaw = np.pi * (index % 2)
        pieces.append(_placed(road, make(_variant(rng)), s, t, yaw))
    return pieces


def _kerb(config: config_lib.SimulationConfig, road: road_lib.Road) -> float:
    """Where furniture stands: 0.45 m behind the kerb or off the road."""
    return road.half_width + (0.45 if config.sidewalk_width else 1.2)


def _lot(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    s: float,
    side: int,
    rng: np.random.Generator,
) -> list[_Piece]:
    """A house with its setback, or a garden; perhaps a wall in front."""
    pieces = []
    setback = float(rng.choice((1.0, 1.5, 4.5, 7.0)))
    has_house = rng.random() < config.building_share
    if has_house:
        variant = _variant(rng)
        tint = _WALLS[int(rng.integers(len(_WALLS)))]
        t = side * (road.outer + setback)
        floors = int(rng.integers(2, 5))
        base = _placed(road, surroundings.facade(variant, False), s, t, 0.0)
        x, y, z = base[1]
        z -= 0.1
        for floor in range(floors):
            mesh = surroundings.facade(variant, floor > 0)
            level = z + floor * surroundings.FLOOR_HEIGHT
            pieces.append((mesh, (x, y, level), base[2], tint))
        level = z + floors * surroundings.FLOOR_HEIGHT
        gable = surroundings.roof(variant)
        pieces.append((gable, (x, y, level), base[2], (255, 255, 255)))
    if rng.random() < config.wall_share and (setback > 2 or not has_house):
        make = surroundings.hedge if rng.random() < 0.45 else surroundings.fence
        mesh = make(_variant(rng))
        gap = int(rng.integers(0, 4))
        for part in range(3):
            if part != gap:
                at = s - _LOT / 2 + 2.0 + 4.0 * part
                t = side * (road.outer + 0.6)
                pieces.append(_placed(road, mesh, at, t, 0.0))
    return pieces


def _placed(
    road: road_lib.Road, mesh: shapes.Mesh, s: float, t: float, yaw: float
) -> _Piece:
    """A mesh on the ground, its -y side towards the road."""
    position, heading = road_lib.to_world(road, s, t)
    facing = float(heading) + (0.0 if t > 0 else np.pi)
    return mesh, tuple(float(p) for p in position), facing + yaw, (255,) * 3


def _variant(rng: np.random.Generator) -> int:
    return int(rng.integers(surroundings.NUM_VARIANTS))


def _clear(road: road_lib.Road, s: float, half: float) -> bool:
    """Whether an interval of the road side keeps off the crossing street."""
    if road.crossing is None:
        return True
    return abs(s - road.crossing) > road_lib.CROSSING_HALF + half
