"""Pictures of scans: where colours appear, and files that can be read."""

import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf.segmentation import pictures

COLORS = np.array([[9, 9, 9], [255, 0, 0], [0, 255, 0]], np.uint8)


def grid(distances):
    """[H, W, 5] of ranges alone."""
    distances = np.asarray(distances, np.float32)
    return np.stack([distances * 0] * 4 + [distances], axis=-1)


class DepthTest(absltest.TestCase):
    def test_near_is_red_far_is_blue_and_nothing_is_black(self):
        picture = pictures.depth(grid([[0.0, 1.0, 2.0, 60.0, 500.0]]))
        self.assertEqual(picture.shape, (2, 5, 3))
        self.assertEqual(picture.dtype, np.uint8)
        np.testing.assert_array_equal(picture[0], picture[1])
        np.testing.assert_array_equal(picture[0, 0], 0)
        red, blue = picture[0, 1:3], picture[0, 3:]
        self.assertTrue((red[:, 0] > 100).all() and (red[:, 2] == 0).all())
        self.assertTrue((blue[:, 2] > 100).all() and (blue[:, 0] == 0).all())


class LabelsTest(absltest.TestCase):
    def test_known_classes_have_their_colour_and_others_a_gray(self):
        picture = pictures.labels(
            grid([[5.0, 5.0, 5.0, 40.0, 0.0]]),
            np.array([[1, 2, 0, -1, 1]]),
            COLORS,
        )[0]
        np.testing.assert_array_equal(picture[0], COLORS[1])
        np.testing.assert_array_equal(picture[1], COLORS[2])
        for gray in picture[2:4]:
            self.assertLen(set(gray), 1)
        self.assertGreater(picture[2, 0], picture[3, 0])  # farther is darker
        np.testing.assert_array_equal(picture[4], 0)


class FileTest(absltest.TestCase):
    def test_a_written_stack_is_read_back(self):
        one = np.full((4, 50, 3), (200, 100, 50), np.uint8)
        two = np.full((6, 50, 3), (1, 2, 3), np.uint8)
        stacked = pictures.stack({"first": one, "second": two})
        self.assertEqual(stacked.shape, (16 + 4 + 16 + 6, 50, 3))
        np.testing.assert_array_equal(stacked[16:20], one)
        np.testing.assert_array_equal(stacked[36:], two)
        self.assertGreater(stacked[:16].max(), 100)  # a title
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "picture.png"
            pictures.write(path, stacked)
            self.assertEqual(
                [p.name for p in path.parent.iterdir()], [path.name]
            )
            read = cv2.imread(str(path))[..., ::-1]
        np.testing.assert_array_equal(read, stacked)


if __name__ == "__main__":
    absltest.main()
