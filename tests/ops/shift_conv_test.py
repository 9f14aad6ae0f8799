"""Shift and the fused convolution: both forms against loops and each other."""

import contextlib
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.ops import custom_ops, shift_conv, shift_offsets
from tests import scripts, shared_files

BOTH = (
    ("stock", custom_ops.stock_ops_only),
    ("custom", contextlib.nullcontext),
)
_VECTORS = "reference/architectures/vectors"
# B, H, W, C, filters, strides, offsets: odd and tiny sizes, parts of vectors
# and of tiles, rows that fill a tile alone and in pairs, several panels.
CASES = (
    (2, 5, 7, 9, 4, 1, shift_offsets.interleaved(9, 3)),
    (1, 7, 7, 32, 33, 1, shift_offsets.contiguous(32, 3, 2)),
    (2, 3, 30, 17, 16, 2, shift_offsets.interleaved(17, 3)),
    (1, 11, 5, 70, 70, 1, shift_offsets.interleaved(70, 5)),
    (1, 9, 13, 50, 7, 3, shift_offsets.contiguous(50, 7)),
    (1, 8, 6, 49, 40, 2, shift_offsets.interleaved(49, 7, 2)),
    (3, 1, 1, 5, 3, 1, shift_offsets.cardinal(5)),
    (1, 2, 29, 1, 1, 1, np.array([[1, -2]])),
    (1, 4, 4, 3, 2, 1, np.array([[9, 0], [0, -9], [4, 4]])),  # all leave
    (2, 6, 15, 160, 24, 1, shift_offsets.cardinal(160)),
    (1, 5, 3, 12, 96, 5, shift_offsets.contiguous(12, 3)),
)


