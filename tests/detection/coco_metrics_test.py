"""COCO's numbers worked by hand, and what counts in them."""

import contextlib
import dataclasses
import io

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, coco_metrics
from tests.detection import kitti_sets

CAR = average_precision.KITTI_CLASSES[:1]
CLASSES = average_precision.KITTI_CLASSES


def row(x, width=100.0):
    return (x, 0.0, x + width, 100.0)


def labels(types, rows, **fields):
    return image_labels.make(types, np.reshape(rows, (-1, 4)), **fields)


class HandTest(absltest.TestCase):
    def test_worked_by_hand(self):
        # Two cars of 100 x 100, thus large. Best first: a box with 82 of the
        # first one's 100 columns, IoU 0.82; a wrong box; the second car's.
        # At the 7 IoUs from 0.5 to 0.8: right, wrong, right. Precision is 1
        # at the 51 recalls up to 0.5, then 2/3 at 50. At the 3 IoUs above:
        # wrong, wrong, right, so 1/3 at 51 recalls, then 0; but 1/2 among
        # large ones, as the first box is medium and not the size's fault.
        truth = [labels(["Car", "Car"], [row(0), row(300)])]
        found = [
            labels(
                ["car"] * 3,
                [row(0, 82), row(600), row(300)],
                scores=[0.9, 0.8, 0.7],
            )
        ]
        values = coco_metrics.evaluate(truth, found, CAR)
        good, poor = (51 + 50 * 2 / 3) / 101, 51 / 3 / 101
        expected = {
            "AP": 0.7 * good + 0.3 * poor,
            "AP50": good,
            "AP75": good,
            "AP_small": np.nan,
            "AP_medium": np.nan,
            "AP_large": 0.7 * good + 0.3 * poor * 3 / 2,
            "AR_1": 0.7 * 0.5,
            "AR_10": 0.7 + 0.3 * 0.5,
            "AR_100": 0.7 + 0.3 * 0.5,
            "AR_small": np.nan,
            "AR_medium": np.nan,
            "AR_large": 0.7 + 0.3 * 0.5,
        }
        self.assertEqual([*values], [*expected])
        for name, value in expected.items():
            np.testing.assert_allclose(
                values[name], value, rtol=1e-12, err_msg=name
            )

    def test_ignored_objects_and_neighbours_are_crowds(self):
        # Each box but the last would be wrong with a higher score than the
        # right one: in a region of no class, in an ignored car, on a van.
        truth = [
            labels(
                ["Car", "DontCare", "Car", "Van"],
                [row(0), row(200, 500), row(800), row(1000)],
                is_ignored=[False, True, True, False],
            )
        ]
        found = [
            labels(
                ["car"] * 5,
                [row(0), row(200), row(400), row(800), row(1000)],
                scores=[0.1, 0.9, 0.8, 0.7, 0.6],
            )
        ]
        self.assert_precision(truth, found, CAR, 1)
        more = [labels(["car"] * 2, [row(0), row(1500)], scores=[0.1, 0.2])]
        self.assert_precision(truth, more, CAR, 0.5)
        # An ignored car is nothing to a cyclist; DontCare is.
        truth = [
            labels(
                ["Cyclist", "DontCare", "Car"],
                [row(0), row(200), row(400)],
                is_ignored=[False, True, True],
            )
        ]
        for place, expected in ((200, 1), (400, 0.5)):
            found = [
                labels(["cyclist"] * 2, [row(0), row(place)], scores=[0.1, 0.9])
            ]
            self.assert_precision(truth, found, CLASSES, expected)

    def assert_precision(self, truth, found, classes, expected):
        values = coco_metrics.evaluate(truth, found, classes)
        self.assertAlmostEqual(values["AP"], expected)

    def test_areas_are_those_of_boxes(self):
        sizes = {"small": 31.0, "medium": 95.0, "large": 97.0}
        for name, size in sizes.items():
            corners = [0.0, 0.0, size, size]
            values = coco_metrics.evaluate(
                [labels(["Car"], corners)],
                [labels(["car"], corners, scores=1)],
                CAR,
            )
            for other in sizes:
                np.testing.assert_allclose(
                    values[f"AP_{other}"], 1 if other == name else np.nan
                )


class EvaluateTest(absltest.TestCase):
    def test_means_over_classes_and_order_of_images(self):
        data = kitti_sets.load("seed202")
        truth = data.truth[:80]
        found = [  # without ties, which go by the order of images
            dataclasses.replace(boxes, scores=boxes.scores + 1e-6 * image)
            if len(boxes)
            else boxes
            for image, boxes in enumerate(data.found[:80])
        ]
        values = coco_metrics.evaluate(truth, found, CLASSES)
        single = [
            coco_metrics.evaluate(truth, found, [rule]) for rule in CLASSES
        ]
        for name in ("AP", "AP50", "AR_100"):
            self.assertBetween(values[name], 0.05, 0.95)
            self.assertAlmostEqual(
                values[name], np.mean([one[name] for one in single])
            )
        backwards = coco_metrics.evaluate(truth[::-1], found[::-1], CLASSES)
        for name, value in values.items():
            self.assertAlmostEqual(backwards[name], value)

    def test_perfect_detections(self):
        data = kitti_sets.load("seed202")
        found = [
            labels(np.char.lower(image.types), image.corners, scores=0.5)
            for image in data.truth[:40]
        ]
        values = coco_metrics.evaluate(data.truth[:40], found, CLASSES)
        self.assertAlmostEqual(values["AP"], 1)
        self.assertEqual(values["AR_100"], 1)
        self.assertLess(values["AR_1"], 1)

    def test_nothing_found_is_zero_and_nothing_to_find_undefined(self):
        nothing = labels([], [])
        car = labels(["Car"], row(0), scores=1)
        self.assertEqual(coco_metrics.evaluate([car], [nothing], CAR)["AP"], 0)
        for found in (car, nothing):
            values = coco_metrics.evaluate([nothing], [found], CAR)
            self.assertTrue(np.isnan([*values.values()]).all())

    def test_prints_nothing(self):
        car = labels(["Car"], row(0), scores=1)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            coco_metrics.evaluate([car], [car], CAR)
        self.assertEqual(printed.getvalue(), "")

    def test_wrong_arguments_are_refused(self):
        car = labels(["Car"], row(0))
        with self.assertRaisesRegex(ValueError, "same images; got 1 and 0"):
            coco_metrics.evaluate([car], [], CAR)
        with self.assertRaisesRegex(ValueError, r"found\[0\] must have scores"):
            coco_metrics.evaluate([car], [car], CAR)


if __name__ == "__main__":
    absltest.main()
