"""Operators against loops, fractions and stock operators."""

import fractions

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.layers import channels
from squeeze_tf.ops import shift_offsets
from tests import shared_files
from tools.synetgy import operators


def random_levels(*shape, bits=4, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 2**bits, shape).astype(np.uint8)


class SumsTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3)
    def test_convolution_equals_loops(self, stride):
        x = random_levels(2, 5, 4, 3, bits=8)
        kernel = np.random.default_rng(1).integers(-128, 128, (3, 2))
        found = operators.convolve(x, kernel.astype(np.int8), stride=stride)
        self.assertEqual(found.dtype, np.int32)
        self.assertEqual(found.shape, (2, -(-5 // stride), -(-4 // stride), 2))
        for b, i, j, n in np.ndindex(*found.shape):
            pixel = x[b, stride * i, stride * j].tolist()
            weights = kernel[:, n].tolist()
            wanted = sum(p * w for p, w in zip(pixel, weights, strict=True))
            self.assertEqual(found[b, i, j, n], wanted)

    def test_fully_connected_equals_loops(self):
        sums = np.array([[735, 0, 12], [1, 2, 3]], np.int32)
        kernel = np.array([[7, -8], [1, 2], [-3, 0]], np.int8)
        bias = np.array([10, -5], np.int32)
        # 735 * 7 - 36 + 10 and -735 * 8 - 5; 7 + 2 - 9 + 10 and -8 + 4 - 5.
        found = operators.fully_connected(sums, kernel, bias)
        self.assertEqual(found.tolist(), [[5119, -5885], [10, -9]])

    def test_sums_that_do_not_fit_are_noticed(self):
        x = np.full((1, 1, 1, 2), 15, np.uint8)
        kernel = np.array([[7, -8], [7, -8]], np.int8)  # 210 and -240
        found = operators.convolve(x, kernel, accumulator_bits=9)
        self.assertEqual(found.ravel().tolist(), [210, -240])
        message = "of 8 bits hold -128 to 127; the sums are -240 to 210"
        with self.assertRaisesRegex(ValueError, message):
            operators.convolve(x, kernel, accumulator_bits=8)
        with self.assertRaisesRegex(ValueError, "must be 2 to 32; got 33"):
            operators.convolve(x, kernel, accumulator_bits=33)
        sums = np.full((1, 2), 2**28, np.int32)
        with self.assertRaisesRegex(ValueError, "of 32 bits hold -2147483648"):
            operators.fully_connected(sums, kernel, np.zeros(2, np.int32))

    def test_channels_must_fit(self):
        kernel = np.zeros((2, 2), np.int8)
        with self.assertRaisesRegex(ValueError, "3 channels .* got .2, 2"):
            operators.convolve(random_levels(1, 1, 1, 3), kernel)
        with self.assertRaisesRegex(ValueError, "3 channels .* got .2, 2"):
            operators.fully_connected(
                np.zeros((1, 3), np.int32), kernel, np.zeros(2, np.int32)
            )

    def test_sum_of_places_is_exact(self):
        x = np.full((2, 7, 7, 3), 255, np.uint8)
        x[0, 0, 0, 1] = 0
        found = operators.sum_places(x)
        self.assertEqual(found.dtype, np.int32)
        full = 49 * 255
        self.assertEqual(found.tolist(), [[full, full - 255, full], [full] * 3])


class ActQuantTest(parameterized.TestCase):
    @parameterized.product(bits=(1, 2, 4), alpha=("3/2", "1/3"))
    def test_is_the_table_of_the_equations(self, bits, alpha):
        # Ch. 6 Eqs. 11-12 in fractions: sums n of unit 1 / 16 and a factor.
        alpha, steps = fractions.Fraction(alpha), 2**bits - 1
        sums = np.arange(-60, 61)

        def level(n, factor):
            x = fractions.Fraction(int(n), 16) * factor
            clipped = (abs(x) - abs(x - alpha) + alpha) / 2
            return round(clipped / alpha * steps)  # halves to even

        factors = (1, fractions.Fraction(2, 5))
        wanted = np.array([[level(n, f) for f in factors] for n in sums])
        thresholds = np.array(
            [
                [
                    next((n for n, m in zip(sums, column) if m >= rank), 10**6)
                    for rank in range(1, steps + 1)
                ]
                for column in wanted.T
            ]
        )
        both = np.stack([sums, sums], axis=-1).astype(np.int32)
        found = operators.act_quant(both, thresholds)
        self.assertEqual(found.dtype, np.uint8)
        np.testing.assert_array_equal(found, wanted)
        self.assertEqual(found.max(), steps)

    def test_constant_levels(self):
        limits = np.iinfo(np.int32)
        thresholds = np.array([[limits.min, limits.min, limits.max]])
        sums = np.array([[-(10**6)], [0], [10**6]], np.int32)
        found = operators.act_quant(sums, thresholds)
        self.assertEqual(found.ravel().tolist(), [2, 2, 2])


class MovingTest(parameterized.TestCase):
    @parameterized.parameters((6, 4), (5, 7), (2, 2))
    def test_max_pooling_equals_tensorflows(self, height, width):
        x = random_levels(2, height, width, 3)
        wanted = tf.nn.max_pool2d(x.astype(np.float32), 2, 2, "VALID")
        np.testing.assert_array_equal(operators.max_pool(x), wanted)

    @parameterized.parameters(
        ("cardinal", 3, 1), ("interleaved", 3, 2), ("contiguous", 5, 1)
    )
    def test_shift_equals_one_hot_kernels(self, convention, size, rate):
        x = random_levels(2, 5, 4, 26)
        offsets = shift_offsets.CONVENTIONS[convention](26, size, rate)
        reach = np.abs(offsets).max()
        kernels = np.zeros((2 * reach + 1, 2 * reach + 1, 26, 1))
        for channel, (dy, dx) in enumerate(offsets):  # Ch. 6 §2.1, Eqs. 6-7
            kernels[reach + dy, reach + dx, channel] = 1.0
        wanted = tf.nn.depthwise_conv2d(
            x.astype(np.float64), kernels, [1] * 4, "SAME"
        )
        found = operators.shift(x, offsets)
        self.assertEqual(found.dtype, np.uint8)
        np.testing.assert_array_equal(found, wanted)

    @parameterized.parameters(range(4))
    def test_shift_moves_as_the_released_code_does(self, case):
        path = shared_files.path(
            "reference/architectures/vectors/shift_dirac.npz"
        )
        with np.load(path) as vectors:
            x, wanted = vectors[f"x{case}"], vectors[f"y{case}"]
        # Places of the values are moved instead of the values; 0 is outside.
        places = 1 + np.arange(x.size).reshape(x.shape)
        offsets = shift_offsets.cardinal(x.shape[-1])
        values = np.concatenate([[0.0], x.ravel()])
        found = values[operators.shift(places, offsets)]
        np.testing.assert_array_equal(found, wanted)

    def test_copy_concatenates_and_reorders(self):
        a, b = random_levels(1, 2, 2, 3), random_levels(1, 2, 2, 2, seed=1)
        found = operators.copy_channels([a, b], np.array([4, 0, 3, 2, 1]))
        wanted = np.stack(
            [b[..., 1], a[..., 0], b[..., 0], a[..., 2], a[..., 1]], axis=-1
        )
        np.testing.assert_array_equal(found, wanted)

    def test_orders_of_figure_10(self):
        # Two branches of four channels: 0 ... 3 and 4 ... 7.
        self.assertEqual(
            operators.interleaving(8).tolist(), [0, 4, 1, 5, 2, 6, 3, 7]
        )
        self.assertEqual(
            operators.rotation(8).tolist(), [6, 7, 0, 1, 2, 3, 4, 5]
        )

    @parameterized.parameters(2, 3, 4)
    def test_orders_equal_the_layers(self, parts):
        x = random_levels(1, 2, 2, 24, bits=8)
        for layer, order in (
            (channels.ChannelShuffle(parts), operators.interleaving),
            (channels.ChannelRotation(parts), operators.rotation),
        ):
            found = operators.copy_channels([x], order(24, parts))
            np.testing.assert_array_equal(found, layer(x))


class LevelsTest(parameterized.TestCase):
    @parameterized.parameters((1, 2.0), (4, 6.0), (8, 1.0), (7, 0.3))
    def test_come_back(self, bits, scale):
        levels = np.arange(2**bits).astype(np.uint8)
        floats = operators.from_levels(levels, bits, scale)
        self.assertEqual(floats.dtype, np.float32)
        wanted = np.arange(2**bits) * scale / (2**bits - 1)  # Eq. 12
        np.testing.assert_allclose(floats, wanted, rtol=1e-6)
        again = operators.to_levels(floats, bits, scale, "x")
        np.testing.assert_array_equal(again, levels)

    @parameterized.parameters(-0.2, 2.2)
    def test_outside_the_range_are_refused(self, value):
        x = np.array([1.0, value], np.float32)
        message = f"conv1 must lie in 0 to 2, .* got .*{value}"
        with self.assertRaisesRegex(ValueError, message):
            operators.to_levels(x, 4, 2.0, "conv1")


if __name__ == "__main__":
    absltest.main()
