"""Gumbel-softmax masks against vectors, limits and the distribution."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.search import gumbel
from tests import shared_files


class GumbelSoftmaxTest(absltest.TestCase):
    def test_equals_the_vectors(self):
        found = np.load(
            shared_files.path("reference/architectures/vectors/dnas.npz")
        )
        got = gumbel.gumbel_softmax(
            found["theta"], found["gumbel"], found["tau"].astype(np.float32)
        )
        np.testing.assert_allclose(got, found["mask"], rtol=1e-5)

    def test_cold_masks_are_one_hot_and_hot_ones_equal(self):
        logits = tf.constant([[0.5, 1.0, -2.0, 0.0]])
        noise = gumbel.gumbel_noise([1, 4], [0, 1])
        cold = gumbel.gumbel_softmax(logits, noise, 1e-3)
        best = int(np.argmax(logits + noise))
        np.testing.assert_allclose(cold, np.eye(4)[[best]], atol=1e-6)
        hot = gumbel.gumbel_softmax(logits, noise, 1e6)
        np.testing.assert_allclose(hot, np.full([1, 4], 0.25), atol=1e-5)

    def test_the_largest_falls_as_the_softmax_says(self):
        logits = np.array([1.0, 0.0, -1.0, 0.5], np.float32)
        draws = 20_000
        noise = gumbel.gumbel_noise([draws, 4], [3, 4])
        winners = np.argmax(logits + noise.numpy(), axis=-1)
        share = np.bincount(winners, minlength=4) / draws
        want = np.exp(logits) / np.exp(logits).sum()
        # Five standard deviations of a share of 20,000 draws.
        np.testing.assert_array_less(
            np.abs(share - want), 5 * np.sqrt(want * (1 - want) / draws)
        )


class NoiseTest(absltest.TestCase):
    def test_has_the_moments_of_gumbel(self):
        draws = gumbel.gumbel_noise([100_000], [1, 2]).numpy()
        self.assertTrue(np.isfinite(draws).all())
        # Mean: Euler's constant; variance: π²/6; their errors at five sigmas.
        self.assertAlmostEqual(draws.mean(), np.euler_gamma, delta=0.021)
        self.assertAlmostEqual(draws.var(), math.pi**2 / 6, delta=0.055)

    def test_is_the_same_for_the_same_seed(self):
        np.testing.assert_array_equal(
            gumbel.gumbel_noise([5], [1, 2]), gumbel.gumbel_noise([5], [1, 2])
        )


class TemperatureTest(absltest.TestCase):
    def test_falls_by_the_same_factor_each_epoch(self):
        self.assertEqual(gumbel.temperature(0, 5.0, 0.045), 5.0)
        self.assertAlmostEqual(
            gumbel.temperature(20, 5.0, 0.045), 5 * math.exp(-0.9)
        )


if __name__ == "__main__":
    absltest.main()