def loop(x, kernel, offsets, bias=None, strides=1, relu=False):
    """The equation of shift_conv2d(), pixel by pixel."""
    batch, height, width, channels = x.shape
    rows, columns = -(-height // strides), -(-width // strides)
    out = np.zeros((batch, rows, columns, kernel.shape[1]))
    for b, y, x_, c in np.ndindex(batch, rows, columns, channels):
        at_y, at_x = y * strides + offsets[c][0], x_ * strides + offsets[c][1]
        if 0 <= at_y < height and 0 <= at_x < width:
            out[b, y, x_] += x[b, at_y, at_x, c] * kernel[c]
    if bias is not None:
        out += bias
    return np.maximum(out, 0) if relu else out


def example(case, dtype=np.float32, seed=0):
    batch, height, width, channels, filters, strides, offsets = case
    random = np.random.default_rng(seed)
    x = random.normal(size=(batch, height, width, channels))
    kernel = random.normal(size=(channels, filters)) / np.sqrt(channels)
    bias = random.normal(size=filters)
    return (
        tf.constant(x, dtype),
        tf.constant(kernel, dtype),
        tf.constant(bias, dtype),
        {"offsets": offsets, "strides": strides},
    )


def gradients(inputs, settings, ops):
    """The result, and gradients of all inputs for a given one of it."""
    x, kernel, *bias = inputs

    @tf.function
    def run(*variables):
        with tf.GradientTape() as tape:
            tape.watch(variables)
            result = shift_conv.shift_conv2d(
                *variables[:2],
                bias=variables[2] if bias else None,
                **settings,
            )
        pull = np.random.default_rng(7).normal(size=result.shape)
        pull = tf.constant(pull, result.dtype)
        return result, *tape.gradient(result, variables, output_gradients=pull)

    with ops():
        return run(x, kernel, *bias)


class ShiftTest(parameterized.TestCase):
    def test_equals_the_released_operators(self):
        tables = {
            "shift_modulo": (range(9), "offsets_modulo"),
            "shift_contiguous": ((0, 1, 2, 4, 5, 6, 8), "offsets"),
            "shift_dirac": (range(4), "offsets"),
        }
        for name, (cases, key) in tables.items():
            found = np.load(shared_files.path(f"{_VECTORS}/{name}.npz"))
            for case in cases:
                x, offsets = found[f"x{case}"], found[f"{key}{case}"]
                got = shift_conv.shift(x, offsets)
                np.testing.assert_array_equal(got, found[f"y{case}"])

    def test_gradient_equals_the_released_adjoint(self):
        found = np.load(shared_files.path(f"{_VECTORS}/shift_modulo.npz"))
        for case in range(9):
            x = tf.constant(found[f"x{case}"])
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = shift_conv.shift(x, found[f"offsets_modulo{case}"])
            got = tape.gradient(y, x, output_gradients=found[f"dy{case}"])
            np.testing.assert_array_equal(got, found[f"dx{case}"])

    @parameterized.parameters(*CASES)
    def test_moves_each_channel(
        self, batch, height, width, channels, _, strides, offsets
    ):
        del strides
        case = (batch, height, width, channels, 1, 1, offsets)
        x = example(case, np.float64)[0].numpy()
        want = loop(x, np.eye(channels), offsets)
        np.testing.assert_array_equal(shift_conv.shift(x, offsets), want)


class ShiftConvTest(parameterized.TestCase):
    @parameterized.product(case=CASES, form=BOTH, relu=(False, True))
    def test_equals_the_equation(self, case, form, relu):
        x, kernel, bias, settings = example(case)
        want = loop(
            x.numpy(), kernel.numpy(), bias=bias.numpy(), relu=relu, **settings
        )
        with form[1]():
            got = shift_conv.shift_conv2d(
                x, kernel, bias=bias, relu=relu, **settings
            )
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * 9)

    @parameterized.product(case=CASES[:6], relu=(False, True))
    def test_twins_gradients_are_those_of_finite_differences(self, case, relu):
        batch, height, width, channels, _, strides, offsets = case
        case = (1, min(height, 4), min(width, 5), channels, 3, strides, offsets)
        x, kernel, bias, settings = example(case, np.float64)
        pull = np.random.default_rng(1).normal(size=(1, 4, 5, 3))

        def scalar(x, kernel, bias):
            with custom_ops.stock_ops_only():
                y = shift_conv.shift_conv2d(
                    x, kernel, bias=bias, relu=relu, **settings
                )
            return tf.reduce_sum(y * pull[:, : y.shape[1], : y.shape[2]])

        for got, want in zip(
            *tf.test.compute_gradient(scalar, [x, kernel, bias], delta=1e-6)
        ):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-7)

    @parameterized.product(case=CASES, with_bias=(False, True))
    def test_gradients_equal_the_twins(self, case, with_bias):
        x, kernel, bias, settings = example(case)
        inputs = (x, kernel, bias) if with_bias else (x, kernel)
        for relu in (False, True):
            both = [
                gradients(inputs, settings | {"relu": relu}, ops)
                for _, ops in BOTH
            ]
            for stock, custom in zip(*both):
                scale = np.abs(stock).max() + 1e-9
                np.testing.assert_allclose(
                    custom, stock, rtol=0, atol=1e-5 * scale
                )

    def test_equal_the_twins_for_many_sizes(self):
        # C 1 to 70, K 3, 5, 7, dilation 1, 2, stride 1, 2, odd sizes.
        random = np.random.default_rng(0)
        sides = (1, 3, 5, 9, 15, 31)
        for channels in (*range(1, 71, 3), 64, 70):
            convention = random.choice(["interleaved", "contiguous"])
            offsets = shift_offsets.CONVENTIONS[convention](
                channels, random.choice([3, 5, 7]), random.choice([1, 2])
            )
            case = (
                *random.choice([1, 2], 1),
                *random.choice(sides, 2),
                channels,
                random.integers(1, 71),
                random.integers(1, 3),
                offsets,
            )
            x, kernel, bias, settings = example(case)
            settings["relu"] = bool(random.integers(2))
            both = [
                gradients((x, kernel, bias), settings, ops) for _, ops in BOTH
            ]
            for stock, custom in zip(*both):
                scale = np.abs(stock).max() + 1e-9
                np.testing.assert_allclose(
                    custom, stock, rtol=0, atol=1e-5 * scale
                )

    @parameterized.parameters(
        (2, 28, 28, 64, 64, 1),  # shared out by images and rows
        (1, 7, 7, 256, 256, 1),  # by rows of the kernel and filters
        (1, 31, 33, 130, 16, 2),  # by channels
    )
    def test_equal_the_twins_for_large_maps(self, *sizes):
        case = (*sizes, shift_offsets.interleaved(sizes[3]))
        x, kernel, bias, settings = example(case)
        both = [gradients((x, kernel, bias), settings, ops) for _, ops in BOTH]
        for stock, custom in zip(*both):
            np.testing.assert_allclose(
                custom, stock, rtol=0, atol=1e-5 * np.abs(stock).max()
            )

    @parameterized.parameters((16, 1), (32, 4))
    def test_smaller_vectors_and_more_threads(self, vector_bytes, threads):
        tests = [
            f"ShiftConvTest.{name}"
            for name in dir(self)
            if name.startswith(("test_equal", "test_gradients_equal"))
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

    def test_unknown_batch_and_size_are_traced(self):
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, None, 9)),
                tf.TensorSpec((9, None)),
            ]
        )
        def run(x, kernel):
            y = shift_conv.shift_conv2d(
                x, kernel, shift_offsets.interleaved(9), strides=2
            )
            self.assertEqual(y.shape.as_list(), [None] * 4)
            return y

        self.assertEqual(
            run(tf.zeros((2, 5, 7, 9)), tf.zeros((9, 4))).shape, (2, 3, 4, 4)
        )

    def test_relu_keeps_what_is_no_number(self):
        x = tf.fill((1, 3, 4, 9), np.float32(np.nan))
        kernel, offsets = tf.ones((9, 5)), shift_offsets.interleaved(9)
        y = shift_conv.shift_conv2d(x, kernel, offsets, relu=True)
        self.assertTrue(np.isnan(y).all())

    def test_sizes_beyond_64_bits_are_refused(self):
        side = 2**20
        x, kernel = tf.zeros((side, side, side, 0)), tf.zeros((0, side))
        with self.assertRaises(tf.errors.InvalidArgumentError):
            shift_conv.shift_conv2d(x, kernel, np.zeros((0, 2), int))

    def test_without_channels_the_bias_is_left(self):
        x, kernel = tf.zeros((2, 3, 4, 0)), tf.zeros((0, 5))
        bias = tf.constant([1.0, -1.0, 0.0, 2.0, 3.0])
        offsets = np.zeros((0, 2), int)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, bias])
            y = shift_conv.shift_conv2d(x, kernel, offsets, bias=bias)
        np.testing.assert_array_equal(y, np.broadcast_to(bias, (2, 3, 4, 5)))
        gradients = tape.gradient(y, [x, kernel, bias])
        self.assertEqual(gradients[0].shape, x.shape)
        self.assertEqual(gradients[1].shape, kernel.shape)
        np.testing.assert_array_equal(gradients[2], [24] * 5)

    def test_nothing_in_nothing_out(self):
        offsets = shift_offsets.interleaved(9)
        kernel = tf.zeros((9, 4))
        for shape in ((0, 5, 7, 9), (2, 0, 7, 9)):
            x = tf.zeros(shape)
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = shift_conv.shift_conv2d(x, kernel, offsets)
            self.assertEqual(y.shape, (*shape[:3], 4))
            of_x, of_kernel = tape.gradient(y, [x, kernel])
            self.assertEqual(of_x.shape, x.shape)
            np.testing.assert_array_equal(of_kernel, np.zeros((9, 4)))

    def test_xla_uses_the_twin(self):
        x, kernel, bias, settings = example(CASES[0])

        def run(x, kernel, bias):
            return shift_conv.shift_conv2d(x, kernel, bias=bias, **settings)

        np.testing.assert_allclose(
            tf.function(run, jit_compile=True)(x, kernel, bias),
            run(x, kernel, bias),
            rtol=0,
            atol=1e-5,
        )

    def test_twin_is_made_of_operators_that_tflite_has(self):
        x, kernel, bias, settings = example(CASES[1])
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec(x.shape)])
        def run(x):
            return shift_conv.shift_conv2d(
                x, kernel, bias=bias, relu=True, **settings
            )

        with custom_ops.stock_ops_only(), tempfile.TemporaryDirectory() as to:
            module.run = run
            tf.saved_model.save(module, str(pathlib.Path(to) / "saved"))
            converter = tf.lite.TFLiteConverter.from_saved_model(
                str(pathlib.Path(to) / "saved")
            )
            lite = tf.lite.Interpreter(model_content=converter.convert())
        lite.allocate_tensors()
        lite.set_tensor(lite.get_input_details()[0]["index"], x.numpy())
        lite.invoke()
        got = lite.get_tensor(lite.get_output_details()[0]["index"])
        np.testing.assert_allclose(got, run(x), rtol=0, atol=1e-5)

    @parameterized.parameters(
        ({"offsets": np.zeros((4, 2), int)}, r"x must be \[B, H, W, 4\]"),
        ({"offsets": np.zeros((9, 3), int)}, r"\[C, 2\] int; got \(9, 3\)"),
        ({"offsets": np.zeros((9, 2))}, r"\[C, 2\] int; got \(9, 2\) float64"),
        ({"kernel": np.zeros((8, 4), np.float32)}, r"kernel must be \[9, filt"),
        ({"kernel": np.zeros((9,), np.float32)}, r"kernel must be \[9, filt"),
        ({"offsets": np.full((9, 2), 300)}, "offsets must be -256 to 256"),
        ({"bias": np.zeros(3, np.float32)}, r"bias must be \[4\]; got \(3,"),
        ({"strides": 0}, "strides must be at least 1; got 0"),
        ({"x": np.zeros((5, 7, 9), np.float32)}, r"x must be \[B, H, W, 9\]"),
    )
    def test_bad_arguments_are_refused(self, change, message):
        good = {
            "x": np.zeros((1, 5, 7, 9), np.float32),
            "kernel": np.zeros((9, 4), np.float32),
            "offsets": shift_offsets.interleaved(9),
        }
        with self.assertRaisesRegex(ValueError, message):
            shift_conv.shift_conv2d(**(good | change))


if __name__ == "__main__":
    absltest.main()
