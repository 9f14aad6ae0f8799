"""Triangle meshes with a material per face, and the solids they are made of."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from squeeze_tf.simulation import materials as materials_lib


@dataclasses.dataclass(frozen=True)
class Mesh:
    """Triangles of one object in its own frame.

    Attributes:
      vertices: [V, 3] float32, metres; x forward, y left, z up, z = 0 on the
        ground.
      faces: [F, 3] int32 vertex indices, counter-clockwise from outside.
      materials: [F] uint8 index into `materials.NAMES`.
    """

    vertices: np.ndarray
    faces: np.ndarray
    materials: np.ndarray

    @property
    def bounds(self) -> np.ndarray:
        """[2, 3] smallest and largest coordinates, metres."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh holding the triangles of all."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + np.int32(s) for m, s in zip(meshes, starts)]),
        np.concatenate([m.materials for m in meshes]),
    )


def moved(
    mesh: Mesh, offset: Sequence[float], yaw: float = 0.0, scale: float = 1.0
) -> Mesh:
    """The mesh scaled, turned by `yaw` radians about z, then shifted."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    vertices = scale * mesh.vertices @ rotation + np.asarray(offset)
    return dataclasses.replace(mesh, vertices=vertices.astype(np.float32))


def fitted(mesh: Mesh, size: Sequence[float]) -> Mesh:
    """The mesh stretched to length, width, height, centred, z from 0."""
    low, high = mesh.bounds
    scale = np.asarray(size) / (high - low)
    origin = np.array([*(low + high)[:2] / 2, low[2]])
    vertices = (mesh.vertices - origin) * scale
    return dataclasses.replace(mesh, vertices=vertices.astype(np.float32))


def loft(sections: np.ndarray, materials: np.ndarray | str) -> Mesh:
    """A closed skin over consecutive rings.

    Args:
      sections: [S, K, 3] float; ring s, point k. The first and last rings are
        closed by fans around their mean point.
      materials: a name, or [S + 1, K] uint8: row 0 for the first cap, row s
        for the quads between rings s - 1 and s, row S for the last cap.

    Returns:
      A mesh of 2 S K faces whose normals point outwards.
    """
    num_rings, num_points = sections.shape[:2]
    ring = np.arange(num_points)
    following = (ring + 1) % num_points
    start = num_points * np.arange(num_rings - 1)[:, None]
    a, b = start + ring, start + following  # [S - 1, K]
    c, d = a + num_points, b + num_points
    first = num_rings * num_points
    last_ring = (num_rings - 1) * num_points
    cap_low = [np.full(num_points, first), following, ring]
    cap_high = [
        np.full(num_points, first + 1),
        last_ring + ring,
        last_ring + following,
    ]
    faces = np.concatenate(
        [
            np.stack(cap_low, -1),
            np.stack([a, b, d], -1).reshape(-1, 3),
            np.stack([a, d, c], -1).reshape(-1, 3),
            np.stack(cap_high, -1),
        ]
    ).astype(np.int32)
    if isinstance(materials, str):
        ids = np.full(len(faces), materials_lib.INDEX[materials], np.uint8)
    else:
        sides = materials[1:-1].reshape(-1)
        ids = np.concatenate([materials[0], sides, sides, materials[-1]])
    centres = sections[[0, -1]].mean(1)
    vertices = np.concatenate([sections.reshape(-1, 3), centres])
    return _outwards(Mesh(vertices.astype(np.float32), faces, ids))


def box(size: Sequence[float], centre: Sequence[float], material: str) -> Mesh:
    """An axis-aligned box of 12 triangles; metres."""
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    ring = np.concatenate([signs, np.zeros((4, 1))], 1)
    rings = np.stack([ring - [0, 0, 0.5], ring + [0, 0, 0.5]])
    vertices = (rings.reshape(-1, 3) * size + centre).astype(np.float32)
    sides = [[i, (i + 1) % 4, 4 + (i + 1) % 4] for i in range(4)]
    sides += [[i, 4 + (i + 1) % 4, 4 + i] for i in range(4)]
    ends = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    faces = np.array(sides + ends, np.int32)
    ids = np.full(12, materials_lib.INDEX[material], np.uint8)
    return Mesh(vertices, faces, ids)


def tube(
    path: np.ndarray, radii: Sequence[float], material: str, sides: int = 6
) -> Mesh:
    """A round limb along a path, with a radius at each of its points.

    Args:
      path: [S, 3] float, metres.
      radii: S radii, metres; a small one at either end rounds it off.
      material: name of the material.
      sides: corners of the cross-section.

    Returns:
      A closed mesh.
    """
    path = np.asarray(path, np.float64)
    axis = path[-1] - path[0]
    axis = axis / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    across = np.cross(axis, helper)
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    angles = 2 * np.pi * np.arange(sides) / sides
    circle = np.outer(np.cos(angles), across) + np.outer(np.sin(angles), other)
    radii = np.asarray(radii, np.float64)
    rings = path[:, None] + radii[:, None, None] * circle
    return loft(rings, material)


def limb(
    start: Sequence[float],
    end: Sequence[float],
    radii: tuple[float, float],
    material: str,
    sides: int = 6,
    rounded: bool = True,
) -> Mesh:
    """A tapered limb between two points, metres; ends rounded or flat."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    if not rounded:
        return tube(np.stack([start, end]), radii, material, sides)
    axis = (end - start) / np.linalg.norm(end - start)
    path = np.stack(
        [start - 0.7 * radii[0] * axis, start, end, end + 0.7 * radii[1] * axis]
    )
    return tube(path, (radii[0] * 0.5, *radii, radii[1] * 0.5), material, sides)


