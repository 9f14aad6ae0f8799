import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_records, synthetic


class RecordsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.images, self.ids = synthetic.class_images(3, 4)
        self.labels("1:ant\n2:bee\n\n7:cat:big\n")

    def labels(self, text):
        (self.folder / "labels.txt").write_text(text)

    def write(self, name, part=np.s_[:]):
        path = self.folder / name
        image_records.write(
            path, self.images[part], np.array([1, 2, 7])[self.ids[part]]
        )
        return path

    def read(self, part="train", seed=None, **options):
        images = image_records.read(str(self.folder), part, **options)
        found = list(images.read(seed).as_numpy_iterator())
        self.assertLen(found, images.num_images)
        pixels = [x["image"] for x in found]
        return images, pixels, [int(x["class_id"]) for x in found]

    def test_images_and_classes_come_back(self):
        self.write("a.tfrecord", np.s_[:5])
        self.write("b.tfrecord", np.s_[5:])
        images, pixels, ids = self.read()
        self.assertEqual(images.class_names, ("ant", "bee", "cat:big"))
        np.testing.assert_array_equal(pixels, self.images)
        self.assertEqual(ids, self.ids.tolist())
        self.assertEqual(images.num_images, 12)
        self.assertEqual(self.read(channels=1)[1][0].shape, (12, 10, 1))

    def test_a_seed_mixes_the_files_and_repeats(self):
        self.write("a", np.s_[:6])
        self.write("b", np.s_[6:])
        _, pixels, _ = self.read(seed=1)
        np.testing.assert_array_equal(pixels, self.read(seed=1)[1])
        self.assertFalse(np.array_equal(pixels, self.read(seed=2)[1]))
        self.assertCountEqual(
            [x.astype(np.uint8).tobytes() for x in pixels],
            [x.tobytes() for x in self.images],
        )

    def test_names_of_files_say_the_part(self):
        self.write("train-00000-of-00001", np.s_[:8])
        everything, _, _ = self.read("validation")
        self.assertEqual(everything.num_images, 8)  # nothing is held out
        self.write("validation-00000-of-00001", np.s_[8:])
        self.assertEqual(self.read("train")[0].num_images, 8)
        self.assertEqual(self.read("validation")[0].num_images, 4)

    def test_records_are_counted_as_tensorflow_does(self):
        path = self.write("a")
        self.assertEqual(image_records.count(path), 12)
        content = path.read_bytes()
        for size in (5, 100, len(content) - 1):
            path.write_bytes(content[:size])
            with self.assertRaisesRegex(ValueError, "a: not a whole TFRecord"):
                image_records.count(path)

    def test_an_unknown_label_is_refused_with_its_file(self):
        path = self.write("a")
        self.labels("1:ant\n2:bee\n")
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, f"{path}(.|\n)*not in labels.txt"
        ):
            self.read()

    def test_a_damaged_image_is_found(self):
        image = tf.io.encode_png(self.images[0]).numpy()
        path = self.folder / "a"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for content in (image, image[:50]):
                bytes_list = tf.train.BytesList(value=[content])
                label = tf.train.Int64List(value=[1])
                features = {
                    "image/encoded": tf.train.Feature(bytes_list=bytes_list),
                    "image/class/label": tf.train.Feature(int64_list=label),
                }
                example = tf.train.Example(
                    features=tf.train.Features(feature=features)
                )
                writer.write(example.SerializeToString())
        self.assertRegex(image_records.problem(path, 3), "in record 1")
        self.assertIsNone(image_records.problem(self.write("b"), 3))
        png = self.folder / "c.png"
        png.write_bytes(image)
        self.assertIsNone(image_records.problem(png, 3))
        png.write_bytes(image[:50])
        self.assertRegex(image_records.problem(png, 3), "not a whole image")

    @parameterized.parameters(
        ("1,ant", "labels.txt:1: expected LABEL:NAME"),
        ("1:ant\nx:bee", "labels.txt:2: expected LABEL:NAME"),
        ("1:", "labels.txt:1: expected LABEL:NAME"),
        ("1:ant\n1:bee", "labels.txt:2: .* there already"),
        ("1:ant\n2:ant", "labels.txt:2: .* there already"),
        ("\n", "got none"),
    )
    def test_labels_of_another_form_are_refused(self, text, message):
        self.write("a")
        self.labels(text)
        with self.assertRaisesRegex(ValueError, message):
            self.read()

    def test_absent_files_are_said(self):
        with self.assertRaisesRegex(ValueError, "expected TFRecord files"):
            self.read()
        (self.folder / "labels.txt").unlink()
        with self.assertRaisesRegex(FileNotFoundError, "LABEL:NAME"):
            self.read()
        with self.assertRaisesRegex(FileNotFoundError, "no such folder"):
            image_records.read(str(self.folder / "absent"), "train")
        self.labels("1:ant")
        with self.assertRaisesRegex(ValueError, "part must be one of"):
            self.read("test")


if __name__ == "__main__":
    absltest.main()
