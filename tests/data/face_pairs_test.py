"""Lists of pairs: LFW's, CSV, random; what is refused, by file and line."""

import collections
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import face_folders, face_pairs, synthetic_faces

LFW = """2\t2
a\t1\t2
b\t1\t3
a\t1\tb\t2
b\t3\tc\t1
b\t2\t3
a\t1\t3
c\t1\ta\t3
a\t2\tb\t1
"""


class PairsTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name, count in (("a", 3), ("b", 3), ("c", 1)):
            (self.folder / name).mkdir()
            for i in range(1, count + 1):
                suffix = "png" if (name, i) == ("b", 2) else "jpg"
                path = self.folder / name / f"{name}_{i:04d}.{suffix}"
                path.write_bytes(b"")

    def list(self, text, name="pairs.txt"):
        path = self.folder / name
        path.write_text(text)
        return path

    def read(self, text, name="pairs.txt"):
        return face_pairs.read(self.list(text, name), self.folder)


class LfwTest(PairsTestCase):
    def test_pairs_are_the_list_s(self):
        pairs = self.read(LFW)
        first = ["a_0001", "b_0001", "a_0001", "b_0003"]
        second = ["a_0002", "b_0003", "b_0002", "c_0001"]
        self.assertEqual([p.stem for p in pairs.first[:4]], first)
        self.assertEqual([p.stem for p in pairs.second[:4]], second)
        self.assertEqual(pairs.second[2].suffix, ".png")
        np.testing.assert_array_equal(pairs.is_same, [1, 1, 0, 0, 1, 1, 0, 0])
        np.testing.assert_array_equal(pairs.folds, [0] * 4 + [1] * 4)
        self.assertLen(pairs, 8)

    def test_a_list_of_one_fold_has_one_number(self):
        text = "\n".join(["2", *LFW.splitlines()[1:5]])
        np.testing.assert_array_equal(self.read(text).folds, [0] * 4)

    @parameterized.parameters(
        ("", "pairs.txt:1: .* got 'nothing'"),
        ("ten 300\n", "pairs.txt:1: expected the number of folds"),
        (LFW.replace("2\t2\n", "3\t2\n", 1), "pairs.txt: .* 12 lines; got 8"),
        (LFW.replace("b\t1\t3", "b\t1"), "pairs.txt:3: expected name i j"),
        (LFW.replace("a\t1\tb\t2", "a\t1\t2"), "pairs.txt:4: .* i other j"),
        (LFW.replace("b\t1\t3", "b\tone\t3"), "pairs.txt:3: .*number"),
    )
    def test_other_lines_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            self.read(text)

    def test_missing_files_are_named(self):
        with self.assertRaisesRegex(
            FileNotFoundError, "pairs.txt:5: expected .*c_0007"
        ):
            self.read(LFW.replace("b\t3\tc\t1", "b\t3\tc\t7"))
        with self.assertRaisesRegex(FileNotFoundError, "no.txt: no such list"):
            face_pairs.read(self.folder / "no.txt", self.folder)
        with self.assertRaisesRegex(FileNotFoundError, "no: no such folder"):
            face_pairs.read(self.list(LFW), self.folder / "no")


class TableTest(PairsTestCase):
    def test_columns_are_read_in_any_order(self):
        text = (
            "same,fold,first,second\n1,2,a/a_0001.jpg,a/a_0002.jpg\n"
            "False,1,a,b\n"
        )
        pairs = self.read(text, "pairs.csv")
        self.assertEqual(pairs.first[0], self.folder / "a" / "a_0001.jpg")
        self.assertEqual(pairs.second[1], self.folder / "b")  # a video
        np.testing.assert_array_equal(pairs.is_same, [True, False])
        np.testing.assert_array_equal(pairs.folds, [1, 0])

    def test_pairs_without_folds_are_dealt_to_ten(self):
        rows = ["a,b,0"] * 25 + ["a,a,1"] * 15
        text = "\n".join(["first,second,same", *rows])
        pairs = self.read(text, "pairs.csv")
        for is_same, count in ((False, 25), (True, 15)):
            folds = pairs.folds[pairs.is_same == is_same].tolist()
            self.assertEqual(folds, [i % 10 for i in range(count)])

    @parameterized.parameters(
        ("first,second\na,b\n", "pairs.csv:1: expected the columns"),
        ("first,second,same,x\n", "pairs.csv:1: .* got first, same, second, x"),
        ("first,second,same\n", "pairs.csv: expected pairs; got none"),
        ("first,second,same\na,b,0\na,b,maybe\n", "pairs.csv:3: same must"),
        ("first,second,same,fold\na,b,0,0\n", "pairs.csv:2: fold must be"),
        ("first,second,same,fold\na,b,0\n", "pairs.csv:2: fold must be"),
    )
    def test_other_tables_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            self.read(text, "pairs.csv")

    @parameterized.parameters("a,no.jpg,0", "a,,0", "a")
    def test_missing_files_are_named(self, row):
        with self.assertRaises((FileNotFoundError, ValueError)) as caught:
            self.read(f"first,second,same\na,b,0\n{row}\n", "pairs.csv")
        self.assertIn("pairs.csv:3", str(caught.exception))


class RandomPairsTest(PairsTestCase):
    def test_half_of_the_pairs_are_of_one_person_and_none_comes_twice(self):
        folder = synthetic_faces.write(
            self.folder / "faces",
            num_identities=5,
            images_per_identity=6,
            size=32,
        )
        pairs = face_pairs.random_pairs(face_folders.read(folder), 120, seed=3)
        self.assertLen(pairs, 120)
        self.assertEqual(pairs.is_same.sum(), 60)
        ends = {
            frozenset(pair)
            for pair in zip(pairs.first, pairs.second, strict=True)
        }
        self.assertLen(ends, 120)
        for first, second, is_same in zip(
            pairs.first, pairs.second, pairs.is_same
        ):
            self.assertEqual(first.parent == second.parent, is_same)
            self.assertNotEqual(first, second)
        counts = collections.Counter(
            zip(pairs.folds.tolist(), pairs.is_same.tolist())
        )
        self.assertEqual(set(counts.values()), {6})
        self.assertLen(counts, 20)
        again = face_pairs.random_pairs(face_folders.read(folder), 120, seed=3)
        self.assertEqual(again.first, pairs.first)

    @parameterized.parameters(
        (21, "even number from 20; got 21"),
        (10, "even number from 20; got 10"),
        (20, "10 different pairs of one person; 3 persons with 7 images"),
    )
    def test_what_there_is_not_is_said(self, count, message):
        # a, b and c have 3 + 3 + 0 pairs of one person.
        with self.assertRaisesRegex(ValueError, message):
            face_pairs.random_pairs(
                face_folders.read(self.folder), count, seed=0
            )

    def test_one_person_gives_no_pairs_of_two(self):
        paths = tuple(self.folder / f"{i}.png" for i in range(9))
        with self.assertRaisesRegex(ValueError, "pairs of two persons; 1 pers"):
            face_pairs.random_pairs(
                [face_folders.Identity("a", paths)], 20, seed=0
            )


if __name__ == "__main__":
    absltest.main()
