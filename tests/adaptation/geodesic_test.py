"""Geodesic distance against scipy, and its gradient numerically."""

import numpy as np
import scipy.linalg
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import geodesic


def positive_matrix(seed, size=4, eigenvalues=None):
    random = np.random.default_rng(seed)
    if eigenvalues is None:
        eigenvalues = random.uniform(0.1, 3, size)
    q, _ = np.linalg.qr(random.normal(size=[len(eigenvalues)] * 2))
    return q @ np.diag(eigenvalues) @ q.T


class CovarianceTest(absltest.TestCase):
    def test_equals_numpys_over_the_cells_that_count(self):
        random = np.random.default_rng(0)
        x, mask = (
            random.normal(size=[2, 3, 5, 4]),
            random.random([2, 3, 5]) > 0.4,
        )
        np.testing.assert_allclose(
            geodesic.covariance(tf.constant(x), tf.constant(mask)),
            np.cov(x[mask], rowvar=False),
            rtol=1e-12,
        )
        np.testing.assert_allclose(
            geodesic.covariance(tf.constant(x)),
            np.cov(x.reshape(-1, 4), rowvar=False),
            rtol=1e-12,
        )

    def test_of_no_cell_is_zero(self):
        got = geodesic.covariance(tf.ones([3, 2]), tf.zeros([3], tf.bool))
        np.testing.assert_array_equal(got, np.zeros([2, 2]))

    def test_of_half_precision_is_computed_in_float32(self):
        x = np.random.default_rng(0).normal(size=[10_000, 2]) + 100
        got = geodesic.covariance(tf.constant(x, tf.bfloat16))
        want = np.cov(tf.constant(x, tf.bfloat16).numpy().astype(float).T)
        self.assertEqual(got.dtype, tf.float32)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


class MatrixLogarithmTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_equals_scipys(self, seed):
        matrix = positive_matrix(seed)
        np.testing.assert_allclose(
            geodesic.matrix_logarithm(tf.constant(matrix)),
            scipy.linalg.logm(matrix),
            atol=1e-12,
        )

    @parameterized.parameters(
        ([0.2, 0.7, 1.1, 4.0],),
        ([0.5, 0.5, 0.5, 0.5],),
        ([0.5, 0.5, 2.0, 2.0],),
        ([0.5, 0.5 + 1e-9, 1.0, 1.0 + 1e-4],),
        ([1e-3, 1e-3, 1.0, 50.0],),
    )
    def test_its_gradient_is_the_numeric_one(self, eigenvalues):
        matrix = positive_matrix(3, eigenvalues=eigenvalues)
        pull = np.random.default_rng(4).normal(size=matrix.shape)
        x = tf.constant(matrix)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(geodesic.matrix_logarithm(x) * pull)
        got = tape.gradient(y, x).numpy()
        step = 1e-5 * min(eigenvalues)
        for seed in range(5):  # slopes along symmetric directions
            direction = np.random.default_rng(seed).normal(size=matrix.shape)
            direction += direction.T
            ahead = scipy.linalg.logm(matrix + step * direction)
            behind = scipy.linalg.logm(matrix - step * direction)
            want = ((ahead - behind) * pull).sum() / (2 * step)
            self.assertAlmostEqual(
                (got * direction).sum(), want, delta=1e-5 * np.abs(got).sum()
            )

    def test_gradients_of_many_random_matrices_are_finite(self):
        random = np.random.default_rng(5)
        for _ in range(200):
            rank = random.integers(0, 5)  # repeated and vanishing eigenvalues
            x = tf.constant(random.normal(size=[max(rank, 1), 4]) * (rank > 0))
            with tf.GradientTape() as tape:
                tape.watch(x)
                distance = geodesic.geodesic_distance(
                    geodesic.covariance(x), tf.eye(4, dtype=tf.float64)
                )
            self.assertTrue(np.isfinite(tape.gradient(distance, x)).all())


class GeodesicDistanceTest(absltest.TestCase):
    def test_equals_the_formula_with_scipys_logarithm(self):
        a, b = positive_matrix(1), positive_matrix(2)
        shift = geodesic.EPSILON * np.eye(4)
        difference = scipy.linalg.logm(a + shift) - scipy.linalg.logm(b + shift)
        self.assertAlmostEqual(
            float(geodesic.geodesic_distance(tf.constant(a), tf.constant(b))),
            (difference**2).sum() / (4 * 16),
            places=12,
        )

    def test_is_zero_for_equal_and_the_same_both_ways(self):
        a, b = (tf.constant(positive_matrix(seed)) for seed in (1, 2))
        self.assertEqual(float(geodesic.geodesic_distance(a, a)), 0)
        self.assertAlmostEqual(
            float(geodesic.geodesic_distance(a, b)),
            float(geodesic.geodesic_distance(b, a)),
            places=12,
        )

    def test_does_not_change_with_the_unit_unlike_the_euclidean_one(self):
        a, b = (tf.constant(positive_matrix(seed)) for seed in (1, 2))
        # Large, so that what is added to the diagonal does not matter.
        self.assertAlmostEqual(
            float(geodesic.geodesic_distance(1e6 * a, 1e6 * b)),
            float(geodesic.geodesic_distance(1e8 * a, 1e8 * b)),
            places=6,
        )
        self.assertAlmostEqual(
            float(geodesic.euclidean_distance(10 * a, 10 * b)),
            100 * float(geodesic.euclidean_distance(a, b)),
            places=6,
        )

    def test_euclidean_is_the_squared_difference(self):
        a, b = positive_matrix(1), positive_matrix(2)
        self.assertAlmostEqual(
            float(geodesic.euclidean_distance(tf.constant(a), tf.constant(b))),
            ((a - b) ** 2).sum() / 64,
        )

    def test_descent_brings_two_batches_together(self):
        random = np.random.default_rng(0)
        x = tf.Variable(random.normal(size=[200, 3]) * [1, 2, 3], tf.float64)
        target = np.cov(random.normal(size=[200, 3]), rowvar=False)
        optimizer = tf.keras.optimizers.SGD(200.0)
        distances = []
        for _ in range(30):
            with tf.GradientTape() as tape:
                distance = geodesic.geodesic_distance(
                    geodesic.covariance(x), tf.constant(target)
                )
            optimizer.apply_gradients([(tape.gradient(distance, x), x)])
            distances.append(float(distance))
        self.assertLess(distances[-1], 0.2 * distances[0])


if __name__ == "__main__":
    absltest.main()
