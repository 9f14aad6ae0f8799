"""Gumbel-softmax masks and their temperature, Ch. 7 §3.3."""

import math

import tensorflow as tf


def gumbel_softmax(
    logits: tf.Tensor, noise: tf.Tensor, temperature: float | tf.Tensor
) -> tf.Tensor:
    """Masks m between 0 and 1 that sum to 1 over the candidates, Eq. 7.

    A high temperature makes all of them equal. Towards 0 they become a sample
    of the candidates, each as probable as softmax(logits) says.

    Args:
      logits: θ, [..., K] float, K candidates.
      noise: g, like logits, drawn by gumbel_noise.
      temperature: τ > 0.

    Returns:
      Like logits.
    """
    return tf.nn.softmax((logits + noise) / temperature)


def gumbel_noise(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws of Gumbel(0, 1), float32, the same for the same seed.

    Args:
      shape: of the result.
      seed: [2] int32, as tf.random.stateless_uniform takes it.
    """
    tiny = 2.0**-126  # not 0, whose logarithm is not finite
    uniform = tf.random.stateless_uniform(shape, seed, minval=tiny)
    return -tf.math.log(-tf.math.log(uniform))


def temperature(epoch: int, initial: float, decay: float) -> float:
    """τ = T0 exp(-η epoch), Eq. 9.

    Args:
      epoch: counted from 0.
      initial: T0.
      decay: η.
    """
    return initial * math.exp(-decay * epoch)
