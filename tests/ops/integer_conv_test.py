"""Whole numbers: both forms against a loop in 64 bits."""

import contextlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.ops import custom_ops, integer_conv, shift_offsets
from tests import scripts

BOTH = (
    ("stock", custom_ops.stock_ops_only),
    ("custom", contextlib.nullcontext),
)
# B, H, W, C, filters, strides, K of the shift: parts of groups, of vectors
# and of tiles; more sources of a vector than fit into registers.
CASES = (
    (2, 5, 7, 9, 4, 1, 3),
    (1, 7, 9, 65, 33, 2, 3),
    (1, 3, 31, 3, 16, 1, 1),
    (2, 6, 5, 200, 70, 1, 7),
    (1, 9, 4, 128, 32, 3, 5),
    (1, 1, 1, 520, 2, 1, 3),  # the twin needs float64
)


def example(case, seed=0):
    batch, height, width, channels, filters, strides, size = case
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (batch, height, width, channels))
    kernel = random.integers(-128, 128, (channels, filters))
    offsets = shift_offsets.interleaved(channels, size)
    return x.astype(np.uint8), kernel.astype(np.int8), offsets, strides


def loop(x, kernel, offsets, strides):
    """The sums, channel by channel, in 64 bits."""
    batch, height, width, _ = x.shape
    rows, columns = -(-height // strides), -(-width // strides)
    out = np.zeros((batch, rows, columns, kernel.shape[1]), np.int64)
    for y, x_, (c, (dy, dx)) in (
        (y, x_, pair)
        for y in range(rows)
        for x_ in range(columns)
        for pair in enumerate(offsets)
    ):
        at_y, at_x = y * strides + dy, x_ * strides + dx
        if 0 <= at_y < height and 0 <= at_x < width:
            value = x[:, at_y, at_x, c].astype(np.int64)
            out[:, y, x_] += value[:, np.newaxis] * kernel[c].astype(np.int64)
    return out


class IntegerConvTest(parameterized.TestCase):
    @parameterized.product(case=CASES, form=BOTH)
    def test_equals_a_loop(self, case, form):
        x, kernel, offsets, strides = example(case)
        want = loop(x, kernel, offsets, strides)
        with form[1]():
            got = integer_conv.integer_shift_conv2d(
                x, kernel, offsets, strides=strides
            )
        self.assertEqual(got.dtype, tf.int32)
        np.testing.assert_array_equal(got, want)

    @parameterized.product(case=CASES, form=BOTH, count=(1, 15, 255))
    def test_equals_the_thresholds_that_are_reached(self, case, form, count):
        x, kernel, offsets, strides = example(case)
        sums = loop(x, kernel, offsets, strides)
        random = np.random.default_rng(1)
        # Many of them are sums that occur.
        limits = random.choice(sums.ravel(), (kernel.shape[1], count))
        limits[0] = [np.iinfo(np.int32).min, *limits[0][1:]]
        limits[-1] = [*limits[-1][:-1], np.iinfo(np.int32).max]
        with form[1]():
            got = integer_conv.integer_shift_conv2d(
                x,
                kernel,
                offsets,
                thresholds=tf.constant(limits, tf.int32),
                strides=strides,
            )
        want = (sums[..., np.newaxis] >= limits).sum(axis=-1)
        self.assertEqual(got.dtype, tf.uint8)
        np.testing.assert_array_equal(got, want)

    @parameterized.parameters((16, 1), (32, 4))
    def test_smaller_vectors_and_more_threads(self, vector_bytes, threads):
        tests = [
            f"IntegerConvTest.{name}"
            for name in dir(self)
            if name.startswith(("test_equals", "test_large"))
        ]
        ran = scripts.finish(
            scripts.start(
                __file__,
                *tests,
                SQUEEZE_TF_MAX_VECTOR_BYTES=str(vector_bytes),
                TF_NUM_INTRAOP_THREADS=str(threads),
            )
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn(f"Ran {len(tests)} tests", ran.stderr)

    def test_large_maps_are_shared_out(self):
        x, kernel, offsets, strides = example((3, 28, 28, 64, 64, 1, 3))
        got = integer_conv.integer_shift_conv2d(x, kernel, offsets)
        with custom_ops.stock_ops_only():
            want = integer_conv.integer_shift_conv2d(x, kernel, offsets)
        np.testing.assert_array_equal(got, want)

    def test_operator_refuses_what_does_not_fit(self):
        library = custom_ops.library()
        if library is None:
            self.skipTest("the operators are not built")
        x, kernel, offsets, _ = example(CASES[0])
        good = {
            "x": x,
            "kernel": kernel,
            "thresholds": np.zeros((4, 3), np.int32),
            "Tout": tf.uint8,
            "offsets": offsets.ravel().tolist(),
        }
        library.squeeze_tf_integer_shift_conv2d(**good)
        for change in (
            {"x": x[0]},
            {"x": x[..., :8]},
            {"kernel": kernel[:8]},
            {"thresholds": np.zeros((3, 3), np.int32)},
            {"thresholds": np.zeros((4, 256), np.int32)},
            {"Tout": tf.int32},
            {"offsets": [0] * 17},
            {"strides": 0},
        ):
            with self.assertRaises(tf.errors.InvalidArgumentError):
                library.squeeze_tf_integer_shift_conv2d(**(good | change))


if __name__ == "__main__":
    absltest.main()
