"""Quantisation against the released code's vectors and its own equations."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.ops import quantization
from tests import shared_files

_VECTORS = "reference/architectures/vectors"


def with_gradients(function, inputs, pull):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        result = function(*inputs)
    return result, tape.gradient(result, inputs, output_gradients=pull)


class QuantizeTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 4, 8)
    def test_is_the_nearest_of_all_levels(self, bits):
        x = np.random.default_rng(bits).random(500)
        grid = np.arange(2**bits) / (2**bits - 1)
        want = grid[np.abs(x[:, np.newaxis] - grid).argmin(axis=1)]
        got, (gradient,) = with_gradients(
            lambda x: quantization.quantize(x, bits), [x], np.arange(500.0)
        )
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-15)
        np.testing.assert_allclose(gradient, np.arange(500.0), rtol=1e-15)

    def test_halves_go_to_even_levels(self):
        x = tf.constant([0.5, 1.5, 2.5]) / 3
        np.testing.assert_allclose(
            quantization.quantize(x, 2), np.array([0, 2, 2]) / 3, atol=1e-7
        )

    @parameterized.parameters(0, -1, 17, 31)
    def test_bad_bits_are_refused(self, bits):
        with self.assertRaisesRegex(ValueError, f"bits must be .* got {bits}"):
            quantization.quantize(tf.zeros(3), bits)


class WeightsTest(parameterized.TestCase):
    def test_weights_that_are_all_zero_stay_finite(self):
        got, (gradient,) = with_gradients(
            lambda w: quantization.quantize_weights(w, 4),
            [np.zeros(5)],
            np.ones(5),
        )
        np.testing.assert_allclose(got, np.full(5, 1 / 15))  # 2 round(7.5) - 15
        self.assertTrue(np.isfinite(gradient).all())

    @parameterized.parameters(1, 2, 4, 8)
    def test_equal_the_released_codes(self, bits):
        found = np.load(shared_files.path(f"{_VECTORS}/dorefa.npz"))
        got, (gradient,) = with_gradients(
            lambda w: quantization.quantize_weights(w, bits),
            [found[f"w{bits}"]],
            found[f"g{bits}"],
        )
        np.testing.assert_allclose(got, found[f"wq{bits}"], atol=1e-6)
        np.testing.assert_allclose(gradient, found[f"dw{bits}"], atol=1e-6)
        for form, key in (
            ("released", "wq_dirac"),
            ("released_dense", "wq_dirac_fc"),
        ):
            got = quantization.quantize_weights(found[f"w{bits}"], bits, form)
            np.testing.assert_allclose(got, found[f"{key}{bits}"], atol=1e-6)

    @parameterized.product(bits=(1, 2, 4, 7), form=quantization.WEIGHT_FORMS)
    def test_are_whole_levels_of_so_many_bits(self, bits, form):
        weights = np.random.default_rng(0).normal(size=(40, 30))
        levels, unit = quantization.weight_levels(weights, bits, form)
        levels = levels.numpy()
        np.testing.assert_array_equal(levels, np.rint(levels))
        self.assertLessEqual(len(np.unique(levels)), 2**bits)
        np.testing.assert_allclose(
            quantization.quantize_weights(weights, bits, form), levels * unit
        )
        if form == "thesis":  # symmetric, and the largest weight is 1 or -1
            self.assertEqual(np.abs(levels * unit).max(), 1)

    def test_unknown_form_is_refused(self):
        with self.assertRaisesRegex(ValueError, "form must be one of"):
            quantization.weight_levels(tf.ones(3), 4, "signed")


class PactTest(parameterized.TestCase):
    @parameterized.product(
        bits=(2, 4, 8, 32), case=(("s2", 2.0), ("alpha", None))
    )
    def test_equals_the_released_code(self, bits, case):
        key, scale = case
        found = np.load(shared_files.path(f"{_VECTORS}/pact.npz"))
        got, gradients = with_gradients(
            lambda x, alpha: quantization.pact(x, alpha, bits, scale),
            [found[f"x{bits}"], found[f"alpha{bits}"]],
            found[f"g{bits}"],
        )
        np.testing.assert_allclose(got, found[f"y_{key}_{bits}"], atol=1e-6)
        for gradient, name in zip(gradients, ("dx", "dalpha")):
            np.testing.assert_allclose(
                gradient, found[f"{name}_{key}_{bits}"], rtol=1e-5, atol=1e-5
            )

    def test_large_inputs_are_clipped_too(self):
        x = tf.constant([-1e8, -3e7, 3e7, 1e8])
        for bits in (4, 32):
            np.testing.assert_allclose(
                quantization.pact(x, tf.constant(1.3), bits, 2.0), [0, 0, 2, 2]
            )

    def test_levels_are_found_again(self):
        x = np.random.default_rng(0).normal(size=1000).astype(np.float32) * 3
        for bits, scale in ((1, 2.0), (4, 2.0), (4, 10.0), (8, 6.0)):
            y = quantization.pact(x, tf.constant(2.5), bits, scale)
            levels = quantization.activation_levels(y, bits, scale)
            clipped = np.clip(x, 0, 2.5) / 2.5 * (2**bits - 1)
            clear = np.abs(clipped % 1 - 0.5) > 1e-4  # no matter of rounding
            np.testing.assert_array_equal(
                levels[clear], np.rint(clipped)[clear]
            )
            np.testing.assert_array_equal(levels, np.rint(levels))


if __name__ == "__main__":
    absltest.main()
