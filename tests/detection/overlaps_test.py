"""Overlaps worked by hand and pair by pair."""

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import image_labels
from squeeze_tf.detection import overlaps


class OverlapTest(absltest.TestCase):
    def test_worked_by_hand(self):
        # 10 x 10 and 8 x 5 share 4 x 5: 20 / (100 + 40 - 20), 20 / 100.
        first = np.array([0.0, 0.0, 10.0, 10.0])
        second = np.array([6.0, 5.0, 14.0, 10.0])
        self.assertAlmostEqual(overlaps.overlap(first, second), 20 / 120)
        self.assertAlmostEqual(overlaps.overlap(second, first), 20 / 120)
        self.assertAlmostEqual(
            overlaps.overlap(first, second, of_own_area=True), 20 / 100
        )
        self.assertAlmostEqual(
            overlaps.overlap(second, first, of_own_area=True), 20 / 40
        )

    def test_boxes_that_only_touch_or_are_empty_have_none(self):
        box = np.array([0.0, 0.0, 10.0, 10.0])
        others = np.array(
            [[10, 0, 20, 10], [30, 30, 40, 40], [5, 5, 5, 5], [-9, -9, -1, -1]],
            np.float64,
        )
        np.testing.assert_array_equal(overlaps.overlap(box, others), 0)
        np.testing.assert_array_equal(
            overlaps.overlap(others[2], others, of_own_area=True), 0
        )


class FindTest(absltest.TestCase):
    def test_pairs_equal_loops(self):
        random = np.random.default_rng(0)

        def labels(count):
            corners = random.uniform(0, 20, (count, 4)) + [0, 0, 5, 5]
            corners[:, 2:] += corners[:, :2]
            return image_labels.make(
                ["Car"] * count,
                corners,
                scores=np.ones(count),
                is_ignored=random.random(count) < 0.3,
            )

        truth = [labels(n) for n in (5, 0, 7, 3)]
        found = [labels(n) for n in (4, 6, 0, 8)]
        pairs = overlaps.find(truth, found, 0.1)
        expected, covered, object_id, first_box = [], [], 0, 0
        for objects, boxes in zip(truth, found):
            shares = np.zeros(len(boxes))
            for corners, is_ignored in zip(objects.corners, objects.is_ignored):
                for row, box in enumerate(boxes.corners):
                    if is_ignored:
                        share = overlaps.overlap(box, corners, of_own_area=True)
                        shares[row] = max(shares[row], share)
                    elif overlaps.overlap(box, corners) > 0.1:
                        expected.append((object_id, first_box + row))
                object_id += 1
            first_box += len(boxes)
            covered += [*shares]
        self.assertEqual([*zip(pairs.object_ids, pairs.box_ids)], expected)
        self.assertGreater(len(expected), 10)
        np.testing.assert_array_equal(pairs.covered, covered)
        self.assertGreater(np.count_nonzero(covered), 3)
        np.testing.assert_array_equal(
            pairs.truth_images, np.repeat([0, 2, 3], [5, 7, 3])
        )
        self.assertEqual(pairs.num_images, 4)

    def test_same_group_pairs_equal_entries(self):
        first, second = np.array([1, 1, 4, 6]), np.array([0, 1, 1, 1, 6])
        expected = [
            (i, j)
            for i in range(len(first))
            for j in range(len(second))
            if first[i] == second[j]
        ]
        self.assertEqual([*zip(*overlaps.same_group(first, second))], expected)


if __name__ == "__main__":
    absltest.main()
