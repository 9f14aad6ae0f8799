"""Procedural street scenes: a road, what stands beside it, who moves on it."""

import dataclasses

import numpy as np

from squeeze_tf.simulation import (
    config as config_lib,
)
from squeeze_tf.simulation import (
    people,
    placement,
    shapes,
    vehicles,
)
from squeeze_tf.simulation import road as road_lib


@dataclasses.dataclass(frozen=True)
class Actor:
    """A vehicle or person with a box.

    Attributes:
      class_name: "car", "van", "person" or "bicyclist".
      track_id: from 1, unique in the scene.
      style: key of `vehicles.STYLES`; "" for people.
      variant: which mesh of the style.
      tint: RGB of paint or clothes, 0-255.
      s: place along the road at time 0, metres.
      t: place to the left of the centre line, metres.
      turn: heading relative to the road's, radians.
      speed: metres per second along its heading.
      phase: share of a step or pedal cycle at time 0, 0 to 1.
      size: length, width, height of the box, metres.
    """

    class_name: str
    track_id: int
    style: str
    variant: int
    tint: tuple[int, int, int]
    s: float
    t: float
    turn: float
    speed: float
    phase: float
    size: tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A thing that does not move: part of a house, a tree, a pole, a wall."""

    mesh: shapes.Mesh
    position: tuple[float, float, float]
    yaw: float
    tint: tuple[int, int, int] = (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything about a scene; a function of a config and a seed.

    Attributes:
      config: what it was built from.
      road: its shape.
      actors: with boxes and track ids.
      pieces: without, in world coordinates.
      ego_t: the sensor's place to the left of the centre line, metres.
      sun: unit vector towards the sun.
    """

    config: config_lib.SimulationConfig
    road: road_lib.Road
    actors: tuple[Actor, ...]
    pieces: tuple[Piece, ...]
    ego_t: float
    sun: tuple[float, float, float]


# Share of new cars by colour group in Germany, 2012 (KBA, rounded): grey and
# silver, black, white, blue, red, others.
_PAINTS = (
    ((140, 142, 146), 0.31), ((24, 24, 28), 0.29), ((228, 228, 226), 0.17),
    ((40, 62, 120), 0.09), ((150, 28, 30), 0.07), ((110, 96, 70), 0.07),
)  # fmt: skip
_CLOTHES = ((40, 44, 58), (150, 40, 44), (60, 90, 140), (196, 190, 178),
            (36, 92, 66), (210, 150, 60))  # fmt: skip
_EGO_HALF = 3.2  # Half of the room kept free for the own car, metres.
_STEP_LENGTH = 1.45  # Metres of two steps (Winter: stride of 1.4-1.5 m).
_PEDAL_TURN = 5.0  # Metres of a turn of the pedals.


def build(config: config_lib.SimulationConfig, seed: object) -> Scene:
    """Draws a scene.

    Every actor keeps to a track of its own speed and lateral place, with free
    room ahead and behind, so none runs into another as time passes.

    Args:
      config: what to place.
      seed: an integer or a sequence of them; the same one gives the same
        scene.

    Returns:
      The scene at time 0.
    """
    rng = np.random.default_rng(seed)
    travel = config.ego_speed * _duration(config)
    low = -config.rear_distance
    high = config.view_distance + travel
    road = _road(config, low, high, rng)
    ego_lane = (config.num_lanes - 1) // 2 if config.num_lanes > 1 else 0
    ego_t = -(ego_lane + 0.5) * config.lane_width
    tracks = placement.Tracks(low + 5.0, high - 5.0, rng)
    tracks.reserve(ego_t, -_EGO_HALF - 3.0, _EGO_HALF + 3.0)
    actors: list[Actor] = []
    _add_traffic(config, road, ego_t, tracks, actors, rng)
    _add_parked(config, road, tracks, actors, rng)
    _add_people(config, road, tracks, actors, rng)
    pieces = placement.surroundings_of(config, road, rng)
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation = rng.uniform(0.5, 1.1)
    sun = (
        float(np.cos(elevation) * np.cos(azimuth)),
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
    )
    return Scene(
        config, road, tuple(actors),
        tuple(Piece(*piece) for piece in pieces), ego_t, sun,
    )  # fmt: skip


