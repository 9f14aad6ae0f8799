"""ConvDet's output to boxes, Eq. 1, and to final detections."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.geometry import boxes as boxes_lib

keras = tf.keras

MAX_DETECTIONS = 64  # Ch. 2 §4.1
IOU_THRESHOLD = 0.4  # released configuration; Ch. 2 gives no figure


def split(
    output: tf.Tensor, num_classes: int, num_anchors: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The three parts of ConvDet's channels.

    Source: Ch. 2 §3.2; their order is the released code's.

    Args:
      output: [B, h, w, K (C + 1 + 4)] float.
      num_classes: C.
      num_anchors: K.

    Returns:
      class_logits [B, A, C], confidence_logits [B, A] and deltas [B, A, 4],
      with A = h w K in the order of anchors.grid().
    """
    rows, columns, _ = output.shape[1:]
    count = rows * columns * num_anchors
    end = num_anchors * num_classes
    return (
        tf.reshape(output[..., :end], (-1, count, num_classes)),
        tf.reshape(output[..., end : end + num_anchors], (-1, count)),
        tf.reshape(output[..., end + num_anchors :], (-1, count, 4)),
    )


def decode(deltas: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Boxes that relative coordinates make of anchors.

    Source: Ch. 2 §3.2, Eq. 1. Beyond 1 the exponential goes on as its
    tangent e δ, as in the released code, so that it cannot overflow.

    Args:
      deltas: [..., 4] float: δx, δy, δw, δh.
      anchors: [..., 4] float, centre x, centre y, width, height.

    Returns:
      [..., 4] float boxes.
    """
    places = anchors[..., :2] + anchors[..., 2:] * deltas[..., :2]
    return tf.concat(
        [places, anchors[..., 2:] * _safe_exp(deltas[..., 2:])], axis=-1
    )


def clip(
    boxes: tf.Tensor, image_size: tuple[int, int], inclusive: bool = False
) -> tf.Tensor:
    """Boxes cut at the image's edge.

    Args:
      boxes: [..., 4] float.
      image_size: H, W.
      inclusive: as in the released code: corners are pixels, the last being
        W - 1 and H - 1, and a width is x1 - x0 + 1.

    Returns:
      [..., 4] float boxes.
    """
    height, width = image_size
    limit = tf.constant([width, height] * 2, boxes.dtype)
    if inclusive:
        limit -= 1
    corners = tf.clip_by_value(boxes_lib.to_corners(boxes), 0.0, limit)
    if inclusive:
        corners += tf.constant([0, 0, 1, 1], boxes.dtype)
    return boxes_lib.from_corners(corners)


@keras.utils.register_keras_serializable("squeeze_tf")
class Detections(keras.layers.Layer):
    """ConvDet's output to the final boxes of an image.

    Source: Ch. 2 §3.1 and §4.1: the score of a box is its largest conditional
    class probability times its confidence; the `max_detections` of the
    highest score are kept over all classes and filtered class by class.

    Call it with the output [B, h, w, K (C + 5)] of a model. It returns a dict,
    best boxes first:
      boxes: [B, N, 4] float, pixels of the network's input.
      class_ids: [B, N] int32.
      scores: [B, N] float; 0 marks boxes that were suppressed or lie outside
        the image.
    It is built of operators that TFLite has.

    Args:
      anchors: [A, 4], as of anchors.grid().
      num_classes: C.
      image_size: H, W of the network's input.
      max_detections: N; all anchors if there are fewer.
      iou_threshold: see geometry.boxes.non_maximum_suppression.
      suppression: "greedy", "released" or "none".
      inclusive: see clip().
    """

    def __init__(
        self,
        *,
        anchors: Sequence[Sequence[float]],
        num_classes: int,
        image_size: tuple[int, int],
        max_detections: int = MAX_DETECTIONS,
        iou_threshold: float = IOU_THRESHOLD,
        suppression: str = "greedy",
        inclusive: bool = False,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("name", "detections")
        super().__init__(**kwargs)
        self.anchors = np.asarray(anchors, np.float32)
        self.num_classes = num_classes
        self.image_size = tuple(image_size)
        self.max_detections = max_detections
        self.iou_threshold = iou_threshold
        self.suppression = suppression
        self.inclusive = inclusive

    def call(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """[B, h, w, K (C + 5)] to boxes, class ids and scores."""
        rows, columns = inputs.shape[1:3]
        count = len(self.anchors)
        class_logits, confidence_logits, deltas = split(
            inputs, self.num_classes, count // (rows * columns)
        )
        # exp(max - logsumexp) is the largest probability of the softmax.
        largest = tf.reduce_max(class_logits, axis=-1, keepdims=True)
        spread = tf.reduce_sum(tf.exp(class_logits - largest), axis=-1)
        all_scores = tf.sigmoid(confidence_logits) / spread
        scores, kept = tf.math.top_k(
            all_scores, min(self.max_detections, count)
        )
        class_ids = tf.argmax(
            tf.gather(class_logits, kept, batch_dims=1),
            axis=-1,
            output_type=tf.int32,
        )
        boxes = decode(
            tf.gather(deltas, kept, batch_dims=1),
            self._anchors_at(kept, rows, columns),
        )
        boxes = clip(boxes, self.image_size, self.inclusive)
        is_inside = tf.reduce_all(boxes[..., 2:] > 0, axis=-1)
        scores = tf.where(is_inside, scores, 0.0)
        if self.suppression != "none":
            stays = boxes_lib.non_maximum_suppression(
                boxes,
                class_ids,
                iou_threshold=self.iou_threshold,
                form=self.suppression,
            )
            scores = tf.where(stays, scores, 0.0)
        return {"boxes": boxes, "class_ids": class_ids, "scores": scores}

    def _anchors_at(self, ids: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
        """[..., 4] anchors of ids, from their rows, columns and shapes.

        TFLite's 8-bit weights would round one table of all to a few pixels;
        these three are too small for it.
        """
        table = self.anchors.reshape(rows, columns, -1, 4)
        num_shapes = table.shape[2]
        y = tf.gather(table[:, 0, 0, 1], ids // (columns * num_shapes))
        x = tf.gather(table[0, :, 0, 0], ids // num_shapes % columns)
        shapes = tf.gather(table[0, 0, :, 2:], ids % num_shapes)
        return tf.concat([tf.stack([x, y], axis=-1), shapes], axis=-1)

    def get_config(self) -> dict[str, object]:
        """What __init__ takes."""
        return super().get_config() | {
            "anchors": self.anchors.tolist(),
            "num_classes": self.num_classes,
            "image_size": self.image_size,
            "max_detections": self.max_detections,
            "iou_threshold": self.iou_threshold,
            "suppression": self.suppression,
            "inclusive": self.inclusive,
        }


def _safe_exp(x: tf.Tensor) -> tf.Tensor:
    """exp(x) up to 1, then its tangent there."""
    return tf.where(x > 1, np.e * x, tf.exp(tf.minimum(x, 1)))
