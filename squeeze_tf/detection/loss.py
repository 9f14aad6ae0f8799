"""The loss of box, confidence and class, Eq. 2."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.detection import decode, targets
from squeeze_tf.geometry import boxes as boxes_lib

keras = tf.keras

# Ch. 2 §3.3.
BOX_WEIGHT, OBJECT_WEIGHT, BACKGROUND_WEIGHT = 5.0, 75.0, 100.0
FORMS = ("thesis", "released")
TERMS = ("class_loss", "confidence_loss", "box_loss")
_EPSILON = 1e-16  # released code


@keras.utils.register_keras_serializable("squeeze_tf")
class DetectionLoss(keras.losses.Loss):
    """Box regression, confidence and cross-entropy of ConvDet's output.

    Source: Ch. 2 §3.3, Eq. 2. An anchor's confidence is trained towards the
    IoU of its decoded box and the object, which is a constant for the
    gradient, as in the released code. N objects of a batch of B images and A
    anchors give, with `form`
    - "thesis": Eq. 2 with all sums over the batch, so that the background is
      divided by B A - N;
    - "released": the confidence divided by B once more and the background by
      A - N, and a two-sided class term, sum over c of -q log p -
      (1 - q) log(1 - p), on the softmax; the two are equal for B = 1 but for
      the class term.
    Without objects N counts as 1. For one class the class term is 0.

    Call it with targets [B, M, 6] (targets.make(), padded with
    targets.PADDING) and output [B, h, w, K (C + 5)]; it returns a scalar.

    Args:
      anchors: [A, 4], as of anchors.grid().
      num_classes: C.
      image_size: H, W of the network's input.
      form: "thesis" or "released".
      box_weight: λ_bbox.
      object_weight: λ_conf+.
      background_weight: λ_conf-.
      inclusive: see decode.clip().
    """

    def __init__(
        self,
        *,
        anchors: Sequence[Sequence[float]],
        num_classes: int,
        image_size: tuple[int, int],
        form: str = "thesis",
        box_weight: float = BOX_WEIGHT,
        object_weight: float = OBJECT_WEIGHT,
        background_weight: float = BACKGROUND_WEIGHT,
        inclusive: bool = False,
        name: str = "detection_loss",
        **kwargs: object,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if form not in FORMS:
            raise ValueError(f"form must be one of {FORMS}; got {form!r}")
        self.anchors = np.asarray(anchors, np.float32)
        self.num_classes = num_classes
        self.image_size = tuple(image_size)
        self.form = form
        self.box_weight = box_weight
        self.object_weight = object_weight
        self.background_weight = background_weight
        self.inclusive = inclusive

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The weighted sum of the three terms, a scalar."""
        return tf.add_n(list(self.terms(y_true, y_pred).values()))

    def terms(
        self, y_true: tf.Tensor, y_pred: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The weighted terms by the names of TERMS, scalars."""
        y_true = tf.cast(y_true, tf.float32)
        y_pred = tf.cast(y_pred, tf.float32)
        rows, columns = y_pred.shape[1:3]
        class_logits, confidence_logits, deltas = decode.split(
            y_pred, self.num_classes, len(self.anchors) // (rows * columns)
        )
        is_object = tf.cast(y_true[..., 0] >= 0, tf.float32)  # [B, M]
        ids = tf.cast(tf.maximum(y_true[..., 0], 0), tf.int32)
        class_ids = tf.cast(tf.maximum(y_true[..., 1], 0), tf.int32)
        anchors = tf.gather(tf.constant(self.anchors), ids)  # [B, M, 4]
        truth = tf.where(is_object[..., None] > 0, y_true[..., 2:], anchors)
        chosen_logits = tf.gather(class_logits, ids, batch_dims=1)
        chosen_deltas = tf.gather(deltas, ids, batch_dims=1)
        count = tf.maximum(tf.reduce_sum(is_object), 1.0)

        error = tf.square(chosen_deltas - targets.encode(truth, anchors))
        box_loss = tf.reduce_sum(error * is_object[..., None]) / count
        overlap = tf.stop_gradient(
            boxes_lib.iou(
                decode.clip(
                    decode.decode(chosen_deltas, anchors),
                    self.image_size,
                    self.inclusive,
                ),
                truth,
            )
        )
        return {
            "class_loss": self._class_loss(chosen_logits, class_ids, is_object)
            / count,
            "confidence_loss": self._confidence_loss(
                tf.sigmoid(confidence_logits), ids, overlap, is_object, count
            ),
            "box_loss": self.box_weight * box_loss,
        }

    def _class_loss(
        self, logits: tf.Tensor, class_ids: tf.Tensor, is_object: tf.Tensor
    ) -> tf.Tensor:
        """Cross-entropy over the objects, not yet divided by their number."""
        if self.form == "thesis":
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                class_ids, logits
            )
        else:
            p = tf.nn.softmax(logits)
            q = tf.one_hot(class_ids, self.num_classes)
            each = -tf.reduce_sum(
                q * tf.math.log(p + _EPSILON)
                + (1 - q) * tf.math.log(1 - p + _EPSILON),
                axis=-1,
            )
        return tf.reduce_sum(each * is_object)

    def _confidence_loss(
        self,
        confidence: tf.Tensor,
        ids: tf.Tensor,
        overlap: tf.Tensor,
        is_object: tf.Tensor,
        count: tf.Tensor,
    ) -> tf.Tensor:
        """Responsible anchors towards their IoU, all others towards 0."""
        chosen = tf.gather(confidence, ids, batch_dims=1)
        near = tf.reduce_sum(tf.square(overlap - chosen) * is_object)
        background = tf.reduce_sum(tf.square(confidence)) - tf.reduce_sum(
            tf.square(chosen) * is_object
        )
        batch = tf.cast(tf.shape(confidence)[0], tf.float32)
        num_anchors = float(len(self.anchors))
        object_weight = self.object_weight / count
        if self.form == "thesis":
            rest = tf.maximum(batch * num_anchors - count, 1.0)
            return (
                object_weight * near
                + self.background_weight / rest * background
            )
        rest = tf.maximum(num_anchors - count, 1.0)
        return (
            object_weight * near + self.background_weight / rest * background
        ) / batch

    def get_config(self) -> dict[str, object]:
        """What __init__ takes."""
        return super().get_config() | {
            "anchors": self.anchors.tolist(),
            "num_classes": self.num_classes,
            "image_size": self.image_size,
            "form": self.form,
            "box_weight": self.box_weight,
            "object_weight": self.object_weight,
            "background_weight": self.background_weight,
            "inclusive": self.inclusive,
        }


class LossTerm(keras.metrics.Mean):
    """Mean of one term of a DetectionLoss, weighted as Keras does the loss."""

    def __init__(self, loss: DetectionLoss, term: str) -> None:
        super().__init__(name=term)
        self._loss = loss

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Adds one batch, which counts by its size."""
        term = self._loss.terms(y_true, y_pred)[self.name]
        return super().update_state(term, tf.shape(y_pred)[0])
