"""Random changes of projected scans that keep them plausible scans.

Every function is a pure function of its seed, so that a run repeats exactly.
A sample is a dict of the segmentation contract (`grid`, `mask`, `label_ids`).
"""

import dataclasses
import math

import tensorflow as tf

from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import object_placement

Sample = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How strongly to change training scans; the default changes nothing.

    Args:
      flip: mirror left and right in half of the scans (released code).
      roll: turn full-turn scans by a random azimuth.
      drop: largest share of returns dropped (dropout noise, Ch. 3 §3.4).
      scale: largest relative change of all distances.
      tilt: largest slope, in x and in y, given to the ground.
      intensity: largest relative change of all intensities.
      mix: share of scans that take a sector of azimuths or a band of rows
        from another scan (PolarMix, Xiao et al. 2022, §3.2; LaserMix, Kong et
        al. 2023, §3.2).
      paste_ids: classes of which objects of another scan are pasted where
        they are nearer than what is there (see object_placement).
      paste_count: how many objects are tried.
      paste_farther: largest distance added to theirs, in metres.
    """

    flip: bool = False
    roll: bool = False
    drop: float = 0.0
    scale: float = 0.0
    tilt: float = 0.0
    intensity: float = 0.0
    mix: float = 0.0
    paste_ids: tuple[int, ...] = ()
    paste_count: int = 8
    paste_farther: float = 20.0


def augment(
    sample: Sample,
    other: Sample,
    seed: tf.Tensor,
    settings: Augmentation,
    projection: spherical.Projection | None = None,
) -> Sample:
    """Applies the settings to one scan.

    Args:
      sample: the scan to change.
      other: another scan, for mixing.
      seed: [2] int64.
      settings: what to do.
      projection: of the grids; pasting needs it.

    Returns:
      A sample of the same shapes.

    Raises:
      ValueError: there are paste_ids and no projection.
    """
    if settings.paste_ids and projection is None:
        raise ValueError("paste_ids need the projection of the grids")
    seeds = tf.unstack(
        tf.random.stateless_uniform(
            [9 + settings.paste_count, 2], seed, None, None, tf.int32
        )
    )
    sample = _turn(sample, seeds[0], settings)
    if settings.mix or settings.paste_ids:
        other = _turn(other, seeds[1], settings)
    if settings.mix:
        for place, mixed in enumerate(
            (
                swap_sector(sample, other, seeds[2]),
                swap_rows(sample, other, seeds[3]),
            )
        ):
            chosen = _chance(
                seeds[4], place * settings.mix / 2, settings.mix / 2
            )
            sample = _select(chosen, mixed, sample)
    for key in seeds[9:] if settings.paste_ids else ():
        placed = object_placement.place(
            other,
            key,
            settings.paste_ids,
            settings.paste_farther,
            projection,
        )
        sample = paste(sample, placed)
    if settings.scale:
        sample = rescale(sample, _about_one(seeds[5], settings.scale))
    if settings.tilt:
        slope = tf.random.stateless_uniform(
            [2], seeds[8], -settings.tilt, settings.tilt
        )
        sample = tilt(sample, slope)
    if settings.intensity:
        factor = _about_one(seeds[6], settings.intensity)
        grid = sample["grid"] * tf.stack([1.0, 1.0, 1.0, factor, 1.0])
        sample = sample | {"grid": grid}
    if settings.drop:
        sample = drop_returns(sample, seeds[7], settings.drop)
    return sample


def flip(sample: Sample) -> Sample:
    """Mirrors a scan: columns reversed, y negated."""
    grid = tf.reverse(sample["grid"], [1])
    return {
        "grid": grid * tf.constant([1.0, -1.0, 1.0, 1.0, 1.0]),
        "mask": tf.reverse(sample["mask"], [1]),
        "label_ids": tf.reverse(sample["label_ids"], [1]),
    }


def roll(sample: Sample, columns: tf.Tensor) -> Sample:
    """Turns a full-turn scan clockwise by `columns` cells of azimuth.

    Column 0 is the largest azimuth, so content that moves to the right is
    rotated about z by -2π columns / W.
    """
    width = tf.shape(sample["mask"])[1]
    angle = (
        -2 * math.pi * tf.cast(columns, tf.float32) / tf.cast(width, tf.float32)
    )
    x, y, rest = tf.split(sample["grid"], [1, 1, 3], axis=-1)
    cos, sin = tf.cos(angle), tf.sin(angle)
    grid = tf.concat([cos * x - sin * y, sin * x + cos * y, rest], axis=-1)
    return {
        name: tf.roll(value, columns, axis=1)
        for name, value in (sample | {"grid": grid}).items()
    }


def rescale(sample: Sample, factor: tf.Tensor) -> Sample:
    """Multiplies all distances (x, y, z, range) by `factor`."""
    return sample | {
        "grid": sample["grid"] * tf.stack([factor, factor, factor, 1.0, factor])
    }


def tilt(sample: Sample, slope: tf.Tensor) -> Sample:
    """Lifts every return by slope[0] x + slope[1] y, as on a hill.

    Ours: the range follows; rows stay, which small slopes allow.
    """
    x, y, z, intensity, _ = tf.unstack(sample["grid"], axis=-1)
    z += slope[0] * x + slope[1] * y
    distance = tf.sqrt(x**2 + y**2 + z**2)
    return sample | {"grid": tf.stack([x, y, z, intensity, distance], axis=-1)}


def drop_returns(sample: Sample, seed: tf.Tensor, most: float) -> Sample:
    """Empties cells at a rate drawn from [0, most]."""
    seeds = tf.unstack(
        tf.random.stateless_uniform([2, 2], seed, None, None, tf.int32)
    )
    rate = tf.random.stateless_uniform([], seeds[0], 0, most)
    kept = (
        tf.random.stateless_uniform(tf.shape(sample["mask"]), seeds[1]) >= rate
    )
    return _keep(sample, kept)


def swap_sector(sample: Sample, other: Sample, seed: tf.Tensor) -> Sample:
    """Takes a sector of columns, up to half of them, from another scan."""
    return _take_range(sample, other, seed, axis=1)


def swap_rows(sample: Sample, other: Sample, seed: tf.Tensor) -> Sample:
    """Takes a band of rows, up to half of them, from another scan."""
    return _take_range(sample, other, seed, axis=0)


def paste(sample: Sample, other: Sample) -> Sample:
    """Adds another scan's returns where they are in front; batches work too.

    A cell without a return counts as far as the nearest of the 3 x 5 around
    it, or else nothing could hide behind a surface with gaps.
    """
    distance = tf.where(sample["mask"], sample["grid"][..., 4], math.inf)
    shape = tf.shape(distance)
    maps = tf.reshape(-distance, [-1, shape[-2], shape[-1], 1])
    around = -tf.nn.max_pool2d(maps, (3, 5), 1, "SAME")
    distance = tf.where(sample["mask"], distance, tf.reshape(around, shape))
    in_front = other["mask"] & (other["grid"][..., 4] < distance)
    return _merge(in_front, other, sample)


def _turn(sample: Sample, seed: tf.Tensor, settings: Augmentation) -> Sample:
    """Flip and roll, where set."""
    seeds = tf.unstack(
        tf.random.stateless_uniform([2, 2], seed, None, None, tf.int32)
    )
    if settings.flip:
        sample = _select(_chance(seeds[0], 0.0, 0.5), flip(sample), sample)
    if settings.roll:
        columns = tf.random.stateless_uniform(
            [], seeds[1], 0, tf.shape(sample["mask"])[1], tf.int32
        )
        sample = roll(sample, columns)
    return sample


def _take_range(
    sample: Sample, other: Sample, seed: tf.Tensor, axis: int
) -> Sample:
    extent = tf.shape(sample["mask"])[axis]
    draw = tf.random.stateless_uniform([2], seed)
    size = tf.cast(tf.cast(extent, tf.float32) * draw[0] / 2, tf.int32)
    first = tf.cast(tf.cast(extent, tf.float32) * draw[1], tf.int32)
    inside = (tf.range(extent) - first) % extent < size
    inside = inside[tf.newaxis] if axis == 1 else inside[:, tf.newaxis]
    return _merge(
        tf.broadcast_to(inside, tf.shape(sample["mask"])), other, sample
    )


def _chance(seed: tf.Tensor, low: float, width: float) -> tf.Tensor:
    """Whether the seed's number of [0, 1) falls into [low, low + width)."""
    draw = tf.random.stateless_uniform([], seed)
    return (draw >= low) & (draw < low + width)


def _about_one(seed: tf.Tensor, spread: float) -> tf.Tensor:
    return tf.random.stateless_uniform([], seed, 1 - spread, 1 + spread)


def _select(condition: tf.Tensor, chosen: Sample, otherwise: Sample) -> Sample:
    return {
        name: tf.where(condition, chosen[name], otherwise[name])
        for name in otherwise
    }


def _merge(cells: tf.Tensor, chosen: Sample, otherwise: Sample) -> Sample:
    """`chosen` in the cells [H, W] bool, `otherwise` elsewhere."""
    return {
        "grid": tf.where(
            cells[..., tf.newaxis], chosen["grid"], otherwise["grid"]
        ),
        "mask": tf.where(cells, chosen["mask"], otherwise["mask"]),
        "label_ids": tf.where(
            cells, chosen["label_ids"], otherwise["label_ids"]
        ),
    }


def _keep(sample: Sample, kept: tf.Tensor) -> Sample:
    """Empties the cells outside `kept` [H, W] bool."""
    return {
        "grid": tf.where(kept[..., tf.newaxis], sample["grid"], 0.0),
        "mask": sample["mask"] & kept,
        "label_ids": tf.where(kept, sample["label_ids"], 0),
    }
