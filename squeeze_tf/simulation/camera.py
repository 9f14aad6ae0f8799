"""Images registered with the scan, cast into the same triangles."""

import dataclasses

import numpy as np

from squeeze_tf.simulation import materials, raycast, sensors
from squeeze_tf.simulation import road as road_lib
from squeeze_tf.simulation import world as world_lib

_SUN_COLOUR = np.array([1.0, 0.96, 0.88], np.float32)
_SKY_COLOUR = np.array([0.62, 0.72, 0.88], np.float32)
_SUN, _AMBIENT = 0.80, 0.42  # Shares of direct and sky light (Ours).
_HORIZON = np.array([214, 224, 234], np.float32)
_ZENITH = np.array([118, 160, 214], np.float32)
_FINE = 22.0  # Metres up to which fine texture is wider than a pixel.
_HAZE = 260.0  # Metres over which colours fade by 1 / e (Ours).


@dataclasses.dataclass(frozen=True)
class Picture:
    """One rendered image.

    Attributes:
      rgb: [H, W, 3] uint8.
      class_ids: [H, W] int32 SemanticKITTI raw ids, 0 for the sky.
      instance_ids: [H, W] int32 track ids, 0 where none.
      depth: [H, W] float32 metres along the optical axis, 0 for the sky.
    """

    rgb: np.ndarray
    class_ids: np.ndarray
    instance_ids: np.ndarray
    depth: np.ndarray


def render(
    world: world_lib.World,
    caster: raycast.Caster,
    camera: sensors.Camera,
    seed: int = 0,
) -> Picture:
    """Renders what the camera at the LiDAR's place sees.

    A Lambert surface lit by the sun, unless a second ray finds it in shadow,
    and by the sky; colours per material with a little texture. The own car is
    seen by the laser only: its rays are cast on.

    Args:
      world: what there is.
      caster: built from the world's triangles.
      camera: the camera.
      seed: of the sensor's noise.

    Returns:
      The picture; the same world and seed give the same one.
    """
    directions = sensors.pixel_rays(camera)
    hits = raycast.Hits(**_first_visible(world, caster, directions))
    shape = (camera.height, camera.width)
    seen = np.flatnonzero(hits.faces >= 0)
    faces, normals = hits.faces[seen], hits.normals[seen]
    depth = np.zeros(len(directions), np.float32)
    depth[seen] = hits.distances[seen]
    points = directions[seen] * depth[seen, None]
    colours = sky(directions)
    lit = light(world, caster, points, normals)
    albedo = surface_colours(world, faces, points)
    haze = np.exp(-depth[seen] / _HAZE)[:, None]
    colours[seen] = haze * albedo * lit + (1 - haze) * _HORIZON
    rng = np.random.default_rng(seed)
    colours += rng.normal(0, 2.0, colours.shape).astype(np.float32)
    class_ids = np.zeros(len(directions), np.int32)
    class_ids[seen] = world.class_ids[faces]
    instance_ids = np.zeros(len(directions), np.int32)
    instance_ids[seen] = world.track_ids[world.objects[faces]]
    return Picture(
        np.clip(colours, 0, 255).astype(np.uint8).reshape(*shape, 3),
        class_ids.reshape(shape),
        instance_ids.reshape(shape),
        depth.reshape(shape),
    )


