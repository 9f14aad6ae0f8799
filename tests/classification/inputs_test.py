import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import inputs
from squeeze_tf.data import classification, image_records, synthetic

NOTHING = inputs.Augmentation()


def batches(images, epoch=0, seed=0, augmentation=NOTHING, size=(12, 10)):
    found = inputs.training_batches(
        images,
        image_size=size,
        batch_size=5,
        augmentation=augmentation,
        seed=seed,
        epoch=epoch,
    )
    pairs = list(found.as_numpy_iterator())
    return [np.concatenate(x) for x in zip(*pairs)], [len(x) for x, _ in pairs]


class BatchesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.pixels, self.ids = synthetic.class_images(3, 4)
        self.images = classification.of_arrays(self.pixels, self.ids, "abc")
        self.all = inputs.Augmentation(min_crop=0.5, pad=2, flip=True)

    def test_an_epoch_holds_every_image_once(self):
        (images, targets), sizes = batches(self.images)
        self.assertEqual(sizes, [5, 5, 2])
        self.assertCountEqual(
            [x.astype(np.uint8).tobytes() for x in images],
            [x.tobytes() for x in self.pixels],
        )
        np.testing.assert_array_equal(targets.sum(1), 1)
        for image, target in zip(images, targets):
            self.assertEqual(image[4 * target.argmax(), 0, 0], 230)

    def test_equal_arguments_give_equal_epochs(self):
        (first, _), _ = batches(self.images, 3, 7, self.all)
        (again, _), _ = batches(self.images, 3, 7, self.all)
        np.testing.assert_array_equal(first, again)
        for epoch, seed in ((4, 7), (3, 8)):
            (other, _), _ = batches(self.images, epoch, seed, self.all)
            self.assertFalse(np.allclose(first, other))

    def test_evaluation_keeps_the_order_and_the_images(self):
        found = inputs.evaluation_batches(
            self.images, image_size=(12, 10), batch_size=8
        )
        images, targets = zip(*found.as_numpy_iterator())
        np.testing.assert_array_equal(np.concatenate(images), self.pixels)
        np.testing.assert_array_equal(
            np.concatenate(targets).argmax(1), self.ids
        )

    def test_images_of_any_size_come_out_as_the_network_s(self):
        with tempfile.TemporaryDirectory() as name:
            for number, size in enumerate(((12, 10), (30, 20), (8, 16))):
                synthetic.write_class_folders(
                    f"{name}/{number}", size=size, count=1
                )
            images = classification.folders(name, "train")
            for augmentation in (NOTHING, self.all):
                (found, _), _ = batches(
                    images, augmentation=augmentation, size=(9, 7)
                )
                self.assertEqual(found.shape, (9, 9, 7, 3))
                self.assertBetween(found.min(), 0, 120)
                self.assertBetween(found.max(), 150, 255)

    def test_a_damaged_file_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            folder = synthetic.write_class_folders(name)
            images = classification.folders(str(folder), "train")
            bad = images.paths[5]
            bad.write_bytes(bad.read_bytes()[:60])
            with self.assertRaisesRegex(ValueError, f"{bad}: not a whole"):
                with inputs.naming_damaged(None, images):
                    batches(images)

    def test_every_data_set_reads_both_parts(self):
        self.assertLessEqual(set(inputs.OPTIONS), set(inputs.DATASETS))
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            synthetic.write_class_folders(folder / "folders", count=8)
            (folder / "records").mkdir()
            image_records.write(folder / "records" / "a", self.pixels, self.ids)
            (folder / "records" / "labels.txt").write_text("0:a\n1:b\n2:c")
            for name in ("digits", "folders", "records"):
                for part in classification.PARTS:
                    found = inputs.DATASETS[name](str(folder / name), part)
                    (images, _), _ = batches(found, size=(8, 8))
                    self.assertLen(images, found.num_images)


class AugmentationTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(0)
        image = random.uniform(1, 255, (6, 8, 3)).astype(np.float32)
        self.image = tf.constant(image)

    def changed(self, number, **settings):
        size = settings.pop("size", (6, 8))
        return inputs.augment(
            self.image,
            tf.constant([3, number], tf.int64),
            size,
            inputs.Augmentation(**settings),
        ).numpy()

    def test_nothing_is_nothing(self):
        np.testing.assert_array_equal(self.changed(0), self.image)

    def test_padding_moves_the_image_over_zeros(self):
        padded = np.pad(self.image, ((2, 2), (2, 2), (0, 0)))
        seen = set()
        for number in range(200):
            found = self.changed(number, pad=2)
            places = [
                (y, x)
                for y in range(5)
                for x in range(5)
                if np.array_equal(padded[y : y + 6, x : x + 8], found)
            ]
            self.assertLen(places, 1)
            seen.add(places[0])
        self.assertLen(seen, 25)  # all places come up

    def test_half_of_the_images_are_mirrored(self):
        flipped = 0
        for number in range(200):
            found = self.changed(number, flip=True)
            if np.array_equal(found, self.image[:, ::-1]):
                flipped += 1
            else:
                np.testing.assert_array_equal(found, self.image)
        self.assertBetween(flipped, 70, 130)  # 4 standard deviations

    def test_crops_are_of_the_area_and_proportions_wanted(self):
        # Each pixel holds its place, so the crop can be read from the result.
        rows, columns = np.meshgrid(
            np.arange(60.0), np.arange(80.0), indexing="ij"
        )
        self.image = tf.constant(np.stack([rows, columns], -1), tf.float32)
        shares, ratios = [], []
        for number in range(100):
            found = self.changed(number, min_crop=0.2, size=(30, 30))
            height = (found[-1, 0, 0] - found[0, 0, 0]) / 29 * 30
            width = (found[0, -1, 1] - found[0, 0, 1]) / 29 * 30
            shares.append(height * width / 4800)
            ratios.append(width / height)
        self.assertBetween(min(shares), 0.17, 0.35)
        self.assertBetween(max(shares), 0.8, 1.03)
        self.assertBetween(min(ratios), 0.7, 0.85)
        self.assertBetween(max(ratios), 1.2, 1.4)

    @parameterized.parameters((1.0, 60, 80, 60, 60), (0.5, 60, 80, 30, 30))
    def test_the_middle_is_evaluated(self, share, rows, columns, high, wide):
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        image = tf.constant(np.stack([y, x], -1), tf.float32)
        found = inputs.central(image, (15, 15), share).numpy()
        # A pixel of the result covers several of the image; means are centres.
        np.testing.assert_allclose(
            found.mean((0, 1)), [(rows - 1) / 2, (columns - 1) / 2], atol=0.1
        )
        np.testing.assert_allclose(
            found[-1, -1] - found[0, 0], [high * 14 / 15, wide * 14 / 15],
            rtol=0.05,
        )  # fmt: skip

    def test_an_image_of_the_right_size_is_left_alone(self):
        np.testing.assert_array_equal(
            inputs.central(self.image, (6, 8), 1.0), self.image
        )


if __name__ == "__main__":
    absltest.main()
