"""Padding of maps by their mirror image."""

import tensorflow as tf

keras = tf.keras


@keras.utils.register_keras_serializable("squeeze_tf")
class ReflectionPadding2D(keras.layers.Layer):
    """Mirrors [B, H, W, C] at its borders, whose own pixels are not doubled.

    Source: released code of Ch. 6 §3.4, before every spatial convolution of
    the style networks, so that no border of zeros shows in the picture.

    Args:
      padding: pixels on each of the four sides; H and W must be larger.
    """

    def __init__(self, padding: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if padding < 0:
            raise ValueError(f"padding must be 0 or more; got {padding}")
        self.padding = padding

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Refuses maps that are too small to be mirrored."""
        sides = input_shape[1:3]
        if any(side is not None and side <= self.padding for side in sides):
            raise ValueError(
                f"reflecting {self.padding} pixels needs sides of "
                f"{self.padding + 1} or more; got {tuple(sides)}"
            )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to [B, H + 2 padding, W + 2 padding, C]."""
        sides = (self.padding, self.padding)
        return tf.pad(x, ((0, 0), sides, sides, (0, 0)), "REFLECT")

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Sides of 2 padding more."""
        batch, *sides, channels = input_shape
        sides = [x if x is None else x + 2 * self.padding for x in sides]
        return (batch, *sides, channels)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """Nothing is multiplied; efficiency.workload asks."""
        return {"macs": 0}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"padding": self.padding}
