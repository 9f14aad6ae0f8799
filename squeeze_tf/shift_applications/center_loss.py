"""The loss that draws the features of a person together."""

import tensorflow as tf

keras = tf.keras

# Wen et al. 2016 §4, of their face network.
WEIGHT, RATE = 0.003, 0.5


@keras.utils.register_keras_serializable("squeeze_tf")
class CenterLoss(keras.layers.Layer):
    """Adds λ L_C to a model's loss and moves the centres while it trains.

    Source: Ch. 6 §3.3; Wen et al. 2016, Eqs. 2-4 and Algorithm 1. For m
    features x_i with labels y_i, n_j of them j,

      L_C = Σ_i |x_i - c_{y_i}|² / 2m,
      Δc_j = Σ_{i: y_i = j} (c_j - x_i) / (1 + n_j),  c_j <- c_j - α Δc_j.

    They sum over the batch where Keras takes the mean, of the softmax loss
    too, so λ means the same. The loss is that of the centres before they move;
    the metric "center_loss" is L_C, without λ.

    Call it with features [B, D] float and class ids [B] int; it returns the
    features. The centres are weights that no gradient reaches.

    Args:
      num_classes: persons.
      weight: λ.
      rate: α.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        weight: float = WEIGHT,
        rate: float = RATE,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if num_classes < 1 or weight < 0 or not 0 <= rate <= 1:
            raise ValueError(
                "expected num_classes of 1 or more, weight from 0 and rate in "
                f"0..1; got {num_classes}, {weight} and {rate}"
            )
        self.num_classes = num_classes
        self.weight = weight
        self.rate = rate
        self.mean = keras.metrics.Mean(name="center_loss")

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Makes one centre for each class, at zero."""
        features, _ = input_shape
        self.centers = self.add_weight(
            name="centers",
            shape=(self.num_classes, features[-1]),
            initializer="zeros",
            trainable=False,
        )
        super().build(input_shape)

    def call(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        training: bool | None = None,
    ) -> tf.Tensor:
        """Features [B, D] and class ids [B] to the features."""
        features, class_ids = inputs
        class_ids = tf.reshape(class_ids, [-1])
        centers = tf.gather(tf.convert_to_tensor(self.centers), class_ids)
        difference = features - centers
        squares = tf.reduce_sum(difference * difference, axis=-1)
        loss = tf.reduce_mean(squares) / 2
        self.add_loss(self.weight * loss)
        self.mean.update_state(loss, tf.shape(features)[0])
        if training:
            self._move(-tf.stop_gradient(difference), class_ids)
        return features

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """That of the features."""
        return tuple(input_shape[0])

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """At inference it does nothing; efficiency.workload asks."""
        return {"macs": 0, "moves_data": False}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "num_classes": self.num_classes,
            "weight": self.weight,
            "rate": self.rate,
        }

    def _move(self, difference: tf.Tensor, class_ids: tf.Tensor) -> None:
        """One step of the centres; `difference` is c - x of each feature."""
        sums = tf.math.unsorted_segment_sum(
            difference, class_ids, self.num_classes
        )
        counts = tf.math.unsorted_segment_sum(
            tf.ones_like(difference[:, :1]), class_ids, self.num_classes
        )
        self.centers.assign(self.centers - self.rate * sums / (1 + counts))
