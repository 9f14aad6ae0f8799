import json

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import class_lists, image_labels
from squeeze_tf.detection import average_precision, bootstrap, evaluation


def images(count=50):
    """One car each, found in two of three images."""
    truth = [image_labels.make(["Car"], [[10, 10, 90, 90]])] * count
    found = [
        image_labels.make(
            ["car"],
            [[10, 10, 90, 90]] if i % 3 else [[200, 10, 290, 90]],
            scores=[0.9 if i % 3 else 0.1],
        )
        for i in range(count)
    ]
    return truth, found


class EvaluationTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.rules = evaluation.rules(class_lists.load("kitti"))
        self.truth, self.found = images()
        self.curves = average_precision.evaluate(
            self.truth, self.found, self.rules
        )

    def test_rules_are_those_of_the_class_list(self):
        lower = [
            average_precision.ClassRule(
                rule.name,
                tuple(t.lower() for t in rule.type_names),
                tuple(t.lower() for t in rule.neighbours),
                rule.min_overlap,
            )
            for rule in average_precision.KITTI_CLASSES
        ]
        self.assertEqual(self.rules, lower)

    def test_the_table_holds_each_average_and_their_mean(self):
        interval = bootstrap.bootstrap(
            self.truth, self.found, self.rules, num_resamples=20
        )
        table = evaluation.precision_table(self.curves, 11, interval)
        value = 100 * self.curves[0].average_precision(11)
        self.assertBetween(value, 50, 75)
        low, high = 100 * interval.interval()[0]
        self.assertRegex(table, rf"car +{value:.1f} \[{low:.1f}, {high:.1f}\]")
        # Only cars are there, at all three levels alike.
        self.assertRegex(table, rf"mean +{value:.1f} \[{low:.1f}, {high:.1f}\]")
        self.assertRegex(table, r"cyclist +- +- +-\n")
        self.assertIn("fewer than 41 objects", table)

    def test_the_mean_is_over_what_has_objects_and_so_is_its_interval(self):
        person = [image_labels.make(["Pedestrian"], [[100, 10, 150, 90]])]
        truth, found = (
            self.truth + 30 * person,
            self.found + 30 * [image_labels.make([], [], scores=[])],
        )
        curves = average_precision.evaluate(truth, found, self.rules)
        cars = curves[0].average_precision(11)
        self.assertAlmostEqual(evaluation.mean_precision(curves, 11), cars / 2)
        interval = bootstrap.bootstrap(
            truth, found, self.rules, num_resamples=50
        )
        low, high = evaluation.mean_interval(curves, interval)
        car_low, car_high = interval.interval()[0]
        self.assertLess(high, 0.75 * car_high)
        self.assertBetween(cars / 2, low, high)
        empty = average_precision.evaluate(
            [image_labels.make(["dog"], [[1, 2, 30, 40]])],
            [image_labels.make([], [], scores=[])],
            self.rules,
        )
        with self.assertRaisesRegex(ValueError, "classes car, pedestrian"):
            evaluation.mean_precision(empty, 11)

    def test_other_data_sets_have_one_level(self):
        levels = evaluation.difficulties("coco")
        tiny = image_labels.make(["Car"], [[1, 2, 9, 9]], occluded=2)
        (curve, *_) = average_precision.evaluate(
            [tiny] * 3,
            [image_labels.make([], [], scores=[])] * 3,
            self.rules,
            levels,
        )
        self.assertEqual((curve.difficulty, curve.num_objects), ("all", 3))
        self.assertLen(evaluation.difficulties("kitti"), 3)

    def test_numbers_json_has_not_become_none(self):
        self.assertEqual(
            evaluation.numbers({"a": np.nan, "b": 0.5}), {"a": None, "b": 0.5}
        )

    def test_the_summary_can_be_written(self):
        again = json.loads(
            json.dumps(evaluation.summary(self.curves), allow_nan=False)
        )
        self.assertLen(again["curves"], 9)
        self.assertEqual(again["curves"][0]["num_objects"], 50)
        self.assertAlmostEqual(
            again["curves"][0]["average_precision"]["40"],
            self.curves[0].average_precision(40),
        )

    def test_the_other_tables(self):
        text = evaluation.error_table(
            {"num_detections": 3, "num_objects": 4, "correct": 0.125}
        )
        self.assertRegex(text, r"correct +12.5 %")
        self.assertIn("(4)", text)
        text = evaluation.recall_table(np.array([8, 64]), np.array([0.5, 0.9]))
        self.assertRegex(text, r"64 +90.0 %")
        self.assertRegex(evaluation.coco_table({"AP50": 0.25}), "AP50 +25.0")


if __name__ == "__main__":
    absltest.main()
