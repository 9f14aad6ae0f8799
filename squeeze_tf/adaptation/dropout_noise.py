"""Missing returns learned from unlabelled scans, Ch. 3 §3.4 and Ch. 5 §3.1.

Two descriptions of where a sensor gets no return: a map of frequencies by
direction, as the thesis has it, and a table by range and angle of incidence of
the surface that should have sent one. Both are made of real and of simulated
scans alike; what is injected is the difference, since simulated scans miss
returns as well (of the sky, for instance).
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

Sample = dict[str, tf.Tensor]

# Ours: a hole is bridged if returns at most so many columns away on both sides
# agree in range within so large a share.
_REACH = 4
_AGREEMENT = 0.1
RANGE_EDGES = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, np.inf)  # metres
COSINE_EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


def frequency_map(masks: Iterable[np.ndarray]) -> np.ndarray:
    """How often each cell holds no return, ε(θ, φ).

    Source: Ch. 3 §3.4, where it is computed over KITTI.

    Args:
      masks: [H, W] bool of each scan, True where there is a return.

    Returns:
      [H, W] float64, 0 to 1.

    Raises:
      ValueError: there are no scans.
    """
    total, count = 0.0, 0
    for mask in masks:
        total, count = total + ~np.asarray(mask, bool), count + 1
    if not count:
        raise ValueError("a frequency map needs at least one scan; got none")
    return total / count


def smoothed(
    frequencies: np.ndarray, columns: int, full_turn: bool = False
) -> np.ndarray:
    """Mean over a window of columns of each row, for few scans.

    Args:
      frequencies: [H, W].
      columns: width of the window, made odd.
      full_turn: whether the last column borders on the first; else the window
        is cut at the border.

    Returns:
      [H, W].
    """
    reach = columns // 2
    kernel = np.ones(2 * reach + 1)
    mode = "wrap" if full_turn else "constant"
    padded = np.pad(frequencies, [(0, 0), (reach, reach)], mode)
    counted = np.pad(np.ones_like(frequencies), [(0, 0), (reach, reach)], mode)
    sums, counts = (
        np.stack([np.convolve(row, kernel, "valid") for row in x])
        for x in (padded, counted)
    )
    return sums / counts


def rates_to_add(real: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Share of simulated returns to drop, so that as many miss as in reality.

    1 - (1 - real) / (1 - simulated), not below 0. Where simulation has no
    return at all, there is nothing to drop.

    Args:
      real: shares of missing returns.
      simulated: likewise, of the same shape.

    Returns:
      Of the same shape, 0 to 1.
    """
    real, left = np.asarray(real), 1 - np.asarray(simulated, np.float64)
    ratio = np.divide(1 - real, left, out=np.ones_like(left), where=left > 0)
    return np.clip(1 - ratio, 0, 1)


def inject(sample: Sample, rates: tf.Tensor, seed: tf.Tensor) -> Sample:
    """Loses returns of a scan at random.

    Args:
      sample: dict of the segmentation contract; `grid` and `mask` change, and
        `label_ids` where there are any.
      rates: [H, W] float32 probability of losing the cell's return.
      seed: [2] int.

    Returns:
      A sample of the same shapes.
    """
    draws = tf.random.stateless_uniform(tf.shape(sample["mask"]), seed)
    mask = sample["mask"] & (draws >= tf.cast(rates, tf.float32))
    changed = {"mask": mask}
    for name in ("grid", "label_ids", "instance_ids"):
        if name in sample:
            value = sample[name]
            kept = mask if value.shape.rank == 2 else mask[..., tf.newaxis]
            changed[name] = tf.where(kept, value, tf.zeros_like(value))
    return sample | changed


@dataclasses.dataclass(frozen=True)
class ConditionalRates:
    """Shares of missing returns by range and angle of incidence.

    Args:
      missing: [R, C + 1] float64; C intervals of the cosine, and last where the
        surface's slope is not known.
      surfaces: [R, C + 1] int64, cells that it was counted over.
    """

    missing: np.ndarray
    surfaces: np.ndarray


def conditional_rates(grids: Iterable[np.ndarray]) -> ConditionalRates:
    """Counts returns and bridged holes over unlabelled scans.

    Ours; Ch. 5 §3.1 names range and incidence among the causes. Holes wider
    than a few columns and those at the border of objects do not count.

    Args:
      grids: [H, W, 5] of each scan: x, y, z, intensity, range in metres.

    Returns:
      Rates; 0 where nothing was counted.
    """
    shape = (len(RANGE_EDGES) - 1, len(COSINE_EDGES))
    counts = np.zeros((2, *shape), np.int64)  # holes, returns
    for grid in grids:
        where, known = (x.numpy() for x in _bins(tf.constant(grid, tf.float32)))
        has_return = grid[..., 4] > 0
        for kind, chosen in enumerate((known & ~has_return, has_return)):
            counts[kind] += np.bincount(
                where[chosen], minlength=counts[kind].size
            ).reshape(shape)
    surfaces = counts.sum(axis=0)
    return ConditionalRates(counts[0] / np.maximum(surfaces, 1), surfaces)


