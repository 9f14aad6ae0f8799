"""Pedestrians in walking pose and cyclists on bicycles."""

import functools

import numpy as np

from squeeze_tf.simulation import materials, shapes

NUM_VARIANTS = 8
NUM_PHASES = 8  # Poses of one walking or pedalling cycle.

# Lengths of body parts as shares of the stature (Drillis and Contini, 1966,
# as printed in Winter, Biomechanics and Motor Control, fig. 4.1).
_HIP, _KNEE, _ANKLE = 0.530, 0.285, 0.039
_SHOULDER, _SHOULDER_HALF, _HIP_HALF = 0.818, 0.115, 0.07
_UPPER_ARM, _FOREARM, _HEAD = 0.186, 0.146, 0.130
_THIGH, _SHIN, _FOOT = _HIP - _KNEE, _KNEE - _ANKLE, 0.152
# Stature: adults 1.50-1.95 m, some children (Ours).
_STATURES = (1.76, 1.68, 1.83, 1.60, 1.71, 1.90, 1.55, 1.28)
_FINE = {"sides": 6, "rounded": True}
_COARSE = {"sides": 4, "rounded": False}
_SWING = 0.42  # Radians of the thigh at a normal pace (Winter, fig. 3.30).


@functools.cache
def pedestrian(variant: int, phase: int, coarse: bool = False) -> shapes.Mesh:
    """A walking person facing +x.

    Args:
      variant: 0 to `NUM_VARIANTS` - 1: stature, girth, clothes.
      phase: 0 to `NUM_PHASES` - 1 of a step cycle; -1 stands still.
      coarse: fewer triangles, for people far away.

    Returns:
      A mesh that stands on z = 0, the hips above the origin.
    """
    rng = np.random.default_rng([variant, 77])
    stature = _STATURES[variant % len(_STATURES)]
    girth = rng.uniform(0.92, 1.15)
    turn = 2 * np.pi * phase / NUM_PHASES
    swing = 0.05 if phase < 0 else _SWING
    turn = np.pi / 2 if phase < 0 else turn
    parts = _trunk(np.zeros(3), np.array([0.03, 0, 1.0]), girth, coarse)
    for side in (-1, 1):
        thigh = side * swing * np.sin(turn)
        knee = 0.15 + 0.9 * swing * max(0.0, side * np.cos(turn))
        parts += _leg(side, thigh, knee, girth, coarse)
        arm = -0.8 * thigh
        parts += _arm(side, arm, arm + 0.35 * (swing > 0.1), girth, coarse)
    if variant % 4 == 1:  # A rucksack.
        parts.append(shapes.box((0.09, 0.18, 0.26), (-0.1, 0, 0.7), "trim"))
    if variant % 4 == 2:  # A skirt or coat.
        path = np.array(
            [[0, 0, 0.30], [0, 0, 0.32], [0, 0, 0.56], [0, 0, 0.58]]
        )
        parts.append(shapes.tube(path, (0.08, 0.12, 0.09, 0.05), "cloth", 8))
    mesh = shapes.merge(parts)
    low = mesh.vertices[:, 2].min()
    return shapes.moved(mesh, (0, 0, -stature * low), scale=stature)


@functools.cache
def cyclist(variant: int, phase: int, coarse: bool = False) -> shapes.Mesh:
    """A person riding a bicycle towards +x.

    Args:
      variant: 0 to `NUM_VARIANTS` - 1: stature, girth, clothes.
      phase: 0 to `NUM_PHASES` - 1 of a turn of the pedals.
      coarse: fewer triangles, for people far away.

    Returns:
      A mesh that stands on z = 0, centred on the bicycle.
    """
    rng = np.random.default_rng([variant, 78])
    stature = max(_STATURES[variant % len(_STATURES)], 1.55)
    girth = rng.uniform(0.92, 1.12)
    form = _COARSE if coarse else _FINE
    parts = bicycle_parts(coarse)
    hip = np.array([-0.28, 0.0, 0.98])
    lean = rng.uniform(0.35, 0.65)
    axis = np.array([np.sin(lean), 0, np.cos(lean)])
    rider = _trunk(np.zeros(3), axis, girth, coarse)
    shift = hip - np.array([0, 0, _HIP]) * stature
    parts += [shapes.moved(p, shift, scale=stature) for p in rider]
    spine = (_SHOULDER - _HIP) * stature
    shoulder = hip + spine * axis
    turn = 2 * np.pi * phase / NUM_PHASES
    for side in (-1, 1):
        crank = turn + (np.pi if side > 0 else 0)
        pedal = np.array(
            [0.17 * np.cos(crank), side * 0.11, 0.30 - 0.17 * np.sin(crank)]
        )
        joint = hip + [0, side * _HIP_HALF * stature, 0]
        ankle = pedal + [-0.05, 0, 0.07]
        knee = _bend(joint, ankle, _THIGH * stature, _SHIN * stature, 1)
        thick = girth * stature
        parts += [
            shapes.limb(joint, knee, (0.048 * thick, 0.034 * thick),
                        "trousers", **form),
            shapes.limb(knee, ankle, (0.034 * thick, 0.022 * thick),
                        "trousers", **form),
            shapes.limb(ankle + [-0.05, 0, -0.04], pedal + [0.1, 0, 0.01],
                        (0.035, 0.03), "trim", **form),
        ]  # fmt: skip
        joint = shoulder + [0, side * _SHOULDER_HALF * stature, 0]
        hand = np.array([0.42, side * 0.25, 1.03])
        elbow = _bend(joint, hand, _UPPER_ARM * stature, _FOREARM * stature, -1)
        parts += [
            shapes.limb(
                joint, elbow, (0.028 * thick, 0.024 * thick), "cloth", **form
            ),
            shapes.limb(
                elbow, hand, (0.023 * thick, 0.018 * thick), "skin", **form
            ),
        ]
    return shapes.merge(parts)


@functools.cache
def size(
    variant: int, cycling: bool, standing: bool = False
) -> tuple[float, float, float]:
    """Length, width and height that hold every pose, centred, metres."""
    build = cyclist if cycling else pedestrian
    phases = (-1,) if standing else range(NUM_PHASES)
    vertices = np.concatenate([build(variant, p).vertices for p in phases])
    half = np.abs(vertices[:, :2]).max(0)
    return float(2 * half[0]), float(2 * half[1]), float(vertices[:, 2].max())


def bicycle_parts(coarse: bool) -> list[shapes.Mesh]:
    """A city bicycle: 28-inch wheels 1.06 m apart, diamond frame (Ours)."""
    radius = 0.345
    rear, front = np.array([-0.50, 0, radius]), np.array([0.56, 0, radius])
    bracket, seat = np.array([-0.06, 0, 0.29]), np.array([-0.25, 0, 0.86])
    head, stem = np.array([0.36, 0, 0.82]), np.array([0.33, 0, 1.02])
    tubes = [
        (bracket, seat, 0.018), (bracket, head, 0.02), (seat, head, 0.017),
        (rear, bracket, 0.013), (rear, seat, 0.011), (head, front, 0.016),
        (head, stem, 0.016),
        (stem - [0, 0.29, 0], stem + [0, 0.29, 0], 0.014),
    ]  # fmt: skip
    parts = [
        shapes.limb(
            start, end, (radius_,) * 2, "paint", 3 if coarse else 4, not coarse
        )
        for start, end, radius_ in tubes
    ]
    for hub in (rear, front):
        parts.append(
            shapes.ring(hub, radius, 0.025, "rubber", 9 if coarse else 14)
        )
        for angle in np.arange(0 if coarse else 4) * np.pi / 4:  # Spokes.
            along = 0.3 * np.array([np.cos(angle), 0, np.sin(angle)])
            parts.append(
                shapes.limb(
                    hub - along, hub + along, (0.006,) * 2, "rim", 3, False
                )
            )
    saddle = shapes.box((0.26, 0.14, 0.06), seat + [-0.01, 0, 0.03], "trim")
    return [*parts, saddle]


