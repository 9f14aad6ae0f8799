import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import ends, models
from squeeze_tf.layers import shift_modules

keras = tf.keras


class EndsTest(parameterized.TestCase):
    @parameterized.parameters(
        ((1.0, 2.0, 3.0), (2.0, 4.0, 8.0)),
        ((2.0,), (4.0,)),
        ((5.0,), (1, 2, 3)),
    )
    def test_image_is_normalised_channel_by_channel(self, mean, std):
        model = keras.Model(*ends.image((2, 2, 3), mean, std))
        pixel = model(np.full((1, 2, 2, 3), 5.0))[0, 0, 0]
        expected = (5 - np.array(mean)) / np.array(std) * np.ones(3)
        np.testing.assert_allclose(pixel, expected, rtol=1e-6)
        self.assertEmpty(model.weights)

    def test_logits_are_of_the_average(self):
        x = keras.Input((2, 3, 5))
        settings = shift_modules.Settings()
        model = keras.Model(x, ends.logits(x, 4, settings))
        kernel, bias = np.random.default_rng(0).normal(size=(2, 5, 4))
        model.get_layer("fc").set_weights([kernel, bias[0]])
        image = np.random.default_rng(1).normal(size=(3, 2, 3, 5))
        np.testing.assert_allclose(
            model(image), image.mean((1, 2)) @ kernel + bias[0], rtol=1e-5
        )

    @parameterized.parameters(
        ({"input_shape": (8, 8)}, "height, width and channels"),
        ({"input_shape": (0, 8, 3)}, "height, width and channels"),
        ({"mean": (1.0, 2.0)}, "1 or 3 numbers"),
        ({"std": (0.0,)}, "above 0"),
        ({"depth": 19}, "depth must be 6 n"),
        ({"form": "x"}, "form must be one of"),
        ({"num_classes": 0}, "num_classes must be at least 1"),
    )
    def test_other_arguments_are_refused(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            models.MODELS["shift_resnet"](**arguments)


if __name__ == "__main__":
    absltest.main()
