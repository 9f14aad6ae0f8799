"""Distances of faces and videos by an embedder that can be computed."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.data import face_pairs
from squeeze_tf.shift_applications import face_distances, images

keras = tf.keras


def embedder():
    """The mean colour, as a vector of length 1."""
    image = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, keras.layers.UnitNormalization()(x))


class FaceDistancesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        random = np.random.default_rng(0)
        self.colours = {}
        for video, count in (("a", 7), ("b", 5), ("c", 1)):
            (self.folder / video).mkdir()
            for i in range(count):
                path = self.folder / video / f"{i}.png"
                colour = random.integers(1, 256, 3)
                image = np.empty((6, 6, 3), np.uint8)
                image[:] = colour
                images.write(path, image)
                self.colours[path] = colour / np.linalg.norm(colour)

    def pairs(self, *names):
        first, second = zip(*names)
        return face_pairs.Pairs(
            tuple(self.folder / name for name in first),
            tuple(self.folder / name for name in second),
            np.ones(len(names), bool),
            np.zeros(len(names), np.int64),
        )

    def distance(self, first, second):
        return np.sum((self.colours[first] - self.colours[second]) ** 2)

    def test_images_are_compared_once(self):
        pairs = self.pairs(("a/0.png", "a/1.png"), ("a/2.png", "b/0.png"))
        found = face_distances.squared_distances(embedder(), pairs)
        expected = [
            self.distance(one, other)
            for one, other in zip(pairs.first, pairs.second)
        ]
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_videos_are_the_mean_of_the_drawn_frames(self):
        pairs = self.pairs(("a", "b"), ("b", "a/0.png"), ("a", "b"))
        found = face_distances.squared_distances(
            embedder(), pairs, frame_pairs=20, seed=3, batch_size=4
        )
        for place, (first, second) in enumerate(zip(pairs.first, pairs.second)):
            one, other = face_distances.frame_draws(
                first, second, 20, [3, place]
            )
            self.assertLen(one, 20)
            distances = [self.distance(x, y) for x, y in zip(one, other)]
            self.assertAlmostEqual(found[place], np.mean(distances), places=5)
        self.assertNotEqual(found[0], found[2])  # other draws

    def test_many_draws_come_near_all_pairs_of_frames(self):
        pairs = self.pairs(("a", "b"))
        (found,) = face_distances.squared_distances(
            embedder(), pairs, frame_pairs=4000
        )
        every = [
            self.distance(x, y)
            for x in (self.folder / "a").iterdir()
            for y in (self.folder / "b").iterdir()
        ]
        error = np.std(every) / np.sqrt(4000)
        self.assertAlmostEqual(found, np.mean(every), delta=4 * error)

    def test_draws_are_of_the_right_video_and_repeat_with_the_seed(self):
        a, b, c = (self.folder / name for name in "abc")
        one, other = face_distances.frame_draws(a, b, 100, [0, 0])
        self.assertEqual({path.parent for path in one}, {a})
        self.assertEqual({path.parent for path in other}, {b})
        self.assertLen(set(one), 7)
        again = face_distances.frame_draws(a, b, 100, [0, 0])
        self.assertEqual((one, other), again)
        single = face_distances.frame_draws(c, c, 100, [0, 0])
        self.assertEqual(single, ([c / "0.png"], [c / "0.png"]))

    def test_embeddings_keep_the_order_of_the_files(self):
        paths = list(self.colours)[::-1]
        found = face_distances.embed(embedder(), paths, batch_size=3)
        np.testing.assert_allclose(
            found, [self.colours[path] for path in paths], atol=1e-6
        )

    def test_damaged_and_missing_frames_are_named(self):
        (self.folder / "b" / "9.png").write_bytes(b"no image")
        with self.assertRaisesRegex(ValueError, "9.png: not a whole image"):
            face_distances.squared_distances(
                embedder(), self.pairs(("a", "b")), frame_pairs=200
            )
        (self.folder / "d").mkdir()
        with self.assertRaisesRegex(ValueError, "d: expected images"):
            face_distances.squared_distances(embedder(), self.pairs(("a", "d")))


if __name__ == "__main__":
    absltest.main()
