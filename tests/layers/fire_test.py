"""Fire blocks: the thesis's parameter counts, interpolation, penalties."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.layers import fire

keras = tf.keras

PLAIN = fire.Convolutions(weight_decay=0.0)


def num_weights(model):
    """Kernel elements and bias elements of a model."""
    kernels = sum(
        w.shape.num_elements() for w in model.weights if w.shape.rank == 4
    )
    biases = sum(
        w.shape.num_elements() for w in model.weights if w.shape.rank == 1
    )
    return kernels, biases


def block(function, channels, settings=PLAIN, width=8):
    """A model of one block whose input and output channels are equal."""
    grid = keras.Input((4, width, channels))
    x = function(
        grid,
        squeeze=channels // 4,
        expand=channels // 2,
        name="block",
        settings=settings,
    )
    return keras.Model(grid, x)


class FireTest(parameterized.TestCase):
    @parameterized.parameters(16, 64)
    def test_fire_has_the_printed_number_of_parameters(self, c):
        kernels, biases = num_weights(block(fire.fire, c))
        self.assertEqual(kernels, 3 * c**2 // 2)  # Ch. 3 §3.2: 3/2 C²
        self.assertEqual(biases, c // 4 + c // 2 + c // 2)

    @parameterized.parameters(16, 64)
    def test_fire_deconv_has_the_printed_number_of_parameters(self, c):
        kernels, biases = num_weights(block(fire.fire_deconv, c))
        self.assertEqual(kernels, 7 * c**2 // 4)  # Ch. 3 §3.2: 7/4 C²
        self.assertEqual(biases, c // 4 + c // 4 + c // 2 + c // 2)

    def test_normalisation_stands_on_either_side_of_the_relu(self):
        x = np.random.default_rng(0).normal(size=(4, 6, 8, 3))
        for before in (False, True):
            keras.utils.set_random_seed(0)
            settings = fire.Convolutions(0.0, True, before_relu=before)
            grid = keras.Input((6, 8, 3))
            y = fire.convolution(grid, 5, 3, name="c", settings=settings)
            model = keras.Model(grid, y)
            kernel = tf.constant(model.get_layer("c").kernel)
            raw = tf.nn.conv2d(tf.constant(x, tf.float32), kernel, 1, "SAME")
            raw = raw.numpy() if before else np.maximum(raw, 0)
            axes = (0, 1, 2)
            expected = (raw - raw.mean(axes)) / np.sqrt(raw.var(axes) + 1e-5)
            if before:
                expected = np.maximum(expected, 0)
            np.testing.assert_allclose(
                model(x, training=True), expected, atol=1e-4
            )

    def test_fire_is_its_three_convolutions(self):
        model = block(fire.fire, 8)
        x = np.random.default_rng(0).normal(size=(2, 4, 8, 8))
        squeeze, one, three = (
            model.get_layer(f"block_{name}").get_weights()
            for name in ("squeeze1x1", "expand1x1", "expand3x3")
        )

        def relu_of_convolution(x, weights):
            kernel, bias = weights
            x = tf.nn.conv2d(x, kernel.astype(np.float64), 1, "SAME")
            return np.maximum(x + bias, 0)

        x_squeezed = relu_of_convolution(x, squeeze)
        expected = np.concatenate(
            [relu_of_convolution(x_squeezed, w) for w in (one, three)], axis=-1
        )
        np.testing.assert_allclose(model(x), expected, atol=1e-5)

    def test_deconvolution_doubles_the_width_alone(self):
        model = block(fire.fire_deconv, 16, width=8)
        self.assertEqual(model.output_shape, (None, 4, 16, 16))

    def test_bilinear_width_doubles_a_ramp_exactly(self):
        layer = keras.layers.Conv2DTranspose(
            2,
            (1, 4),
            strides=(1, 2),
            padding="same",
            kernel_initializer=fire.BilinearWidth(),
        )
        ramp = np.arange(6.0)[None, None, :, None] * [[[[1.0, 10.0]]]]
        doubled = layer(ramp).numpy()
        # Cell centres of the fine grid lie a quarter of a coarse cell aside.
        at = np.arange(12) / 2 - 0.25
        inside = np.s_[:, :, 1:-1]
        expected = at[None, None, :, None] * [[[[1.0, 10.0]]]]
        np.testing.assert_allclose(doubled[inside], expected[inside], rtol=1e-6)

    def test_bilinear_width_refuses_other_kernels_and_survives_its_config(self):
        with self.assertRaisesRegex(ValueError, r"\[1, 4, C, C\]; got"):
            fire.BilinearWidth()((3, 4, 2, 2))
        again = keras.initializers.deserialize(
            keras.initializers.serialize(fire.BilinearWidth())
        )
        np.testing.assert_array_equal(
            again((1, 4, 3, 3)), fire.BilinearWidth()((1, 4, 3, 3))
        )

    @parameterized.parameters(fire.fire, fire.fire_deconv)
    def test_weight_decay_is_half_lambda_times_the_squared_kernels(self, make):
        model = block(make, 8, fire.Convolutions(weight_decay=0.3))
        for weight in model.weights:  # biases carry no penalty
            weight.assign(tf.random.stateless_normal(weight.shape, (0, 1)))
        squares = sum(
            np.sum(np.float64(w) ** 2)
            for w in model.get_weights()
            if w.ndim > 1
        )
        self.assertAlmostEqual(
            sum(float(v) for v in model.losses), 0.15 * squares, delta=1e-4
        )

    def test_no_weight_decay_adds_no_loss(self):
        self.assertEqual(block(fire.fire, 8).losses, [])

    def test_normalisation_follows_the_relu(self):
        settings = dataclasses.replace(PLAIN, batch_norm=True)
        model = block(fire.fire, 8, settings)
        x = np.random.default_rng(0).normal(size=(4, 4, 8, 8))
        self.assertGreaterEqual(block(fire.fire, 8)(x).numpy().min(), 0)
        y = model(x, training=True).numpy()
        self.assertLess(y.min(), -0.1)  # a ReLU after it would leave none
        np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)

    def test_every_convolution_is_normalised_with_the_given_momentum(self):
        settings = fire.Convolutions(batch_norm=True, momentum=0.7)
        layers = block(fire.fire, 8, settings).layers
        norms = [
            x for x in layers if isinstance(x, keras.layers.BatchNormalization)
        ]
        self.assertLen(norms, 3)
        self.assertEqual({norm.momentum for norm in norms}, {0.7})


if __name__ == "__main__":
    absltest.main()
