"""Rays to hits, and hits to a labelled scan (Ch. 3 §3.4)."""

import dataclasses

import numpy as np
from embreex import mesh_construction, rtcore_scene

from squeeze_tf.simulation import materials, sensors
from squeeze_tf.simulation import road as road_lib
from squeeze_tf.simulation import world as world_lib

# Ours: received power (reflectivity / square metre) at which half of the
# returns are lost, and how steeply the loss sets in: in KITTI scans the asphalt
# is whole up to some 50 m and ends there from one laser to the next.
_HALF_POWER = 2.9e-6
_STEEPNESS = 12.0
# Ours: reflectivity of black car paint, and of black walls and clothes, which
# the infrared sees brighter, as a share of white ones'.
_BLACK_SHARES = (0.05, 0.5)
# Ours: added to the gloss of black paint, for black cars are holes in KITTI
# scans but where they face the sensor.
_BLACK_GLOSS = 5.0
# Ours, by track id: share of the rays at a window that pass, and whether those
# come back from inside or behind. In KITTI scans the windows of some cars are
# holes, of others seats and whatever is behind, of others surfaces.
_PASSING = np.array([1.0, 0.9, 0.7, 0.1, 1.0, 0.9], np.float32)
_COMES_BACK = np.array([False, True, False, False, True, False])
_PANES = 4  # that a ray passes at most
_PASSED_TWICE = 0.5  # share of the light that a pane leaves, there and back
_MARKING_REFLECTIVITY = 0.7  # Glass beads in the paint (Ours).
# Ours: of the share that a matt surface sends back at normal incidence, what
# the sensor writes as intensity, and the range at which it writes half of that.
# With these the mean of each class is within a third of the mean remission in
# SemanticKITTI that `materials` names.
_WRITTEN_SHARE = 0.75
_WRITTEN_RANGE = 50.0


@dataclasses.dataclass(frozen=True)
class Hits:
    """First surface met by each of R rays.

    Attributes:
      faces: [R] int32 triangle, -1 where none.
      distances: [R] float32 in lengths of the direction vector.
      cosines: [R] float32, of the angle of incidence, 0 to 1.
      normals: [R, 3] float32 unit normals turned towards the ray.
    """

    faces: np.ndarray
    distances: np.ndarray
    cosines: np.ndarray
    normals: np.ndarray


@dataclasses.dataclass(frozen=True)
class LidarScan:
    """Labelled returns of one scan.

    Attributes:
      points: [N, 4] float32, x, y, z in metres (LiDAR frame: x forward,
        y left, z up, the sensor at the origin) and intensity 0 to 1.
      class_ids: [N] int32 SemanticKITTI raw ids.
      instance_ids: [N] int32 track id of the object hit, 0 for the rest.
      box_index: [N] int32 row of `World.boxes`, -1 where none.
      incidence: [N] float32 angle to the surface's normal, radians.
      rays: [N] int32 number of the ray (row * columns + column).
      rows: [N] int32 laser, 0 the topmost.
      columns: [N] int32 cell from the left edge of the field.
    """

    points: np.ndarray
    class_ids: np.ndarray
    instance_ids: np.ndarray
    box_index: np.ndarray
    incidence: np.ndarray
    rays: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


