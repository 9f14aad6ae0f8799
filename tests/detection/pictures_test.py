import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import class_lists, image_labels
from squeeze_tf.detection import pictures


class PicturesTest(absltest.TestCase):
    def test_boxes_are_drawn_in_their_colours_on_a_copy(self):
        image = np.full((60, 80, 3), 100, np.uint8)
        labels = image_labels.make(
            ["Car", "tree"],
            np.array([[10, 20, 40, 50], [50, 5, 70, 15]]),
            scores=[0.5, 0.25],
        )
        colors = pictures.colors(class_lists.load("kitti"))
        drawn = pictures.draw(image, labels, colors, width=1, captions=False)
        self.assertTrue((image == 100).all())
        for x, y in ((10, 30), (40, 50), (25, 20)):
            self.assertEqual(tuple(drawn[y, x]), (255, 80, 60))
        self.assertEqual(tuple(drawn[10, 50]), (255, 255, 255))
        self.assertEqual(tuple(drawn[35, 25]), (100, 100, 100))
        text = pictures.draw(image, labels, colors, width=1)
        self.assertGreater((text != drawn).sum(), 50)

    def test_what_is_written_is_read_back(self):
        image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.png"
            pictures.write(path, image)
            np.testing.assert_array_equal(pictures.read(path), image)
            path.write_text("no image")
            with self.assertRaisesRegex(ValueError, "a.png: not an image"):
                pictures.read(path)


if __name__ == "__main__":
    absltest.main()
