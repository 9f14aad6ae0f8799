import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, pictures, plots


def dark(image):
    """How many pixels are not white."""
    return int((image.min(-1) < 200).sum())


class PlotsTest(absltest.TestCase):
    def test_curves_are_drawn(self):
        labels = image_labels.make(["Car"], [[10, 10, 90, 90]])
        found = image_labels.make(["car"], [[10, 10, 90, 90]], scores=[0.5])
        curves = average_precision.evaluate([labels], [found])
        kept = np.array([8, 64, 512])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.png"
            plots.precision_recall(path, curves)
            three = pictures.read(path)
            plots.precision_recall(path, curves[:3])
            one = pictures.read(path)
            self.assertAlmostEqual(three.shape[1] / one.shape[1], 3, delta=0.1)
            images = []
            for recalls in ([0.1, 0.1, 0.1], [0.1, 0.5, 0.9]):
                plots.recall_by_boxes(path, kept, np.array(recalls))
                images.append(pictures.read(path))
            self.assertGreater(min(map(dark, (one, *images))), 500)
            self.assertFalse(np.array_equal(*images))


if __name__ == "__main__":
    absltest.main()
