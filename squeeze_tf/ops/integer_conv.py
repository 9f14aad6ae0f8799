"""Shift and 1x1 convolution of whole numbers, and thresholds, Ch. 6 §4.3.

The compiled operator and its twin of stock operators give equal results.
"""

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import custom_ops, shift_conv

_MOST_LEVELS = 255  # above 0, of a uint8
_EXACT = 2**24  # whole numbers up to here are float32


def integer_shift_conv2d(
    x: tf.Tensor,
    kernel: tf.Tensor,
    offsets: np.ndarray,
    *,
    thresholds: tf.Tensor | None = None,
    strides: int = 1,
) -> tf.Tensor:
    """shift_conv2d() of levels, exact.

    Source: Ch. 6 §4.3. ActQuant, and the batch normalisation before it, is a
    table of the sums at which the next level is reached.

    Args:
      x: [B, H, W, C] uint8.
      kernel: [C, N] int8.
      offsets: [C, 2] int, (dy, dx) of each channel (ops.shift_offsets).
      thresholds: [N, L] int32, L at most 255.
      strides: of the output.

    Returns:
      [B, ceil(H / strides), ceil(W / strides), N]: the sums as int32 or, with
      thresholds, how many of them each sum reaches as uint8.

    Raises:
      ValueError: shapes do not fit, L is above 255, or strides is not positive.
    """
    x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)
    offsets = shift_conv.checked(x, kernel, offsets, strides)
    if thresholds is not None:
        thresholds = tf.convert_to_tensor(thresholds)
        if thresholds.shape.rank != 2 or thresholds.shape[1] > _MOST_LEVELS:
            raise ValueError(
                f"thresholds must be [N, at most {_MOST_LEVELS}]; got "
                f"{thresholds.shape}"
            )
    library = custom_ops.active_library(x)
    if library is None:
        return _stock(x, kernel, offsets, thresholds, strides)
    counts = thresholds is not None
    if not counts:
        thresholds = tf.zeros([tf.shape(kernel)[1], 0], tf.int32)
    return library.squeeze_tf_integer_shift_conv2d(
        x=x,
        kernel=kernel,
        thresholds=thresholds,
        Tout=tf.uint8 if counts else tf.int32,
        offsets=offsets.ravel().tolist(),
        strides=strides,
    )


def _stock(
    x: tf.Tensor,
    kernel: tf.Tensor,
    offsets: np.ndarray,
    thresholds: tf.Tensor | None,
    strides: int,
) -> tf.Tensor:
    """The twin, in floats that hold all sums exactly."""
    dtype = tf.float32 if len(offsets) * 255 * 128 < _EXACT else tf.float64
    sums = shift_conv.shift_conv2d(
        tf.cast(x, dtype), tf.cast(kernel, dtype), offsets, strides=strides
    )
    sums = tf.cast(sums, tf.int32)
    if thresholds is None:
        return sums
    reached = [
        tf.cast(sums >= limit, tf.uint8)
        for limit in tf.unstack(thresholds, axis=1)
    ]
    return sum(reached, tf.zeros_like(sums, tf.uint8))
