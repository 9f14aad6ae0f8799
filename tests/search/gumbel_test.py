"""Gumbel-softmax masks against vectors, limits and the distribution."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from absl.testing import absltest
from scipy import stats

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

    def test_is_distributed_as_the_relaxed_categorical(self):
        logits = np.array([1.0, 0.0, -1.0], np.float32)
        noise = gumbel.gumbel_noise([4000, 3], [5, 6])
        ours = gumbel.gumbel_softmax(logits, noise, 0.7).numpy()
        theirs = (
            tfp.distributions.RelaxedOneHotCategorical(0.7, logits=logits)
            .sample(4000, seed=[1, 2])
            .numpy()
        )
        for candidate in range(3):
            found = stats.ks_2samp(ours[:, candidate], theirs[:, candidate])
            self.assertGreater(found.pvalue, 1e-3)
        for a, b in ((0, 1), (1, 2)):  # and jointly, by a mixed moment
            products = [x[:, a] * x[:, b] for x in (ours, theirs)]
            error = np.hypot(*[x.std() / np.sqrt(4000) for x in products])
            self.assertLess(
                abs(products[0].mean() - products[1].mean()), 4 * error
            )


class GumbelGateTest(absltest.TestCase):
    def test_layers_have_the_gates_of_their_candidates(self):
        gate = gumbel.GumbelGate([3, 2])
        gates = gate(1.0, tf.constant([1, 2], tf.int64)).numpy()
        np.testing.assert_allclose(gates.sum(-1), 1, rtol=1e-6)
        np.testing.assert_array_equal(gates > 0, [[1, 1, 1], [1, 1, 0]])
        np.testing.assert_allclose(
            gate.probabilities(), [[1 / 3] * 3, [0.5, 0.5, 0]], rtol=1e-6
        )

    def test_gates_are_those_of_the_logits_and_the_seed(self):
        gate = gumbel.GumbelGate([3, 3])
        logits = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], np.float32)
        gate.logits.assign(logits)
        seed = tf.constant([7, 8], tf.int64)
        want = gumbel.gumbel_softmax(
            logits, gumbel.gumbel_noise([2, 3], seed), 0.5
        )
        np.testing.assert_allclose(gate(0.5, seed), want, rtol=1e-6)

    def test_gradients_reach_the_logits_of_candidates_alone(self):
        gate = gumbel.GumbelGate([3, 2])
        with tf.GradientTape() as tape:
            gates = gate(1.0, tf.constant([1, 2], tf.int64))
            loss = tf.reduce_sum(gates * [[1.0, 2.0, 3.0], [1.0, 3.0, 9.0]])
        gradient = tape.gradient(loss, gate.logits).numpy()
        np.testing.assert_array_equal(gradient != 0, [[1, 1, 1], [1, 1, 0]])


class EntropyTest(absltest.TestCase):
    def test_is_that_of_scipy(self):
        p = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
        want = stats.entropy(p, axis=-1).mean()
        self.assertAlmostEqual(float(gumbel.entropy(tf.constant(p))), want)


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
