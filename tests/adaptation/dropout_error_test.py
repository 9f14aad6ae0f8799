"""Output errors under dropout: known values, order and what modules do."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import dropout_error

PROBABILITIES = (0.0, 0.1, 0.3, 0.5)


def measured(inputs, **settings):
    """By module; small, as tests must be quick."""
    small = {"repeats": 2, "draws": 6, "filters": 16, "steps": 0}
    errors = dropout_error.measure(PROBABILITIES, inputs, **(small | settings))
    return {row.module: row for row in errors}


class InputsTest(absltest.TestCase):
    def test_smooth_pixels_are_like_their_neighbours_and_standardised(self):
        shape = (4, 64, 128, 4)
        x = dropout_error.smooth(np.random.default_rng(0), shape)
        self.assertEqual(x.dtype, np.float32)
        np.testing.assert_allclose(x.mean((1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(x.std((1, 2)), 1, rtol=1e-5)
        # A Gaussian of deviation 3 correlates neighbours by exp(-1 / 36).
        neighbours = (x * np.roll(x, 1, axis=2)).mean()
        self.assertAlmostEqual(neighbours, np.exp(-1 / 36), delta=0.003)
        y = dropout_error.independent(np.random.default_rng(0), shape)
        self.assertAlmostEqual((y * np.roll(y, 1, 2)).mean(), 0, delta=0.02)
        z = dropout_error.rectified(np.random.default_rng(0), shape)
        np.testing.assert_array_equal(z, np.where(x > 0, x, 0))


class MeasureTest(parameterized.TestCase):
    def test_independent_pixels_give_the_root_of_the_probability(self):
        # y' - y is the filter's output of x (1 - m). Of independent pixels of
        # mean 0 and variance 1, x (1 - m) has covariance p I where x has I, so
        # that E |y' - y|² = p E |y|², for any linear filter.
        settings = {"repeats": 3, "draws": 16}
        errors = measured("independent", **settings)["none"].relative ** 2
        deviation = errors.std(axis=1) / np.sqrt(errors.shape[1])
        difference = np.abs(errors.mean(axis=1) - PROBABILITIES)
        np.testing.assert_array_less(difference, 4 * deviation + 1e-12)
        np.testing.assert_array_less(deviation, 0.005)

    @parameterized.parameters(*dropout_error.INPUTS)
    def test_without_dropout_there_is_none_and_with_more_there_is_more(self, x):
        for row in measured(x).values():
            for errors in (row.relative, row.unscaled):
                self.assertEqual(errors.shape, (4, 12))
                np.testing.assert_array_equal(errors[0], 0)
                # The pixels that are dropped are among the next ones.
                self.assertTrue((np.diff(errors, axis=0) > 0).all())

    def test_alone_both_errors_are_the_same(self):
        alone = measured("smooth", repeats=1)["none"]
        np.testing.assert_array_equal(alone.relative, alone.unscaled)
        self.assertEqual(alone.open_share, 1)

    @parameterized.parameters(*dropout_error.INPUTS)
    def test_a_random_module_makes_outputs_smaller_not_steadier(self, inputs):
        errors = measured(inputs)
        alone, module = errors["none"], errors["random"]
        # Fig. 4's claim, for errors that are not measured by the output.
        self.assertTrue((module.unscaled[1:] < 0.7 * alone.unscaled[1:]).all())
        np.testing.assert_allclose(
            module.relative.mean(1), alone.relative.mean(1), rtol=0.02
        )

    def test_a_trained_module_is_steadier_by_choosing_channels(self):
        errors = measured("rectified", steps=150)
        means = {name: row.relative.mean(1) for name, row in errors.items()}
        self.assertTrue((means["steady"][1:] < 0.93 * means["none"][1:]).all())
        self.assertLess(errors["steady"].open_share, 0.5)
        # As steady without a look at the neighbourhood: no context is used.
        np.testing.assert_allclose(means["fixed"], means["steady"], rtol=0.01)

    def test_a_module_that_keeps_the_output_gains_little(self):
        errors = measured("rectified", steps=150)
        alone = errors["none"].relative.mean(1)[1:]
        kept = errors["faithful"].relative.mean(1)[1:]
        self.assertGreater(errors["faithful"].open_share, 0.95)
        np.testing.assert_array_less(0.9 * alone, kept)

    def test_is_the_same_for_the_same_seed(self):
        a, b, c = (
            measured("rectified", repeats=1, steps=3, seed=seed)
            for seed in (5, 5, 6)
        )
        for name in dropout_error.MODULES:
            # Threads may add up in another order.
            np.testing.assert_allclose(
                a[name].relative, b[name].relative, rtol=1e-4
            )
            self.assertGreater(
                np.abs(a[name].relative - c[name].relative).max(), 1e-3
            )

    def test_table_has_a_line_for_each_probability(self):
        errors = dropout_error.measure(
            [0.25], "smooth", repeats=1, draws=1, filters=4, steps=0
        )
        lines = dropout_error.table([0.25], errors).splitlines()
        self.assertLen(lines, 5)
        self.assertEqual(lines[0].split()[-5:], list(dropout_error.MODULES))
        mean = f"{errors[0].relative[0, 0]:.3f}"
        self.assertEqual(
            lines[1].split()[:6], f"p = 0.25 {mean} ± 0.000".split()
        )

    @parameterized.parameters(
        ({"inputs": "rough"}, "inputs must be one of .*'rough'"),
        ({"probabilities": [0.2, 1.0]}, "must lie in 0..1"),
        ({"probabilities": []}, "must lie in 0..1"),
        ({"draws": 0}, "at least 1; got 3, 0"),
    )
    def test_refuses_what_cannot_be_measured(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            dropout_error.measure(**({"probabilities": [0.1]} | arguments))


if __name__ == "__main__":
    absltest.main()
