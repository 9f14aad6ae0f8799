"""Shift layers: against the operator, their counts, and saved models."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import workload
from squeeze_tf.layers import shift
from squeeze_tf.ops import shift_conv, shift_offsets

keras = tf.keras


def example(channels=20):
    return np.random.default_rng(0).normal(size=(2, 7, 6, channels)).astype("f")


class ShiftTest(parameterized.TestCase):
    @parameterized.parameters(
        ("interleaved", 5, 1), ("contiguous", 3, 2), ("cardinal", 3, 1)
    )
    def test_layer_and_fused_layer_follow_the_table(self, name, size, rate):
        keras.utils.set_random_seed(0)
        x = example(30)
        table = shift_offsets.CONVENTIONS[name](30, size, rate)
        settings = {
            "kernel_size": size,
            "dilation_rate": rate,
            "convention": name,
        }
        moved = shift.Shift(**settings)(x)
        np.testing.assert_array_equal(moved, shift_conv.shift(x, table))
        layer = shift.ShiftConv2D(8, strides=2, activation="relu", **settings)
        got = layer(x)
        layer.bias.assign(tf.range(8.0) - 4)
        plain = keras.layers.Conv2D(8, 1, strides=2, activation="relu")
        plain.build(x.shape)
        plain.set_weights(layer.get_weights())
        self.assertEqual(got.shape, (2, 4, 3, 8))
        np.testing.assert_allclose(layer(x), plain(moved), rtol=0, atol=1e-5)

    def test_models_are_rebuilt_from_their_configuration(self):
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((7, 6, 20))
        x = shift.Shift(kernel_size=5, dilation_rate=2, name="alone")(x)
        x = shift.ShiftConv2D(
            4,
            convention="contiguous",
            strides=2,
            use_bias=False,
            kernel_regularizer=keras.regularizers.L2(1e-3),
        )(x)
        model = keras.Model(inputs, x)
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(example()), model(example()))
        self.assertEqual(again.layers[1].get_config()["dilation_rate"], 2)
        self.assertLen(again.losses, 1)

    def test_only_the_convolution_multiplies(self):
        x = inputs = keras.Input((8, 6, 20))
        x = shift.Shift()(x)
        x = shift.ShiftConv2D(16, strides=2)(x)
        found = workload.workloads(keras.Model(inputs, x))
        # 4 x 3 pixels, 20 x 16 weights each; 16 numbers of bias.
        self.assertEqual([w.macs for w in found], [0, 0, 12 * 320])
        self.assertEqual([w.parameters for w in found], [0, 0, 336])
        self.assertTrue(all(w.is_counted for w in found))

    def test_trains_in_bfloat16(self):
        keras.utils.set_random_seed(0)
        layer = shift.ShiftConv2D(4, dtype="mixed_bfloat16")
        x = example().astype(np.float32)
        with tf.GradientTape() as tape:
            y = layer(x)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 2)
        self.assertEqual(y.dtype, tf.bfloat16)
        gradients = tape.gradient(loss, layer.trainable_variables)
        self.assertEqual([g.dtype for g in gradients], [tf.float32] * 2)

    @parameterized.parameters(
        shift.Shift, lambda **k: shift.ShiftConv2D(4, **k)
    )
    def test_bad_arguments_are_refused(self, layer):
        with self.assertRaisesRegex(ValueError, "convention must be one of"):
            layer(convention="diagonal")
        with self.assertRaisesRegex(ValueError, "kernel_size must be odd"):
            layer(kernel_size=4)(example())
        with self.assertRaisesRegex(ValueError, "activation must be None or"):
            shift.ShiftConv2D(4, activation="tanh")


if __name__ == "__main__":
    absltest.main()
