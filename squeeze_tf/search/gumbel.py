"""Gumbel-softmax masks and their temperature, Ch. 7 §3.3."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

keras = tf.keras


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


class GumbelGate(keras.layers.Layer):
    """Gates of all layers of a super net, and the logits that they are of.

    Source: Ch. 7 §3.3, Eqs. 4, 7 and 8. Logits start equal.

    Call it with a temperature, [] float, and a seed, [2] int; it returns gates
    [L, K] float32 that sum to 1 over the candidates of each layer. Those beyond
    a layer's own are 0.

    Args:
      num_candidates: of each of L layers, K at most.
    """

    def __init__(self, num_candidates: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.num_candidates = tuple(num_candidates)
        counts = np.array(self.num_candidates)
        self._exists = np.arange(counts.max()) < counts[:, np.newaxis]
        self.logits = self.add_weight(
            name="logits", shape=self._exists.shape, initializer="zeros"
        )

    def call(self, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A sample of the gates; see the class."""
        noise = gumbel_noise(self._exists.shape, seed)
        return gumbel_softmax(self._finite(), noise, temperature)

    def probabilities(self) -> tf.Tensor:
        """P of each candidate, [L, K] float32, Eq. 4."""
        return tf.nn.softmax(self._finite())

    def _finite(self) -> tf.Tensor:
        """The logits, and what no candidate has."""
        logits = tf.convert_to_tensor(self.logits)
        return tf.where(self._exists, logits, logits.dtype.min / 2)


def entropy(probabilities: tf.Tensor) -> tf.Tensor:
    """Mean entropy of the layers, nats, of [L, K] float."""
    logarithms = tf.math.log(tf.maximum(probabilities, 1e-30))
    return -tf.reduce_mean(tf.reduce_sum(probabilities * logarithms, axis=-1))
