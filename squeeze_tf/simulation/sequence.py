"""Frames in time: which scene a frame shows, and what the sensors see."""

import dataclasses
import functools

import numpy as np

from squeeze_tf.simulation import camera as camera_lib
from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import raycast, sensors
from squeeze_tf.simulation import scene as scene_lib
from squeeze_tf.simulation import world as world_lib


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
      visible: [N] float64 for each box of the world: of the rays that would
        hit the object if it stood alone, the share that do; 0 where none.
    """

    index: int
    sequence: int
    step: int
    scan: raycast.LidarScan
    picture: camera_lib.Picture | None
    world: world_lib.World
    visible: np.ndarray


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
    if config.sensor not in sensors.LIDARS:
        raise ValueError(
            f"sensor must be of {list(sensors.LIDARS)}; got {config.sensor!r}"
        )
    if index < 0:
        raise ValueError(f"index must not be negative; got {index}")
    sequence, step = divmod(index, config.frames_per_sequence)
    scene = _scene(config, seed, sequence)
    sensor = sensors.LIDARS[config.sensor]
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
    )
    picture = None
    if camera:
        view = sensors.scaled(sensors.KITTI_CAMERA, config.image_scale)
        picture = camera_lib.render(world, caster, view, index)
    visible = visible_shares(world, caster, sensor)
    return Frame(index, sequence, step, scan, picture, world, visible)


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
    directions = sensors.rays(sensor)
    faces = caster.first_hits(directions).faces
    owner = np.where(faces >= 0, world.box_index[world.objects[faces]], -1)
    num_boxes = len(world.boxes)
    hits = np.bincount(owner[owner >= 0], minlength=num_boxes)
    face_box = world.box_index[world.objects]
    order = np.argsort(face_box, kind="stable")
    edges = np.searchsorted(face_box[order], np.arange(num_boxes + 1))
    shares = np.zeros(num_boxes)
    for box in np.flatnonzero(hits):
        own = world.faces[order[edges[box] : edges[box + 1]]]
        used, local = np.unique(own, return_inverse=True)
        vertices = world.vertices[used]
        near = _towards(directions, vertices)
        alone = raycast.Caster(vertices, local.reshape(-1, 3))
        total = np.count_nonzero(alone.first_hits(directions[near]).faces >= 0)
        shares[box] = min(hits[box] / max(total, 1), 1.0)
    return shares


@functools.lru_cache(maxsize=2)
def _scene(
    config: config_lib.SimulationConfig, seed: int, sequence: int
) -> scene_lib.Scene:
    return scene_lib.build(config, [seed, sequence])


def _towards(directions: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Numbers of the rays within the cone around an object."""
    units = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    axis = units.mean(0)
    axis /= np.linalg.norm(axis)
    cosine = (units @ axis).min() - 1e-4
    return np.flatnonzero(directions @ axis.astype(np.float32) >= cosine)
