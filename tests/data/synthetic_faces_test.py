import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf.data import face_folders, face_pairs, synthetic_faces


class SyntheticFacesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, seed=0):
        return synthetic_faces.write(
            self.folder / name,
            num_identities=3,
            images_per_identity=2,
            size=48,
            seed=seed,
            pairs_per_fold=2,
        )

    def test_the_seed_says_everything(self):
        contents = []
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            paths = sorted(self.write(name, seed).rglob("*.*"))
            contents.append([path.read_bytes() for path in paths])
        self.assertEqual(contents[0], contents[1])
        for one, other in zip(contents[0], contents[2], strict=True):
            self.assertNotEqual(one, other)

    def test_the_layout_is_lfw_s(self):
        folder = self.write("faces")
        self.assertLen(face_folders.read(folder), 3)
        pairs = face_pairs.read(folder / synthetic_faces.PAIRS, folder)
        self.assertLen(pairs, 40)
        self.assertEqual(set(pairs.folds.tolist()), set(range(10)))
        image = cv2.imread(str(pairs.first[0]))
        self.assertEqual(image.shape, (48, 48, 3))

    def test_a_person_looks_more_like_itself_than_like_others(self):
        # The colours in the middle of the face are the person's.
        random = np.random.default_rng(0)
        middles = []
        for _ in range(12):
            person = synthetic_faces.identity(random)
            middles.append(
                [
                    synthetic_faces.draw(person, 48, random)[24:40, 16:32].mean(
                        (0, 1)
                    )
                    for _ in range(4)
                ]
            )
        middles = np.array(middles)  # [12, 4, 3]
        within = middles.std(axis=1).mean()
        between = middles.mean(axis=1).std(axis=0).mean()
        self.assertLess(within, between)
        self.assertGreater(within, 1.0)  # light and pose change


if __name__ == "__main__":
    absltest.main()
