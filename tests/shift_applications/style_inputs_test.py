import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.shift_applications import images, style_inputs


class StyleInputsTest(absltest.TestCase):
    def places(self, epoch, count=6):
        return style_inputs.places(4, count=count, seed=1, epoch=epoch)

    def test_every_pass_has_each_image_once(self):
        row = np.concatenate([self.places(epoch) for epoch in range(4)])
        passes = row.reshape(6, 4)
        np.testing.assert_array_equal(
            np.sort(passes, axis=1), [[0, 1, 2, 3]] * 6
        )
        self.assertGreater(len({tuple(one) for one in passes.tolist()}), 1)

    def test_epochs_cut_one_row(self):
        whole = self.places(0, count=24)
        parts = [self.places(epoch, count=3) for epoch in range(8)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        other = style_inputs.places(4, count=24, seed=2, epoch=0)
        self.assertFalse(np.array_equal(other, whole))
        with self.assertRaisesRegex(ValueError, "at least one image"):
            style_inputs.places(0, count=3, seed=0, epoch=0)

    def test_batches_hold_the_images_of_their_places(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / f"{i}.png" for i in range(4)]
            for i, path in enumerate(paths):
                images.write(path, np.full((20, 30, 3), 50 * i, np.uint8))
            batches = list(
                style_inputs.training_batches(
                    paths,
                    image_size=8,
                    batch_size=3,
                    steps=2,
                    seed=1,
                    epoch=1,
                )
            )
        self.assertLen(batches, 2)
        for image, target in batches:
            self.assertEqual(image.shape, (3, 8, 8, 3))
            np.testing.assert_array_equal(image, target)
        found = np.concatenate([x[:, 0, 0, 0] / 50 for x, _ in batches])
        np.testing.assert_allclose(found, self.places(1), atol=1e-4)


if __name__ == "__main__":
    absltest.main()
