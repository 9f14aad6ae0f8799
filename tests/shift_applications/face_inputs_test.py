import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import face_folders
from squeeze_tf.shift_applications import face_inputs, images


class FaceInputsTest(absltest.TestCase):
    """Images whose first pixel tells which one they are."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        number = 0
        for name, count in (("a", 3), ("b", 1), ("c", 4)):
            (self.folder / name).mkdir()
            for i in range(count):
                image = np.zeros((8, 8, 3), np.uint8)
                image[:, :4], image[:, 4:] = 10 * number, 10 * number + 100
                images.write(self.folder / name / f"{i}.png", image)
                number += 1
        identities = face_folders.read(self.folder)
        self.paths, self.class_ids = face_inputs.labelled(identities)

    def batches(self, epoch=0, seed=5, flip=False):
        return list(
            face_inputs.training_batches(
                self.paths,
                self.class_ids,
                image_size=8,
                batch_size=3,
                flip=flip,
                seed=seed,
                epoch=epoch,
            )
        )

    def order(self, *arguments):
        return np.concatenate(
            [x[:, 0, 0, 0] / 10 for (x, _), _ in self.batches(*arguments)]
        ).tolist()

    def test_labels_are_places_of_persons(self):
        np.testing.assert_array_equal(self.class_ids, [0, 0, 0, 1, 2, 2, 2, 2])
        self.assertLen(self.paths, 8)

    def test_an_epoch_has_each_image_once_with_its_label(self):
        batches = self.batches()
        self.assertEqual([len(y) for _, y in batches], [3, 3, 2])
        self.assertCountEqual(self.order(), range(8))
        for (image, class_id), truth in batches:
            np.testing.assert_array_equal(class_id, truth)
            numbers = (image[:, 0, 0, 0].numpy() / 10).astype(int)
            np.testing.assert_array_equal(truth, self.class_ids[numbers])

    def test_epoch_and_seed_say_the_order(self):
        self.assertEqual(self.order(1), self.order(1))
        self.assertNotEqual(self.order(0), self.order(1))
        self.assertNotEqual(self.order(0, 5), self.order(0, 6))

    def test_half_of_the_images_are_mirrored(self):
        mirrored, whole = 0, 0
        for epoch in range(8):
            plain, flipped = (
                np.concatenate([x for (x, _), _ in self.batches(epoch, 5, f)])
                for f in (False, True)
            )
            for one, other in zip(plain, flipped, strict=True):
                is_mirrored = np.array_equal(one[:, ::-1], other)
                self.assertTrue(is_mirrored or np.array_equal(one, other))
                mirrored, whole = mirrored + is_mirrored, whole + 1
        self.assertBetween(mirrored / whole, 0.3, 0.7)  # of 64

    def test_images_alone_keep_their_order_and_are_stretched(self):
        batches = list(face_inputs.image_batches(self.paths, 4, 5))
        self.assertEqual(
            [x.shape for x in batches], [(5, 4, 4, 3), (3, 4, 4, 3)]
        )
        found = np.concatenate([x[:, 0, 0, 0] for x in batches])
        np.testing.assert_allclose(found, 10 * np.arange(8), atol=12)
        self.assertTrue((np.diff(found) > 0).all())


if __name__ == "__main__":
    absltest.main()
