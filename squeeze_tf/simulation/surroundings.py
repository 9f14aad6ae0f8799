"""What stands beside the road: buildings, trees, hedges, poles, walls."""

import functools

import numpy as np

from squeeze_tf.simulation import materials, shapes

NUM_VARIANTS = 6
_NUM_LEAVES = 450
FLOOR_HEIGHT = 3.1  # Metres from floor to floor of a dwelling (Ours).


@functools.cache
def facade(variant: int, upper: bool) -> shapes.Mesh:
    """One floor of a house, 12 m wide and 8 m deep, front towards -y.

    The ground floor has doors or shop windows, an upper floor windows and
    balconies. Windows lie 0.15 to 0.25 m behind the wall.

    Args:
      variant: 0 to `NUM_VARIANTS` - 1: window grid, material, setbacks.
      upper: False for the ground floor.

    Returns:
      A mesh of `FLOOR_HEIGHT`, centred along x, the front at y = 0.
    """
    rng = np.random.default_rng([variant, 31, int(upper)])
    bays = int(rng.integers(3, 6))
    width, depth = 12.0, 8.0
    wall = ("plaster", "brick")[variant % 2]
    edges = np.linspace(-width / 2, width / 2, bays + 1)
    recess = rng.uniform(0.15, 0.25)
    parts = []
    for bay in range(bays):
        low, high = edges[bay], edges[bay + 1]
        middle, half = (low + high) / 2, (high - low) / 2
        sill, lintel = rng.choice([0.9, 1.0]), 2.35
        opening = half * rng.uniform(0.4, 0.65)
        if not upper and bay == variant % bays:  # A door.
            sill, opening = 0.12, 0.55
        elif not upper and variant % 3 == 0:  # A shop window.
            sill, opening = 0.4, 0.8 * half
        parts.append(
            _bay((low, middle - opening, middle + opening, high),
                 (0.0, sill, lintel, FLOOR_HEIGHT), recess, wall)
        )  # fmt: skip
        if upper and variant % 3 == 1 and bay % 2 == 0:
            parts += _balcony(middle, 0.8 * half)
    back = shapes.box(
        (width, depth - 0.3, FLOOR_HEIGHT),
        (0, 0.3 + (depth - 0.3) / 2, FLOOR_HEIGHT / 2),
        wall,
    )
    sides = [
        shapes.box((0.05, 0.3, FLOOR_HEIGHT),
                   (x, 0.15, FLOOR_HEIGHT / 2), wall)
        for x in (-width / 2 + 0.025, width / 2 - 0.025)
    ]  # fmt: skip
    return shapes.merge([*parts, back, *sides])


@functools.cache
def roof(variant: int) -> shapes.Mesh:
    """A gable roof over `facade`, ridge along x, eaves 0.4 m out."""
    height = 2.2 + 0.3 * variant
    low, high, half = -0.4, 8.4, 6.0
    ring = [(low, 0.0), (high, 0.0), (4.0, height)]
    sections = np.array([[(x, y, z) for y, z in ring] for x in (-half, half)])
    return shapes.loft(sections, "roof")


