"""What an architecture costs, differentiable in its masks, Ch. 7 §6.2."""

import tensorflow as tf


def expected_cost(masks: tf.Tensor, costs: tf.Tensor) -> tf.Tensor:
    """Sum over layers and candidates of mask times cost, Eq. 20.

    Args:
      masks: m, [L, K] float: L layers with K candidates.
      costs: of each candidate alone, [L, K] float.

    Returns:
      [] float, in the unit of the costs.
    """
    return tf.reduce_sum(masks * costs)


def latency_aware_loss(
    cross_entropy: tf.Tensor, latency: tf.Tensor, alpha: float, beta: float
) -> tf.Tensor:
    """CE · α log(LAT)^β, Eq. 18: the power is the logarithm's.

    Args:
      cross_entropy: [] float.
      latency: in microseconds, above 1, [] float.
      alpha: scale of the loss.
      beta: how much latency weighs; 0 leaves the cross-entropy.
    """
    return cross_entropy * alpha * tf.math.log(latency) ** beta
