import numpy as np
from absl.testing import absltest

from squeeze_tf.shift_applications import parity


class ParityTest(absltest.TestCase):
    def test_embeddings_agree_by_the_cosines_of_their_angles(self):
        angles = np.array([0.3, 1.0, 2.0])
        turns = np.array([0.0, 0.1, np.pi])

        def unit(angle):
            return {"embedding": np.stack([np.cos(angle), np.sin(angle)], 1)}

        largest, same, count = parity.embeddings(
            np.zeros(3), unit(angles), unit(angles + turns)
        )
        self.assertEqual(count, 3)
        self.assertAlmostEqual(same, 1 + np.cos(0.1) - 1)
        # The last is turned around: twice its larger number.
        self.assertAlmostEqual(largest, 2 * np.sin(2.0))

    def test_pictures_agree_by_the_mean_difference_of_their_values(self):
        picture = np.random.default_rng(0).uniform(10, 245, (2, 3, 4, 3))
        picture = picture.astype(np.float32)
        other = picture.copy()
        other[0, 0, 0, 0] += 5.1
        other[1, 1, 1] -= 2.55
        largest, same, count = parity.pictures(
            picture, {"picture": picture}, {"picture": other}
        )
        self.assertEqual(count, picture.size)
        self.assertAlmostEqual(largest, 0.02, places=6)
        self.assertAlmostEqual(count - same, 0.02 + 3 * 0.01, places=5)


if __name__ == "__main__":
    absltest.main()
