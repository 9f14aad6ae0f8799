import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.shift_applications import style_transfer, stylization
from tests import shared_files

keras = tf.keras


class PainterTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keras.utils.set_random_seed(0)
        cls.model = style_transfer.style_transformer(input_shape=(32, 32, 3))
        # Nothing is trained; so that its pictures are not all black.
        kernel, bias = cls.model.get_layer("deconv3").get_weights()
        cls.model.get_layer("deconv3").set_weights([40 * kernel, bias + 128])
        cls.painters = (stylization.painter(cls.model, "shift"),)

    def paint(self, image):
        (paint,) = self.painters
        return paint(image)

    def image(self, *size):
        random = np.random.default_rng(0)
        return random.integers(0, 256, (*size, 3), dtype=np.uint8)

    def test_a_picture_of_the_network_s_size_is_its_output(self):
        image = self.image(32, 32)
        made = self.model(image[None].astype(np.float32))[0].numpy()
        expected = np.clip(np.rint(made), 0, 255)
        self.assertGreater(expected.std(), 10)
        np.testing.assert_allclose(self.paint(image), expected, atol=1)

    @parameterized.parameters((33, 18), (1, 1), (3, 50), (8, 9))
    def test_any_size_comes_back(self, *size):
        made = self.paint(self.image(*size))
        self.assertEqual(made.shape, (*size, 3))
        self.assertEqual(made.dtype, np.uint8)

    def test_what_is_added_is_the_mirror_image(self):
        image = self.image(30, 31)
        whole = np.concatenate([image, image[:-3:-1]], axis=0)
        whole = np.concatenate([whole, whole[:, -1:]], axis=1)
        self.assertEqual(whole.shape, (32, 32, 3))
        np.testing.assert_array_equal(
            self.paint(image), self.paint(whole)[:30, :31]
        )

    def test_a_real_picture(self):
        path = shared_files.path("data/kitti_object/training/image_2")
        image = tf.io.decode_png((path / "000000.png").read_bytes())
        image = image.numpy()[:121, :167]
        made = self.paint(image)
        self.assertEqual(made.shape, image.shape)
        self.assertGreater(made.std(), 10)

    def test_other_arrays_are_refused(self):
        for size in ((4, 4), (0, 4, 3), (4, 4, 1)):
            with self.assertRaisesRegex(ValueError, r"must be \[H, W, 3\]"):
                self.paint(np.zeros(size, np.uint8))


if __name__ == "__main__":
    absltest.main()
