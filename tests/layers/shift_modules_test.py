"""CSC and SC2: released blocks, and the thesis's written out in NumPy."""

import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import export
from squeeze_tf.layers import shift_modules
from squeeze_tf.ops import shift_offsets
from tests import shared_files

keras = tf.keras
PLAIN = shift_modules.Settings()
THESIS = (("csc", shift_modules.csc), ("sc2", shift_modules.sc2))


def block(make, shape, *arguments, **options):
    """A model of one block with random statistics and scales."""
    keras.utils.set_random_seed(0)
    x = keras.Input(shape)
    model = keras.Model(
        x, make(x, *arguments, name="b", **({"settings": PLAIN} | options))
    )
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.shape.rank == 1:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def shifted(x, kernel_size, dilation_rate=1):
    """Every channel moved by its offset, as the equation says."""
    offsets = shift_offsets.interleaved(x.shape[3], kernel_size, dilation_rate)
    y = np.zeros_like(x)
    rows, columns = x.shape[1:3]
    for c, (dy, dx) in enumerate(offsets):
        for i in range(rows):
            for j in range(columns):
                if 0 <= i + dy < rows and 0 <= j + dx < columns:
                    y[:, i, j, c] = x[:, i + dy, j + dx, c]
    return y


def normalized_relu(x, layer):
    scale, offset, mean, variance = layer.get_weights()
    x = (x - mean) / np.sqrt(variance + 1e-5) * scale + offset
    return np.maximum(x, 0)


def pooled(x):
    """3x3 averages of stride 2, with zeros beyond the border."""
    rows, columns = ((size + 1) // 2 for size in x.shape[1:3])
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    return np.stack(
        [
            np.stack(
                [
                    padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].mean((1, 2))
                    for j in range(columns)
                ],
                1,
            )
            for i in range(rows)
        ],
        1,
    )


class ReleasedTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_block_is_that_of_the_released_code(self, number):
        path = f"reference/architectures/vectors/csc_resnet{number}.npz"
        found = np.load(shared_files.path(path))
        cin, cout, strides, expansion = found["cfg"].tolist()
        x = keras.Input(found["x"].shape[1:])
        settings = shift_modules.Settings(epsilon=float(found["bn1_eps"]))
        model = keras.Model(
            x,
            shift_modules.csc_released(
                x,
                cout,
                expansion=expansion,
                strides=strides,
                name="b",
                settings=settings,
            ),
        )
        for ours, theirs in (
            ("b_bn1", "bn1"),
            ("b_bn2", "bn2"),
            ("b_shortcut_bn", "short_bn"),
        ):
            if f"{theirs}_gamma" in found:
                model.get_layer(ours).set_weights(
                    [
                        found[f"{theirs}_{part}"]
                        for part in ("gamma", "beta", "mean", "var")
                    ]
                )
        for ours, theirs in (
            ("b_conv1", "w1"),
            ("b_conv2", "w2"),
            ("b_shortcut", "short_w"),
        ):
            if theirs in found:
                kernel = found[theirs][None, None]
                model.get_layer(ours).set_weights([kernel])
        self.assertEqual("short_w" in found, cin != cout or strides != 1)
        np.testing.assert_allclose(model(found["x"]), found["y"], atol=1e-5)


