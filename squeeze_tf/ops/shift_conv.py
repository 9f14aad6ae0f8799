"""Shift, and shift fused with the 1x1 convolution that reads it, Ch. 6 §2.

The compiled operator and its twin of stock operators give equal results.
"""

import math

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import custom_ops

# Ours: so far a channel may move; zeros around a map stay a small part of it.
MOST_REACH = 256


def shift(x: tf.Tensor, offsets: np.ndarray) -> tf.Tensor:
    """Moves every channel by its own offset.

    Source: Ch. 6 §2.1, Eqs. 6-7: a depthwise convolution whose kernels hold a
    single 1. Stock operators alone: where a convolution follows, shift_conv2d()
    moves nothing.

    Args:
      x: [B, H, W, C] float.
      offsets: [C, 2] int, (dy, dx) of each channel (ops.shift_offsets).

    Returns:
      [B, H, W, C]: out[b, y, x, c] = in[b, y + dy_c, x + dx_c, c], 0 outside.

    Raises:
      ValueError: shapes do not fit.
    """
    x = tf.convert_to_tensor(x)
    offsets = _checked(offsets, x.shape)
    reach = np.abs(offsets).max(axis=0)
    if not reach.any():
        return tf.identity(x)
    step = math.gcd(*np.abs(offsets).ravel().tolist())
    radius = reach // step  # of the kernels, dilated by the common step
    kernels = np.zeros((*(2 * radius + 1), len(offsets), 1))
    dy, dx = (offsets // step + radius).T
    kernels[dy, dx, np.arange(len(offsets))] = 1
    return tf.nn.depthwise_conv2d(
        x,
        tf.constant(kernels, x.dtype),
        strides=[1, 1, 1, 1],
        padding="SAME",
        dilations=[step, step],
    )


def shift_conv2d(
    x: tf.Tensor,
    kernel: tf.Tensor,
    offsets: np.ndarray,
    *,
    bias: tf.Tensor | None = None,
    strides: int = 1,
    relu: bool = False,
) -> tf.Tensor:
    """1x1 convolution that fetches its input from shifted addresses.

    Source: Ch. 6 §2.1, Eqs. 3 and 6, in one pass over memory. Gradients flow to
    `x`, `kernel` and `bias`, once (the operator has none of gradients). It is
    for float32; other types use the stock twin, which in bfloat16 is faster
    than float32 around the operator.

    Args:
      x: [B, H, W, C] float.
      kernel: [C, N] of the same type.
      offsets: [C, 2] int, (dy, dx) of each channel (ops.shift_offsets).
      bias: [N], added if given.
      strides: of the output, so that all pixels are mixed before some are left
        out (Ch. 6 §2.3).
      relu: whether negative sums become 0.

    Returns:
      [B, ceil(H / strides), ceil(W / strides), N]:
      out[b, y, x, n] = Σ_c x[b, y s + dy_c, x s + dx_c, c] kernel[c, n] + bias.

    Raises:
      ValueError: shapes do not fit, an offset is larger than MOST_REACH, or
        strides is not positive.
    """
    x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)
    offsets = checked(x, kernel, offsets, strides)
    if bias is not None:
        bias = tf.convert_to_tensor(bias)
        if not bias.shape.is_compatible_with([kernel.shape[1]]):
            raise ValueError(
                f"bias must be [{kernel.shape[1]}]; got {bias.shape}"
            )
    library = custom_ops.active_library(x, gpu_kernels=True)
    if library is None or x.dtype != tf.float32:
        return _stock(x, kernel, offsets, bias, strides, relu)
    if bias is None:
        bias = tf.zeros([0], x.dtype)
    return library.squeeze_tf_shift_conv2d(
        x=x,
        kernel=kernel,
        bias=bias,
        offsets=offsets.ravel().tolist(),
        strides=strides,
        relu=relu,
    )


def checked(
    x: tf.Tensor, kernel: tf.Tensor, offsets: np.ndarray, strides: int
) -> np.ndarray:
    """The table as an array, once all of shift_conv2d()'s arguments fit."""
    offsets = _checked(offsets, x.shape)
    if kernel.shape.rank != 2 or kernel.shape[0] not in (None, len(offsets)):
        raise ValueError(
            f"kernel must be [{len(offsets)}, filters]; got {kernel.shape}"
        )
    if strides < 1:
        raise ValueError(f"strides must be at least 1; got {strides}")
    return offsets


def _checked(offsets: np.ndarray, shape: tf.TensorShape) -> np.ndarray:
    """The table as an array, which fits a map of `shape`."""
    offsets = np.asarray(offsets)
    if (
        offsets.ndim != 2
        or offsets.shape[1] != 2
        or not np.issubdtype(offsets.dtype, np.integer)
    ):
        raise ValueError(
            f"offsets must be [C, 2] int; got {offsets.shape} {offsets.dtype}"
        )
    if np.abs(offsets).max(initial=0) > MOST_REACH:
        raise ValueError(
            f"offsets must be -{MOST_REACH} to {MOST_REACH}; got "
            f"{offsets.min()} to {offsets.max()}"
        )
    if shape.rank != 4 or shape[3] not in (None, len(offsets)):
        raise ValueError(
            f"x must be [B, H, W, {len(offsets)}], as offsets has so many "
            f"rows; got {shape}"
        )
    return offsets


def _stock(
    x: tf.Tensor,
    kernel: tf.Tensor,
    offsets: np.ndarray,
    bias: tf.Tensor | None,
    strides: int,
    relu: bool,
) -> tf.Tensor:
    """The twin, of operators that TFLite has built in."""
    x = tf.nn.conv2d(
        shift(x, offsets),
        kernel[tf.newaxis, tf.newaxis],
        strides=strides,
        padding="SAME",
    )
    if bias is not None:
        x = tf.nn.bias_add(x, bias)
    return tf.nn.relu(x) if relu else x


@tf.RegisterGradient("SqueezeTf>ShiftConv2D")
def _gradient(op: tf.Operation, gradient: tf.Tensor) -> list[tf.Tensor | None]:
    """A graph prunes the gradients that nobody asks for."""
    library = custom_ops.library()
    x, kernel, bias = op.inputs
    attributes = {
        name: op.get_attr(name) for name in ("offsets", "strides", "relu")
    }
    # The output shows where the ReLU was active, else it is not needed.
    output = op.outputs[0] if attributes["relu"] else tf.zeros([0], x.dtype)
    of_x = library.squeeze_tf_shift_conv2d_input_grad(
        shape=tf.shape(x),
        gradient=gradient,
        kernel=kernel,
        output=output,
        **attributes,
    )
    of_kernel, of_bias = library.squeeze_tf_shift_conv2d_kernel_grad(
        x=x, gradient=gradient, output=output, **attributes
    )
    return [of_x, of_kernel, of_bias if bias.shape[0] != 0 else bias]
