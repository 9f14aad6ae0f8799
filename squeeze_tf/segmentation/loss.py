"""Losses of point-wise labels: masked cross-entropy and focal loss."""

from collections.abc import Sequence

import tensorflow as tf

keras = tf.keras

IGNORED = -1  # label of cells without a return; they carry no loss
_SMALLEST_REST = 1e-12  # of 1 - p_t; float32 resolves 6e-8 next to 1


@keras.utils.register_keras_serializable("squeeze_tf")
class FocalLoss(keras.losses.Loss):
    """Focal loss over the cells that hold a return.

    Source: Ch. 5 §3.2, Eq. 1, weighted by class as in the released code:
      Σ w_t (1 - p_t)^γ (-log p_t) / number of labelled cells in the batch
    times `scale`. γ = 0 is the masked cross-entropy of Ch. 3. The number of
    cells is counted over all replicas, so that a batch split between them
    gives the loss of the whole.

    Call it with labels [B, H, W] int, IGNORED (-1) where there is no return,
    and scores [B, H, W, C] float before the softmax; it returns a scalar.

    Args:
      class_weights: [C].
      gamma: γ; 2 in Ch. 5 §3.2.
      scale: factor of the whole.
    """

    def __init__(
        self,
        class_weights: Sequence[float],
        gamma: float = 2.0,
        scale: float = 1.0,
        name: str = "focal_loss",
        **kwargs: object,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if gamma < 0:
            raise ValueError(f"gamma must not be negative; got {gamma}")
        self.class_weights = [float(weight) for weight in class_weights]
        self.gamma = float(gamma)
        self.scale = float(scale)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of a batch; see the class for shapes."""
        labels = tf.cast(y_true, tf.int32)
        scores = tf.cast(y_pred, tf.float32)
        valid = tf.cast(labels != IGNORED, tf.float32)
        one_hot = tf.one_hot(labels, len(self.class_weights))
        log_p = tf.reduce_sum(one_hot * tf.nn.log_softmax(scores), axis=-1)
        weights = tf.reduce_sum(one_hot * self.class_weights, axis=-1)
        loss = -weights * log_p
        if self.gamma:
            # Above 0, for there the slope of a power below 1 is infinite.
            rest = tf.maximum(-tf.math.expm1(log_p), _SMALLEST_REST)
            loss *= rest**self.gamma
        return self.scale * tf.reduce_sum(loss) / _mean_count(valid)

    def get_config(self) -> dict:
        """Everything __init__ takes."""
        return super().get_config() | {
            "class_weights": self.class_weights,
            "gamma": self.gamma,
            "scale": self.scale,
        }


def _mean_count(valid: tf.Tensor) -> tf.Tensor:
    """Labelled cells per replica, averaged over replicas; at least 1."""
    count = tf.reduce_sum(valid)
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        count = context.all_reduce(tf.distribute.ReduceOp.MEAN, count)
    return tf.maximum(count, 1.0)
