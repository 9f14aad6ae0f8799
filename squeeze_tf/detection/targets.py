"""Objects to the anchors that answer for them, and Eq. 3."""

import tensorflow as tf

from squeeze_tf.geometry import boxes as boxes_lib

NUM_FIELDS = 6  # of a target: anchor, class, box
_TIE = 1e-5  # IoUs closer than this are equal but for rounding


def assign(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """The responsible anchor of each object.

    Source: Ch. 2 §3.3. Objects choose in their order, each the free anchor
    of the largest IoU. Ours: among equal ones, of which an object inside an
    anchor's span has many, the one with the nearest centre; the released code
    takes what its sort happens to put last. An object that overlaps no free
    anchor gets the one at the smallest squared distance over x, y, width and
    height, as there.

    Args:
      boxes: [N, 4] float32 centre x, centre y, width, height.
      anchors: [A, 4] float32.

    Returns:
      [N] int32, each anchor once; -1 for objects that come after all anchors
      are taken, which the released code cannot encode either.
    """
    overlap = boxes_lib.iou(boxes[:, None], anchors[None])  # [N, A]
    count = tf.shape(boxes)[0]

    def choose(i: tf.Tensor, free: tf.Tensor, chosen: tf.TensorArray) -> tuple:
        squares = tf.square(boxes[i] - anchors)  # [A, 4]
        row = tf.where(free, overlap[i], -1.0)
        best = tf.reduce_max(row)
        is_candidate = tf.cond(
            best > 0, lambda: row >= best - _TIE, lambda: free
        )
        distance = tf.cond(
            best > 0,
            lambda: tf.reduce_sum(squares[:, :2], axis=1),
            lambda: tf.reduce_sum(squares, axis=1),
        )
        anchor = tf.argmin(
            tf.where(is_candidate, distance, tf.float32.max),
            output_type=tf.int32,
        )
        taken = tf.one_hot(anchor, tf.shape(free)[0], True, False, dtype=bool)
        anchor = tf.where(tf.reduce_any(free), anchor, -1)
        return i + 1, free & ~taken, chosen.write(i, anchor)

    _, _, chosen = tf.while_loop(
        lambda i, free, chosen: i < count,
        choose,
        (
            tf.constant(0),
            tf.ones(tf.shape(anchors)[:1], tf.bool),
            tf.TensorArray(tf.int32, count, element_shape=[]),
        ),
    )
    return chosen.stack()


def encode(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Relative coordinates of boxes to anchors.

    Source: Ch. 2 §3.3, Eq. 3, the inverse of decode.decode().

    Args:
      boxes: [..., 4] float, centre x, centre y, width, height.
      anchors: [..., 4] float, likewise.

    Returns:
      [..., 4] float: δx, δy, δw, δh.
    """
    return tf.concat(
        [
            (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:],
            tf.math.log(boxes[..., 2:] / anchors[..., 2:]),
        ],
        axis=-1,
    )


def make(
    boxes: tf.Tensor, class_ids: tf.Tensor, anchors: tf.Tensor
) -> tf.Tensor:
    """What the loss needs to know of an image's objects.

    Args:
      boxes: [N, 4] float32.
      class_ids: [N] int32.
      anchors: [A, 4] float32.

    Returns:
      [M, 6] float32, M <= N: anchor index, class id, box; objects without an
      anchor are left out. Batches are padded with PADDING.
    """
    anchor_ids = assign(boxes, anchors)
    targets = tf.concat(
        [
            tf.cast(anchor_ids, tf.float32)[:, None],
            tf.cast(class_ids, tf.float32)[:, None],
            boxes,
        ],
        axis=1,
    )
    return tf.boolean_mask(targets, anchor_ids >= 0)


PADDING = -1.0  # everything of a target that is none
