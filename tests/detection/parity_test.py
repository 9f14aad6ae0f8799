import numpy as np
from absl.testing import absltest

from squeeze_tf.detection import parity

BATCH = np.zeros((1, 1))


def run(*rows):
    """Rows of x, class and score; boxes 10 wide at y = 0."""
    return {
        "boxes": np.array([[[x, 0, 10, 10] for x, _, _ in rows]], np.float32),
        "class_ids": np.array([[c for _, c, _ in rows]]),
        "scores": np.array([[s for _, _, s in rows]], np.float32),
    }


class ParityTest(absltest.TestCase):
    def test_the_same_boxes_in_another_order_agree(self):
        one = run((0, 1, 0.9), (50, 0, 0.5), (90, 0, 0.0))
        two = run((50, 0, 0.52), (0, 1, 0.9), (30, 0, 0.0))
        largest, same, count = parity.agreement(BATCH, one, two)
        self.assertAlmostEqual(largest, 0.02, places=6)
        self.assertEqual((same, count), (4, 4))

    def test_what_one_run_lacks_counts(self):
        one = run((0, 1, 0.9), (50, 0, 0.5))
        for two in (
            run((0, 1, 0.9), (50, 1, 0.5)),  # another class
            run((0, 1, 0.9), (53, 0, 0.5)),  # another place
        ):
            self.assertEqual(parity.agreement(BATCH, one, two)[1:], (2, 4))
        gone = run((0, 1, 0.9), (50, 0, 0.0))
        self.assertEqual(parity.agreement(BATCH, one, gone)[1:], (2, 3))

    def test_a_run_agrees_with_itself(self):
        # Two boxes at one place with far scores: each is its own partner.
        one = run((0, 1, 0.9), (0.1, 1, 0.3), (50, 0, 0.5))
        self.assertEqual(parity.agreement(BATCH, one, one), (0.0, 6, 6))

    def test_low_scores_do_not_count(self):
        one, two = run((0, 0, 0.01)), run((70, 0, 0.02))
        self.assertEqual(parity.agreement(BATCH, one, two), (0.0, 0, 0))


if __name__ == "__main__":
    absltest.main()
