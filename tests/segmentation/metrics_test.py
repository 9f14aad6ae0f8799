"""Scores of Ch. 3 §4.1 by set arithmetic, scikit-learn and by hand."""

import numpy as np
import sklearn.metrics
from absl.testing import absltest, parameterized

from squeeze_tf.segmentation import metrics


def example(num_classes=4, seed=0, shape=(6, 50)):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, num_classes, shape)
    return labels, random.integers(0, num_classes, shape)


class ConfusionTest(parameterized.TestCase):
    @parameterized.parameters((2, 0), (4, 1), (9, 2))
    def test_equals_scikit_learn(self, num_classes, seed):
        labels, guess = example(num_classes, seed)
        valid = labels >= 0
        expected = sklearn.metrics.confusion_matrix(
            labels[valid], guess[valid], labels=range(num_classes)
        )
        got = metrics.confusion_matrix(labels, guess, num_classes)
        np.testing.assert_array_equal(got, expected)

    def test_many_classes_in_small_integers_do_not_overflow(self):
        labels = np.full(3, 19, np.int8)
        got = metrics.confusion_matrix(labels, labels, 20)
        self.assertEqual(got[19, 19], 3)
        self.assertEqual(got.sum(), 3)

    @parameterized.parameters(([0, 2], [0, 0]), ([0, 1], [0, 2]), ([0], [-1]))
    def test_ids_out_of_range_are_refused(self, labels, guess):
        with self.assertRaisesRegex(ValueError, r"must lie in \[0, 2\); got"):
            metrics.confusion_matrix(np.array(labels), np.array(guess), 2)

    def test_shapes_that_differ_are_refused(self):
        with self.assertRaisesRegex(ValueError, "must have one shape"):
            metrics.confusion_matrix(np.zeros(3, int), np.zeros(4, int), 2)

    def test_bands_of_distance_part_the_points(self):
        labels, guess = example()
        distances = np.random.default_rng(5).uniform(0, 80, labels.shape)
        distances[0, :3] = (0.0, 10.0, 50.0)  # limits belong to the farther
        bands = metrics.by_distance(labels, guess, distances, 4)
        np.testing.assert_array_equal(
            bands.sum(axis=0), metrics.confusion_matrix(labels, guess, 4)
        )
        for band, (low, high) in enumerate(
            ((0, 10), (10, 20), (20, 30), (30, 50), (50, 1e9))
        ):
            inside = (distances >= low) & (distances < high)
            self.assertEqual(bands[band].sum(), (labels[inside] >= 0).sum())


class ClassScoresTest(absltest.TestCase):
    def test_equal_the_set_arithmetic_of_the_thesis(self):
        labels, guess = example()
        confusion = metrics.confusion_matrix(labels, guess, 4)
        scores = metrics.class_scores(confusion)
        points = np.flatnonzero(labels.ravel() >= 0)
        for c in range(4):
            p = {i for i in points if guess.ravel()[i] == c}
            g = {i for i in points if labels.ravel()[i] == c}
            self.assertAlmostEqual(scores.precision[c], len(p & g) / len(p))
            self.assertAlmostEqual(scores.recall[c], len(p & g) / len(g))
            self.assertAlmostEqual(scores.iou[c], len(p & g) / len(p | g))

    def test_undefined_scores_are_nan(self):
        labels, guess = np.array([0, 0, 1]), np.array([0, 0, 2])
        scores = metrics.class_scores(
            metrics.confusion_matrix(labels, guess, 4)
        )
        np.testing.assert_array_equal(scores.precision, [1, np.nan, 0, np.nan])
        np.testing.assert_array_equal(scores.recall, [1, 0, np.nan, np.nan])
        np.testing.assert_array_equal(scores.iou, [1, 0, 0, np.nan])