class Caster:
    """Triangles in an acceleration structure."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """Takes [V, 3] metres and [F, 3] vertex indices."""
        self._scene = rtcore_scene.EmbreeScene()
        # Embree keeps its own copy; the object must live as long as it.
        self._mesh = mesh_construction.TriangleMesh(
            self._scene,
            np.ascontiguousarray(vertices, np.float32),
            np.ascontiguousarray(faces, np.int32),
        )

    def first_hits(
        self, directions: np.ndarray, origins: np.ndarray | None = None
    ) -> Hits:
        """First surface along each ray.

        Args:
          directions: [R, 3] float32, any length.
          origins: [R, 3] float32 metres; the sensor's place if None.

        Returns:
          The hits, in the order of the rays.

        Raises:
          ValueError: `directions` is not [R, 3], or `origins` differs.
        """
        directions = np.ascontiguousarray(directions, np.float32)
        if directions.ndim != 2 or directions.shape[1] != 3:
            raise ValueError(
                f"directions must be [R, 3]; got {directions.shape}"
            )
        if origins is None:
            origins = np.zeros_like(directions)
        if origins.shape != directions.shape:
            raise ValueError(
                f"origins must be {directions.shape} like directions; got "
                f"{origins.shape}"
            )
        origins = np.ascontiguousarray(origins, np.float32)
        found = self._scene.run(
            origins, directions, query="INTERSECT", output=True
        )
        normals = found["Ng"]
        lengths = np.sqrt(np.einsum("ij,ij->i", normals, normals))
        normals = normals / np.maximum(lengths, 1e-12)[:, None]
        facing = np.einsum("ij,ij->i", normals, directions)
        speed = np.sqrt(np.einsum("ij,ij->i", directions, directions))
        normals *= -np.sign(facing)[:, None]
        return Hits(
            found["primID"],
            found["tfar"],
            np.minimum(np.abs(facing) / speed, 1.0),
            normals,
        )

    def is_blocked(
        self, directions: np.ndarray, origins: np.ndarray
    ) -> np.ndarray:
        """[R] bool: whether anything lies along each ray."""
        hit = self._scene.run(
            np.ascontiguousarray(origins, np.float32),
            np.ascontiguousarray(directions, np.float32),
            query="OCCLUDED",
        )
        return hit != -1


def scan(
    world: world_lib.World,
    caster: Caster,
    sensor: sensors.LidarSensor,
    rng: np.random.Generator,
    jitter_degrees: float = 0.0,
    range_sigma: float = 0.0,
    dropout: float = 0.0,
    detection: bool = False,
    intensity_sigma: float = 0.0,
) -> LidarScan:
    """Casts all rays of the sensor and labels what comes back.

    Source: SqueezeSeg (Ch. 3) §3.4: of each ray the first point hit, its
    class, its instance, and the box of the object.

    Args:
      world: what there is.
      caster: built from the world's triangles.
      sensor: stands at the origin.
      rng: draws all noise.
      jitter_degrees: standard deviation of the rays' angles.
      range_sigma: standard deviation of the range, metres, along the ray.
      dropout: probability of losing a return.
      detection: whether weak returns are lost (`detection_probability`),
        and those that pass through glass.
      intensity_sigma: standard deviation of the intensity.

    Returns:
      The scan, row by row from the topmost laser, each from left to right.
    """
    directions = sensors.rays(sensor, jitter_degrees, rng)
    origins = sensors.origins(sensor)
    hits = caster.first_hits(directions, origins)
    faces, distances, cosines = hits.faces, hits.distances, hits.cosines
    left = np.ones(len(faces), np.float32)  # of the light
    if detection:
        _pass_panes(world, caster, directions, origins, hits, left, rng)
    if range_sigma:
        noise = rng.standard_normal(len(distances), np.float32)
        distances = distances + np.float32(range_sigma) * noise
    kept = (faces >= 0) & (distances >= sensor.min_range)
    kept &= (distances <= sensor.max_range) & (world.class_ids[faces] > 0)
    if dropout:
        kept &= rng.random(len(faces), np.float32) >= dropout
    rays = np.flatnonzero(kept).astype(np.int32)
    points = origins[rays] + directions[rays] * distances[rays, None]
    share = returned_share(world, faces[rays], points, cosines[rays])
    share *= left[rays]
    if detection:
        chance = detection_probability(share / np.square(distances[rays]))
        found = rng.random(len(rays), np.float32) < chance
        rays, points, share = rays[found], points[found], share[found]
    intensity = written_intensity(share, cosines[rays], distances[rays])
    if intensity_sigma:
        noise = rng.standard_normal(len(rays), np.float32)
        intensity = intensity + np.float32(intensity_sigma) * noise
        intensity = np.clip(intensity, 0.0, 1.0)
    faces = faces[rays]
    objects = world.objects[faces]
    return LidarScan(
        points=np.concatenate([points, intensity[:, None]], 1),
        class_ids=world.class_ids[faces].astype(np.int32),
        instance_ids=world.track_ids[objects],
        box_index=world.box_index[objects],
        incidence=np.arccos(cosines[rays]),
        rays=rays,
        rows=rays // sensor.columns,
        columns=rays % sensor.columns,
    )


def _pass_panes(
    world: world_lib.World,
    caster: Caster,
    directions: np.ndarray,
    origins: np.ndarray,
    hits: Hits,
    left: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Moves the hits of rays that pass glass to what they meet behind it.

    Rays that pass and do not come back hit nothing. `left` [R] loses the light
    that stays in the panes; normals are not kept up.
    """
    rays = np.arange(len(hits.faces))
    for _ in range(_PANES):
        rays = rays[hits.faces[rays] >= 0]
        chance, comes_back = _glass(world, hits.faces[rays])
        passes = rng.random(len(rays), np.float32) < chance
        hits.faces[rays[passes & ~comes_back]] = -1
        rays = rays[passes & comes_back]
        if not len(rays):
            break
        reached = directions[rays] * (hits.distances[rays, None] + 1e-3)
        behind = caster.first_hits(directions[rays], origins[rays] + reached)
        hits.faces[rays] = behind.faces
        hits.distances[rays] += behind.distances + 1e-3
        hits.cosines[rays] = behind.cosines
        left[rays] *= _PASSED_TWICE


