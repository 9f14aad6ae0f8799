"""Frames in time: which scene a frame shows, and what the sensors see."""

import dataclasses
import functools

import numpy as np

from squeeze_tf.simulation import camera as camera_lib
from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import raycast, sensors
from squeeze_tf.simulation import scene as scene_lib
from squeeze_tf.simulation import world as world_lib

# Metres; more than a ray rises or falls within the range of the presets.
_STOREY = 200.0


@dataclasses.dataclass(frozen=True)
class Frame:
    """What the sensors saw at one moment, and the truth about it.

    Attributes:
      index: number of the frame.
      sequence: number of its scene.
      step: frames since the scene's start.
      scan: labelled returns.
      picture: image, or None where the camera was off.
      world: triangles and boxes in the LiDAR frame.
      caster: of the world's triangles.
      sensor: that made the scan.
    """

    index: int
    sequence: int
    step: int
    scan: raycast.LidarScan
    picture: camera_lib.Picture | None
    world: world_lib.World
    caster: raycast.Caster
    sensor: sensors.LidarSensor


def frame(
    config: config_lib.SimulationConfig,
    seed: int,
    index: int,
    camera: bool = False,
) -> Frame:
    """Renders one frame; a function of its arguments alone.

    Args:
      config: the drive.
      seed: of the data set.
      index: frames `frames_per_sequence * k` and the following ones show the
        same scene in motion, with the same track ids.
      camera: whether to render the image too; the scan is the same.

    Returns:
      The frame.

    Raises:
      ValueError: `config.sensor` is not a LiDAR, or `index` is negative.
    """
    if index < 0:
        raise ValueError(f"index must not be negative; got {index}")
    sequence, step = divmod(index, config.frames_per_sequence)
    scene = _scene(config, seed, sequence)
    sensor = lidar(config)
    time = step / config.frame_rate
    world = world_lib.assemble(scene, time, sensor, whole=camera)
    caster = raycast.Caster(world.vertices, world.faces)
    scan = raycast.scan(
        world,
        caster,
        sensor,
        np.random.default_rng([seed, index, 1]),
        config.jitter_degrees,
        config.range_sigma,
        config.dropout,
        config.detection,
        config.intensity_sigma,
    )
    picture = None
    if camera:
        view = sensors.scaled(sensors.KITTI_CAMERA, config.image_scale)
        picture = camera_lib.render(world, caster, view, index)
    return Frame(index, sequence, step, scan, picture, world, caster, sensor)


def lidar(config: config_lib.SimulationConfig) -> sensors.LidarSensor:
    """The sensor of a drive; errors as `sensors.find`."""
    sensor = sensors.find(
        config.sensor,
        config.sensor_height,
        config.sensor_pitch_degrees,
        config.sensor_max_range,
    )
    if not config.untwisted:
        return sensor
    travel = config.ego_speed / config.frame_rate
    return dataclasses.replace(sensor, travel=travel)


def visible_shares(
    world: world_lib.World,
    caster: raycast.Caster,
    sensor: sensors.LidarSensor,
) -> np.ndarray:
    """How much of each object other objects leave to be seen.

    Args:
      world: the world.
      caster: built from all of its triangles.
      sensor: whose rays are counted, without noise.

    Returns:
      [N] float64, rays that hit the object over rays that hit it when
      everything else is away; 0 where none does.
    """
    directions, starts = sensors.rays(sensor), sensors.origins(sensor)
    faces = caster.first_hits(directions, starts).faces
    owner = np.where(faces >= 0, world.box_index[world.objects[faces]], -1)
    hits = np.bincount(owner[owner >= 0], minlength=len(world.boxes))
    shares = np.zeros(len(hits))
    seen = np.flatnonzero(hits)
    if not len(seen):
        return shares
    # All objects go into one structure, each with its rays on a storey of
    # its own, so that no ray meets another object.
    vertices, triangles, rays, origins, start = [], [], [], [], 0
    for storey, box in enumerate(seen):
        own_vertices, own_faces = world_lib.box_vertices(world, box)
        lift = np.array([0, 0, _STOREY * storey], np.float32)
        vertices.append(own_vertices + lift)
        triangles.append(own_faces + start)
        start += len(own_vertices)
        near = _towards(directions, starts, own_vertices)
        rays.append(directions[near])
        origins.append(starts[near] + lift)
    alone = raycast.Caster(np.concatenate(vertices), np.concatenate(triangles))
    found = alone.first_hits(np.concatenate(rays), np.concatenate(origins))
    counts = [len(part) for part in rays]
    storeys = np.repeat(np.arange(len(seen)), counts)[found.faces >= 0]
    totals = np.bincount(storeys, minlength=len(seen))
    shares[seen] = np.minimum(hits[seen] / np.maximum(totals, 1), 1.0)
    return shares


@functools.lru_cache(maxsize=2)
def _scene(
    config: config_lib.SimulationConfig, seed: int, sequence: int
) -> scene_lib.Scene:
    return scene_lib.build(config, [seed, sequence])


def _towards(
    directions: np.ndarray, starts: np.ndarray, vertices: np.ndarray
) -> np.ndarray:
    """Numbers of the rays that meet the ball around an object."""
    centre = (vertices.min(0) + vertices.max(0)) / 2
    radius = np.linalg.norm(vertices - centre, axis=1).max() + 1e-3
    offsets = centre.astype(np.float32) - starts
    along = np.einsum("ij,ij->i", offsets, directions)
    off = np.einsum("ij,ij->i", offsets, offsets) - along**2
    return np.flatnonzero((along > -radius) & (off <= radius**2))