@functools.cache
def tree(variant: int, coarse: bool = False) -> tuple[shapes.Mesh, shapes.Mesh]:
    """A street tree.

    Args:
      variant: 0 to `NUM_VARIANTS` - 1: height, bend, spread.
      coarse: fewer, larger leaves, for trees far away.

    Returns:
      The bent trunk, and apart from it (most rays pass below) the crown:
      branches and loose leaves.
    """
    rng = np.random.default_rng([variant, 32])
    height = rng.uniform(5.0, 9.0)
    girth = rng.uniform(0.10, 0.22)
    fork = height * rng.uniform(0.32, 0.45)
    bend = rng.normal(0, 0.15, (4, 2)) * np.array([[0], [0.4], [0.8], [1]])
    levels = np.array([-0.1, 0.15, 0.6, 1.0]) * fork
    path = np.column_stack([bend, levels])
    trunk = shapes.tube(
        path, girth * np.array([1.4, 1.05, 0.9, 0.75]), "bark", 7
    )
    crown = []
    centres = [np.array([*path[-1, :2], 0.72 * height])]
    for angle in rng.uniform(0, 2 * np.pi) + np.arange(5) * 0.4 * np.pi:
        out = rng.uniform(0.8, 1.8)
        tip = np.array(
            [out * np.cos(angle), out * np.sin(angle),
             rng.uniform(0.6, 0.9) * height]
        )  # fmt: skip
        crown.append(shapes.limb(path[-1], tip, (0.5 * girth, 0.03), "bark", 4))
        centres.append(tip)
    spread = np.array([0.75, 0.75, 0.65]) * rng.uniform(0.8, 1.2)
    blobs = np.array(centres)[rng.integers(0, len(centres), _NUM_LEAVES)]
    leaves = blobs + rng.normal(size=(_NUM_LEAVES, 3)) * spread
    leaves = leaves[leaves[:, 2] > 0.75 * fork]
    leaves = leaves[::3] if coarse else leaves
    size = 0.64 if coarse else 0.40
    return trunk, shapes.merge([*crown, shapes.scatter(leaves, size, rng)])


