import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_labels
from tests import shared_files

LINE = "Car 0.10 1 -1.57 10.00 20.00 30.00 50.00 1.5 1.6 3.9 0 1.6 20 0"


class ImageLabelsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "000000.txt"

    def read(self, text):
        self.path.write_text(text)
        return image_labels.read_kitti(self.path)

    def test_a_line_becomes_an_object(self):
        labels = self.read(f"{LINE}\nDontCare -1 -1 -10 1 2 3 4" + " 0" * 7)
        self.assertLen(labels, 2)
        self.assertEqual(labels.types.tolist(), ["Car", "DontCare"])
        np.testing.assert_array_equal(labels.corners[0], [10, 20, 30, 50])
        self.assertEqual(labels.truncated[0], 0.1)
        self.assertEqual(labels.occluded[0], 1)
        self.assertEqual(labels.alpha[0], -1.57)
        self.assertEqual(labels.is_ignored.tolist(), [False, True])
        self.assertIsNone(labels.scores)

    def test_scores_and_empty_files(self):
        self.assertEqual(self.read(f"{LINE} 0.25").scores.tolist(), [0.25])
        self.assertLen(self.read(""), 0)

    def test_objects_behind_the_camera_are_left_out(self):
        behind = LINE.replace("10.00 20.00 30.00 50.00", "0 0 0 0")
        self.assertLen(self.read(f"{behind}\n{LINE}"), 1)

    def test_what_is_written_is_read_back(self):
        labels = image_labels.make(
            ["car", "dog"],
            np.array([[1.25, 2, 3, 4], [5, 6, 7.5, 8]]),
            truncated=[0.5, -1],
            occluded=[0, 2],
            alpha=[0.25, -10],
            scores=[0.125, 0.75],
        )
        image_labels.write_kitti(self.path, labels)
        again = image_labels.read_kitti(self.path)
        for name in ("types", "corners", "truncated", "alpha", "scores"):
            np.testing.assert_array_equal(
                getattr(again, name), getattr(labels, name)
            )

    @parameterized.parameters(
        ("Car 1 2 3", "000000.txt:1: expected 15 or 16 fields; got 4"),
        (LINE.replace("10.00", "ten"), "000000.txt:1: expected numbers"),
    )
    def test_mistakes_name_file_and_line(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            self.read(text)

    def test_real_labels(self):
        path = shared_files.path("data/kitti_object/training/label_2")
        files = sorted(path.glob("*.txt"))
        self.assertLen(files, 3)
        for file in files:
            labels = image_labels.read_kitti(file)
            lines = file.read_text().splitlines()
            self.assertLen(labels, len(lines))
            for line, corners in zip(lines, labels.corners):
                values = [float(v) for v in line.split()[4:8]]
                np.testing.assert_array_equal(corners, values)

    def test_select(self):
        labels = self.read(f"{LINE} 0.5\n{LINE.replace('Car', 'Van')} 0.25")
        some = image_labels.select(labels, labels.scores > 0.3)
        self.assertEqual(some.types.tolist(), ["Car"])
        self.assertEqual(some.scores.tolist(), [0.5])


if __name__ == "__main__":
    absltest.main()