def ellipsoid(
    radii: Sequence[float],
    centre: Sequence[float],
    material: str,
    rings: int = 5,
    sides: int = 8,
) -> Mesh:
    """A closed ellipsoid; `rings` rings of `sides` points, metres."""
    polar = np.pi * (np.arange(rings) + 0.5) / rings
    around = 2 * np.pi * np.arange(sides) / sides
    # The caps are flat, so the rings are stretched to the poles' height.
    height = -np.cos(polar) / np.cos(polar[0])
    unit = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.repeat(height[:, None], sides, 1),
        ],
        -1,
    )
    return loft(unit * radii + centre, material)


def wheel(
    centre: Sequence[float], radius: float, width: float, sides: int = 11
) -> Mesh:
    """A tyre with a rim on both faces, axle along y, metres."""
    half = width / 2
    path = np.asarray(centre) + np.array(
        [[0, y, 0] for y in (-half, -half * 0.98, half * 0.98, half)]
    )
    mesh = tube(path, radius * np.array([0.65, 1, 1, 0.65]), "rubber", sides)
    ids = mesh.materials.copy()
    ids[:sides] = ids[-sides:] = materials_lib.INDEX["rim"]
    return dataclasses.replace(mesh, materials=ids)


def ring(
    centre: Sequence[float],
    radius: float,
    thickness: float,
    material: str,
    sides: int = 14,
) -> Mesh:
    """A thin torus in the x-z plane (a bicycle's tyre), metres."""
    around = 2 * np.pi * np.arange(sides) / sides
    cross = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]) * thickness
    distance = radius - thickness + cross[:, 0]
    points = np.stack(
        [
            np.outer(np.cos(around), distance),
            np.broadcast_to(cross[:, 1], (sides, 4)),
            np.outer(np.sin(around), distance),
        ],
        -1,
    ) + np.asarray(centre)
    start = np.arange(sides)[:, None] * 4
    after = (np.arange(sides)[:, None] + 1) % sides * 4
    k, n = np.arange(4), (np.arange(4) + 1) % 4
    quads = np.stack([start + k, start + n, after + n, after + k], -1)
    quads = quads.reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    ids = np.full(len(faces), materials_lib.INDEX[material], np.uint8)
    return _outwards(
        Mesh(
            points.reshape(-1, 3).astype(np.float32),
            faces.astype(np.int32),
            ids,
        )
    )


def scatter(
    centres: np.ndarray,
    size: float,
    rng: np.random.Generator,
    material: str = "leaf",
) -> Mesh:
    """One loose triangle of random attitude at each centre.

    Args:
      centres: [N, 3] float, metres.
      size: typical side, metres.
      rng: draws attitudes and sizes.
      material: name of the material.

    Returns:
      An open mesh of N triangles: rays partly pass between them.
    """
    corners = rng.normal(size=(len(centres), 3, 3))
    corners -= corners.mean(1, keepdims=True)
    corners *= size / 2
    vertices = (np.asarray(centres)[:, None] + corners).reshape(-1, 3)
    faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    ids = np.full(len(faces), materials_lib.INDEX[material], np.uint8)
    return Mesh(vertices.astype(np.float32), faces, ids)


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem, cubic metres."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(float), 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _outwards(mesh: Mesh) -> Mesh:
    """Turns all faces over if they enclose a negative volume."""
    centre = mesh.vertices.mean(0)
    centred = dataclasses.replace(mesh, vertices=mesh.vertices - centre)
    if volume(centred) >= 0:
        return mesh
    return dataclasses.replace(
        mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1])
    )