def surface_colours(
    world: world_lib.World, faces: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Colours of surfaces before light falls on them.

    Args:
      world: the world.
      faces: [N] int, triangles.
      points: [N, 3] float, places on them, metres, LiDAR frame.

    Returns:
      [N, 3] float32, 0 to 255: the material's or the object's colour, lane
      paint, courses of bricks, seams of slabs, mottled grass and leaves.
    """
    ids = world.materials[faces]
    colours = materials.COLOURS[ids].astype(np.float32)
    tinted = materials.IS_TINTED[ids]
    colours[tinted] = world.tints[world.objects[faces[tinted]]]
    places = world_lib.to_world(world, points)
    colours *= _mottle(places, ids, points[:, 0])[:, None]
    asphalt = np.flatnonzero(ids == materials.INDEX["asphalt"])
    s, t = road_lib.to_road(world.road, places[asphalt, 0], places[asphalt, 1])
    painted = asphalt[road_lib.is_marking(world.road, s, t)]
    colours[painted] = 225.0
    slabs = np.flatnonzero(ids == materials.INDEX["concrete"])
    s, t = road_lib.to_road(world.road, places[slabs, 0], places[slabs, 1])
    seams = (np.mod(s, 0.6) < 0.03) | (np.mod(t, 0.6) < 0.03)
    seams &= points[slabs, 0] < _FINE
    colours[slabs[seams]] *= 0.82
    bricks = np.flatnonzero(ids == materials.INDEX["brick"])
    courses = np.mod(places[bricks, 2], 0.15) < 0.025
    courses &= points[bricks, 0] < _FINE
    colours[bricks[courses]] *= 1.18
    leaves = np.flatnonzero(ids == materials.INDEX["leaf"])
    shade = 0.75 + 0.5 * _hash(faces[leaves].astype(np.int64) * 7919)
    colours[leaves] *= shade[:, None]
    return colours


def light(
    world: world_lib.World,
    caster: raycast.Caster,
    points: np.ndarray,
    normals: np.ndarray,
) -> np.ndarray:
    """Light on surfaces: Lambert's cosine of the sun where it shines, and sky.

    Args:
      world: the world.
      caster: built from all of its triangles; they throw the shadows.
      points: [N, 3] float, places, metres, LiDAR frame.
      normals: [N, 3] float, unit normals there.

    Returns:
      [N, 3] float32 factors of the surface's RGB.
    """
    sun = world.sun.astype(np.float32)
    direct = normals @ sun
    towards = np.flatnonzero(direct > 0)
    origins = points[towards] + normals[towards] * 0.02
    rays = np.broadcast_to(sun, origins.shape)
    shadow = caster.is_blocked(rays, origins)
    direct = np.maximum(direct, 0)
    direct[towards[shadow]] = 0
    ambient = _AMBIENT * (0.75 + 0.25 * normals[:, 2])
    return (
        _SUN * direct[:, None] * _SUN_COLOUR
        + ambient[:, None] * (0.5 + 0.5 * _SKY_COLOUR) / _SKY_COLOUR.mean()
    )


def sky(directions: np.ndarray) -> np.ndarray:
    """[R, 3] float32 colours of the sky, from the horizon upwards."""
    lengths = np.sqrt(np.einsum("ij,ij->i", directions, directions))
    up = np.clip(directions[:, 2] / lengths, 0, 1)[:, None] ** 0.5
    return (1 - up) * _HORIZON + up * _ZENITH


def _first_visible(
    world: world_lib.World, caster: raycast.Caster, directions: np.ndarray
) -> dict[str, np.ndarray]:
    """First hits beyond the own car, as the fields of `raycast.Hits`."""
    hits = caster.first_hits(directions)
    found = dataclasses.asdict(hits)
    hidden = np.flatnonzero(
        (hits.faces >= 0) & (world.class_ids[hits.faces] == 0)
    )
    passed = np.zeros(len(hidden), np.float32)
    for _ in range(2):  # In through the bonnet's top, out below.
        if not len(hidden):
            break
        passed = passed + found["distances"][hidden] + np.float32(1e-3)
        again = caster.first_hits(
            directions[hidden], directions[hidden] * passed[:, None]
        )
        for name, values in dataclasses.asdict(again).items():
            found[name][hidden] = values
        inside = (again.faces >= 0) & (world.class_ids[again.faces] == 0)
        found["distances"][hidden[~inside]] += passed[~inside]
        hidden, passed = hidden[inside], passed[inside]
    return found


def _mottle(
    places: np.ndarray, ids: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """[N] float32 brightness around 1 that varies over the ground and walls."""
    soft = np.isin(ids, [materials.INDEX[n] for n in ("grass", "leaf")])
    flat = np.isin(
        ids, [materials.INDEX[n] for n in ("asphalt", "concrete", "plaster")]
    )
    cells = np.floor(places / 0.12).astype(np.int64)
    grain = _hash(
        cells[:, 0] * 73856093 ^ cells[:, 1] * 19349663 ^ cells[:, 2] * 83492791
    )
    wave = np.sin(0.9 * places[:, 0]) * np.sin(1.1 * places[:, 1] + 0.5)
    amount = np.where(soft, 0.35, np.where(flat, 0.10, 0.0))
    grain = (grain - 0.5) * np.exp(-depth / _FINE)
    return (1 + amount * grain + 0.2 * amount * wave).astype(np.float32)


def _hash(numbers: np.ndarray) -> np.ndarray:
    """[N] pseudo-random float32 in 0 to 1 of [N] int64."""
    mixed = (numbers ^ (numbers >> 13)) * 1274126177
    mixed ^= mixed >> 16
    return ((mixed & 0xFFFF) / 65535.0).astype(np.float32)
