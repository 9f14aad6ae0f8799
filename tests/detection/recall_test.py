"""Recall against the number of boxes, box by box and by hand."""

import numpy as np
import scipy.optimize
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, overlaps, recall

RULES = average_precision.KITTI_CLASSES


def crowded(random, num_objects=8, num_boxes=120):
    """An image whose boxes scatter about objects close to each other."""
    low = random.uniform(0, 90, (num_objects, 2))
    corners = np.hstack([low, low + random.uniform(30, 60, (num_objects, 2))])
    picks = random.integers(0, num_objects, num_boxes)
    truth = image_labels.make(
        random.choice(["Car", "Pedestrian", "Van"], num_objects),
        corners,
        occluded=random.integers(0, 4, num_objects),
        is_ignored=random.random(num_objects) < 0.1,
    )
    found = image_labels.make(
        random.choice(["car", "pedestrian"], num_boxes),
        corners[picks] + random.normal(0, 6, (num_boxes, 4)),
        scores=random.integers(0, 60, num_boxes) / 60,
    )
    return truth, found


def objects_found(truth, found, kept):
    """Objects found by the best `kept` boxes, one box after the other."""
    minimum = {rule.name: rule.min_overlap for rule in RULES}
    ranked = sorted(range(len(found)), key=lambda d: -found.scores[d])
    hits = set()
    for box in ranked[:kept]:
        best, best_iou = None, minimum[found.types[box]]
        for row in range(len(truth)):
            iou = overlaps.overlap(found.corners[box], truth.corners[row])
            is_same = truth.types[row].lower() == found.types[box]
            if row in hits or truth.is_ignored[row] or not is_same:
                continue
            if iou > best_iou:
                best, best_iou = row, iou
        if best is not None:
            hits.add(best)
    return hits


class NeededBoxesTest(parameterized.TestCase):
    def test_recall_equals_boxes_taken_one_by_one(self):
        random = np.random.default_rng(0)
        truth, found = zip(*[crowded(random) for _ in range(3)])
        needed = recall.needed_boxes(iter(truth), iter(found))
        kept = [0, 1, 2, 3, 5, 8, 13, 40, 119, 120, 500]
        all_due = [
            [average_precision.is_due(image, level) for image in truth]
            for level in average_precision.KITTI
        ]
        for name in ("car", "pedestrian", None):
            of_class = [
                ~image.is_ignored
                & np.isin(
                    np.char.lower(image.types),
                    [name] if name else ["car", "pedestrian"],
                )
                for image in truth
            ]
            for level, due in zip(average_precision.KITTI, all_due):
                counts = [a & b for a, b in zip(of_class, due)]
                expected = [
                    sum(
                        sum(rows[row] for row in objects_found(*image, number))
                        for rows, *image in zip(counts, truth, found)
                    )
                    / np.sum(counts)
                    for number in kept
                ]
                np.testing.assert_allclose(
                    needed.recall(kept, name, level.name), expected
                )
        # The overall recall is over objects of any difficulty: the hard ones.
        curve = needed.recall(kept)
        np.testing.assert_array_equal(
            curve, needed.recall(kept, difficulty="hard")
        )
        self.assertTrue((np.diff(curve) >= 0).all())
        self.assertEqual(curve[0], 0)
        self.assertGreater(curve[-1], 0.5)

    def test_no_assignment_of_all_boxes_finds_fewer_than_half_more(self):
        # Taking boxes in order is a maximal matching: at least half of the
        # largest, and never more.
        random = np.random.default_rng(1)
        for _ in range(10):
            truth, found = crowded(random, num_boxes=12)
            needed = recall.needed_boxes([truth], [found])
            for rule in RULES[:2]:
                rows = np.char.lower(truth.types) == rule.name
                rows &= ~truth.is_ignored
                allowed = (
                    overlaps.overlap(
                        truth.corners[rows][:, None], found.corners
                    )
                    > rule.min_overlap
                )
                allowed &= found.types == rule.name
                most = allowed[
                    scipy.optimize.linear_sum_assignment(-1.0 * allowed)
                ].sum()
                got = needed.counts[needed.class_names == rule.name]
                self.assertLen(got, rows.sum())
                got = np.count_nonzero(got < recall.NEVER)
                self.assertBetween(got, most / 2, most)

    def test_worked_by_hand(self):
        # Ranks: 1 a cyclist on the first car, which is of no use; 2 nearer
        # to the first car (IoU 90 / 110) than to the second, 20 to the right
        # of it (90 / 110 too, but later): the first; 3 the same box again:
        # the second; 4 nothing left; 5 the pedestrian, who is ignored below
        # moderate by occlusion; the third car is found by none.
        truth = image_labels.make(
            ["Car", "Car", "Car", "Pedestrian"],
            [
                [0, 0, 100, 50],
                [20, 0, 120, 50],
                [400, 0, 500, 50],
                [600, 0, 640, 50],
            ],
            occluded=[0, 0, 0, 2],
        )
        between = [10, 0, 110, 50]
        found = image_labels.make(
            ["car", "cyclist", "CAR", "car", "pedestrian"],
            [between, between, between, between, [600, 0, 640, 50]],
            scores=[0.8, 0.9, 0.8, 0.7, 0.1],
        )
        needed = recall.needed_boxes([truth], [found])
        np.testing.assert_array_equal(needed.counts, [2, 3, recall.NEVER, 5])
        self.assertEqual([*needed.class_names], ["car"] * 3 + ["pedestrian"])
        kept = [1, 2, 3, 4, 5]
        np.testing.assert_allclose(
            needed.recall(kept), [0, 1 / 4, 2 / 4, 2 / 4, 3 / 4]
        )
        np.testing.assert_allclose(
            needed.recall(kept, difficulty="moderate"),
            [0, 1 / 3, 2 / 3, 2 / 3, 2 / 3],
        )
        np.testing.assert_allclose(
            needed.recall(kept, "pedestrian"), [0, 0, 0, 0, 1]
        )
        self.assertTrue(np.isnan(needed.recall(kept, "cyclist")).all())

    def test_images_without_boxes_or_objects(self):
        nothing = image_labels.make([], np.zeros((0, 4)))
        car = image_labels.make(["Car"], [[0, 0, 50, 50]], scores=1.0)
        needed = recall.needed_boxes([nothing, car], [car, nothing])
        np.testing.assert_array_equal(needed.counts, [recall.NEVER])
        np.testing.assert_array_equal(needed.recall([8, 10**9]), [0, 0])
        self.assertTrue(np.isnan(recall.needed_boxes([], []).recall([8])).all())

    def test_wrong_arguments_are_refused(self):
        car = image_labels.make(["Car"], [[0, 0, 50, 50]])
        with self.assertRaisesRegex(ValueError, r"found\[0\] must have scores"):
            recall.needed_boxes([car], [car])
        with self.assertRaises(ValueError):
            recall.needed_boxes([car], [])
        with self.assertRaises(KeyError):
            recall.needed_boxes([], []).recall([8], difficulty="medium")

    @parameterized.parameters(
        (8, [8]), (6, [6]), (64, [8, 16, 32, 64]), (70, [8, 16, 32, 64, 70])
    )
    def test_sweep_doubles_up_to_all(self, num_boxes, expected):
        np.testing.assert_array_equal(recall.sweep(num_boxes), expected)

    def test_sweep_of_the_thesis(self):
        kept = recall.sweep(15048)
        self.assertEqual((kept[0], kept[-2], kept[-1]), (8, 8192, 15048))
        self.assertIn(64, kept)


if __name__ == "__main__":
    absltest.main()
