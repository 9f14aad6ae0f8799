import pathlib
import tempfile

import numpy as np
import PIL.Image
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.shift_applications import images


class ImagesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    @parameterized.parameters(".png", ".bmp", ".jpg", ".JPEG")
    def test_what_is_written_is_read(self, suffix):
        rows, columns = np.mgrid[:20, :31]
        image = np.stack([rows * 8, columns * 8, rows + columns], -1)
        image = image.astype(np.uint8)
        path = self.folder / f"a{suffix}"
        images.write(path, image)
        most = 12 if "j" in suffix.lower() else 0  # what JPEG loses
        for found in (images.read(path), images.decode(str(path)).numpy()):
            error = np.abs(found.astype(int) - image).max()
            self.assertLessEqual(error, most)
        self.assertEqual([p.name for p in self.folder.iterdir()], [path.name])

    def test_pictures_stand_upright_and_have_three_colours(self):
        grey = PIL.Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
        exif = PIL.Image.Exif()
        exif[0x0112] = 6  # the camera was turned by 90°
        path = self.folder / "a.png"
        grey.save(path, exif=exif)
        expected = np.rot90(np.arange(12).reshape(3, 4), -1)
        found = images.read(path)
        for channel in range(3):
            np.testing.assert_array_equal(found[..., channel], expected)

    def test_the_middle_square_is_cut_out(self):
        image = np.zeros((10, 30, 3), np.float32)
        image[:, 10:20] = 200
        np.testing.assert_allclose(images.square(image, 10), 200, atol=1e-3)
        small = images.square(tf.constant(image), 5).numpy()
        self.assertEqual(small.shape, (5, 5, 3))
        np.testing.assert_allclose(small[:, 1:4], 200, atol=1)

    @parameterized.parameters(
        ((40, 60), 20, (20, 30)), ((5, 3), 6, (10, 6)), ((7, 7), 7, (7, 7))
    )
    def test_the_shorter_side_is_as_asked_for(self, size, wanted, expected):
        image = images.shorter_side(tf.zeros((*size, 3)), wanted)
        self.assertEqual(image.shape, (*expected, 3))

    def test_damaged_files_are_named(self):
        good, bad = self.folder / "good.png", self.folder / "bad.png"
        noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3))
        images.write(good, noise.astype(np.uint8))
        bad.write_bytes(good.read_bytes()[:600])
        with self.assertRaisesRegex(ValueError, "bad.png: not a whole image"):
            images.read(bad)
        with self.assertRaisesRegex(FileNotFoundError, "no.png: no such file"):
            images.read(self.folder / "no.png")
        paths = [str(good), str(bad)]
        data = tf.data.Dataset.from_tensor_slices(paths).map(images.decode)
        with self.assertRaisesRegex(ValueError, "bad.png: not a whole image"):
            with images.naming_damaged(paths):
                list(data)
        with self.assertRaisesRegex(ValueError, "a.gif: expected a name that"):
            images.write(self.folder / "a.gif", np.zeros((4, 4, 3), np.uint8))


if __name__ == "__main__":
    absltest.main()
