"""What an architecture costs, differentiable in its masks, Ch. 7 §4.2, §6.2."""

import math

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


def cost_aware_loss(
    cross_entropy: tf.Tensor, cost: tf.Tensor, alpha: float, beta: float
) -> tf.Tensor:
    """CE · α log(cost)^β, Eqs. 12, 15 and 18: the power is the logarithm's.

    Args:
      cross_entropy: [] float.
      cost: above 1, [] float: microseconds, bits or operations.
      alpha: scale of the loss, β of Eq. 15; see scale().
      beta: how much the cost weighs, γ of Eq. 15; 0 leaves the cross-entropy.
    """
    return cross_entropy * alpha * tf.math.log(cost) ** beta


def scale(cost: float, beta: float) -> float:
    """α with which a cost leaves the cross-entropy as it is, Ch. 7 §4.2.

    Args:
      cost: above 1; that of the start of a search.
      beta: of cost_aware_loss().

    Raises:
      ValueError: the cost is not above 1, where logarithms are not positive.
    """
    if not cost > 1:
        raise ValueError(f"cost must be above 1 in its unit; got {cost}")
    return math.log(cost) ** -beta
