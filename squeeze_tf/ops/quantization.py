"""Quantised weights and activations, and their gradients, Ch. 6 §4.3.

A number of k bits is a whole level times a unit. Levels of activations are
0 ... 2^k - 1; those of weights lie around 0.
"""

import tensorflow as tf

WEIGHT_FORMS = ("thesis", "released", "released_dense")
FULL_PRECISION = 32  # bits, from which on nothing is rounded


def num_steps(bits: int) -> int:
    """The largest level, 2^k - 1.

    Raises:
      ValueError: bits is not 1 to 16.
    """
    if not 1 <= bits <= 16:
        raise ValueError(
            f"bits must be 1 to 16, or {FULL_PRECISION} for full precision; "
            f"got {bits}"
        )
    return 2**bits - 1


@tf.custom_gradient
def round_straight_through(x: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Rounds half to even; the gradient passes as if nothing had happened.

    Source: DoReFa-Net §2.2, which Ch. 6 §4.3 follows.
    """
    return tf.round(x), lambda gradient: gradient


def quantize(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Nearest of 2^k numbers in [0, 1].

    Source: Ch. 6 §4.3: Q_k(x) = round(x (2^k - 1)) / (2^k - 1). The text's set
    ends at i = 2^(k-1); 2^k - 1 is meant.

    Args:
      x: any shape, float in [0, 1].
      bits: k.

    Returns:
      The same shape; its gradient is that of x itself.
    """
    steps = num_steps(bits)
    return round_straight_through(x * steps) / steps


def weight_levels(
    weights: tf.Tensor, bits: int, form: str = "thesis"
) -> tuple[tf.Tensor, float]:
    """DoReFa weights as whole levels and their unit.

    Source: Ch. 6 §4.3, Eq. 10: w_k = 2 Q_k(tanh(w) / (2 max|tanh(w)|) + 1/2)
    - 1, the max over the whole tensor. With i = (2^k - 1) Q_k the level is

    - "thesis": 2 i - (2^k - 1), odd, the unit 1 / (2^k - 1).
    - "released": i - 2^(k-1), the unit 2^(1-k), as the released convolutions
      have it (two's complement; the mean is not 0).
    - "released_dense": i - 2^(k-1) - 1, the unit 1 / (2^k - 1), as the released
      fully connected layer has it.

    Args:
      weights: any shape, float; where all are 0, so is tanh(w) / max.
      bits: k.
      form: which.

    Returns:
      levels: the same shape, whole numbers; its gradient flows straight through
        the rounding, and through tanh and the maximum.
      unit: of a level.

    Raises:
      ValueError: the form is not one of these.
    """
    steps = num_steps(bits)
    squashed = tf.tanh(weights)
    largest = tf.reduce_max(tf.abs(squashed))
    scaled = tf.math.divide_no_nan(squashed, 2 * largest)
    index = round_straight_through((scaled + 0.5) * steps)
    if form == "thesis":
        return 2 * index - steps, 1 / steps
    if form == "released":
        return index - 2 ** (bits - 1), 2.0 ** (1 - bits)
    if form == "released_dense":
        return index - 2 ** (bits - 1) - 1, 1 / steps
    raise ValueError(f"form must be one of {WEIGHT_FORMS}; got {form!r}")


def quantize_weights(
    weights: tf.Tensor, bits: int, form: str = "thesis"
) -> tf.Tensor:
    """Eq. 10: levels times unit, see weight_levels()."""
    levels, unit = weight_levels(weights, bits, form)
    return levels * unit


def pact(
    x: tf.Tensor, alpha: tf.Tensor, bits: int, scale: float | None = None
) -> tf.Tensor:
    """Activations clipped to [0, α], quantised, in [0, s].

    Source: Ch. 6 §4.3, Eqs. 11-12: y = (|x| - |x - α| + α) / 2, then
    Q_k(y / α) s. One s for a whole network lets layers be concatenated.

    Args:
      x: any shape, float.
      alpha: [] or [1], trained; its magnitude counts.
      bits: k; 32 clips and rescales only.
      scale: s; None for α itself (Eq. 11).

    Returns:
      The same shape.
    """
    alpha = tf.abs(alpha)
    clipped = 0.5 * (tf.abs(x) - tf.abs(x - alpha) + alpha)
    # Of a large x the sum loses α; what it should be has no rounding.
    exact = tf.clip_by_value(x, tf.zeros_like(alpha), alpha)
    clipped += tf.stop_gradient(exact - clipped)
    y = clipped / alpha
    if bits < FULL_PRECISION:
        y = quantize(y, bits)
    return y * (alpha if scale is None else scale)


def activation_levels(
    x: tf.Tensor, bits: int, scale: float, count: int = 1
) -> tf.Tensor:
    """The whole levels that activations in [0, s] stand for.

    Ours: of activations on the grid of k bits, as pact() makes them, or means
    of `count` such; rounding takes away what float32 has added, so that sums of
    products of levels are exact.

    Args:
      x: any shape, float.
      bits: k.
      scale: s.
      count: how many values each mean is of; levels are their sums.

    Returns:
      The same shape, whole numbers; the gradient flows straight through.
    """
    return round_straight_through(x * (num_steps(bits) * count / scale))