def _glass(
    world: world_lib.World, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chance of a ray to pass, and whether it then comes back, [N]."""
    share = materials.TRANSPARENCY[world.materials[faces]]
    tracks = world.track_ids[world.objects[faces]]
    kind = tracks % len(_PASSING)
    return share * _PASSING[kind], _COMES_BACK[kind] & (tracks > 0)


def returned_share(
    world: world_lib.World,
    faces: np.ndarray,
    points: np.ndarray,
    cosines: np.ndarray,
) -> np.ndarray:
    """Share of the light sent back: reflectivity * cosine ** gloss.

    Ours: a Lambert surface for gloss 1; the darker paint is, the more of its
    light is mirrored.

    Args:
      world: the world.
      faces: [N] int, triangles hit.
      points: [N, 3] float, where, metres.
      cosines: [N] float, of incidence.

    Returns:
      [N] float32, 0 to 1.
    """
    ids = world.materials[faces]
    share = materials.REFLECTIVITY[ids].copy()
    tinted = np.flatnonzero(materials.IS_TINTED[ids])
    tints = world.tints[world.objects[faces[tinted]]].mean(1) / 255
    is_paint = ids[tinted] == materials.INDEX["paint"]
    black = np.where(is_paint, *_BLACK_SHARES)
    share[tinted] *= (black + (1 - black) * tints).astype(np.float32)
    gloss = materials.GLOSS[ids].copy()
    gloss[tinted[is_paint]] += _BLACK_GLOSS * (1 - tints[is_paint])
    asphalt = np.flatnonzero(ids == materials.INDEX["asphalt"])
    places = world_lib.to_world(world, points[asphalt])
    s, t = road_lib.to_road(world.road, places[:, 0], places[:, 1])
    painted = asphalt[road_lib.is_marking(world.road, s, t)]
    share[painted] = _MARKING_REFLECTIVITY
    return share * cosines**gloss


def written_intensity(
    share: np.ndarray, cosines: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Intensity that the sensor writes for a share of the light.

    Ours, as unlabelled scans of the HDL-64E have it: the median intensity of
    the ground is the same from grazing rays to 60 degrees (KITTI .16 to .25,
    semantic_kitti .28 to .32), and that of what stands up falls with range
    only, by half at some 50 m. So angle and range of matt surfaces are made up
    for: share / cosine / (1 + (range / 50) ** 4). Real intensity can be learned
    instead (Ch. 5 §4.2).

    Args:
      share: [N] float, returned_share().
      cosines: [N] float, of incidence.
      distances: [N] float, metres.

    Returns:
      [N] float, of share's type.
    """
    falling = 1 + (distances / _WRITTEN_RANGE) ** 4
    return _WRITTEN_SHARE * share / np.maximum(cosines, 1e-6) / falling


def detection_probability(power: np.ndarray) -> np.ndarray:
    """Probability that a return is found: 1 / (1 + (half / power) ** 12).

    Ours: stands in for the receiver's threshold, so that dark or glossy and
    distant surfaces drop out as they do in KITTI (Ch. 5 §3: missing points
    caused by limited sensing range and mirror diffusion of the laser).

    Args:
      power: [N] float, returned share / range², per square metre.

    Returns:
      [N] float, 0 to 1.
    """
    # At a hundredth of the half nothing is found; powers stay finite.
    ratio = _HALF_POWER / np.maximum(power, _HALF_POWER / 100)
    return 1.0 / (1.0 + ratio**_STEEPNESS)
