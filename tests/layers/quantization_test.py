"""Quantised layers: against their equations; saved models; what they cost."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import workload
from squeeze_tf.layers import quantization, shift
from squeeze_tf.ops import quantization as quantize_ops
from tests import shared_files

keras = tf.keras


def activations(shape, bits=4, scale=2.0, seed=0):
    """On the grid of `bits`, as ActQuant writes them."""
    steps = 2**bits - 1
    levels = np.random.default_rng(seed).integers(0, steps + 1, shape)
    return (levels / steps * scale).astype(np.float32)


class BitsTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"weights": 0}, "bits must be 1 to 16"),
        ({"inputs": 20}, "bits must be 1 to 16"),
        ({"scale": 0.0}, "scale must be positive; got 0.0"),
        ({"form": "other"}, "form must be one of"),
    )
    def test_bad_values_are_refused(self, change, message):
        with self.assertRaisesRegex(ValueError, message):
            quantization.Bits(**change)


class LayersTest(parameterized.TestCase):
    @parameterized.product(
        weights=(1, 4, 32), inputs=(4, 32), form=quantize_ops.WEIGHT_FORMS
    )
    def test_multiply_quantised_weights(self, weights, inputs, form):
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(weights, inputs, form=form)
        x = activations((2, 5, 6, 20))
        plain = shift.ShiftConv2D(7, strides=2, use_bias=False)
        layer = quantization.QuantShiftConv2D(7, strides=2, bits=bits)
        convolution = quantization.QuantConv2D(7, 1, strides=2, bits=bits)
        got = layer(x)
        plain(x)
        kernel = layer.kernel
        if weights < 32:
            kernel = quantize_ops.quantize_weights(kernel, weights, form)
        plain.set_weights([kernel])
        np.testing.assert_allclose(got, plain(x), rtol=0, atol=1e-5)
        moved = shift.Shift()(x)
        convolution(moved)
        convolution.set_weights(layer.get_weights())
        np.testing.assert_allclose(convolution(moved), got, rtol=0, atol=1e-5)

    def test_sums_of_levels_are_exact(self):
        # The same sums in 64 bits, times the unit once, in float32.
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(4, 4)
        x = activations((2, 5, 6, 200))
        layer = quantization.QuantConv2D(7, 1, bits=bits)
        got = layer(x)
        levels, _ = quantize_ops.weight_levels(layer.kernel, 4)
        sums = np.rint(x.astype(np.float64) * 7.5) @ levels.numpy()[0, 0]
        unit = np.float32(2 / 15 / 15)
        np.testing.assert_array_equal(got, np.float32(sums) * unit)

    def test_dense_after_average_pooling(self):
        keras.utils.set_random_seed(0)
        x = activations((3, 7, 7, 20), scale=10.0).mean(axis=(1, 2))
        bits = quantization.Bits(4, 4, 10.0)
        layer = quantization.QuantDense(5, bits=bits, count=49)
        layer.build((None, 20))
        layer.bias.assign([0.3, -0.2, 0.0, 1.0, 2.0])
        weights = quantize_ops.quantize_weights(layer.kernel, 4)
        want = x @ weights.numpy() + layer.bias.numpy()
        # The bias is rounded to units of 10 / 15 / 15 / 49.
        np.testing.assert_allclose(
            layer(x), want, rtol=0, atol=10 / 15 / 15 / 49 / 2 + 1e-5
        )

    def test_gradients_flow_straight_through(self):
        keras.utils.set_random_seed(0)
        x = tf.constant(activations((2, 5, 6, 20)))
        layers = [
            quantization.QuantShiftConv2D(7, bits=quantization.Bits(*bits))
            for bits in ((4, 4), (4, 32))
        ]
        found = []
        for layer in layers:
            layer.build(x.shape)
            layer.set_weights(layers[0].get_weights())
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            found.append(tape.gradient(loss, [x, layer.kernel]))
        for with_levels, with_weights in zip(*found):
            np.testing.assert_allclose(
                with_levels, with_weights, rtol=1e-4, atol=1e-4
            )

    def test_act_quant_clips_and_scales(self):
        layer = quantization.ActQuant(bits=2, scale=6.0, initial_alpha=3.0)
        np.testing.assert_allclose(
            layer(tf.constant([-1.0, 0.4, 0.6, 1.6, 2.9, 9.0])),
            [0, 0, 2, 4, 6, 6],
            atol=1e-6,
        )
        layer = quantization.ActQuant(scale=6.0, initial_alpha=3.0)
        np.testing.assert_allclose(
            layer(tf.constant([-1.0, 0.4, 9.0])), [0, 0.8, 6], atol=1e-6
        )

    @parameterized.parameters(2, 4, 8, 32)
    def test_act_quant_of_no_scale_is_that_of_chapter_7(self, bits):
        # Ch. 7 Eq. 11: the range is the trained bound itself.
        found = np.load(
            shared_files.path("reference/architectures/vectors/pact.npz")
        )
        layer = quantization.ActQuant(bits=bits, scale=None)
        layer.build(found[f"x{bits}"].shape)
        layer.alpha.assign(found[f"alpha{bits}"])
        x = tf.constant(found[f"x{bits}"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        gradients = tape.gradient(y, [x, layer.alpha], found[f"g{bits}"])
        np.testing.assert_allclose(y, found[f"y_alpha_{bits}"], atol=1e-6)
        for gradient, name in zip(gradients, ("dx", "dalpha")):
            np.testing.assert_allclose(
                gradient, found[f"{name}_alpha_{bits}"], rtol=1e-5, atol=1e-5
            )

    def test_without_a_scale_values_are_multiplied_and_bits_are_said(self):
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((5, 6, 20))
        x = quantization.ActQuant(bits=3, scale=None)(x)
        bits = quantization.Bits(2, 3, scale=None)
        model = keras.Model(
            inputs, quantization.QuantConv2D(7, 1, bits=bits)(x)
        )
        model.layers[1].alpha.assign([0.7])
        x = np.random.default_rng(0).normal(size=(2, 5, 6, 20)).astype("f")
        levels = np.rint(np.clip(x, 0, 0.7) / 0.7 * 7)
        weights = quantize_ops.quantize_weights(model.layers[2].kernel, 2)
        np.testing.assert_allclose(
            model(x), levels * 0.7 / 7 @ weights.numpy()[0, 0], atol=1e-5
        )
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(x), model(x))
        load = workload.workloads(again)[2]
        self.assertEqual((load.weight_bits, load.activation_bits), (2, 3))

    def test_models_are_rebuilt_and_counted(self):
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(4, 8, 6.0, "released")
        x = inputs = keras.Input((5, 6, 20))
        x = quantization.QuantConv2D(12, 1, bits=bits)(x)
        x = quantization.ActQuant(
            bits=4, scale=6.0, regularizer=keras.regularizers.L2(1e-3)
        )(x)
        x = quantization.QuantShiftConv2D(8, convention="cardinal", bits=bits)(
            x
        )
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = quantization.QuantDense(3, bits=bits, count=30)(x)
        model = keras.Model(inputs, x)
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        x = activations((2, 5, 6, 20), 8, 6.0)
        np.testing.assert_array_equal(again(x), model(x))
        self.assertEqual(again.layers[1].bits, bits)
        self.assertLen(again.losses, 1)
        found = workload.workloads(model)
        # 30 pixels of 20 x 12 and 12 x 8 weights, 8 x 3 weights.
        self.assertEqual(
            [w.macs for w in found], [0, 30 * 240, 0, 30 * 96, 0, 24]
        )
        self.assertEqual(found[1].weight_bits, 4)
        self.assertEqual(found[3].activation_bits, 8)
        self.assertTrue(all(w.is_counted for w in found))


if __name__ == "__main__":
    absltest.main()
