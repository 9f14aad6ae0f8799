import hashlib
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import image_folders, image_labels, splits

NONE = image_labels.make([], np.zeros((0, 4)))


def samples(names):
    return [
        image_folders.ImageSample(name, pathlib.Path(name), NONE)
        for name in names
    ]


class SplitsTest(absltest.TestCase):
    def test_the_committed_file_is_the_hash_of_kittis_names(self):
        names = splits.KITTI_OBJECT.read_text().split()
        expected = [
            f"{i:06d}"
            for i in range(7481)
            if int(hashlib.sha256(f"{i:06d}".encode()).hexdigest(), 16) < 2**255
        ]
        self.assertEqual(names, expected)
        self.assertBetween(len(names), 3600, 3880)  # half, within 3 sigma

    def test_parts_are_complementary_and_stay_when_images_are_added(self):
        few = samples(f"image{i}" for i in range(100))
        more = samples(f"image{i}" for i in range(300))
        for share in (0.2, 0.5):
            train, validation = (
                splits.select(few, "hash", part, share)
                for part in ("train", "validation")
            )
            self.assertLen({s.name for s in train + validation}, len(few))
            self.assertAlmostEqual(len(validation) / 100, share, delta=0.15)
            again = splits.select(more, "hash", "validation", share)
            self.assertContainsSubset(
                {s.name for s in validation}, {s.name for s in again}
            )

    def test_a_file_of_names_splits(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "val.txt"
            path.write_text("b\nc\n")
            all_samples = samples("abcd")
            train, validation = (
                splits.select(all_samples, str(path), part)
                for part in ("train", "validation")
            )
            self.assertEqual([s.name for s in train], ["a", "d"])
            self.assertEqual([s.name for s in validation], ["b", "c"])
            path.write_text("b\nz\n")
            with self.assertRaisesRegex(ValueError, "1 names .*instance z"):
                splits.select(all_samples, str(path), "train")

    def test_no_split_leaves_all_in_both(self):
        self.assertLen(splits.select(samples("ab"), "", "train"), 2)

    def test_bad_splits_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'hash' or a .txt file"):
            splits.select(samples("ab"), "random", "train")
        with self.assertRaisesRegex(ValueError, "leaves none of 2 images"):
            splits.select(samples("ab"), "hash", "validation", 0.0)


if __name__ == "__main__":
    absltest.main()
