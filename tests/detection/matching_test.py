"""Matching at every threshold against loops that match anew at each."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, matching, overlaps


def dense_image(random):
    """Few positions, so that boxes overlap, tie and have a limit's height."""
    corners = random.integers(0, 3, (2, 9, 4)) * [12, 12, 4, 8]
    corners[..., 2:] += corners[..., :2] + [25, 24]
    corners[..., 3] -= random.integers(0, 2, (2, 9))
    truth = image_labels.make(
        random.choice(["Car", "Van", "Pedestrian", "DontCare"], 9),
        corners[0],
        truncated=random.choice([0, 0.15, 0.3], 9),
        occluded=random.integers(0, 3, 9),
        is_ignored=random.random(9) < 0.1,
        alpha=random.uniform(-3, 3, 9),
    )
    count = random.integers(4, 10)
    found = image_labels.make(
        random.choice(["car", "pedestrian"], count),
        corners[1, :count],
        scores=random.integers(1, 9, count) / 10,
        alpha=random.uniform(-3, 3, count),
    )
    return truth, found


def by_loops(truth, found, rule, difficulty, threshold, is_2017):
    """tp, fp, fn, similarity of one image; scores found if no threshold."""
    low = [
        is_2017 and abs(c[3] - c[1]) < difficulty.min_height
        for c in found.corners
    ]
    free = [
        d
        for d in range(len(found))
        if (low[d] or found.types[d].lower() == rule.name)
        and (threshold is None or found.scores[d] >= threshold)
    ]
    tp = fn = 0
    similarity, top = 0.0, []
    for g in range(len(truth)):
        is_own = truth.types[g] in rule.type_names
        if truth.is_ignored[g]:
            continue
        if not is_own and truth.types[g] not in rule.neighbours:
            continue
        height = truth.corners[g, 3] - truth.corners[g, 1]
        counts = (
            is_own
            and height >= difficulty.min_height
            and not (is_2017 and height == difficulty.min_height)
            and truth.occluded[g] <= difficulty.max_occluded
            and truth.truncated[g] <= difficulty.max_truncated
        )
        iou = {
            d: float(overlaps.overlap(found.corners[d], truth.corners[g]))
            for d in free
        }
        near = [d for d in free if iou[d] > rule.min_overlap]
        if not near:
            fn += counts
            continue
        if threshold is None:
            best = max(near, key=lambda d: found.scores[d])
        elif all(low[d] for d in near):
            best = near[0]
        else:
            best = max((d for d in near if not low[d]), key=iou.get)
        free.remove(best)
        if counts and not low[best]:
            tp += 1
            top.append(found.scores[best])
            angle = truth.alpha[g] - found.alpha[best]
            similarity += (1 + np.cos(angle)) / 2
    regions = truth.corners[truth.is_ignored]
    fp = sum(
        not low[d]
        and not any(
            overlaps.overlap(found.corners[d], region, of_own_area=True)
            > rule.min_overlap
            for region in regions
        )
        for d in free
    )
    return top if threshold is None else (tp, fp, fn, similarity)


class LoopsTest(parameterized.TestCase):
    @parameterized.parameters("original", "2017")
    def test_counts_equal_loops_over_every_threshold(self, height_rule):
        rules = (
            average_precision.ClassRule("car", ("Car",), ("Van",), 0.3),
            average_precision.ClassRule(
                "pedestrian", ("Pedestrian", "Van"), ("Car",), 0.4
            ),
        )
        levels = (
            average_precision.Difficulty("low", 26, 1, 0.2),
            average_precision.Difficulty("tall", 32, 2, 0.5),
        )
        random = np.random.default_rng(3)
        is_2017 = height_rule == "2017"
        wrong = right = 0
        for _ in range(100):
            images = [dense_image(random) for _ in range(3)]
            truth, found = zip(*images)
            curves = iter(
                average_precision.evaluate(
                    truth, found, rules, levels, height_rule
                )
            )
            for rule in rules:
                for level in levels:
                    curve = next(curves)
                    top = [
                        by_loops(*image, rule, level, None, is_2017)
                        for image in images
                    ]
                    # So few objects leave every score a threshold.
                    np.testing.assert_array_equal(
                        curve.thresholds, sorted(sum(top, []))[::-1]
                    )
                    shares = [0.0]
                    for step in range(len(curve.thresholds))[::-1]:
                        tp, fp, fn, similarity = np.sum(
                            [
                                by_loops(
                                    *image,
                                    rule,
                                    level,
                                    curve.thresholds[step],
                                    is_2017,
                                )
                                for image in images
                            ],
                            axis=0,
                        )
                        self.assertEqual(
                            (curve.tp[step], curve.fp[step], curve.fn[step]),
                            (tp, fp, fn),
                        )
                        shares.append(
                            max(shares[-1], similarity / max(tp + fp, 1))
                        )
                        self.assertAlmostEqual(
                            curve.orientation[step], shares[-1]
                        )
                        right, wrong = right + tp, wrong + fp
        self.assertGreater(min(right, wrong), 100)


class AssignTest(absltest.TestCase):
    def test_worked_by_hand(self):
        # State 4: object 0 prefers box 7, which object 2 then lacks; it takes
        # box 5, tied with 6, for its index. State 9: box 7 is free again.
        states = np.array([4, 4, 4, 4, 9])
        objects = np.array([2, 2, 2, 0, 2])
        boxes = np.array([7, 6, 5, 7, 7])
        key = np.array([0, 1, 1, 3, 8])
        rows = matching.assign(states, objects, boxes, key)
        self.assertEqual(sorted(rows), [2, 3, 4])

    def test_nothing_to_assign(self):
        none = np.zeros(0, int)
        self.assertEmpty(matching.assign(none, none, none, none))


if __name__ == "__main__":
    absltest.main()