def pose(scene: Scene, actor: Actor, time: float) -> tuple[np.ndarray, float]:
    """World position of the box's bottom centre and heading at a time.

    Args:
      scene: the scene.
      actor: one of its actors.
      time: seconds since its start.

    Returns:
      [3] float64 metres; heading in radians from +x to +y.
    """
    along = actor.speed * time
    s = actor.s + along * np.cos(actor.turn)
    t = actor.t + along * np.sin(actor.turn)
    position, heading = road_lib.to_world(scene.road, s, t)
    return position, float(heading + actor.turn)


def ego_pose(scene: Scene, time: float) -> tuple[np.ndarray, float]:
    """Ground position under the sensor and its heading at a time."""
    s = scene.config.ego_speed * time
    position, heading = road_lib.to_world(scene.road, s, scene.ego_t)
    return position, float(heading)


def mesh(actor: Actor, time: float, coarse: bool = False) -> shapes.Mesh:
    """The actor's mesh at a time; people swing their arms and legs.

    Args:
      actor: the actor.
      time: seconds since the scene's start.
      coarse: fewer triangles, for what is far away.

    Returns:
      A mesh in the frame of the box's bottom centre, nose towards +x.
    """
    if actor.class_name in ("car", "van"):
        return vehicles.vehicle(actor.style, actor.variant, coarse)
    walking = actor.class_name == "person"
    cycle = _STEP_LENGTH if walking else _PEDAL_TURN
    turns = actor.phase + actor.speed * time / cycle
    phase = int(np.floor(turns * people.NUM_PHASES)) % people.NUM_PHASES
    if walking:
        standing = actor.speed == 0
        return people.pedestrian(
            actor.variant, -1 if standing else phase, coarse
        )
    return people.cyclist(actor.variant, phase, coarse)


def _duration(config: config_lib.SimulationConfig) -> float:
    return (config.frames_per_sequence - 1) / config.frame_rate


def _road(
    config: config_lib.SimulationConfig,
    low: float,
    high: float,
    rng: np.random.Generator,
) -> road_lib.Road:
    """Draws the road's shape."""
    crossing = None
    if rng.random() < config.crossing_share:
        crossing = float(rng.uniform(14.0, 0.6 * config.view_distance))
    return road_lib.Road(
        half_width=config.num_lanes * config.lane_width
        + config.cycle_width
        + config.parking_width,
        lane_width=config.lane_width,
        num_lanes=config.num_lanes,
        sidewalk_width=config.sidewalk_width,
        curvature=float(rng.uniform(-1, 1) * config.max_curvature),
        slope=float(rng.uniform(-1, 1) * config.max_slope),
        bank=tuple(float(b) for b in rng.uniform(-0.02, 0.10, 2)),
        phases=tuple(float(p) for p in rng.uniform(0, 2 * np.pi, 3)),
        crossing=crossing,
        start=low - 10.0,
        end=high + 10.0,
    )


def _add_traffic(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    ego_t: float,
    tracks: placement.Tracks,
    actors: list[Actor],
    rng: np.random.Generator,
) -> None:
    """Vehicles in the lanes, driving on the right, one speed to a lane."""
    lanes = [
        side * (lane + 0.5) * config.lane_width
        for lane in range(config.num_lanes)
        for side in (-1, 1)
    ]
    speeds = config.traffic_speed * rng.uniform(0.7, 1.3, len(lanes))
    for _ in range(config.num_traffic):
        lane = int(rng.integers(len(lanes)))
        t = lanes[lane]
        speed = config.ego_speed if t == ego_t else speeds[lane]
        vehicle = _vehicle(config, rng)
        place = tracks.place(t, vehicle["size"][0] + 5.0)
        if place is not None:
            turn = 0.0 if t < 0 else np.pi
            actors.append(
                Actor(track_id=len(actors) + 1, s=place, t=t, turn=turn,
                      speed=float(speed), **vehicle)
            )  # fmt: skip
    if road.crossing is None:
        return
    for side in (-1, 1):  # Cars waiting in the crossing street.
        vehicle = _vehicle(config, rng)
        t = side * (road.outer + vehicle["size"][0] / 2 + rng.uniform(0, 3))
        s = road.crossing + side * road_lib.CROSSING_HALF / 2
        actors.append(
            Actor(track_id=len(actors) + 1, s=s, t=t, turn=-side * np.pi / 2,
                  speed=0.0, **vehicle)
        )  # fmt: skip


