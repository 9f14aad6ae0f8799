"""A scene at one moment as a soup of triangles in the LiDAR frame."""

import dataclasses
import functools

import numpy as np

from squeeze_tf.simulation import actors as actors_lib
from squeeze_tf.simulation import materials, sensors, shapes
from squeeze_tf.simulation import road as road_lib
from squeeze_tf.simulation import scene as scene_lib

# The bonnet of the own car. Ours: it blanks the cells that are empty in
# KITTI's front scans, below -21 degrees within 18 degrees of the heading.
# Metres beyond which neighbouring rays of an HDL-64E are 8 cm apart or more.
_COARSE_FROM = 25.0
_COARSE_PIECES_FROM = 32.0
_HOOD_SIZE = (1.3, 1.44, 0.3)
_HOOD_CENTRE = (1.55, 0.0, 0.72)  # Above the ground under the sensor.


@dataclasses.dataclass(frozen=True)
class World:
    """Triangles around the sensor and what they belong to.

    Objects are numbered from 0: the ground, actors and pieces in view.

    Attributes:
      vertices: [V, 3] float32, metres, LiDAR frame.
      faces: [F, 3] int32.
      materials: [F] uint8 index into `materials.NAMES`.
      class_ids: [F] uint8 SemanticKITTI raw ids; 0 for the own car.
      objects: [F] int32 number of the object.
      track_ids: [O] int32; 0 for what is no actor.
      box_index: [O] int32 row of `boxes`; -1 for what is no actor.
      tints: [O, 3] uint8 RGB.
      boxes: [N, 7] float64 of all actors within range, in view or not.
      box_tracks: [N] int32 their track ids.
      box_classes: [N] uint8 their class ids.
      ego_position: [3] float64, the sensor in world coordinates, metres.
      ego_yaw: heading in world coordinates, radians.
      ego_pitch: of the sensor, nose up, radians.
      road: for the paint on the asphalt.
      sun: [3] float64 unit vector towards the sun, LiDAR frame.
    """

    vertices: np.ndarray
    faces: np.ndarray
    materials: np.ndarray
    class_ids: np.ndarray
    objects: np.ndarray
    track_ids: np.ndarray
    box_index: np.ndarray
    tints: np.ndarray
    boxes: np.ndarray
    box_tracks: np.ndarray
    box_classes: np.ndarray
    ego_position: np.ndarray
    ego_yaw: float
    ego_pitch: float
    road: road_lib.Road
    sun: np.ndarray


@dataclasses.dataclass
class _Part:
    """A mesh, its pose in the LiDAR frame and its owner."""

    mesh: shapes.Mesh
    position: np.ndarray
    yaw: float
    class_id: int = 0
    track_id: int = 0
    box: int = -1
    tint: tuple = (255, 255, 255)


def assemble(
    scene: scene_lib.Scene,
    time: float,
    sensor: sensors.LidarSensor,
    whole: bool = False,
) -> World:
    """Poses everything at a time and merges what the sensor can see.

    Args:
      scene: the scene.
      time: seconds since its start.
      sensor: objects out of its range or field are left out.
      whole: keeps objects outside the field too (shadows fall from there).

    Returns:
      The world with the sensor at its origin.
    """
    ego, ego_yaw = scene_lib.ego_pose(scene, time)
    ego = ego + [0.0, 0.0, sensor.height]
    actors, boxes = _actors(scene, time, ego, ego_yaw)
    reach = sensor.max_range + 5.0
    near = np.hypot(boxes[:, 0], boxes[:, 1]) < reach
    number = np.cumsum(near) - 1
    parts = []
    for index in np.flatnonzero(near):
        actors[index].box = int(number[index])
        parts.append(actors[index])
    parts += _pieces(scene, ego, ego_yaw)
    parts = _in_view(parts, sensor, whole)
    ground = road_lib.ground_mesh(scene.road)
    offset = _turned(-ego, -ego_yaw)
    parts.insert(0, _Part(ground, offset, -ego_yaw))
    if scene.config.hood:
        down = np.array([0.0, 0.0, -sensor.height])
        parts.append(_Part(_hood(), down, 0.0))
    kept = [a for a, n in zip(scene.actors, near) if n]
    pitch = float(np.radians(sensor.pitch_degrees))
    merged = _merged(parts)
    if pitch:
        # The bonnet, which comes last, is pitched as the sensor is.
        count = len(_hood().vertices) if scene.config.hood else 0
        outside = merged["vertices"][: len(merged["vertices"]) - count]
        outside[:] = _pitched(outside, pitch)
        boxes[:, :3] = _pitched(boxes[:, :3], pitch)
    return World(
        **merged,
        boxes=boxes[near],
        box_tracks=np.array([a.track_id for a in kept], np.int32),
        box_classes=np.array(
            [materials.CLASS_IDS[a.class_name] for a in kept], np.uint8
        ),
        ego_position=ego,
        ego_yaw=ego_yaw,
        ego_pitch=pitch,
        road=scene.road,
        sun=_pitched(_turned(np.array(scene.sun), -ego_yaw), pitch),
    )


