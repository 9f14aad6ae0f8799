"""Instance normalisation, which the networks of Ch. 6 §3.4 have."""

import tensorflow as tf

keras = tf.keras


@keras.utils.register_keras_serializable("squeeze_tf")
class InstanceNormalization(keras.layers.Layer):
    """Normalises every channel of every image by its own mean and variance.

    Source: Ulyanov et al. 2016. [B, H, W, C] float to the same shape, alike in
    training and inference, of operators that TFLite has built in:

    y = (x - mean) / sqrt(variance + epsilon) gamma + beta, with mean and
    variance over H and W.

    Args:
      epsilon: added to the variance. Ours: 1e-5, as of the batch
        normalisations here.
    """

    def __init__(self, *, epsilon: float = 1e-5, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes one scale and one offset for each channel."""
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(
                "instance normalisation needs [B, H, W, C] with known C; got "
                f"{tuple(input_shape)}"
            )
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(
            name="gamma", shape=channels, initializer="ones"
        )
        self.beta = self.add_weight(
            name="beta", shape=channels, initializer="zeros"
        )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to the same."""
        mean = tf.reduce_mean(x, axis=(1, 2), keepdims=True)
        x -= mean
        variance = tf.reduce_mean(x * x, axis=(1, 2), keepdims=True)
        return x * (tf.math.rsqrt(variance + self.epsilon) * self.gamma) + (
            self.beta
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The input's."""
        return tuple(input_shape)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """Normalisations count no MACs; efficiency.workload asks."""
        return {"macs": 0}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"epsilon": self.epsilon}
