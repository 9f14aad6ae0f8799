"""Shift layers, Ch. 6 §2: alone, or fused with the 1x1 convolution after."""

import tensorflow as tf

from squeeze_tf.ops import shift_conv, shift_offsets

keras = tf.keras


@keras.utils.register_keras_serializable("squeeze_tf")
class Shift(keras.layers.Layer):
    """Moves each channel of [B, H, W, C] by its own offset.

    Source: Ch. 6 §2.1. It has no weights and multiplies nothing. Where a 1x1
    convolution follows, ShiftConv2D does both at once.

    Args:
      kernel_size: K of the window that offsets come from, odd.
      dilation_rate: factor of every offset, Ch. 6 §2.3.
      convention: "interleaved", "contiguous" or "cardinal", see
        ops.shift_offsets.
    """

    def __init__(
        self,
        *,
        kernel_size: int = 3,
        dilation_rate: int = 1,
        convention: str = "interleaved",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dilation_rate = dilation_rate
        self.convention = _known(convention)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the table of offsets."""
        self.offsets = _table(self, input_shape)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to the same."""
        return shift_conv.shift(x, self.offsets)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The input's."""
        return tuple(input_shape)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """Nothing is multiplied; efficiency.workload asks."""
        return {"macs": 0}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "convention": self.convention,
        }


@keras.utils.register_keras_serializable("squeeze_tf")
class ShiftConv2D(keras.layers.Layer):
    """Shift and the 1x1 convolution that reads it, in one operator.

    Source: Ch. 6 §2.1. [B, H, W, C] becomes [B, H / strides, W / strides,
    filters]; sizes are rounded up.

    Args:
      filters: output channels.
      kernel_size: K of the window that offsets come from, odd.
      dilation_rate: factor of every offset.
      convention: as of Shift.
      strides: of the convolution, so of the output (Ch. 6 §2.3).
      use_bias: whether a bias is added.
      activation: None or "relu", which the operator applies itself.
      kernel_initializer: of the kernel [1, 1, C, filters].
      kernel_regularizer: of the kernel.
    """

    def __init__(
        self,
        filters: int,
        *,
        kernel_size: int = 3,
        dilation_rate: int = 1,
        convention: str = "interleaved",
        strides: int = 1,
        use_bias: bool = True,
        activation: str | None = None,
        kernel_initializer: str | keras.initializers.Initializer = "he_normal",
        kernel_regularizer: keras.regularizers.Regularizer | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if activation not in (None, "relu", "linear"):
            raise ValueError(
                f'activation must be None or "relu"; got {activation!r}'
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation_rate = dilation_rate
        self.convention = _known(convention)
        self.strides = strides
        self.use_bias = use_bias
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the table of offsets and the weights."""
        self.offsets = _table(self, input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, 1, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros"
            )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] to [B, H / strides, W / strides, filters]."""
        return self.convolve(x, tf.convert_to_tensor(self.kernel))

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The same with a kernel [1, 1, C, filters] in the place of its own."""
        return shift_conv.shift_conv2d(
            x,
            kernel[0, 0],
            self.offsets,
            bias=None if self.bias is None else tf.convert_to_tensor(self.bias),
            strides=self.strides,
            relu=self.activation == "relu",
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Height and width divided by the stride, rounded up."""
        batch, *sides, _ = input_shape
        sides = [x if x is None else -(-x // self.strides) for x in sides]
        return (batch, *sides, self.filters)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """MACs of the 1x1 convolution alone; efficiency.workload asks."""
        batch, height, width, filters = output_shape
        macs = batch * height * width * input_shapes[0][-1] * filters
        return {"macs": macs}

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "convention": self.convention,
            "strides": self.strides,
            "use_bias": self.use_bias,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }


def _known(convention: str) -> str:
    if convention not in shift_offsets.CONVENTIONS:
        raise ValueError(
            f"convention must be one of {sorted(shift_offsets.CONVENTIONS)}; "
            f"got {convention!r}"
        )
    return convention


def _table(
    layer: "Shift | ShiftConv2D", input_shape: tuple[int | None, ...]
) -> object:
    """[C, 2] offsets for a layer's input."""
    return shift_offsets.CONVENTIONS[layer.convention](
        input_shape[-1], layer.kernel_size, layer.dilation_rate
    )