def _trunk(
    base: np.ndarray, direction: np.ndarray, girth: float, coarse: bool
) -> list[shapes.Mesh]:
    """Pelvis, chest, neck and head above the hips, for a stature of 1."""
    axis = direction / np.linalg.norm(direction)
    across = np.array([0.0, 1.0, 0.0])
    forward = np.cross(across, axis)
    hip = base + [0, 0, _HIP]
    points = 6 if coarse else 10
    around = 2 * np.pi * np.arange(points) / points
    # Height above the hips, half depth and half width of each ring.
    rings = np.array(
        [
            (-0.045, 0.030, 0.050), (-0.02, 0.062, 0.088),
            (0.04, 0.062, 0.088), (0.10, 0.054, 0.078),
            (0.20, 0.068, 0.098), (0.265, 0.056, 0.108),
            (0.295, 0.030, 0.060), (0.315, 0.026, 0.032),
            (0.340, 0.026, 0.030),
        ]
    )  # fmt: skip
    rings = rings[[0, 2, 4, 6, 8]] if coarse else rings
    sections = [
        hip
        + height * axis
        + girth * depth * np.cos(around)[:, None] * forward
        + girth * width * np.sin(around)[:, None] * across
        for height, depth, width in rings
    ]
    ids = np.full((len(rings) + 1, points), materials.INDEX["cloth"], np.uint8)
    ids[-2:] = materials.INDEX["skin"]
    head = hip + (1 - _HIP - _HEAD / 2) * axis
    upright = head + 0.02 * forward
    size = (4, 6) if coarse else (6, 8)
    return [
        shapes.loft(np.array(sections), ids),
        shapes.ellipsoid((0.052, 0.044, _HEAD / 2), upright, "skin", *size),
        shapes.ellipsoid(
            (0.052, 0.047, 0.038), upright + [-0.008, 0, 0.03], "hair",
            size[0] - 1, size[1],
        ),
    ]  # fmt: skip


def _leg(
    side: int, thigh: float, knee: float, girth: float, coarse: bool
) -> list[shapes.Mesh]:
    """A leg for a stature of 1; angles in radians from straight down."""
    form = _COARSE if coarse else _FINE
    hip = np.array([0, side * _HIP_HALF * 0.8, _HIP])
    middle = hip + _THIGH * np.array([np.sin(thigh), 0, -np.cos(thigh)])
    low = thigh - knee
    ankle = middle + _SHIN * np.array([np.sin(low), 0, -np.cos(low)])
    toe = ankle + 0.75 * _FOOT * np.array(
        [np.cos(0.6 * low), 0.15 * side, np.sin(0.6 * low)]
    )
    down = np.array([0, 0, -0.5 * _ANKLE])
    return [
        shapes.limb(hip, middle, (0.050 * girth, 0.035 * girth), "trousers",
                    **form),
        shapes.limb(middle, ankle, (0.034 * girth, 0.023 * girth), "trousers",
                    **form),
        shapes.limb(ankle + down - [0.02, 0, 0], toe + down,
                    (0.024, 0.02), "trim", **form),
    ]  # fmt: skip


def _arm(
    side: int, upper: float, lower: float, girth: float, coarse: bool
) -> list[shapes.Mesh]:
    """An arm for a stature of 1; angles in radians from straight down."""
    form = _COARSE if coarse else _FINE
    shoulder = np.array([0, side * _SHOULDER_HALF * girth, _SHOULDER - 0.02])
    elbow = shoulder + _UPPER_ARM * np.array(
        [np.sin(upper), 0.12 * side, -np.cos(upper)]
    )
    hand = elbow + _FOREARM * np.array([np.sin(lower), 0, -np.cos(lower)])
    return [
        shapes.limb(shoulder, elbow, (0.028 * girth, 0.024 * girth), "cloth",
                    **form),
        shapes.limb(elbow, hand, (0.023 * girth, 0.017 * girth), "cloth",
                    **form),
        shapes.ellipsoid((0.022, 0.016, 0.045), hand + [0, 0, -0.03], "skin",
                         *((2, 4) if coarse else (4, 5))),
    ]  # fmt: skip


def _bend(
    start: np.ndarray, end: np.ndarray, upper: float, lower: float, sign: int
) -> np.ndarray:
    """The joint between two limbs; bends to the front for `sign` +1."""
    line = end - start
    distance = min(np.linalg.norm(line), 0.999 * (upper + lower))
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    height = np.sqrt(max(upper**2 - along**2, 0.0))
    unit = line / np.linalg.norm(line)
    normal = np.cross([0.0, 1.0, 0.0], unit)
    normal *= -sign / np.linalg.norm(normal)
    return start + along * unit + height * normal
