"""Vehicles and people of a scene: their looks, size and motion."""

import dataclasses
from typing import Any

import numpy as np

from squeeze_tf.simulation import people, shapes, vehicles


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


# Share of new cars by colour group in Germany, 2012 (KBA, rounded): grey and
# silver, black, white, blue, red, others.
_PAINTS = (
    ((140, 142, 146), 0.31), ((24, 24, 28), 0.29), ((228, 228, 226), 0.17),
    ((40, 62, 120), 0.09), ((150, 28, 30), 0.07), ((110, 96, 70), 0.07),
)  # fmt: skip
_CLOTHES = ((40, 44, 58), (150, 40, 44), (60, 90, 140), (196, 190, 178),
            (36, 92, 66), (210, 150, 60))  # fmt: skip
_STEP_LENGTH = 1.45  # Metres of two steps (Winter: stride of 1.4-1.5 m).
_PEDAL_TURN = 5.0  # Metres of a turn of the pedals.


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


def vehicle_looks(van_share: float, rng: np.random.Generator) -> dict[str, Any]:
    """What a vehicle looks like.

    Args:
      van_share: probability of a van.
      rng: draws style, variant and paint.

    Returns:
      The fields of `Actor` that have to do with neither place nor motion.
    """
    is_van = rng.random() < van_share
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


def person_looks(
    class_name: str, standing: bool, rng: np.random.Generator
) -> dict[str, Any]:
    """What a person looks like; the box holds all poses of the cycle.

    Args:
      class_name: "person" or "bicyclist".
      standing: whether a person on foot stands still.
      rng: draws stature and clothes.

    Returns:
      As `vehicle_looks`.
    """
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