def to_world(world: World, points: np.ndarray) -> np.ndarray:
    """[..., 3] points of the LiDAR frame in world coordinates, metres."""
    level = _pitched(points, -world.ego_pitch)
    return _turned(level, world.ego_yaw) + world.ego_position


def box_vertices(world: World, box: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of one actor.

    Args:
      world: the world.
      box: row of `boxes`.

    Returns:
      [V, 3] float32 vertices, metres; [F, 3] int32 faces of them. Both are
      empty where the actor is out of view.
    """
    owner = np.flatnonzero(world.box_index == box)
    if not len(owner):
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    # Objects lie one after the other, faces and vertices alike.
    low, high = np.searchsorted(world.objects, [owner[0], owner[0] + 1])
    faces = world.faces[low:high]
    first, last = faces.min(), faces.max() + 1
    return world.vertices[first:last], faces - first


def _actors(
    scene: scene_lib.Scene, time: float, ego: np.ndarray, ego_yaw: float
) -> tuple[list[_Part], np.ndarray]:
    """Posed meshes and boxes [N, 7] of all actors, LiDAR frame."""
    positions, yaws = scene_lib.poses(scene, time)
    positions = _turned(positions - ego, -ego_yaw)
    yaws = (yaws - ego_yaw + np.pi) % (2 * np.pi) - np.pi
    is_far = np.hypot(positions[:, 0], positions[:, 1]) > _COARSE_FROM
    parts = [
        _Part(
            actors_lib.mesh(actor, time, bool(coarse)),
            position,
            yaw,
            materials.CLASS_IDS[actor.class_name],
            actor.track_id,
            tint=actor.tint,
        )
        for actor, position, yaw, coarse in zip(
            scene.actors, positions, yaws, is_far
        )
    ]
    sizes = np.array([actor.size for actor in scene.actors]).reshape(-1, 3)
    boxes = np.concatenate([positions, sizes, yaws[:, None]], 1)
    boxes[:, 2] += sizes[:, 2] / 2
    return parts, boxes


def _pieces(
    scene: scene_lib.Scene, ego: np.ndarray, ego_yaw: float
) -> list[_Part]:
    """Posed meshes of what does not move, LiDAR frame."""
    if not scene.pieces:
        return []
    positions = np.array([piece.position for piece in scene.pieces])
    positions = _turned(positions - ego, -ego_yaw)
    far = np.hypot(positions[:, 0], positions[:, 1]) > _COARSE_PIECES_FROM
    return [
        _Part(
            piece.coarse if is_far and piece.coarse else piece.mesh,
            position,
            piece.yaw - ego_yaw,
            tint=piece.tint,
        )
        for piece, position, is_far in zip(scene.pieces, positions, far)
    ]


def _in_view(
    parts: list[_Part], sensor: sensors.LidarSensor, whole: bool
) -> list[_Part]:
    """The parts that a ray of the sensor may reach."""
    if not parts:
        return parts
    places = np.array([part.position for part in parts])
    extents = np.array([_extent(part.mesh) for part in parts])
    radius, bottom = extents[:, 0], extents[:, 1] + places[:, 2]
    distance = np.hypot(places[:, 0], places[:, 1])
    seen = distance - radius < sensor.max_range
    if not whole:
        highest = sensor.beam_degrees[0] + abs(sensor.pitch_degrees)
        top = np.tan(np.radians(highest + 0.3))
        rise = np.maximum(distance + radius, 0.1) * max(top, 0.0)
        seen &= bottom < rise + max(sensor.beam_heights, default=0.0)
        middle = np.radians(sensor.left_degrees + sensor.right_degrees) / 2
        half = np.radians(sensor.left_degrees - sensor.right_degrees) / 2
        azimuth = np.arctan2(places[:, 1], places[:, 0]) - middle
        azimuth = np.abs((azimuth + np.pi) % (2 * np.pi) - np.pi)
        share = radius / np.maximum(distance, 1e-6)
        margin = np.arcsin(np.minimum(share, 1.0)) + 0.01
        seen &= (azimuth - margin < half) | (share >= 1.0)
    return [part for part, is_seen in zip(parts, seen) if is_seen]


def _merged(parts: list[_Part]) -> dict[str, np.ndarray]:
    """Arrays of `World` that run over vertices, faces and objects."""
    num_vertices = [len(part.mesh.vertices) for part in parts]
    num_faces = [len(part.mesh.faces) for part in parts]
    starts = np.cumsum([0, *num_vertices[:-1]]).astype(np.int32)
    vertices = np.concatenate([part.mesh.vertices for part in parts])
    faces = np.concatenate([part.mesh.faces for part in parts])
    faces += np.repeat(starts, num_faces)[:, None]
    yaws = np.array([part.yaw for part in parts])
    places = np.array([part.position for part in parts], np.float32)
    cosine = np.repeat(np.cos(yaws), num_vertices).astype(np.float32)
    sine = np.repeat(np.sin(yaws), num_vertices).astype(np.float32)
    posed = np.repeat(places, num_vertices, axis=0)
    posed[:, 0] += cosine * vertices[:, 0] - sine * vertices[:, 1]
    posed[:, 1] += sine * vertices[:, 0] + cosine * vertices[:, 1]
    posed[:, 2] += vertices[:, 2]
    face_materials = np.concatenate([part.mesh.materials for part in parts])
    objects = np.repeat(np.arange(len(parts), dtype=np.int32), num_faces)
    owner = np.array([part.class_id for part in parts], np.uint8)[objects]
    by_material = materials.CLASS_OF[face_materials]
    return {
        "vertices": posed,
        "faces": faces,
        "materials": face_materials,
        "class_ids": np.where(owner > 0, owner, by_material),
        "objects": objects,
        "track_ids": np.array([part.track_id for part in parts], np.int32),
        "box_index": np.array([part.box for part in parts], np.int32),
        "tints": np.array([part.tint for part in parts], np.uint8),
    }


def _extent(mesh: shapes.Mesh) -> tuple[float, float]:
    """Radius in top view about the origin, and the lowest z; metres."""
    key = id(mesh)
    if key not in _EXTENTS:
        radius = float(np.hypot(*mesh.vertices[:, :2].T).max())
        # Keeps the mesh alive, so that its id stays its own.
        _EXTENTS[key] = (mesh, radius, float(mesh.vertices[:, 2].min()))
    return _EXTENTS[key][1:]


_EXTENTS: dict[int, tuple[shapes.Mesh, float, float]] = {}


@functools.lru_cache(maxsize=1)
def _hood() -> shapes.Mesh:
    return shapes.box(_HOOD_SIZE, _HOOD_CENTRE, "hidden")


def _turned(points: np.ndarray, yaw: float) -> np.ndarray:
    """[..., 3] points turned by `yaw` radians about z."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        [cosine * x - sine * y, sine * x + cosine * y, points[..., 2]], -1
    )


def _pitched(points: np.ndarray, pitch: float) -> np.ndarray:
    """[..., 3] points of a level frame in one whose nose is `pitch` up."""
    cosine, sine = np.cos(pitch), np.sin(pitch)
    x, z = points[..., 0], points[..., 2]
    return np.stack(
        [cosine * x + sine * z, points[..., 1], cosine * z - sine * x], -1
    )