class ThesisTest(parameterized.TestCase):
    @parameterized.product(
        kind=THESIS,
        case=((6, 1, "concat"), (16, 2, "concat"), (6, 2, "convolve")),
        size=((5, 6), (4, 7)),
    )
    def test_module_is_its_steps(self, kind, case, size):
        name, make = kind
        filters, strides, downsampling = case
        model = block(
            make,
            (*size, 6),
            filters,
            expansion=3,
            kernel_size=3,
            strides=strides,
            downsampling=downsampling,
        )
        x = np.random.default_rng(1).normal(size=(2, *size, 6))
        kernels = [
            model.get_layer(f"b_conv{step}").get_weights()[0][0, 0]
            for step in (1, 2)
        ]
        self.assertEqual(kernels[0].shape, (6, 18))
        y = normalized_relu(x, model.get_layer("b_bn1"))
        y = (shifted(y, 3) if name == "sc2" else y) @ kernels[0]
        y = shifted(normalized_relu(y, model.get_layer("b_bn2")), 3)
        y = (y @ kernels[1])[:, ::strides, ::strides]
        if filters == 6 and strides == 1:
            y = x + y
        elif downsampling == "concat":
            y = np.concatenate([pooled(x), y], axis=-1)
        np.testing.assert_allclose(model(x), y, atol=1e-5)

    @parameterized.parameters(*THESIS)
    def test_kernel_size_and_dilation_reach_farther(self, name, make):
        x = np.zeros((1, 15, 15, 50))
        x[0, 7, 7] = 1
        reach = {}
        for kernel_size, dilation in ((3, 1), (5, 1), (3, 2)):
            model = block(
                make,
                (15, 15, 50),
                50,
                expansion=1,
                kernel_size=kernel_size,
                dilation_rate=dilation,
            )
            changed = np.abs(model(x) - model(0 * x)).max((0, 2, 3)) > 1e-6
            reach[kernel_size, dilation] = 7 - int(changed.argmax())
        steps = {"csc": 1, "sc2": 2}[name]  # shifts one after another
        self.assertEqual(
            reach, {(3, 1): steps, (5, 1): 2 * steps, (3, 2): 2 * steps}
        )

    def test_expansion_counts_the_input_or_where_told_the_output(self):
        # Ch. 6 §3.2: M = 32, N = 64, E = 4; 1x1 kernels of both steps.
        for downsampling, middle, made in (
            ("concat", 4 * 32, 64 - 32),
            ("convolve", 4 * 64, 64),
        ):
            model = block(
                shift_modules.csc,
                (4, 4, 32),
                64,
                expansion=4,
                strides=2,
                downsampling=downsampling,
            )
            kernels = sum(
                int(tf.size(w)) for w in model.weights if w.shape.rank == 4
            )
            self.assertEqual(kernels, 32 * middle + middle * made)
            self.assertEqual(model.output_shape, (None, 2, 2, 64))

    def test_they_are_built_of_operators_that_tflite_has(self):
        x = image = keras.Input((6, 6, 18), name="image")
        for name, filters, strides in (("a", 18, 1), ("b", 24, 2)):
            x = shift_modules.sc2(
                x,
                filters,
                expansion=1,
                strides=strides,
                dilation_rate=2,
                name=name,
                settings=PLAIN,
            )
        model = keras.Model(image, x)
        noise = np.random.default_rng(0).normal(size=(1, 6, 6, 18))
        with tempfile.TemporaryDirectory() as folder:
            export.tflite(model, f"{folder}/m.tflite", "float32")
            lite = tf.lite.Interpreter(f"{folder}/m.tflite")
            run = lite.get_signature_runner()
            (found,) = run(image=noise.astype(np.float32)).values()
        np.testing.assert_allclose(found, model(noise), atol=1e-5)

    def test_other_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "downsampling must be one of"):
            block(
                shift_modules.csc, (4, 4, 6), 6, expansion=1, downsampling="x"
            )
        with self.assertRaisesRegex(ValueError, "widen the input of 6 chan"):
            block(shift_modules.csc, (4, 4, 6), 6, expansion=1, strides=2)


class PartsTest(parameterized.TestCase):
    @parameterized.product(size=(3, 7), strides=(1, 2), depthwise=(False, True))
    def test_convolution_is_centred_whatever_its_stride(
        self, size, strides, depthwise
    ):
        model = block(
            shift_modules.convolution,
            (8, 9, 2),
            None if depthwise else 4,
            size,
            strides=strides,
        )
        dense = block(
            shift_modules.convolution,
            (8, 9, 2),
            None if depthwise else 4,
            size,
        )
        dense.set_weights(model.get_weights())
        x = np.random.default_rng(0).normal(size=(1, 8, 9, 2))
        np.testing.assert_allclose(
            model(x), dense(x)[:, ::strides, ::strides], atol=1e-5
        )

    def test_weight_decay_is_half_lambda_times_the_squared_kernels(self):
        model = block(
            shift_modules.csc_released,
            (4, 4, 3),
            5,
            expansion=2,
            settings=shift_modules.Settings(weight_decay=0.3),
        )
        squares = sum(
            np.sum(np.float64(w) ** 2)
            for w in model.get_weights()
            if w.ndim == 4
        )
        self.assertAlmostEqual(
            sum(float(v) for v in model.losses), 0.15 * squares, delta=1e-4
        )
        self.assertLen(model.losses, 3)  # two steps and the shortcut

    @parameterized.parameters((None, 9), (200, 9 * 400))
    def test_kernels_start_with_hes_variance(self, filters, products):
        keras.utils.set_random_seed(0)
        x = keras.Input((5, 5, 400))
        y = shift_modules.convolution(
            x, filters, 3, name="c", settings=shift_modules.Settings()
        )
        (kernel,) = keras.Model(x, y).get_weights()
        # 3,600 draws and more: five standard deviations are 12 %.
        self.assertAlmostEqual(kernel.var() * products / 2, 1, delta=0.12)

    def test_pool_takes_the_maximum_around_every_second_pixel(self):
        x = keras.Input((5, 4, 1))
        model = keras.Model(x, shift_modules.pool(x, "max", 2, name="p"))
        image = np.random.default_rng(0).uniform(size=(1, 5, 4, 1))
        expected = [
            [image[0, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].max()]
            for i in (0, 2, 4)
            for j in (0, 2)
        ]
        np.testing.assert_allclose(
            model(image).numpy().reshape(-1, 1), expected, rtol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
