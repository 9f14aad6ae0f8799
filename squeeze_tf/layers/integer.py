"""Layers of networks of whole numbers, Ch. 6 §4.3: what hardware computes.

classification.integer makes them from quantised layers and sets their weights.
"""

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import integer_conv, quantization, shift_conv, shift_offsets

keras = tf.keras

_Shape = tuple[int | None, ...]


class _Untrained(keras.layers.Layer):
    """What the layers share: weights of whole numbers that are not trained."""

    def _whole(self, name: str, shape: _Shape, dtype: str) -> tf.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
        )


@keras.utils.register_keras_serializable("squeeze_tf")
class ToLevels(_Untrained):
    """Activations on a grid of k bits in [0, s] to levels, uint8.

    Args:
      bits: k, at most 8.
      scale: s.
    """

    def __init__(self, *, bits: int, scale: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.bits, self.scale = _byte(bits), scale

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Any shape to the same."""
        levels = quantization.activation_levels(x, self.bits, self.scale)
        return tf.cast(levels, tf.uint8)

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        own = {"bits": self.bits, "scale": self.scale}
        return super().get_config() | own


@keras.utils.register_keras_serializable("squeeze_tf")
class FromLevels(ToLevels):
    """The inverse of ToLevels; arguments as there."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Any shape to the same, as ActQuant writes it."""
        steps = quantization.num_steps(self.bits)
        return tf.cast(x, tf.float32) / steps * self.scale


@keras.utils.register_keras_serializable("squeeze_tf")
class IntegerShift(_Untrained):
    """layers.shift.Shift of levels; arguments as there."""

    def __init__(
        self,
        *,
        kernel_size: int,
        dilation_rate: int,
        convention: str,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dilation_rate = dilation_rate
        self.convention = convention

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] uint8 to the same."""
        offsets = shift_offsets.CONVENTIONS[self.convention](
            x.shape[-1], self.kernel_size, self.dilation_rate
        )
        moved = shift_conv.shift(tf.cast(x, tf.float32), offsets)
        return tf.cast(moved, tf.uint8)

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "convention": self.convention,
        }


@keras.utils.register_keras_serializable("squeeze_tf")
class IntegerConv2D(_Untrained):
    """Shift, 1x1 convolution, normalisation and ActQuant of whole numbers.

    It has a kernel [C, filters] int8 and thresholds [filters, L] int32, L the
    number of levels but the first: see ops.integer_conv.

    Args:
      filters: output channels.
      out_bits: of the levels that it writes.
      weight_bits: of the kernel's levels, for those who store it.
      strides: of the output.
      kernel_size: K of the shift's window; 1 for no shift.
      dilation_rate: of the shift.
      convention: of the shift.
    """

    def __init__(
        self,
        filters: int,
        *,
        out_bits: int,
        weight_bits: int,
        strides: int = 1,
        kernel_size: int = 1,
        dilation_rate: int = 1,
        convention: str = "interleaved",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.out_bits, self.weight_bits = _byte(out_bits), weight_bits
        self.strides = strides
        self.kernel_size = kernel_size
        self.dilation_rate = dilation_rate
        self.convention = convention

    def build(self, input_shape: _Shape) -> None:
        """Makes the table of offsets and the weights."""
        channels = input_shape[-1]
        self.offsets: np.ndarray = shift_offsets.CONVENTIONS[self.convention](
            channels, self.kernel_size, self.dilation_rate
        )
        steps = quantization.num_steps(self.out_bits)
        self.kernel = self._whole("kernel", (channels, self.filters), "int8")
        self.thresholds = self._whole(
            "thresholds", (self.filters, steps), "int32"
        )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] uint8 to [B, H / strides, W / strides, filters]."""
        return integer_conv.integer_shift_conv2d(
            x,
            tf.convert_to_tensor(self.kernel),
            self.offsets,
            thresholds=tf.convert_to_tensor(self.thresholds),
            strides=self.strides,
        )

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "filters": self.filters,
            "out_bits": self.out_bits,
            "weight_bits": self.weight_bits,
            "strides": self.strides,
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "convention": self.convention,
        }


@keras.utils.register_keras_serializable("squeeze_tf")
class LevelSum(_Untrained):
    """Sum over all places, the whole numbers of average pooling."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] uint8 to [B, C] int32."""
        return tf.reduce_sum(tf.cast(x, tf.int32), axis=[1, 2])


@keras.utils.register_keras_serializable("squeeze_tf")
class IntegerDense(_Untrained):
    """Fully connected layer of whole numbers; its sums times one unit.

    Args:
      units: outputs.
      unit: what a sum is multiplied by in the end.
      weight_bits: of the kernel's levels, for those who store it.
    """

    def __init__(
        self, units: int, *, unit: float, weight_bits: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.unit = units, unit
        self.weight_bits = weight_bits

    def build(self, input_shape: _Shape) -> None:
        """Makes the weights."""
        shape = (input_shape[-1], self.units)
        self.kernel = self._whole("kernel", shape, "int8")
        self.bias = self._whole("bias", (self.units,), "int32")
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, C] int32 to [B, units] float32."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), tf.int32)
        sums = tf.matmul(x, kernel) + tf.convert_to_tensor(self.bias)
        return tf.cast(sums, tf.float32) * self.unit

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "units": self.units,
            "unit": self.unit,
            "weight_bits": self.weight_bits,
        }


def _byte(bits: int) -> int:
    """Bits of an activation, which must fit into a byte."""
    if bits > 8:
        raise ValueError(f"activations must have at most 8 bits; got {bits}")
    return bits