class MatchingTest(absltest.TestCase):
    def test_the_largest_ground_truth_chooses_first(self):
        # True 2 has 6 points, true 1 has 4; prediction 7 covers 3 of the one
        # and 4 of the other (IoU 3/10 and 4/7), prediction 8 two of true 2
        # (IoU 2/6). True 2 chooses 8; then 7 is free for true 1.
        truth = np.array([1, 1, 1, 1, 2, 2, 2, 2, 2, 2])
        guess = np.array([7, 7, 7, 7, 7, 7, 7, 8, 8, 0])
        self.assertEqual(metrics.match_instances(truth, guess), {8: 2, 7: 1})

    def test_a_taken_prediction_is_not_taken_again(self):
        # One prediction over two objects: the larger has it.
        truth = np.array([1, 1, 2, 2, 2])
        guess = np.array([5, 5, 5, 5, 5])
        self.assertEqual(metrics.match_instances(truth, guess), {5: 2})

    def test_an_object_in_two_parts_keeps_the_larger(self):
        truth = np.array([1, 1, 1, 1, 1, 0])
        guess = np.array([4, 4, 3, 3, 3, 6])
        self.assertEqual(metrics.match_instances(truth, guess), {3: 1})

    def test_the_larger_overlap_loses_where_its_iou_is_smaller(self):
        # Prediction 1 shares 3 of the object's 4 points but has 9 more
        # (IoU 3/13); prediction 2 is the fourth point alone (IoU 1/4).
        truth = np.array([1, 1, 1, 1] + [0] * 9)
        guess = np.array([1, 1, 1, 2] + [1] * 9)
        self.assertEqual(metrics.match_instances(truth, guess), {2: 1})

    def test_objects_without_a_touching_prediction_stay_unmatched(self):
        truth = np.array([1, 1, 0, 0])
        guess = np.array([0, 0, 2, 2])
        self.assertEqual(metrics.match_instances(truth, guess), {})


class InstanceScoresTest(absltest.TestCase):
    def test_worked_by_hand(self):
        # Class 1: true A (5 points) found as two parts of 3 and 2, true B (3)
        # merged into the second part; class 2: one object missed, one extra.
        labels = np.array([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0, 0, -1])
        objects = np.array([1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 0, 0, 9])
        guess = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 1])
        parts = np.array([4, 4, 4, 5, 5, 5, 5, 5, 0, 0, 6, 6, 4])
        counts = metrics.instance_counts(labels, objects, guess, parts, 3)
        # A takes part 4 (IoU 3/5; part 5 has 2/8), B part 5 (3/5): 3 + 3.
        np.testing.assert_array_equal(counts, [[0, 6, 0], [0, 8, 2], [0, 8, 2]])
        scores = metrics.instance_scores(counts)
        np.testing.assert_array_equal(scores.precision, [np.nan, 6 / 8, 0])
        np.testing.assert_array_equal(scores.recall, [np.nan, 6 / 8, 0])
        np.testing.assert_array_equal(scores.iou, [np.nan, 6 / 10, 0])

    def test_equal_class_scores_where_each_class_is_one_instance(self):
        labels, guess = example(seed=3)
        labels, guess = labels.ravel(), guess.ravel()
        counts = metrics.instance_counts(
            labels, labels + 1, guess, guess + 1, 4
        )
        expected = metrics.class_scores(
            metrics.confusion_matrix(labels, guess, 4)
        )
        got = metrics.instance_scores(counts)
        np.testing.assert_allclose(got.precision, expected.precision)
        np.testing.assert_allclose(got.recall, expected.recall)
        np.testing.assert_allclose(got.iou, expected.iou)

    def test_never_exceed_class_scores(self):
        random = np.random.default_rng(1)
        for _ in range(20):
            labels, guess = example(3, random.integers(1 << 30), (80,))
            objects, parts = random.integers(1, 6, (2, 80))
            counts = metrics.instance_counts(labels, objects, guess, parts, 3)
            scores = metrics.class_scores(
                metrics.confusion_matrix(labels, guess, 3)
            )
            got = metrics.instance_scores(counts)
            self.assertTrue((got.iou <= scores.iou).all())
            self.assertTrue((got.recall <= scores.recall).all())


class InstancesTest(absltest.TestCase):
    def test_clusters_of_a_class_do_not_mix_with_others(self):
        random = np.random.default_rng(0)
        blob = random.uniform(-0.1, 0.1, (25, 3))
        points = np.concatenate(
            [blob, blob + [3, 0, 0], blob, blob[:5] + [9, 0, 0]]
        )
        class_ids = np.repeat([1, 1, 2, 1], [25, 25, 25, 5])
        ids = metrics.instances(points, class_ids, [1, 2])
        np.testing.assert_array_equal(
            ids, np.repeat([1, 2, 3, 0], [25] * 3 + [5])
        )
        ids = metrics.instances(points, class_ids, [2])
        np.testing.assert_array_equal(
            ids, np.repeat([0, 0, 1, 0], [25] * 3 + [5])
        )

    def test_the_thesis_settings(self):
        self.assertEqual(metrics.DBSCAN_RADIUS, 0.3)  # Ch. 3 §4.2
        self.assertEqual(metrics.DBSCAN_MIN_POINTS, 20)


if __name__ == "__main__":
    absltest.main()
