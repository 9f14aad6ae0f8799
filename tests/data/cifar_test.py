import os
import pathlib
import pickle
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import cifar, synthetic

NAMES = {
    10: [f"class{i}" for i in range(10)],
    100: [f"fine{i}" for i in range(100)],
}
READ = {10: cifar.cifar10, 100: cifar.cifar100}


class Runs:
    """Would run a program when it is unpickled."""

    def __reduce__(self):
        return os.system, ("true",)


def rows(images):
    """[N, 32, 32, 3] as the files have it: red, green, blue planes."""
    planes = [images[..., c].reshape(len(images), -1) for c in range(3)]
    return np.concatenate(planes, axis=1)


class CifarTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.images, _ = synthetic.class_images(6, 2, (32, 32))
        self.ids = np.arange(12) % 10

    def dump(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content, protocol=2))
        return path

    def write_pickles(self, num_classes, inner=""):
        """Twelve images to train, in five or one files, and two of them."""
        data = rows(self.images)
        key = b"labels" if num_classes == 10 else b"fine_labels"
        names = {10: ("batches.meta", b"label_names")}.get(
            num_classes, ("meta", b"fine_label_names")
        )
        parts = {"test": np.s_[:2], "train": np.s_[:]}
        if num_classes == 10:
            parts = {"test_batch": np.s_[:2], "data_batch_1": np.s_[:4]} | {
                f"data_batch_{i}": np.s_[2 * i : 2 * i + 2] for i in range(2, 6)
            }
        for name, part in parts.items():
            content = {b"data": data[part], key: self.ids[part].tolist()}
            self.dump(f"{inner}{name}", content | {b"coarse_labels": [0]})
        encoded = [name.encode() for name in NAMES[num_classes]]
        self.dump(f"{inner}{names[0]}", {names[1]: encoded})

    def write_binaries(self, num_classes):
        first = [self.ids[:, None]]
        if num_classes == 100:
            first.insert(0, self.ids[:, None] * 0 + 7)  # coarse
        records = np.concatenate([*first, rows(self.images)], 1)
        records = records.astype(np.uint8)
        if num_classes == 10:
            cuts = [0, 4, 6, 8, 10, 12]
            for i in range(5):
                part = records[cuts[i] : cuts[i + 1]]
                part.tofile(self.folder / f"data_batch_{i + 1}.bin")
            records[:2].tofile(self.folder / "test_batch.bin")
            name = "batches.meta.txt"
        else:
            records.tofile(self.folder / "train.bin")
            records[:2].tofile(self.folder / "test.bin")
            name = "fine_label_names.txt"
        text = "\n".join(NAMES[num_classes]) + "\n\n"
        (self.folder / name).write_text(text)

    @parameterized.product(num_classes=(10, 100), binary=(False, True))
    def test_images_and_labels_come_back(self, num_classes, binary):
        write = self.write_binaries if binary else self.write_pickles
        write(num_classes)
        found = READ[num_classes](str(self.folder), "train")
        self.assertEqual(found.class_names, tuple(NAMES[num_classes]))
        np.testing.assert_array_equal(found.class_ids, self.ids)
        images = [x["image"] for x in found.read(None).as_numpy_iterator()]
        np.testing.assert_array_equal(images, self.images)
        held_out = READ[num_classes](str(self.folder), "validation")
        np.testing.assert_array_equal(held_out.class_ids, self.ids[:2])

    def test_the_folder_of_the_archive_is_found(self):
        self.write_pickles(10, "cifar-10-batches-py/")
        found = cifar.cifar10(str(self.folder), "train")
        self.assertEqual(found.num_images, 12)

    def test_a_pickle_that_runs_something_is_refused(self):
        self.write_pickles(100)
        path = self.dump("train", {b"data": Runs()})
        with self.assertRaisesRegex(
            ValueError, f"{path}: not a pickle .* (posix|nt).system"
        ):
            cifar.cifar100(str(self.folder), "train")

    @parameterized.parameters(
        ([1], "expected a dict; got list"),
        ({b"labels": [1]}, "expected the keys data .* got"),
        ({b"data": np.zeros((2, 5), np.uint8), b"labels": [0, 1]}, "uint8"),
        ({b"data": np.zeros((1, 3072)), b"labels": [0]}, "float64"),
        (
            {b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]},
            "0 to 9; got 10",
        ),
        (
            {b"data": np.zeros((1, 3072), np.uint8), b"labels": ["cat"]},
            "labels must be numbers",
        ),
    )
    def test_pickles_of_other_content_are_named(self, content, message):
        self.write_pickles(10)
        path = self.dump("data_batch_3", content)
        with self.assertRaisesRegex(ValueError, f"{path}: .*{message}"):
            cifar.cifar10(str(self.folder), "train")

    def test_cut_files_are_named(self):
        self.write_pickles(10)
        path = self.folder / "data_batch_2"
        path.write_bytes(path.read_bytes()[:100])
        with self.assertRaisesRegex(ValueError, f"{path}: not a pickle"):
            cifar.cifar10(str(self.folder), "train")
        self.write_binaries(100)
        path = self.folder / "train.bin"
        path.write_bytes(path.read_bytes()[:-1])
        with self.assertRaisesRegex(ValueError, f"{path}: .* 3074 bytes"):
            cifar.cifar100(str(self.folder), "train")

    def test_absent_files_and_names_are_said(self):
        with self.assertRaisesRegex(
            FileNotFoundError, "expected data_batch_1 or data_batch_1.bin"
        ):
            cifar.cifar10(str(self.folder), "train")
        self.write_binaries(10)
        (self.folder / "batches.meta.txt").write_text("one\ntwo\n")
        with self.assertRaisesRegex(ValueError, "10 names of classes; got 2"):
            cifar.cifar10(str(self.folder), "train")
        with self.assertRaisesRegex(ValueError, "part must be one of"):
            cifar.cifar10(str(self.folder), "test")


if __name__ == "__main__":
    absltest.main()
