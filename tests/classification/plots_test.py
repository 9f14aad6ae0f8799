import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf.classification import ladder, plots


class PlotsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "a.png"

    def test_confusions_of_few_and_of_many_classes(self):
        for count in (3, 30, 100):
            matrix = np.diag(np.full(count, 5))
            names = [str(i) for i in range(count)]
            plots.confusion(self.path, matrix, names)
            plain = cv2.imread(str(self.path))
            matrix[0] = 0
            matrix[0, -1] = 5  # the corner far from the diagonal
            plots.confusion(self.path, matrix, names)
            moved = cv2.imread(str(self.path))
            self.assertEqual(plain.shape, moved.shape)
            self.assertGreater((plain != moved).sum(), 50)

    def test_bars_are_drawn_where_there_are_several_seeds(self):
        def drawn(*accuracies):
            design = ladder.Design("shift", 8, 1.0)
            rows = [
                ladder.Summary(design, 1000, 9000, accuracies),
                ladder.Summary(design, 4000, 30_000, (0.9, 0.9)),
            ]
            plots.tradeoff(self.path, rows, "digits")
            return cv2.imread(str(self.path))

        one, several = drawn(0.8), drawn(0.75, 0.85)
        self.assertEqual(one.shape, several.shape)
        self.assertTrue((one != several).any())


if __name__ == "__main__":
    absltest.main()
