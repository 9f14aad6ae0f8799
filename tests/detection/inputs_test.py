import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.data import (
    class_lists,
    image_folders,
    image_labels,
    synthetic,
)
from squeeze_tf.detection import anchors, augmentation, inputs

SIZE = (38, 75)  # half of the images'
GRID = anchors.grid([(20, 8), (8, 14)], SIZE, (3, 5))
CLASSES = class_lists.load("kitti")


class InputsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        synthetic.write_images(self.folder, count=5)
        self.samples = image_folders.read(str(self.folder), "kitti")
        self.learned = inputs.objects(self.samples, CLASSES)

    def batches(self, change=augmentation.Augmentation(), **kwargs):  # noqa: B008
        return inputs.training_batches(
            self.samples,
            self.learned,
            **(
                {
                    "image_size": SIZE,
                    "anchors": GRID,
                    "batch_size": 2,
                    "augmentation": change,
                    "fill": (0, 0, 0),
                    "seed": 0,
                    "epoch": 0,
                }
                | kwargs
            ),
        )

    def evaluation(self):
        return inputs.evaluation_batches(
            self.samples,
            self.learned,
            image_size=SIZE,
            anchors=GRID,
            batch_size=2,
        )

    def test_objects_are_boxes_of_the_classes_alone(self):
        labels = image_labels.make(
            ["Car", "Van", "cyclist", "Car", "Car"],
            np.array(
                [
                    [10, 20, 30, 50],
                    [0, 0, 5, 5],
                    [1, 2, 3, 6],
                    [7, 7, 7, 9],  # no width
                    [1, 1, 5, 5],
                ]
            ),
            is_ignored=[0, 0, 0, 0, 1],
        )
        sample = image_folders.ImageSample("a", pathlib.Path("a"), labels)
        with self.assertLogs(level="WARNING") as logged:
            found = inputs.objects([sample], CLASSES)
        self.assertIn("1 boxes without width or height", logged.output[0])
        np.testing.assert_array_equal(
            found.boxes, [[20, 35, 20, 30], [2, 4, 2, 4]]
        )
        np.testing.assert_array_equal(found.class_ids, [0, 2])
        np.testing.assert_array_equal(found.starts, [0, 2])
        inclusive = inputs.objects([sample], CLASSES, inclusive=True)
        np.testing.assert_array_equal(inclusive.boxes[0], [20.5, 35.5, 21, 31])

    def test_batches_hold_resized_images_and_their_targets(self):
        batches = list(self.evaluation())
        self.assertEqual([len(x) for x, _ in batches], [2, 2, 1])
        for i, sample in enumerate(self.samples):
            x, y = (part[i % 2].numpy() for part in batches[i // 2])
            self.assertEqual(x.shape, (*SIZE, 3))
            real = y[y[:, 0] >= 0]
            self.assertLen(real, len(sample.labels))
            scale = np.array([75 / 150, 38 / 75] * 2)
            corners = np.concatenate(
                [
                    real[:, 2:4] - real[:, 4:] / 2,
                    real[:, 2:4] + real[:, 4:] / 2,
                ],
                axis=1,
            )
            np.testing.assert_allclose(
                corners, sample.labels.corners * scale, atol=1e-4
            )
            np.testing.assert_array_equal(
                real[:, 1], class_lists.class_ids(CLASSES, sample.labels.types)
            )
            for row in real:  # the patch's colour is far from grey
                pixel = x[int(row[3]), int(row[2])]
                self.assertGreater(np.ptp(pixel), 100)
            self.assertTrue((y[y[:, 0] < 0] == -1).all())

    def test_an_epoch_is_a_shuffled_pure_function_of_its_arguments(self):
        change = augmentation.Augmentation(10, 5, True, 0.2)
        first, again, other = (
            np.concatenate(
                [x.numpy() for x, _ in self.batches(change, epoch=e)]
            )
            for e in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - other).max(), 50)
        plain = [
            np.concatenate([x.numpy() for x, _ in data]).mean(axis=(1, 2, 3))
            for data in (self.batches(), self.evaluation())
        ]
        np.testing.assert_allclose(*map(np.sort, plain), rtol=1e-6)
        self.assertFalse(np.array_equal(*plain))

    def test_images_of_an_epoch_are_changed_differently(self):
        one = self.samples[:1] * 5
        learned = inputs.objects(one, CLASSES)
        for change in (
            augmentation.Augmentation(drift_x=15, drift_y=10),
            augmentation.Augmentation(colour=0.5),
        ):
            batches = inputs.training_batches(
                one,
                learned,
                image_size=SIZE,
                anchors=GRID,
                batch_size=5,
                augmentation=change,
                fill=(0, 0, 0),
                seed=0,
                epoch=0,
            )
            images = next(iter(batches))[0].numpy()
            for i in range(5):
                for j in range(i):
                    self.assertGreater(np.abs(images[i] - images[j]).max(), 5)

    def test_inclusive_boxes_mirror_as_in_the_release(self):
        change = augmentation.Augmentation(flip=True)
        centres = []
        for inclusive in (False, True):
            batches = self.batches(change, batch_size=5, inclusive=inclusive)
            _, y = next(iter(batches))
            centres.append(y.numpy()[..., 2][y.numpy()[..., 0] >= 0])
        moved = centres[0] - centres[1]  # by a pixel of 150, where mirrored
        self.assertContainsSubset(set(moved.round(3)), {0.0, 0.5})
        self.assertGreater(moved.max(), 0.4)

    def test_images_alone_come_with_their_size(self):
        paths = [sample.path for sample in self.samples]
        (images, sizes), *_ = inputs.image_batches(paths, SIZE, 5)
        expected, _ = next(iter(self.evaluation()))
        np.testing.assert_array_equal(images[:2], expected)
        np.testing.assert_array_equal(sizes, [[75, 150]] * 5)
        np.testing.assert_array_equal(
            inputs.image_sizes(paths), [[75, 150]] * 5
        )

    def test_resizing_moves_boxes_with_the_pixels(self):
        image = np.zeros((40, 60, 3), np.float32)
        image[10:20, 30:50] = 255
        resized, boxes = inputs.resize(
            tf.constant(image),
            tf.constant([[40.0, 15.0, 20.0, 10.0]]),
            (80, 180),
        )
        rows, columns = np.nonzero(resized[..., 0].numpy() > 127)
        np.testing.assert_allclose(boxes, [[120, 30, 60, 20]])
        self.assertEqual((columns.min(), columns.max() + 1), (90, 150))
        self.assertEqual((rows.min(), rows.max() + 1), (20, 40))

    def test_damaged_files_are_named(self):
        path = self.samples[1].path
        path.write_bytes(path.read_bytes()[:2000])
        paths = [sample.path for sample in self.samples]
        with self.assertRaisesRegex(ValueError, f"{path}: not a whole image"):
            with inputs.naming_damaged(paths):
                list(self.evaluation())
        path.write_text("no image")
        with self.assertRaisesRegex(ValueError, f"{path}: not an image"):
            inputs.image_sizes(paths)


if __name__ == "__main__":
    absltest.main()
