import dataclasses
import pathlib
import tempfile

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from sklearn import datasets

from squeeze_tf.data import classification, splits, synthetic


def samples(images, seed=None):
    """All images and class ids, in the order in which they come."""
    found = list(images.read(seed).as_numpy_iterator())
    return [x["image"] for x in found], [int(x["class_id"]) for x in found]


class ArraysTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.pixels, self.ids = synthetic.class_images(3, 4)
        self.images = classification.of_arrays(self.pixels, self.ids, "abc")

    def test_samples_meet_the_contract(self):
        spec = self.images.read(None).element_spec
        self.assertEqual(spec["image"], tf.TensorSpec((12, 10, 3), tf.float32))
        self.assertEqual(spec["class_id"], tf.TensorSpec((), tf.int32))
        found, ids = samples(self.images)
        np.testing.assert_array_equal(found, self.pixels)
        self.assertEqual(ids, self.ids.tolist())
        self.assertEqual(self.images.num_images, 12)

    def test_a_seed_gives_an_order_and_the_pairs_stay(self):
        found, ids = samples(self.images, 5)
        again, _ = samples(self.images, 5)
        other, _ = samples(self.images, 6)
        np.testing.assert_array_equal(found, again)
        self.assertFalse(np.array_equal(found, other))
        self.assertFalse(np.array_equal(found, self.pixels))
        for image, class_id in zip(found, ids, strict=True):
            self.assertEqual(image[4 * class_id, 0, 0], 230)
        self.assertCountEqual(
            [x.tobytes() for x in found],
            [x.astype(np.float32).tobytes() for x in self.pixels],
        )

    @parameterized.parameters(
        (np.zeros((2, 4, 4)), [0, 1], "ab", r"\[N, H, W, C\]"),
        (np.zeros((2, 4, 4, 1)), [0], "ab", r"\[N, H, W, C\] and \[N\]"),
        (np.zeros((2, 4, 4, 1)), [0, 2], "ab", "0 to 1, .* got 2"),
        (np.zeros((2, 4, 4, 1)), [0, -1], "ab", "got -1"),
        (np.zeros((2, 4, 4, 1)), [0, 1], "aa", "unique"),
    )
    def test_arrays_that_do_not_fit_are_refused(self, x, ids, names, message):
        with self.assertRaisesRegex(ValueError, message):
            classification.of_arrays(x, np.array(ids), names)

    def test_classes_are_renumbered_by_another_list(self):
        moved = classification.with_classes(self.images, "xcab")
        _, ids = samples(moved)
        names = ["abc"[i] for i in self.ids]
        self.assertEqual(["xcab"[i] for i in ids], names)
        np.testing.assert_array_equal(moved.class_ids, ids)
        with self.assertRaisesRegex(ValueError, "1 classes are not .* 'b'"):
            classification.with_classes(self.images, "ac")

    def test_a_split_has_each_image_once_with_its_class(self):
        renumbered = classification.with_classes(self.images, "xabc")
        for images in (self.images, renumbered):
            parts = classification.split(images, 0.75, seed=1)
            self.assertEqual([x.num_images for x in parts], [9, 3])
            found = [samples(part, seed=3) for part in parts]
            whole = samples(images)
            self.assertCountEqual(
                [(x.tobytes(), i) for part in found for x, i in zip(*part)],
                [(x.tobytes(), i) for x, i in zip(*whole)],
            )
            for part in parts:
                self.assertEqual(samples(part)[1], part.class_ids.tolist())
            other, _ = classification.split(images, 0.75, seed=2)
            self.assertNotEqual(samples(other)[1], samples(parts[0])[1])

    def test_what_cannot_be_split_is_refused(self):
        with self.assertRaisesRegex(ValueError, "a part without any"):
            classification.split(self.images, 0.99, seed=0)
        streamed = dataclasses.replace(self.images, load=None)
        with self.assertRaisesRegex(ValueError, "records cannot be split"):
            classification.split(streamed, 0.5, seed=0)


