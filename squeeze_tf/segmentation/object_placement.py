"""An object of one scan, as it would look elsewhere around the sensor."""

import math

import tensorflow as tf

from squeeze_tf.geometry import spherical

Sample = dict[str, tf.Tensor]
_REACH = 4.0  # metres around one of its returns; ours: most of a car or van


def place(
    sample: Sample,
    seed: tf.Tensor,
    class_ids: tuple[int, ...],
    farther: float,
    projection: spherical.Projection,
) -> Sample:
    """The scan of one object alone, turned about the sensor and moved away.

    The object is a random return of the wanted classes and all of its class
    within 4 m. Ours, after the instances that PolarMix (Xiao et al. 2022, §3.3)
    turns but leaves at their distance: few scans show objects at few
    distances. Only away, for what comes nearer would show its gaps.

    Args:
      sample: of the segmentation contract, [H, W] cells.
      seed: [2] int.
      class_ids: classes that are objects.
      farther: the distance added is uniform up to so many metres, level.
      projection: of the grid.

    Returns:
      A sample of the same shapes, its mask false but for the object; empty if
      there is none or it was turned out of the field of view.
    """
    seeds = tf.unstack(
        tf.random.stateless_uniform([3, 2], seed, None, None, tf.int32)
    )
    label_ids = tf.reshape(sample["label_ids"], [-1])
    wanted = tf.reduce_any(label_ids[:, tf.newaxis] == class_ids, axis=-1)
    wanted &= tf.reshape(sample["mask"], [-1])
    points = tf.boolean_mask(tf.reshape(sample["grid"], [-1, 5]), wanted)
    label_ids = tf.boolean_mask(label_ids, wanted)

    chosen = tf.random.stateless_uniform(
        [], seeds[0], 0, tf.maximum(tf.size(label_ids), 1), tf.int32
    )
    centre = points[chosen : chosen + 1, :2]  # [1, 2], or [0, 2] of none
    near = tf.norm(points[:, :2] - centre, axis=-1) < _REACH
    near &= label_ids == label_ids[chosen : chosen + 1]
    points = tf.boolean_mask(points, near)
    label_ids = tf.boolean_mask(label_ids, near)

    added = tf.random.stateless_uniform([], seeds[1], 0.0, farther)
    most = math.radians(projection.left_degrees - projection.right_degrees) / 2
    turn = tf.random.stateless_uniform([], seeds[2], -most, most)
    level = points[:, :2] + added * tf.math.l2_normalize(centre, axis=-1)
    cos, sin = tf.cos(turn), tf.sin(turn)
    level = tf.matmul(level, tf.stack([[cos, sin], [-sin, cos]]))
    position = tf.concat([level, points[:, 2:3]], axis=-1)
    return _project(position, points[:, 3], label_ids, projection)


def _project(
    position: tf.Tensor,
    intensity: tf.Tensor,
    label_ids: tf.Tensor,
    projection: spherical.Projection,
) -> Sample:
    """Points [N, 3], [N], [N] on the grid; the nearest wins a cell."""
    shape = (projection.rows, projection.columns)
    num_cells = shape[0] * shape[1]
    distance = tf.norm(position, axis=-1)
    cell = _cells(position, distance, projection)
    nearest = tf.math.unsorted_segment_min(distance, cell, num_cells + 1)
    wins = distance <= tf.gather(nearest, cell)
    num_points = tf.size(distance)
    owner = tf.math.unsorted_segment_max(
        tf.where(wins, tf.range(num_points), -1), cell, num_cells + 1
    )[:num_cells]
    mask = owner >= 0
    owner = tf.where(mask, owner, num_points)  # a row of zeros
    points = tf.concat(
        [position, tf.stack([intensity, distance], axis=-1)], axis=-1
    )
    points = tf.gather(tf.pad(points, [(0, 1), (0, 0)]), owner)
    return {
        "grid": tf.reshape(points, (*shape, 5)),
        "mask": tf.reshape(mask, shape),
        "label_ids": tf.reshape(
            tf.gather(tf.pad(label_ids, [(0, 1)]), owner), shape
        ),
    }


def _cells(
    position: tf.Tensor, distance: tf.Tensor, projection: spherical.Projection
) -> tf.Tensor:
    """Index of the cell of each point, H W outside; as spherical.cells()."""
    degrees = 180 / math.pi
    x, y, z = tf.unstack(position, axis=-1)
    zenith = degrees * tf.asin(tf.math.divide_no_nan(z, distance))
    edges = tf.constant(-spherical.row_edges(projection), tf.float32)
    rows = tf.searchsorted(edges, -zenith, side="right") - 1
    turned = (projection.left_degrees - degrees * tf.atan2(y, x)) % 360.0
    width = projection.left_degrees - projection.right_degrees
    columns = tf.cast(turned * (projection.columns / width), tf.int32)
    if projection.is_full_turn:  # a hair right of the left edge rounds to 360
        columns %= projection.columns
    inside = (
        (rows >= 0) & (rows < projection.rows) & (columns < projection.columns)
    )
    cells = rows * projection.columns + columns
    return tf.where(inside, cells, projection.rows * projection.columns)