def rates_of_cells(grid: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
    """The rate of each cell of a scan, for inject().

    Args:
      grid: [H, W, 5].
      rates: [R, C + 1] float32 by range and incidence.

    Returns:
      [H, W] float32.
    """
    where, _ = _bins(grid)
    return tf.gather(tf.reshape(rates, [-1]), where)


def surface(grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns, and points where small holes in a row would have had theirs.

    Args:
      grid: [H, W, 5].

    Returns:
      points: [H, W, 3] float, 0 where unknown.
      known: [H, W] bool.
    """
    points, distance = grid[..., :3], grid[..., 4]
    left, right = _nearest(points, distance, 1), _nearest(points, distance, -1)
    steps = left[2] + right[2]
    agree = tf.abs(left[1] - right[1]) < _AGREEMENT * tf.minimum(
        left[1], right[1]
    )
    bridged = (left[1] > 0) & (right[1] > 0) & agree
    share = tf.math.divide_no_nan(left[2], steps)[..., tf.newaxis]
    between = (1 - share) * left[0] + share * right[0]
    has_return = distance > 0
    known = has_return | bridged
    points = tf.where(has_return[..., tf.newaxis], points, between)
    return tf.where(known[..., tf.newaxis], points, 0.0), known


def cosine_of_incidence(
    points: tf.Tensor, known: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cosine between a ray and the normal of the surface that it meets.

    The normal is that of the cell's neighbours in the row and in the column.

    Args:
      points: [H, W, 3] float, as surface() gives.
      known: [H, W] bool.

    Returns:
      cosine: [H, W] float, 0 to 1, 0 where unknown.
      found: [H, W] bool.
    """
    across, across_known = _difference(points, known, axis=1)
    down, down_known = _difference(points, known, axis=0)
    normal = tf.linalg.cross(across, down)
    lengths = tf.norm(normal, axis=-1) * tf.norm(points, axis=-1)
    projected = tf.abs(tf.reduce_sum(normal * points, axis=-1))
    found = known & across_known & down_known & (lengths > 0)
    cosine = tf.math.divide_no_nan(projected, lengths)
    return tf.where(found, tf.minimum(cosine, 1.0), 0.0), found


def _bins(grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Flat index into the table, and whether a surface is known there."""
    points, known = surface(grid)
    cosine, found = cosine_of_incidence(points, known)
    by_range = _interval(tf.norm(points, axis=-1), RANGE_EDGES)
    by_cosine = _interval(cosine, COSINE_EDGES)
    unknown = len(COSINE_EDGES) - 1
    by_cosine = tf.where(found, by_cosine, unknown)
    return by_range * len(COSINE_EDGES) + by_cosine, known


def _interval(x: tf.Tensor, edges: tuple[float, ...]) -> tf.Tensor:
    """Which interval x falls into; the outer ones are open."""
    inner = tf.constant(edges[1:-1], x.dtype)
    return tf.reduce_sum(tf.cast(x[..., tf.newaxis] >= inner, tf.int32), -1)


def _nearest(
    points: tf.Tensor, distance: tf.Tensor, step: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The next return on one side: its point, range (0: none) and columns."""
    found = tf.zeros_like(points)
    found_distance, columns = tf.zeros_like(distance), tf.zeros_like(distance)
    for k in range(_REACH, 0, -1):  # the nearest last, which stays
        there = _moved(distance, step * k, axis=1)
        is_return = there > 0
        found_distance = tf.where(is_return, there, found_distance)
        columns = tf.where(is_return, float(k), columns)
        found = tf.where(
            is_return[..., tf.newaxis], _moved(points, step * k, 1), found
        )
    return found, found_distance, columns


def _difference(
    points: tf.Tensor, known: tf.Tensor, axis: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """From the neighbour before to the one behind, or to the cell itself.

    Neighbours that jump in range belong to something else and do not count.
    """
    distance = tf.norm(points, axis=-1)

    def neighbour(step: int) -> tuple[tf.Tensor, tf.Tensor]:
        there = _moved(points, step, axis)
        near = tf.abs(tf.norm(there, axis=-1) - distance)
        usable = _moved(known, step, axis) & (near < _AGREEMENT * distance)
        return tf.where(usable[..., tf.newaxis], there, points), usable

    before, has_before = neighbour(1)
    behind, has_behind = neighbour(-1)
    return behind - before, has_before | has_behind


def _moved(x: tf.Tensor, step: int, axis: int) -> tf.Tensor:
    """What stands `step` cells before each one; 0 beyond the border."""
    pads = [[0, 0]] * x.shape.rank
    pads[axis] = [max(step, 0), max(-step, 0)]
    size = tf.shape(x)[axis]
    start = max(-step, 0)
    return tf.gather(tf.pad(x, pads), tf.range(start, start + size), axis=axis)
