import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.layers import instance_norm

keras = tf.keras


class InstanceNormalizationTest(parameterized.TestCase):
    def layer(self, channels, **options):
        layer = instance_norm.InstanceNormalization(**options)
        layer.build((None, None, None, channels))
        random = np.random.default_rng(1)
        layer.set_weights(random.normal(size=(2, channels)))
        return layer

    def test_each_channel_of_each_image_is_normalised_by_itself(self):
        x = np.random.default_rng(0).normal(3, 5, (2, 4, 6, 3))
        layer = self.layer(3, epsilon=1e-3)
        gamma, beta = layer.get_weights()
        expected = np.empty_like(x)
        for b in range(2):
            for c in range(3):
                values = x[b, :, :, c]
                scale = np.sqrt(values.var() + 1e-3)
                y = (values - values.mean()) / scale
                expected[b, :, :, c] = y * gamma[c] + beta[c]
        np.testing.assert_allclose(
            layer(x.astype(np.float32)), expected, atol=2e-6
        )

    def test_equals_keras_s_groups_of_one_channel(self):
        x = np.random.default_rng(0).normal(3, 5, (2, 4, 6, 3))
        layer = self.layer(3)
        stock = keras.layers.GroupNormalization(groups=3, epsilon=1e-5)
        stock.build((None, 4, 6, 3))
        stock.set_weights(layer.get_weights())
        np.testing.assert_allclose(layer(x), stock(x), atol=1e-5)

    def test_brightness_and_contrast_of_an_image_do_not_matter(self):
        x = np.random.default_rng(0).normal(size=(1, 8, 8, 2))
        layer = self.layer(2, epsilon=0.0)
        np.testing.assert_allclose(layer(x), layer(7 * x - 40), atol=1e-4)

    def test_gradients_are_those_of_differences(self):
        layer = instance_norm.InstanceNormalization(dtype="float64")
        layer.build((None, 3, 2, 2))
        random = np.random.default_rng(0)
        layer.set_weights(random.normal(size=(2, 2)))
        x = tf.constant(random.normal(size=(2, 3, 2, 2)))
        gamma, beta = (tf.convert_to_tensor(w) for w in layer.get_weights())
        weight = tf.constant(random.normal(size=(2, 3, 2, 2)))

        def loss(x, gamma, beta):
            layer.gamma, layer.beta = gamma, beta
            return tf.reduce_sum(layer(x) * weight)

        computed, measured = tf.test.compute_gradient(loss, [x, gamma, beta])
        for ours, expected in zip(computed, measured, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-6)

    def test_is_rebuilt_from_its_config(self):
        layer = self.layer(3, epsilon=1e-2, name="norm")
        again = type(layer).from_config(layer.get_config())
        self.assertEqual(again.get_config(), layer.get_config())
        self.assertEqual(again.epsilon, 1e-2)
        shape = (None, 5, None, 3)
        self.assertEqual(layer.compute_output_shape(shape), shape)

    @parameterized.parameters(((None, 4, 3),), ((None, 4, 4, None),))
    def test_other_shapes_are_refused(self, shape):
        with self.assertRaisesRegex(ValueError, r"needs \[B, H, W, C\]"):
            instance_norm.InstanceNormalization().build(shape)


if __name__ == "__main__":
    absltest.main()
