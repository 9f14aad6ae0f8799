"""Learned intensity rendering against loops in NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import intensity

keras = tf.keras


def batch(seed, outputs):
    random = np.random.default_rng(seed)
    wanted = random.uniform(0, 1.1, [2, 3, 4]).astype(np.float32)
    wanted[random.random(wanted.shape) < 0.3] = intensity.NO_RETURN
    predicted = random.normal(size=[2, 3, 4, outputs]).astype(np.float32)
    return wanted, predicted


def hybrid_loop(wanted, predicted, top, count):
    """Ch. 5 §4.2 one cell after the other."""
    width, total, cells = top / count, 0.0, 0
    for where in np.ndindex(wanted.shape):
        value = float(wanted[where])
        if value == intensity.NO_RETURN:
            continue
        region = min(int(value / width), count - 1)
        scores = predicted[where][:count].astype(float)
        deviations = predicted[where][count:].astype(float)
        probability = np.exp(scores[region]) / np.exp(scores).sum()
        reference = (region + 0.5) * width
        total -= np.log(probability)
        total += ((value - reference) / width - deviations[region]) ** 2
        cells += 1
    return total / cells


class LossTest(parameterized.TestCase):
    @parameterized.parameters((0, 1.0, 10), (1, 0.6, 10), (2, 1.2, 3))
    def test_hybrid_equals_the_loop(self, seed, top, count):
        wanted, predicted = batch(seed, 2 * count)
        got = intensity.HybridLoss(top, count)(wanted, predicted)
        want = hybrid_loop(wanted, predicted, top, count)
        np.testing.assert_allclose(got, want, rtol=1e-5)

    def test_l2_equals_numpys(self):
        wanted, predicted = batch(3, 1)
        counts = wanted != intensity.NO_RETURN
        got = intensity.SquaredLoss()(wanted, predicted)
        want = np.mean((wanted - predicted[..., 0])[counts] ** 2)
        np.testing.assert_allclose(got, want, rtol=1e-6)

    @parameterized.parameters(
        (intensity.SquaredLoss(), 1), (intensity.HybridLoss(1.0), 20)
    )
    def test_is_zero_and_finite_without_returns(self, loss, outputs):
        wanted = tf.fill([1, 2, 2], intensity.NO_RETURN)
        predicted = tf.Variable(tf.ones([1, 2, 2, outputs]))
        with tf.GradientTape() as tape:
            value = loss(wanted, predicted)
        self.assertEqual(float(value), 0)
        self.assertEqual(np.abs(tape.gradient(value, predicted)).max(), 0)

    def test_comes_back_from_its_config(self):
        loss = intensity.HybridLoss(0.7, 4)
        again = intensity.HybridLoss.from_config(loss.get_config())
        wanted, predicted = batch(3, 8)
        self.assertEqual(loss(wanted, predicted), again(wanted, predicted))

    @parameterized.parameters((0.0, 10), (1.0, 0), (np.inf, 3))
    def test_bad_regions_are_refused(self, top, count):
        with self.assertRaisesRegex(ValueError, "top must be above 0"):
            intensity.HybridLoss(top, count)


class PredictionTest(absltest.TestCase):
    def test_inverts_what_the_loss_wants(self):
        wanted = np.random.default_rng(0).uniform(0, 0.8, [4, 5])
        regions = intensity.Regions(0.8)
        region = regions.of(tf.constant(wanted, tf.float32)).numpy()
        outputs = np.zeros([4, 5, 20], np.float32)
        for where in np.ndindex(region.shape):
            k = region[where]
            outputs[where][k] = 9
            outputs[where][10 + k] = (
                wanted[where] - regions.references()[k]
            ) / regions.width
        got = intensity.prediction(tf.constant(outputs), 0.8)
        np.testing.assert_allclose(got, wanted, atol=1e-6)

    def test_drawn_regions_follow_their_distribution(self):
        outputs = np.zeros([10_000, 4], np.float32)  # two regions
        outputs[:, 1] = np.log(3)
        got = intensity.prediction(tf.constant(outputs), 1.0, [1, 2]).numpy()
        self.assertEqual(set(got), {0.25, 0.75})
        # Five standard deviations of the share of 10,000 draws.
        self.assertAlmostEqual(np.mean(got == 0.75), 0.75, delta=0.022)
        again = intensity.prediction(tf.constant(outputs), 1.0, [1, 2])
        np.testing.assert_array_equal(got, again)

    def test_the_expectation_is_the_mean_of_what_is_drawn(self):
        outputs = np.random.default_rng(0).normal(0, 0.3, [8]).astype("f")
        many = tf.constant(np.tile(outputs, [100_000, 1]))  # four regions
        drawn = intensity.prediction(many, 0.9, [3, 4]).numpy()
        mean = intensity.expectation(tf.constant(outputs), 0.9)
        spread = drawn.std() / np.sqrt(len(drawn))
        self.assertGreater(spread, 0)
        self.assertAlmostEqual(float(mean), drawn.mean(), delta=5 * spread)
        self.assertAlmostEqual(
            float(intensity.expectation(tf.constant([0.4]), 0.9)), 0.4, places=6
        )

    def test_stays_within_the_regions(self):
        outputs = tf.constant([[-3.0], [0.4], [7.0]])
        np.testing.assert_allclose(
            intensity.prediction(outputs, 0.5), [0, 0.4, 0.5]
        )


class GridTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.grid = np.random.default_rng(0).uniform(1, 2, [3, 4, 5])
        self.grid[0] = 0
        self.grid = self.grid.astype(np.float32)

    def test_the_network_sees_no_intensity_and_is_to_find_it(self):
        mask = self.grid[..., 4] > 0
        seen, wanted = intensity.training_pair(
            {"grid": tf.constant(self.grid), "mask": tf.constant(mask)}
        )
        np.testing.assert_array_equal(
            seen, self.grid * np.array([1, 1, 1, 0, 1], np.float32)
        )
        np.testing.assert_array_equal(
            wanted, np.where(mask, self.grid[..., 3], intensity.NO_RETURN)
        )

    def test_only_returns_get_an_intensity(self):
        got = intensity.with_intensity(
            tf.constant(self.grid), tf.fill([3, 4], 0.3)
        ).numpy()
        self.assertEqual(np.abs(got[0]).max(), 0)
        np.testing.assert_allclose(got[1:, :, 3], 0.3)
        np.testing.assert_array_equal(got[..., :3], self.grid[..., :3])

    def test_errors_are_summed_by_class(self):
        ids = np.array([[0] * 4, [0, 1, 1, 2], [2, 2, 2, 0]])
        predicted = self.grid[..., 3] + np.array([[9], [0.1], [0.2]])
        sums, counts = intensity.squared_errors(predicted, self.grid, ids, 4)
        np.testing.assert_array_equal(counts, [2, 2, 4, 0])
        np.testing.assert_allclose(
            sums, [0.01 + 0.04, 0.02, 0.01 + 3 * 0.04, 0], rtol=1e-5
        )


class RenderingNetworkTest(parameterized.TestCase):
    @parameterized.parameters(("hybrid", 20), ("l2", 1))
    def test_learns_an_intensity_that_geometry_tells(self, loss, outputs):
        keras.utils.set_random_seed(0)
        network = intensity.rendering_network(
            loss,
            input_shape=(4, 32, 5),
            mean=(0, 0, 0, 5, 0),
            std=(1, 1, 1, 9, 1),
            batch_norm=True,
            batch_norm_momentum=0.5,
            dropout=0.0,
            weight_decay=0.0,
        )
        self.assertEqual(network.output_shape, (None, 4, 32, outputs))
        grid = np.random.default_rng(0).normal(size=[8, 4, 32, 5])
        grid[..., 4], grid[..., 3] = 1, np.where(grid[..., 0] > 0, 0.75, 0.25)
        grid = grid.astype(np.float32)
        seen, wanted = intensity.training_pair(
            {"grid": tf.constant(grid), "mask": tf.ones([8, 4, 32], tf.bool)}
        )
        losses = {
            "hybrid": intensity.HybridLoss(1.0),
            "l2": intensity.SquaredLoss(),
        }
        network.compile(keras.optimizers.Adam(3e-3, epsilon=1e-3), losses[loss])
        before = network.evaluate(seen, wanted, verbose=0)
        network.fit(seen, wanted, batch_size=8, epochs=12, verbose=0)
        after = network.evaluate(seen, wanted, verbose=0)
        self.assertLess(after, 0.7 * before)

    def test_another_loss_is_refused(self):
        with self.assertRaisesRegex(ValueError, "loss must be one of"):
            intensity.rendering_network(
                "l1", input_shape=(4, 16, 5), mean=[0] * 5, std=[1] * 5
            )


if __name__ == "__main__":
    absltest.main()