@functools.cache
def bush(variant: int, coarse: bool = False) -> shapes.Mesh:
    """A round shrub of loose leaves around a dense core."""
    rng = np.random.default_rng([variant, 33])
    radius, height = rng.uniform(0.5, 1.1), rng.uniform(0.8, 1.8)
    directions = rng.normal(size=(160, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shell = directions * rng.uniform(0.75, 1.05, (160, 1))
    shell = shell * [radius, radius, height / 2] + [0, 0, height / 2]
    shell = shell[::3] if coarse else shell
    core = shapes.ellipsoid(
        (0.7 * radius, 0.7 * radius, 0.38 * height),
        (0, 0, 0.42 * height), "leaf", 4, 7,
    )  # fmt: skip
    return shapes.merge(
        [core, shapes.scatter(shell, 0.35 if coarse else 0.22, rng)]
    )


@functools.cache
def hedge(variant: int) -> shapes.Mesh:
    """Four metres of trimmed hedge along x with a rough surface."""
    rng = np.random.default_rng([variant, 34])
    height, half = rng.uniform(0.9, 1.9), rng.uniform(0.3, 0.45)
    around = np.array(
        [(-half, 0), (-half, 0.5), (-half, 0.95), (-0.4 * half, 1),
         (0.4 * half, 1), (half, 0.95), (half, 0.5), (half, 0)]
    )  # fmt: skip
    x = np.linspace(-2, 2, 11)
    sections = np.empty((len(x), len(around), 3))
    sections[..., 0] = x[:, None]
    sections[..., 1:] = around * [1, height]
    rough = rng.normal(0, 0.06, sections.shape)
    rough[:, [0, -1], 2] = 0
    leaves = sections[2:-2:2, 1:-1].reshape(-1, 3)
    leaves = leaves + rng.normal(0, 0.08, leaves.shape)
    return shapes.merge(
        [
            shapes.loft(sections + rough, "leaf"),
            shapes.scatter(leaves, 0.2, rng),
        ]
    )


@functools.cache
def lamp_post(variant: int) -> shapes.Mesh:
    """A tapered lamp post with an arm over the road, which lies at -y."""
    height = 5.5 + 0.7 * variant
    path = np.array([[0, 0, -0.1], [0, 0, 0.8], [0, 0, 0.85], [0, 0, height]])
    arm = [(0, 0, height - 0.05), (0, -1.4, height + 0.2)]
    return shapes.merge(
        [
            shapes.tube(path, (0.10, 0.10, 0.075, 0.05), "post", 8),
            shapes.limb(*arm, (0.04, 0.03), "post", 5),
            shapes.box((0.25, 0.6, 0.1), (0, -1.5, height + 0.2), "post"),
        ]
    )


@functools.cache
def sign_post(variant: int) -> shapes.Mesh:
    """A traffic sign facing -x: round, square or triangular plate."""
    sides = (16, 4, 3)[variant % 3]
    pole = [(0, 0, -0.1), (0, 0, 2.75)]
    plate = shapes.tube(
        np.array([[-0.06, 0, 2.4], [-0.045, 0, 2.4]]), (0.34, 0.34), "sign",
        sides,
    )  # fmt: skip
    return shapes.merge([shapes.limb(*pole, (0.035, 0.035), "post", 6), plate])


@functools.cache
def fence(variant: int) -> shapes.Mesh:
    """Four metres along x of stone wall (even) or paling fence (odd)."""
    if variant % 2 == 0:
        height = 0.8 + 0.2 * variant
        coping = shapes.box((4.0, 0.34, 0.08), (0, 0, height + 0.04), "stone")
        wall = shapes.box((4.0, 0.26, height), (0, 0, height / 2), "stone")
        return shapes.merge([wall, coping])
    pales = [
        shapes.box((0.11, 0.03, 1.2), (x, 0, 0.65), "wood")
        for x in np.arange(-1.9, 2.0, 0.2)
    ]
    rails = [
        shapes.box((4.0, 0.05, 0.09), (0, 0.04, z), "wood")
        for z in (0.35, 0.95)
    ]
    return shapes.merge(pales + rails)


@functools.cache
def guard_rail(variant: int) -> shapes.Mesh:
    """Eight metres along x of W-beam guard rail with posts every 2 m."""
    del variant  # There is one shape only.
    ring = np.array(
        [(0.0, 0.43), (0.08, 0.50), (0.0, 0.58), (0.08, 0.67), (0.0, 0.74),
         (-0.01, 0.74), (0.07, 0.67), (-0.01, 0.58), (0.07, 0.50),
         (-0.01, 0.43)]
    )  # fmt: skip
    ring[:, 0] *= -1
    sections = np.array([[(x, y, z) for y, z in ring] for x in (-4.0, 4.0)])
    posts = [
        shapes.box((0.10, 0.06, 0.75), (x, 0.05, 0.37), "rail")
        for x in (-3, -1, 1, 3)
    ]
    return shapes.merge([shapes.loft(sections, "rail"), *posts])


def _bay(
    x: tuple[float, float, float, float],
    z: tuple[float, float, float, float],
    recess: float,
    wall: str,
) -> shapes.Mesh:
    """Wall around a recessed window; x and z are the four grid lines."""
    outer = [(x[0], 0, z[0]), (x[3], 0, z[0]), (x[3], 0, z[3]), (x[0], 0, z[3])]
    inner = [(x[1], 0, z[1]), (x[2], 0, z[1]), (x[2], 0, z[2]), (x[1], 0, z[2])]
    pane = [(px, recess, pz) for px, _, pz in inner]
    vertices = np.array(outer + inner + pane, np.float32)
    quads = [(i, (i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    quads += [
        (4 + i, 4 + (i + 1) % 4, 8 + (i + 1) % 4, 8 + i) for i in range(4)
    ]
    quads.append((8, 9, 10, 11))
    quads = np.array(quads)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    ids = np.full(len(quads), materials.INDEX[wall], np.uint8)
    ids[-1] = materials.INDEX["window"]
    return shapes.Mesh(vertices, faces.astype(np.int32), np.tile(ids, 2))


def _balcony(x: float, half: float) -> list[shapes.Mesh]:
    """A slab with a parapet in front of a window."""
    return [
        shapes.box((2 * half, 1.1, 0.15), (x, -0.55, 0.05), "plaster"),
        shapes.box((2 * half, 0.08, 0.9), (x, -1.06, 0.55), "post"),
    ]
