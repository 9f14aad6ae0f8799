"""Boxes of images: centre form and corner form, overlap, suppression.

`boxes` are centre x, centre y, width, height; `corners` are x0, y0, x1, y1;
both in pixels, edges counted as points of a line: a width is x1 - x0.
"""

import tensorflow as tf


def to_corners(boxes: tf.Tensor) -> tf.Tensor:
    """Corners [..., 4] of boxes [..., 4], float."""
    centres, half = boxes[..., :2], boxes[..., 2:] / 2
    return tf.concat([centres - half, centres + half], axis=-1)


def from_corners(corners: tf.Tensor) -> tf.Tensor:
    """Boxes [..., 4] of corners [..., 4], float."""
    low, high = corners[..., :2], corners[..., 2:]
    return tf.concat([(low + high) / 2, high - low], axis=-1)


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union, elementwise after broadcasting.

    Source: Ch. 2 §3.2-3 (IOU of truth and prediction).

    Args:
      boxes: [..., 4] float, centre x, centre y, width, height.
      others: likewise, of a shape that broadcasts with `boxes`.

    Returns:
      [...] float in 0 to 1; 0 where both boxes are empty.
    """
    first, second = to_corners(boxes), to_corners(others)
    low = tf.maximum(first[..., :2], second[..., :2])
    high = tf.minimum(first[..., 2:], second[..., 2:])
    sides = tf.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    areas = boxes[..., 2] * boxes[..., 3] + others[..., 2] * others[..., 3]
    return tf.math.divide_no_nan(shared, areas - shared)


def non_maximum_suppression(
    boxes: tf.Tensor,
    class_ids: tf.Tensor,
    *,
    iou_threshold: float,
    form: str = "greedy",
) -> tf.Tensor:
    """Which of some ranked boxes stay, class by class.

    Source: Ch. 2 §3.1. Built of operators that TFLite has, batched.

    Args:
      boxes: [B, N, 4] float, best first.
      class_ids: [B, N] int; boxes of different classes do not compete.
      iou_threshold: a box goes if it overlaps a better one by more.
      form: "greedy", where only boxes that stay suppress others; "released",
        where, as in the authors' code, suppressed ones do so too.

    Returns:
      [B, N] bool, whether the box stays.

    Raises:
      ValueError: `form` is unknown.
    """
    if form not in ("greedy", "released"):
        raise ValueError(f"form must be 'greedy' or 'released'; got {form!r}")
    overlap = iou(boxes[:, :, None], boxes[:, None, :])  # [B, N, N]
    same_class = class_ids[:, :, None] == class_ids[:, None, :]
    ranks = tf.range(tf.shape(boxes)[1])
    is_better = ranks[None, None, :] < ranks[None, :, None]
    rivals = tf.cast(
        (overlap > iou_threshold) & same_class & is_better, boxes.dtype
    )  # row: the box, column: who may suppress it

    def survivors(stays: tf.Tensor) -> tf.Tensor:
        suppressed = tf.linalg.matvec(rivals, tf.cast(stays, boxes.dtype))
        return suppressed < 0.5

    stays = survivors(tf.ones_like(class_ids, tf.bool))
    if form == "released":
        return stays
    # Greedy suppression is the one fixed point of survivors(): the first k
    # boxes are right after k rounds, in practice after few.
    (_, stays) = tf.while_loop(
        lambda before, now: tf.reduce_any(before != now),
        lambda before, now: (now, survivors(now)),
        (tf.ones_like(stays), stays),
    )
    return stays
