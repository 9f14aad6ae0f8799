"""Procedural street scenes: a road, what stands beside it, who moves on it."""

import dataclasses
from typing import Any

import numpy as np

from squeeze_tf.simulation import actors as actors_lib
from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import placement
from squeeze_tf.simulation import road as road_lib


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
    actors: tuple[actors_lib.Actor, ...]
    pieces: tuple[placement.Piece, ...]
    ego_t: float
    sun: tuple[float, float, float]


_EGO_HALF = 3.2  # Half of the room kept free for the own car, metres.


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
    actors: list[actors_lib.Actor] = []
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
    return Scene(config, road, tuple(actors), pieces, ego_t, sun)


def poses(scene: Scene, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the actors are at a time.

    Args:
      scene: the scene.
      time: seconds since its start.

    Returns:
      [N, 3] float64 world positions of the boxes' bottom centres, metres;
      [N] headings in radians from +x to +y.
    """
    turn = np.array([actor.turn for actor in scene.actors])
    way = time * np.array([actor.speed for actor in scene.actors])
    s = np.array([actor.s for actor in scene.actors]) + way * np.cos(turn)
    t = np.array([actor.t for actor in scene.actors]) + way * np.sin(turn)
    positions, headings = road_lib.to_world(scene.road, s, t)
    return positions, headings + turn


def ego_pose(scene: Scene, time: float) -> tuple[np.ndarray, float]:
    """Ground position under the sensor and its heading at a time."""
    s = scene.config.ego_speed * time
    position, heading = road_lib.to_world(scene.road, s, scene.ego_t)
    return position, float(heading)


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
    actors: list[actors_lib.Actor],
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
        vehicle = actors_lib.vehicle_looks(config.van_share, rng)
        place = tracks.place(t, vehicle["size"][0] + 5.0)
        if place is not None:
            turn = 0.0 if t < 0 else np.pi
            _add(actors, vehicle, place, t, turn, speed)
    if road.crossing is None:
        return
    for side in (-1, 1):  # Cars waiting in the crossing street.
        vehicle = actors_lib.vehicle_looks(config.van_share, rng)
        t = side * (road.outer + vehicle["size"][0] / 2 + rng.uniform(0, 3))
        s = road.crossing + side * road_lib.CROSSING_HALF / 2
        _add(actors, vehicle, s, t, -side * np.pi / 2, 0.0)


def _add_parked(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    tracks: placement.Tracks,
    actors: list[actors_lib.Actor],
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
        vehicle = actors_lib.vehicle_looks(config.van_share, rng)
        place = tracks.place(
            side * offset, vehicle["size"][0] + rng.uniform(0.6, 1.6)
        )
        if place is not None:
            backwards = rng.random() < 0.1
            turn = np.pi * float((side > 0) != backwards)
            turn += rng.normal(0, 0.015)
            _add(actors, vehicle, place, side * offset, turn, 0.0)


def _add_people(
    config: config_lib.SimulationConfig,
    road: road_lib.Road,
    tracks: placement.Tracks,
    actors: list[actors_lib.Actor],
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
        person = actors_lib.person_looks("person", velocity == 0, rng)
        place = tracks.place(t, person["size"][0] + 0.5, 25.0)
        if place is not None:
            turn = np.pi * float(velocity < 0)
            if velocity == 0:
                turn = rng.uniform(0, 2 * np.pi)
            _add(actors, person, place, t, turn, abs(velocity))
    strip = config.num_lanes * config.lane_width + config.cycle_width / 2
    speed = rng.uniform(3.5, 6.0)
    for _ in range(config.num_cyclists if config.cycle_width else 0):
        side = int(rng.choice((-1, 1)))
        person = actors_lib.person_looks("bicyclist", False, rng)
        place = tracks.place(side * strip, person["size"][0] + 1.5, 25.0)
        if place is not None:
            turn = np.pi * float(side > 0)
            _add(actors, person, place, side * strip, turn, speed)


def _add(
    actors: list[actors_lib.Actor],
    looks: dict[str, Any],
    s: float,
    t: float,
    turn: float,
    speed: float,
) -> None:
    """Puts one more actor, with the next track id, at a place of the road."""
    actors.append(
        actors_lib.Actor(
            track_id=len(actors) + 1,
            s=s,
            t=t,
            turn=float(turn),
            speed=float(speed),
            **looks,
        )
    )
