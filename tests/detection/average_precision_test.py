"""Average precision against the official evaluator and by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision
from tests.detection import kitti_sets

LEVELS = ("easy", "moderate", "hard")
ALL = (average_precision.Difficulty("all", 0, 3, 1.0),)


def boxes(*rows, **fields):
    """Labels of rows (type, x0, y0, x1, y1)."""
    return image_labels.make(
        [row[0] for row in rows],
        np.reshape([row[1:] for row in rows], (-1, 4)),
        **fields,
    )


class OfficialEvaluatorTest(parameterized.TestCase):
    @parameterized.parameters(*kitti_sets.NAMES)
    def test_sets_have_the_official_answers(self, name):
        data = kitti_sets.load(name)
        curves = average_precision.evaluate(data.truth, data.found)
        self.assertEqual(self.compare(curves, data.expected), 9)

    def test_tiny_cases_have_the_official_answers(self):
        cases = kitti_sets.tiny_cases()
        self.assertLen(cases, 150)
        compared = 0
        for number, (truth, found, expected) in enumerate(cases):
            with self.subTest(number):
                compared += self.compare(
                    average_precision.evaluate(truth, found), expected
                )
        self.assertGreater(compared, 1000)

    def compare(self, curves, expected):
        compared = 0
        for curve in curves:
            name, level = curve.class_name, curve.difficulty
            if expected["ap"][name] is None:  # never detected: no answer
                self.assertEmpty(curve.thresholds)
                self.assertEqual(curve.average_precision(), 0)
                continue
            compared += 1
            counts = expected["counts"][name][level]
            self.assertEqual(curve.num_objects, counts["n_gt"])
            for field in ("thresholds", "tp", "fp", "fn"):
                self.assertEqual(getattr(curve, field).tolist(), counts[field])
            self.assertAlmostEqual(
                curve.average_precision(),
                expected["ap"][name][LEVELS.index(level)],
                delta=5e-6,
            )
            np.testing.assert_allclose(
                curve.precision, expected["precision41"][name][level], atol=1e-6
            )
            if name in expected["orientation41"]:
                np.testing.assert_allclose(
                    curve.orientation,
                    expected["orientation41"][name][level],
                    atol=1e-6,
                )
            else:
                self.assertIsNone(curve.orientation)
        return compared


def car(x, height=50.0, width=100.0):
    return ("Car", x, 100.0, x + width, 100.0 + height)


class HandTest(parameterized.TestCase):
    def test_curve_worked_by_hand(self):
        # Image 0: two cars found by 0.9 and 0.6, a wrong box of 0.8. Image 1:
        # a van and a car too low to count, both found, and a box of 0.95 with
        # 80 of its 100 columns in an ignored region: none of them counts. So
        # scores 0.9 and 0.6 are thresholds with tp 1 and 2, fp 0 and 1, fn 1
        # and 0; the boxes are turned by 0 and 90 degrees.
        truth = [
            boxes(car(0), car(200), alpha=[0.5, 0.5]),
            boxes(
                ("Van", *car(0)[1:]),
                car(200, 39),
                ("DontCare", 420, 0, 999, 300),
                is_ignored=[False, False, True],
            ),
        ]
        found = [
            boxes(
                car(0),
                car(200),
                car(600),
                scores=[0.9, 0.6, 0.8],
                alpha=[0.5, 0.5 + np.pi / 2, 0],
            ),
            boxes(
                car(0),
                car(200, 39),
                car(400),
                scores=[0.99, 0.98, 0.95],
                alpha=0,
            ),
        ]
        curve = average_precision.evaluate(truth, found)[0]
        self.assertEqual(curve.class_name, "car")
        self.assertEqual(curve.difficulty, "easy")
        self.assertEqual(curve.num_objects, 2)
        np.testing.assert_array_equal(curve.thresholds, [0.9, 0.6])
        np.testing.assert_array_equal(curve.tp, [1, 2])
        np.testing.assert_array_equal(curve.fp, [0, 1])
        np.testing.assert_array_equal(curve.fn, [1, 0])
        rest = [0.0] * 39
        np.testing.assert_allclose(curve.precision, [1, 2 / 3, *rest])
        np.testing.assert_allclose(curve.orientation, [1, 1.5 / 3, *rest])
        np.testing.assert_allclose(curve.recall, np.linspace(0, 1, 41))
        for points, expected in ((11, 1), (40, 2 / 3), (41, 5 / 3)):
            self.assertAlmostEqual(
                curve.average_precision(points), expected / points
            )
        self.assertAlmostEqual(curve.average_orientation(41), 1.5 / 41)

    def test_thresholds_take_high_scores_and_errors_large_overlaps(self):
        # The car's box of 0.9 has IoU 0.8, that of 0.3 has 1. The threshold
        # is 0.9; a second car found by 0.2 adds threshold 0.2, at which the
        # first car has the box of 0.3, and that of 0.9 is wrong.
        truth = [boxes(car(0), car(200))]
        found = [
            boxes(car(0, width=80), car(0), car(200), scores=[0.9, 0.3, 0.2])
        ]
        curve = average_precision.evaluate(truth, found)[0]
        np.testing.assert_array_equal(curve.thresholds, [0.9, 0.2])
        np.testing.assert_array_equal(curve.tp, [1, 2])
        np.testing.assert_array_equal(curve.fp, [0, 1])

    @parameterized.parameters((70, 1, 2), (71, 2, 0))
    def test_overlaps_must_exceed_the_minimum(self, width, tp, fp):
        # Of a car's 100 columns, and of a box's in a region: 70 are 0.7.
        region = ("DontCare", 600, 0, 600 + width, 300)
        is_ignored = [False, False, True]
        truth = [boxes(car(0), car(200), region, is_ignored=is_ignored)]
        scores = [0.5, 0.4, 0.9]
        found = [boxes(car(0, 50, width), car(200), car(600), scores=scores)]
        curve = average_precision.evaluate(truth, found)[0]
        self.assertEqual((curve.tp[-1], curve.fp[-1]), (tp, fp))

    def test_threshold_at_which_nothing_counts_has_no_precision(self):
        # The van comes first and is given the box of 0.9 for the thresholds,
        # which leaves 0.8 to the car; but at 0.8 its largest overlap is that
        # box, the car has none, and both boxes lie in a region.
        van = ("Van", 0.0, 100.0, 100.0, 150.0)
        truth = [
            boxes(
                van,
                car(10),
                ("DontCare", -200, 0, 400, 300),
                is_ignored=[False, False, True],
            )
        ]
        found = [boxes(car(-17), car(5), car(600), scores=[0.9, 0.8, 0.1])]
        curve = average_precision.evaluate(truth, found)[0]
        np.testing.assert_array_equal(curve.thresholds, [0.8])
        self.assertEqual([*curve.tp, *curve.fp, *curve.fn], [0, 0, 1])
        np.testing.assert_array_equal(curve.precision, np.zeros(41))

    @parameterized.parameters((3, 1 / 11, 2 / 40), (41, 1, 1), (60, 1, 1))
    def test_perfect_detections(self, count, eleven, forty):
        # A threshold is the score of an object, so recall has no more steps
        # than there are objects: three reach steps 0, 1 and 2 only.
        truth = [boxes(car(0))] * count
        found = [
            boxes(car(0), scores=[score])
            for score in np.linspace(0.1, 1, count)
        ]
        curve = average_precision.evaluate(truth, found)[0]
        self.assertAlmostEqual(curve.average_precision(11), eleven)
        self.assertAlmostEqual(curve.average_precision(40), forty)

    @parameterized.parameters(
        ("original", 2, [1, 2], [1, 1], [1, 0]),
        ("2017", 1, [], [], []),
    )
    def test_height_rules(self, height_rule, num_objects, tp, fp, fn):
        # Easy: a car of just 40 pixels with its box; a wrong box of 30; a car
        # of 50 whose only boxes are 39.9 high, one of them called pedestrian.
        truth = [boxes(car(0, 40), car(200, 50))]
        low = car(200, 39.9)
        found = [
            boxes(
                car(0, 40),
                car(600, 30),
                low,
                ("pedestrian", *low[1:]),
                scores=[0.5, 0.9, 0.6, 0.7],
            )
        ]
        curve = average_precision.evaluate(
            truth, found, height_rule=height_rule
        )[0]
        self.assertEqual(curve.num_objects, num_objects)
        self.assertEqual(curve.tp.tolist(), tp)
        self.assertEqual(curve.fp.tolist(), fp)
        self.assertEqual(curve.fn.tolist(), fn)


class EvaluateTest(parameterized.TestCase):
    def test_order_of_images_does_not_matter(self):
        data = kitti_sets.load("seed606")
        order = np.random.default_rng(0).permutation(len(data.truth))
        curves = average_precision.evaluate(data.truth, data.found)
        shuffled = average_precision.evaluate(
            [data.truth[i] for i in order], [data.found[i] for i in order]
        )
        for curve, other in zip(curves, shuffled):
            for field in ("thresholds", "tp", "fp", "fn", "precision"):
                np.testing.assert_array_equal(
                    getattr(curve, field), getattr(other, field)
                )
            np.testing.assert_allclose(curve.orientation, other.orientation)

    def test_weights_equal_repeated_images(self):
        data = kitti_sets.load("seed101")
        times = np.random.default_rng(0).integers(0, 4, len(data.truth))
        repeated = average_precision.evaluate(
            [x for x, n in zip(data.truth, times) for _ in range(n)],
            [x for x, n in zip(data.found, times) for _ in range(n)],
        )
        tallies = average_precision.tallies(
            data.truth,
            data.found,
            average_precision.KITTI_CLASSES,
            average_precision.KITTI,
            "original",
        )
        for expected, counted in zip(repeated, tallies, strict=True):
            curve = average_precision.curve(*counted, weights=times)
            for field in ("num_objects", "thresholds", "tp", "fp", "fn"):
                np.testing.assert_array_equal(
                    getattr(curve, field), getattr(expected, field)
                )

    def test_own_classes_of_several_types_and_ignored_objects(self):
        rule = average_precision.ClassRule("vehicle", ("Car", "truck"))
        truth = [
            boxes(
                car(0),
                ("TRUCK", *car(200)[1:]),
                car(400),
                is_ignored=[False, False, True],
            )
        ]
        found = [
            boxes(
                *(("Vehicle", *car(x)[1:]) for x in (0, 200, 400)),
                car(0),
                scores=[0.5, 0.4, 0.9, 0.8],
            )
        ]
        (curve,) = average_precision.evaluate(truth, found, [rule], ALL)
        self.assertEqual(curve.num_objects, 2)
        np.testing.assert_array_equal(curve.thresholds, [0.5, 0.4])
        np.testing.assert_array_equal(curve.fp, [0, 0])

    def test_one_missing_angle_leaves_no_orientation(self):
        truth = [boxes(car(0), alpha=0)]
        found = [boxes(car(0), ("tram", 0, 0, 1, 1), scores=1, alpha=[0, -10])]
        curve = average_precision.evaluate(truth, found)[0]
        self.assertIsNone(curve.orientation)
        self.assertTrue(np.isnan(curve.average_orientation()))

    def test_nothing_found_scores_zero(self):
        curve = average_precision.evaluate([boxes(car(0))], [boxes()])[0]
        self.assertEqual(curve.num_objects, 1)
        self.assertEqual(curve.average_precision(), 0)

    def test_wrong_arguments_are_refused(self):
        truth, found = [boxes(car(0))], [boxes(car(0), scores=1)]
        evaluate = average_precision.evaluate
        with self.assertRaisesRegex(ValueError, "same images.*1 and 2"):
            evaluate(truth, found * 2)
        with self.assertRaisesRegex(ValueError, "at least one.*0 and 0"):
            evaluate([], [])
        with self.assertRaisesRegex(ValueError, r"found\[0\] must have finite"):
            evaluate(truth, truth)
        with self.assertRaisesRegex(ValueError, r"finite scores; got \[nan"):
            evaluate(truth, [boxes(car(0), scores=np.nan)])
        with self.assertRaisesRegex(ValueError, "height_rule.*'2018'"):
            evaluate(truth, found, height_rule="2018")
        with self.assertRaisesRegex(ValueError, "points.*got 12"):
            evaluate(truth, found)[0].average_precision(12)


if __name__ == "__main__":
    absltest.main()
