"""Evaluation of a network that is known, and the printed tables."""

import json

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import synthetic
from squeeze_tf.segmentation import evaluation, loss, metrics

NUM_CLASSES = 4


def samples():
    return [
        {
            "grid": grid[..., :5],
            "mask": grid[..., 4] > 0,
            "label_ids": grid[..., 5].astype(np.int32),
        }
        for grid in synthetic.lidar_grids(NUM_CLASSES)
    ]


def oracle(grid):
    """Scores of the true class, which synthetic intensities tell."""
    ids = np.rint((grid[..., 3] - 0.1) / 0.8 * 3).astype(int).clip(0)
    return np.eye(NUM_CLASSES)[ids]


def confused(grid):
    """As oracle(), but class 2 becomes 1 and class 3 becomes 0."""
    return oracle(grid)[..., [0, 1, 2, 3]] @ np.eye(4)[[0, 1, 1, 0]]


class EvaluateTest(absltest.TestCase):
    def run_on(self, predict, **kwargs):
        return evaluation.evaluate(
            predict, samples(), num_classes=NUM_CLASSES, **kwargs
        )

    def counts(self):
        labels = [s["label_ids"][s["mask"]] for s in samples()]
        return np.bincount(np.concatenate(labels), minlength=NUM_CLASSES)

    def test_a_perfect_network_has_perfect_scores(self):
        found = self.run_on(oracle, instance_class_ids=[1, 2, 3])
        np.testing.assert_array_equal(found.confusion, np.diag(self.counts()))
        np.testing.assert_array_equal(
            found.by_distance.sum(axis=0), found.confusion
        )
        scores = metrics.instance_scores(found.instances)
        clustered = found.instances[2] > 0
        np.testing.assert_array_equal(scores.iou[clustered], 1)

    def test_instances_of_the_data_set_are_the_truth(self):
        grid = np.zeros((4, 10, 5), np.float32)
        grid[..., 0] = 10
        grid[..., 1] = np.arange(10) / 20  # 40 points within 0.5 m:
        grid[..., 2] = np.arange(4)[:, None] / 20  # one cluster
        grid[..., 4] = 10
        sample = {
            "grid": grid,
            "mask": np.ones((4, 10), bool),
            "label_ids": np.ones((4, 10), np.int32),
        }
        ids = np.where(np.arange(10) < 7, 5, 8) * np.ones((4, 1), np.int32)
        for extra, hits in (({}, 40), ({"instance_ids": ids}, 28)):
            found = evaluation.evaluate(
                lambda grid: np.tile([0.0, 1.0], (*grid.shape[:3], 1)),
                [sample | extra],
                num_classes=2,
                instance_class_ids=[1],
            )
            self.assertEqual(found.instances[:, 1].tolist(), [hits, 40, 40])

    def test_confusions_are_counted_where_they_belong(self):
        counts = self.counts()
        expected = np.zeros((4, 4), int)
        expected[[0, 1, 2, 3], [0, 1, 1, 0]] = counts
        found = self.run_on(confused)
        np.testing.assert_array_equal(found.confusion, expected)

    def test_ignored_classes_neither_count_nor_are_predicted(self):
        found = self.run_on(confused, ignored_ids=(0,))
        self.assertFalse(found.confusion[0].any())
        self.assertFalse(found.confusion[:, 0].any())
        self.assertEqual(found.confusion.sum(), self.counts()[1:].sum())

    def test_bands_hold_the_points_of_their_distance(self):
        found = self.run_on(oracle, bands=(0, 10, 1000))
        near = sum(
            np.sum(s["mask"] & (s["grid"][..., 4] < 10)) for s in samples()
        )
        self.assertEqual(found.by_distance[0].sum(), near)

    def test_scans_are_shown_with_labels_and_predictions(self):
        seen = []

        def show(index, grid, labels, guess):
            sample = samples()[index]
            np.testing.assert_array_equal(grid, sample["grid"])
            np.testing.assert_array_equal(
                labels == loss.IGNORED, ~sample["mask"]
            )
            self.assertFalse(guess[~sample["mask"]].any())
            seen.append(index)

        self.run_on(oracle, on_scan=show)
        self.assertEqual(seen, list(range(synthetic.NUM_GRIDS)))


class TablesTest(absltest.TestCase):
    names = ("unknown", "car", "pedestrian", "cyclist")

    def setUp(self):
        super().setUp()
        confusion = np.zeros((4, 4), int)
        confusion[1] = (0, 30, 10, 0)  # 40 cars, a quarter taken for people
        confusion[2] = (0, 0, 5, 0)
        confusion[0] = (50, 10, 0, 0)
        instances = np.zeros((3, 4), int)
        instances[:, 1] = (20, 40, 40)
        banded = np.stack([confusion, np.zeros((4, 4), int)])
        self.found = evaluation.Evaluation(confusion, banded, instances)

    def test_class_table_in_percent(self):
        table = evaluation.class_table(self.found, self.names, (), (1,))
        rows = [line.split() for line in table.splitlines()]
        # P 30/40, R 30/40, IoU 30/50; of instances 20/40, 20/40, 20/60.
        self.assertEqual(
            rows[2],
            ["car", "75.0", "75.0", "60.0", "40", "50.0", "50.0", "33.3"],
        )
        self.assertEqual(rows[3], ["pedestrian", "33.3", "100.0", "33.3", "5"])
        self.assertEqual(rows[4], ["cyclist", "-", "-", "-", "0"])
        # (50/60 + 30/50 + 5/15) / 3; (50 + 30 + 5) / 105.
        self.assertIn("3 classes present 58.9 %", table)
        self.assertIn("accuracy 81.0 %", table)

    def test_ignored_classes_have_no_row(self):
        table = evaluation.class_table(self.found, self.names, (0,))
        self.assertNotIn("unknown", table)
        self.assertIn("2 classes present 46.7 %", table)  # 60.0 and 33.3

    def test_summary_holds_what_the_tables_hold(self):
        summary = evaluation.summary(
            self.found, self.names, (0,), (1, 3), (0, 10, np.inf)
        )
        self.assertEqual(summary, json.loads(json.dumps(summary)))
        car = {"precision": 30 / 40, "recall": 30 / 40, "iou": 30 / 50}
        none = {"precision": None, "recall": None, "iou": None}
        self.assertEqual(summary["classes"]["car"], car)
        self.assertEqual(
            list(summary["classes"]), ["car", "pedestrian", "cyclist"]
        )
        self.assertEqual(
            summary["instances"],
            {
                "car": {"precision": 0.5, "recall": 0.5, "iou": 1 / 3},
                "cyclist": none,
            },
        )
        near, far = summary["distance_bands"]
        self.assertEqual((near["from"], near["to"]), (0, 10))
        self.assertEqual((far["from"], far["to"]), (10, None))
        self.assertEqual(near["classes"]["car"], car)
        self.assertEqual(far["classes"]["car"], none)
        self.assertAlmostEqual(summary["mean_iou"], (3 / 5 + 1 / 3) / 2)
        self.assertAlmostEqual(summary["point_accuracy"], 85 / 105)

    def test_distance_table(self):
        table = evaluation.distance_table(
            self.found, self.names, (0,), (0, 10, np.inf)
        )
        rows = [line.split() for line in table.splitlines()]
        self.assertEqual(rows[0][2:], ["0-10", "m", "10-inf", "m"])
        self.assertEqual(rows[1], ["car", "60.0", "-"])
        self.assertLen(rows, 4)


if __name__ == "__main__":
    absltest.main()
