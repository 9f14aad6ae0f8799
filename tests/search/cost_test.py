"""Costs of masks against the vectors of a public implementation."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.search import cost, gumbel
from tests import shared_files


class CostAwareLossTest(absltest.TestCase):
    def test_equals_the_vectors_and_so_does_its_gradient(self):
        found = np.load(
            shared_files.path("reference/architectures/vectors/dnas.npz")
        )
        logits = tf.constant(found["theta"], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            masks = gumbel.gumbel_softmax(
                logits, found["gumbel"].astype(np.float64), found["tau"]
            )
            latency = cost.expected_cost(
                masks, found["lut_us"].astype(np.float64)
            )
            loss = cost.cost_aware_loss(
                found["ce"],
                latency,
                float(found["alpha"]),
                float(found["beta"]),
            )
        np.testing.assert_allclose(latency, found["latency"], rtol=1e-6)
        np.testing.assert_allclose(loss, found["loss"], rtol=1e-6)
        np.testing.assert_allclose(
            tape.gradient(loss, logits), found["dtheta"], rtol=1e-5, atol=1e-8
        )

    def test_the_power_is_the_logarithms(self):
        got = cost.cost_aware_loss(2.0, tf.constant(np.e**4), 0.2, 0.5)
        self.assertAlmostEqual(float(got), 2 * 0.2 * 2, places=6)

    def test_a_scaled_loss_starts_as_the_cross_entropy(self):
        alpha = cost.scale(25_000.0, 0.6)
        got = cost.cost_aware_loss(1.7, tf.constant(25_000.0), alpha, 0.6)
        self.assertAlmostEqual(float(got), 1.7, places=5)
        with self.assertRaisesRegex(ValueError, "above 1 in its unit; got 0.5"):
            cost.scale(0.5, 0.6)


class ExpectedCostTest(absltest.TestCase):
    def test_of_an_architecture_is_the_sum_of_its_blocks(self):
        costs = np.random.default_rng(0).random([5, 3])
        chosen = np.array([0, 2, 1, 1, 0])
        got = cost.expected_cost(np.eye(3)[chosen], costs)
        np.testing.assert_allclose(got, costs[np.arange(5), chosen].sum())

    def test_its_gradient_to_the_logits_is_the_numeric_one(self):
        random = np.random.default_rng(1)
        costs, noise = random.random([2, 4]), random.gumbel(size=[2, 4])

        def total(logits):
            masks = gumbel.gumbel_softmax(logits, noise, 0.7)
            return cost.expected_cost(masks, costs)

        theory, numeric = tf.test.compute_gradient(
            total, [random.normal(size=[2, 4])]
        )
        np.testing.assert_allclose(theory[0], numeric[0], atol=1e-8)


if __name__ == "__main__":
    absltest.main()