def _add_parked(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    tracks: placement.Tracks,
    actors: list[Actor],
    rng: np.random.Generator,
) -> None:
    """Rows of vehicles along the kerbs, away from the crossing."""
    if config.parking_width <= 0:
        return
    offset = road.half_width - config.parking_width / 2 + 0.05
    if road.crossing is not None:
        for side in (-1, 1):
            tracks.reserve(
                side * offset, road.crossing - 9.0, road.crossing + 9.0
            )
    for _ in range(config.num_parked):
        side = int(rng.choice((-1, 1)))
        vehicle = _vehicle(config, rng)
        place = tracks.place(
            side * offset, vehicle["size"][0] + rng.uniform(0.6, 1.6)
        )
        if place is not None:
            backwards = rng.random() < 0.1
            turn = np.pi * float((side > 0) != backwards)
            actors.append(
                Actor(track_id=len(actors) + 1, s=place, t=side * offset,
                      turn=turn + rng.normal(0, 0.015), speed=0.0, **vehicle)
            )  # fmt: skip


def _add_people(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    tracks: placement.Tracks,
    actors: list[Actor],
    rng: np.random.Generator,
) -> None:
    """Walkers in two tracks of each sidewalk, cyclists beside the lanes."""
    walks = [
        (side * (road.half_width + offset), speed * direction)
        for side in (-1, 1)
        for offset, speed, direction in (
            (1.25, rng.uniform(1.0, 1.5), rng.choice((-1, 1))),
            (2.15, rng.choice((0.0, 1.2)), rng.choice((-1, 1))),
        )
    ]
    for _ in range(config.num_pedestrians if config.sidewalk_width else 0):
        t, velocity = walks[int(rng.integers(len(walks)))]
        person = _person(rng, "person", velocity == 0)
        place = tracks.place(t, person["size"][0] + 0.5, 25.0)
        if place is not None:
            turn = np.pi * float(velocity < 0)
            if velocity == 0:
                turn = rng.uniform(0, 2 * np.pi)
            actors.append(
                Actor(track_id=len(actors) + 1, s=place, t=t, turn=turn,
                      speed=abs(float(velocity)), **person)
            )  # fmt: skip
    strip = config.num_lanes * config.lane_width + config.cycle_width / 2
    speed = rng.uniform(3.5, 6.0)
    for _ in range(config.num_cyclists if config.cycle_width else 0):
        side = int(rng.choice((-1, 1)))
        person = _person(rng, "bicyclist", False)
        place = tracks.place(side * strip, person["size"][0] + 1.5, 25.0)
        if place is not None:
            actors.append(
                Actor(track_id=len(actors) + 1, s=place, t=side * strip,
                      turn=np.pi * float(side > 0), speed=float(speed),
                      **person)
            )  # fmt: skip


def _vehicle(
    config: config_lib.SimulationConfig, rng: np.random.Generator
) -> dict:
    """What a vehicle looks like: fields of `Actor` that have no place."""
    is_van = rng.random() < config.van_share
    styles = vehicles.VAN_STYLES if is_van else vehicles.CAR_STYLES
    style = styles[int(rng.integers(len(styles)))]
    variant = int(rng.integers(vehicles.NUM_VARIANTS))
    shares = [share for _, share in _PAINTS]
    paint = _PAINTS[int(rng.choice(len(_PAINTS), p=shares))][0]
    low, high = vehicles.vehicle(style, variant).bounds
    return {
        "class_name": "van" if is_van else "car",
        "style": style,
        "variant": variant,
        "tint": _varied(paint, rng),
        "phase": 0.0,
        "size": tuple(float(v) for v in high - low),
    }


def _person(rng: np.random.Generator, class_name: str, standing: bool) -> dict:
    """What a person looks like; the box holds all poses of the cycle."""
    variant = int(rng.integers(people.NUM_VARIANTS))
    if class_name == "bicyclist":
        size = people.size(variant, cycling=True)
    else:
        size = people.size(variant, cycling=False, standing=standing)
    clothes = _CLOTHES[int(rng.integers(len(_CLOTHES)))]
    return {
        "class_name": class_name,
        "style": "",
        "variant": variant,
        "tint": _varied(clothes, rng),
        "phase": float(rng.random()),
        "size": size,
    }


def _varied(
    colour: tuple[int, int, int], rng: np.random.Generator
) -> tuple[int, int, int]:
    """The colour, a little lighter or darker."""
    varied = np.clip(np.array(colour) * rng.uniform(0.75, 1.15), 8, 250)
    return tuple(int(c) for c in varied)
