import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.shift_applications import images, roc_picture, verification


class RocPictureTest(absltest.TestCase):
    def test_curves_are_drawn(self):
        is_same = np.arange(40) % 2 == 0
        random = np.random.default_rng(0)
        pictures = []
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "roc.png"
            for gap in (0.0, 2.0):
                distances = random.random(40) + np.where(is_same, 0, gap)
                roc_picture.write(path, verification.roc(distances, is_same))
                pictures.append(images.read(path))
        for picture in pictures:
            self.assertGreater((picture.min(-1) < 200).sum(), 500)
        self.assertFalse(np.array_equal(*pictures))


if __name__ == "__main__":
    absltest.main()
