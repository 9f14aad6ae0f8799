import pathlib
import tempfile

from absl.testing import absltest

from squeeze_tf.data import face_folders, synthetic_faces


class FaceFoldersTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, count=3):
        return synthetic_faces.write(
            self.folder / "faces",
            num_identities=count,
            images_per_identity=2,
            size=32,
        )

    def test_persons_and_their_images_are_sorted(self):
        found = face_folders.read(self.write())
        names = ["person0_0000", "person0_0001", "person0_0002"]
        self.assertEqual([identity.name for identity in found], names)
        self.assertEqual(
            [path.name for path in found[1].paths],
            ["person0_0001_0001.png", "person0_0001_0002.png"],
        )

    def test_persons_are_drawn_without_repeats_and_by_the_seed(self):
        found = face_folders.read(self.write(9))
        chosen = face_folders.choose(found, 4, seed=1)
        self.assertLen({identity.name for identity in chosen}, 4)
        self.assertEqual(chosen, sorted(chosen, key=lambda x: x.name))
        self.assertEqual(chosen, face_folders.choose(found, 4, seed=1))
        self.assertNotEqual(chosen, face_folders.choose(found, 4, seed=2))
        self.assertEqual(face_folders.choose(found, 0, seed=1), found)
        with self.assertRaisesRegex(ValueError, "choose 10 persons.* are 9"):
            face_folders.choose(found, 10, seed=1)
        names = {identity.name for identity in chosen}
        rest = face_folders.without(found, names)
        self.assertLen(rest, 5)
        self.assertFalse(names & {identity.name for identity in rest})

    def test_folders_that_cannot_be_used_are_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "faces: no such folder"):
            face_folders.read(self.folder / "faces")
        folder = self.write(1)
        with self.assertRaisesRegex(ValueError, "faces: .* 2 or more.* got 1"):
            face_folders.read(folder, least=2)
        (folder / "nobody").mkdir()
        with self.assertRaisesRegex(ValueError, "nobody: expected images"):
            face_folders.read(folder)


if __name__ == "__main__":
    absltest.main()
