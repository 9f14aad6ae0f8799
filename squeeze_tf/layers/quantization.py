"""Layers of quantised networks, Ch. 6 §4.3: convolutions, dense, ActQuant.

With few bits on both sides and one range s for the network (Ch. 6 Eq. 12) a
layer multiplies whole levels, as the hardware does, and scales the sums once.
So its sums are exact in float32, and classification.integer makes the same
network of whole numbers alone.
"""

import dataclasses

import tensorflow as tf

from squeeze_tf.layers import shift
from squeeze_tf.ops import quantization

keras = tf.keras


@dataclasses.dataclass(frozen=True)
class Bits:
    """How a layer's weights and its input are quantised.

    Args:
      weights: bits of a weight; 32 for full precision.
      inputs: bits of an activation; 32 for full precision.
      scale: s of the input, whose levels are 0 ... s (Eq. 12). None for a
        trained range α (Ch. 7 Eq. 11): the layer multiplies values then, and
        `inputs` is what its workload says of them.
      form: of the weights, see ops.quantization.weight_levels().
    """

    weights: int = 32
    inputs: int = 32
    scale: float | None = 2.0
    form: str = "thesis"

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("weights", "inputs"):
            if getattr(self, name) != quantization.FULL_PRECISION:
                quantization.num_steps(getattr(self, name))
        if self.scale is not None and self.scale <= 0:
            raise ValueError(f"scale must be positive; got {self.scale}")
        if self.form not in quantization.WEIGHT_FORMS:
            raise ValueError(
                f"form must be one of {quantization.WEIGHT_FORMS}; got "
                f"{self.form!r}"
            )

    @property
    def are_levels(self) -> bool:
        """Whether the layer multiplies levels."""
        most = max(self.weights, self.inputs)
        return self.scale is not None and most < quantization.FULL_PRECISION

    def unit(self, count: int = 1) -> float:
        """What a sum of products of levels is multiplied by.

        Args:
          count: how many values each mean of the input is of.
        """
        steps = quantization.num_steps(self.inputs) * count
        weight = 1 / quantization.num_steps(self.weights)
        if self.form == "released":
            weight = 2.0 ** (1 - self.weights)
        return self.scale / steps * weight

    def multiplied(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel as the layer multiplies it: levels, or weights."""
        if self.weights >= quantization.FULL_PRECISION:
            return kernel
        levels, unit = quantization.weight_levels(
            kernel, self.weights, self.form
        )
        return levels if self.are_levels else levels * unit


class _Quantized:
    """What the layers share: their bits, and levels in the place of values."""

    bits: Bits

    def _check(self, with_bias: bool) -> None:
        """Refuses what no quantised layer does."""
        linear = self.activation in (None, keras.activations.linear, "linear")
        if not linear or self.use_bias is not with_bias:
            raise ValueError(
                f"layer {self.name} must have no activation and use_bias="
                f"{with_bias}; got {self.activation} and {self.use_bias}"
            )

    def _levels(self, x: tf.Tensor, count: int = 1) -> tf.Tensor:
        if not self.bits.are_levels:
            return x
        return quantization.activation_levels(
            x, self.bits.inputs, self.bits.scale, count
        )

    def _scaled(self, x: tf.Tensor, count: int = 1) -> tf.Tensor:
        return x * self.bits.unit(count) if self.bits.are_levels else x

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"bits": dataclasses.asdict(self.bits)}


def _bits(given: Bits | dict[str, object] | None) -> Bits:
    if isinstance(given, dict):
        return Bits(**given)
    return given or Bits()


@keras.utils.register_keras_serializable("squeeze_tf")
class QuantConv2D(_Quantized, keras.layers.Conv2D):
    """Convolution of quantised weights, without bias.

    Source: Ch. 6 §4.3. Arguments are those of keras.layers.Conv2D but for bias
    and activation, and

    Args:
      bits: a Bits, or its fields.
    """

    def __init__(
        self, *args: object, bits: Bits | dict | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **{"use_bias": False} | kwargs)
        self.bits = _bits(bits)
        self._check(with_bias=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to [B, H', W', filters]."""
        x = tf.nn.conv2d(
            self._levels(x),
            self.bits.multiplied(tf.convert_to_tensor(self.kernel)),
            strides=self.strides,
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )
        return self._scaled(x)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """As a convolution; weights and activations have their bits."""
        places = output_shape[0] * output_shape[1] * output_shape[2]
        return {
            "macs": places * self.kernel.shape.num_elements(),
            "weight_bits": self.bits.weights,
            "activation_bits": self.bits.inputs,
        }


@keras.utils.register_keras_serializable("squeeze_tf")
class QuantShiftConv2D(_Quantized, shift.ShiftConv2D):
    """Shift fused with a 1x1 convolution of quantised weights, without bias.

    Arguments are those of ShiftConv2D but for bias and activation, and

    Args:
      bits: a Bits, or its fields.
    """

    def __init__(
        self, *args: object, bits: Bits | dict | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **{"use_bias": False} | kwargs)
        self.bits = _bits(bits)
        self._check(with_bias=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to [B, H / strides, W / strides, filters]."""
        kernel = self.bits.multiplied(tf.convert_to_tensor(self.kernel))
        return self._scaled(self.convolve(self._levels(x), kernel))

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """As ShiftConv2D; weights and activations have their bits."""
        return super().workload(input_shapes, output_shape) | {
            "weight_bits": self.bits.weights,
            "activation_bits": self.bits.inputs,
        }


@keras.utils.register_keras_serializable("squeeze_tf")
class QuantDense(_Quantized, keras.layers.Dense):
    """Fully connected layer of quantised weights.

    The bias is rounded to whole units of the sums, so that logits are whole
    numbers times one unit. Arguments are those of keras.layers.Dense but for
    use_bias and activation, and

    Args:
      bits: a Bits, or its fields.
      count: how many activations each input is the mean of, for instance 49
        after 7 x 7 average pooling.
    """

    def __init__(
        self,
        *args: object,
        bits: Bits | dict | None = None,
        count: int = 1,
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.bits = _bits(bits)
        self.count = count
        self._check(with_bias=True)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, C] to [B, units]."""
        kernel = self.bits.multiplied(tf.convert_to_tensor(self.kernel))
        x = tf.matmul(self._levels(x, self.count), kernel)
        if not self.bits.are_levels:
            return tf.nn.bias_add(x, tf.convert_to_tensor(self.bias))
        x += quantization.round_straight_through(
            tf.convert_to_tensor(self.bias) / self.bits.unit(self.count)
        )
        return self._scaled(x, self.count)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """As a dense layer; weights and activations have their bits."""
        return {
            "macs": output_shape[0] * self.kernel.shape.num_elements(),
            "weight_bits": self.bits.weights,
            "activation_bits": self.bits.inputs,
        }

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"count": self.count}


@keras.utils.register_keras_serializable("squeeze_tf")
class ActQuant(keras.layers.Layer):
    """Clips to a trained bound, quantises, and scales to the network's range.

    Source: Ch. 6 §4.3, Eqs. 11-12; Ch. 7 §4.1, Eq. 11, see
    ops.quantization.pact(). It stands in the place of a ReLU.

    Args:
      bits: k; 32 clips and rescales only, as the released code does.
      scale: s; None for α itself (Ch. 7 Eq. 11).
      initial_alpha: where α starts.
      regularizer: of α; the released code decays it like a weight.
    """

    def __init__(
        self,
        *,
        bits: int = 32,
        scale: float | None = 2.0,
        initial_alpha: float = 2.0,
        regularizer: keras.regularizers.Regularizer | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if bits != quantization.FULL_PRECISION:
            quantization.num_steps(bits)
        self.bits = bits
        self.scale = scale
        self.initial_alpha = initial_alpha
        self.regularizer = keras.regularizers.get(regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes α."""
        self.alpha = self.add_weight(
            name="alpha",
            shape=(1,),
            initializer=keras.initializers.Constant(self.initial_alpha),
            regularizer=self.regularizer,
        )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Any shape to the same, in 0 ... s, or 0 ... α."""
        alpha = tf.convert_to_tensor(self.alpha)
        return quantization.pact(x, alpha, self.bits, self.scale)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The input's."""
        return tuple(input_shape)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """A table for each value; efficiency.workload asks."""
        return {"macs": 0, "activation_bits": self.bits}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "bits": self.bits,
            "scale": self.scale,
            "initial_alpha": self.initial_alpha,
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }
