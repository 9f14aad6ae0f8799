import functools
import pathlib
import tempfile

import joblib
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.shift_applications import vgg_features

keras = tf.keras
# VGG16's convolutions up to conv4_3: input and output channels.
LAYERS = {
    "conv1_1": (3, 64),
    "conv1_2": (64, 64),
    "conv2_1": (64, 128),
    "conv2_2": (128, 128),
    "conv3_1": (128, 256),
    "conv3_2": (256, 256),
    "conv3_3": (256, 256),
    "conv4_1": (256, 512),
    "conv4_2": (512, 512),
    "conv4_3": (512, 512),
}


@functools.cache
def blobs():
    """As Caffe has them: [N, C, 3, 3], blue first."""
    random = np.random.default_rng(0)
    return {
        name: [
            random.normal(0, np.sqrt(2 / 9 / c), (n, c, 3, 3)).astype("f4"),
            random.normal(size=n).astype("f4"),
        ]
        for name, (c, n) in LAYERS.items()
    }


class VggFeaturesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_layers_are_those_of_keras_s_own_vgg16(self):
        # The same weights and pixels give the same maps there.
        model = vgg_features.vgg16_features()
        other = keras.applications.VGG16(include_top=False, weights=None)
        path = self.folder / "vgg16_weights.h5"
        random = np.random.default_rng(0)
        biased = [
            w if w.ndim > 1 else random.normal(size=w.shape)
            for w in other.get_weights()
        ]
        other.set_weights(biased)
        other.save_weights(path)
        vgg_features.load_weights(model, path)
        taps = keras.Model(
            other.input,
            [
                other.get_layer(f"block{block}_conv{i}").output
                for block, i in ((1, 2), (2, 2), (3, 3), (4, 3))
            ],
        )
        image = np.random.default_rng(1).uniform(0, 255, (1, 20, 17, 3))
        pixels = keras.applications.vgg16.preprocess_input(image.copy())
        for ours, expected in zip(model(image), taps(pixels), strict=True):
            np.testing.assert_allclose(
                ours * 57.4, expected, rtol=1e-3, atol=0.05
            )

    def test_caffe_s_weights_are_read(self):
        values = blobs()
        joblib.dump(values, self.folder / "vgg.pkl")
        model = vgg_features.vgg16_features()
        vgg_features.load_weights(model, self.folder / "vgg.pkl")
        image = np.random.default_rng(1).uniform(0, 255, (1, 8, 9, 3))
        y = image - [123.68, 116.779, 103.939]
        y = y[..., ::-1]  # Caffe's order
        for name in ("conv1_1", "conv1_2"):
            kernel, bias = values[name]
            y = tf.nn.conv2d(y, kernel.transpose(2, 3, 1, 0), 1, "SAME")
            y = np.maximum(y + bias, 0)
        np.testing.assert_allclose(
            model(image)[0] * 57.4, y, rtol=1e-4, atol=1e-2
        )

    def test_nothing_of_it_is_trained(self):
        model = vgg_features.vgg16_features()
        self.assertEmpty(model.trainable_weights)
        count = sum(9 * c * n + n for c, n in LAYERS.values())
        self.assertEqual(model.count_params(), count)

    def test_without_weights_it_says_what_is_needed(self):
        model = vgg_features.vgg16_features()
        with self.assertRaises(ValueError) as caught:
            vgg_features.load_weights(model, "")
        for word in ("ImageNet", ".caffemodel", ".pkl", ".h5", '"random"'):
            self.assertIn(word, str(caught.exception))
        before = model.get_weights()
        vgg_features.load_weights(model, vgg_features.RANDOM)
        for weight, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, expected)

    def test_files_that_lack_a_layer_are_refused(self):
        model = vgg_features.vgg16_features()
        values = dict(blobs())
        del values["conv4_2"]
        path = self.folder / "vgg.pkl"
        joblib.dump(values, path)
        with self.assertRaisesRegex(ValueError, "vgg.pkl: .*conv4_2 are not"):
            vgg_features.load_weights(model, path)
        path = self.folder / "other.h5"
        x = keras.Input((None, None, 3))
        y = keras.layers.Conv2D(64, 3, padding="same", name="block1_conv1")(x)
        keras.Model(x, y).save_weights(path)
        with self.assertRaisesRegex(ValueError, "block1_conv2 is not there"):
            vgg_features.load_weights(model, path)
        path.write_bytes(b"no weights")
        with self.assertRaisesRegex(ValueError, "other.h5: expected the wei"):
            vgg_features.load_weights(model, path)
        for name in ("no.h5", "no.pkl"):
            with self.assertRaisesRegex(FileNotFoundError, name):
                vgg_features.load_weights(model, self.folder / name)


if __name__ == "__main__":
    absltest.main()