class DigitsTest(absltest.TestCase):
    def test_both_parts_are_all_digits_once(self):
        parts = [classification.digits("", p) for p in classification.PARTS]
        self.assertEqual([x.num_images for x in parts], [1200, 597])
        self.assertEqual(parts[0].channels, 1)
        images = [x for part in parts for x in samples(part)[0]]
        known = datasets.load_digits().images * 255 / 16
        self.assertCountEqual(
            [np.round(x).astype(int).tobytes() for x in images],
            [np.round(x[..., None]).astype(int).tobytes() for x in known],
        )
        for part in parts:  # every digit is in both
            counted = np.bincount(part.class_ids, minlength=10)
            self.assertGreater(counted.min(), 0.07 * part.num_images)

    def test_an_unknown_part_is_refused(self):
        with self.assertRaisesRegex(ValueError, "part must be one of"):
            classification.digits("", "test")


class FoldersTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name="", **options):
        return synthetic.write_class_folders(self.folder / name, **options)

    def test_a_folder_is_a_class(self):
        self.write()
        (self.folder / ".hidden").mkdir()
        images = classification.folders(str(self.folder), "train")
        self.assertEqual(images.class_names, ("ant", "bee", "cat"))
        found, ids = samples(images)
        self.assertEqual(ids, [0] * 4 + [1] * 4 + [2] * 4)
        for path, image, class_id in zip(images.paths, found, ids):
            np.testing.assert_array_equal(
                image, cv2.imread(str(path))[..., ::-1]
            )
            self.assertEqual(path.parent.name, images.class_names[class_id])

    def test_images_of_any_format_size_and_depth(self):
        place = self.folder / "ant"
        (place / "deep").mkdir(parents=True)
        for name, size in (("a.jpg", 5), ("deep/b.PNG", 6), ("c.bmp", 7)):
            cv2.imwrite(str(place / name), np.full((size, 4, 3), 50, np.uint8))
        cv2.imwrite(str(place / "grey.png"), np.full((8, 4), 50, np.uint8))
        (place / "notes.txt").write_text("not an image")
        for channels in (1, 3):
            found, _ = samples(
                classification.folders(
                    str(self.folder), "train", channels=channels
                )
            )
            self.assertEqual(
                sorted(x.shape for x in found),
                [(size, 4, channels) for size in (5, 6, 7, 8)],
            )

    def test_parts_are_folders_where_there_are_both(self):
        self.write("train", count=3)
        self.write("val", count=2, class_names=("ant", "bee"))
        sizes = {}
        for part in classification.PARTS:
            # A share is of no account here.
            images = classification.folders(str(self.folder), part, share=0.5)
            sizes[part] = images.num_images, images.class_names
        self.assertEqual(sizes["train"], (9, ("ant", "bee", "cat")))
        self.assertEqual(sizes["validation"], (4, ("ant", "bee")))

    def test_a_share_validates_by_the_hash_of_the_names(self):
        self.write(count=20)
        train, validation = (
            classification.folders(str(self.folder), part, share=0.3)
            for part in classification.PARTS
        )
        self.assertEmpty(set(train.paths) & set(validation.paths))
        self.assertEqual(train.num_images + validation.num_images, 60)
        expected = {
            path
            for path in self.folder.rglob("*.png")
            if splits.is_validation(f"{path.parent.name}/{path.stem}", 0.3)
        }
        self.assertEqual(set(validation.paths), expected)
        self.assertEqual(train.class_names, validation.class_names)

    def test_what_is_no_set_of_folders_is_refused_by_name(self):
        absent = self.folder / "absent"
        with self.assertRaisesRegex(FileNotFoundError, "absent: no such"):
            classification.folders(str(absent), "train")
        with self.assertRaisesRegex(ValueError, "a folder for each class"):
            classification.folders(str(self.folder), "train")
        self.write()
        (self.folder / "dog").mkdir()
        with self.assertRaisesRegex(ValueError, "dog: expected images"):
            classification.folders(str(self.folder), "train")


if __name__ == "__main__":
    absltest.main()
