"""Verification against brute force and scikit-learn."""

import numpy as np
import sklearn.metrics
from absl.testing import absltest, parameterized

from squeeze_tf.shift_applications import verification


def example(count=200, num_folds=5, seed=0, steps=None):
    """Distances that overlap; `steps` makes many of them equal."""
    random = np.random.default_rng(seed)
    is_same = random.random(count) < 0.5
    distances = random.normal(np.where(is_same, 1.0, 1.8), 0.5)
    if steps:
        distances = np.round(distances * steps) / steps
    return distances, is_same, np.arange(count) % num_folds


def right(distances, is_same, threshold):
    """Pairs told right, one by one."""
    return sum((d <= threshold) == s for d, s in zip(distances, is_same))


def candidates(distances):
    """Thresholds of every kind: below, between and above all distances."""
    values = np.unique(distances)
    return [values[0] - 1, *((values[1:] + values[:-1]) / 2), values[-1] + 1]


class ThresholdTest(parameterized.TestCase):
    @parameterized.product(seed=(0, 1, 2, 3), steps=(None, 5))
    def test_no_other_threshold_tells_more_pairs_right(self, seed, steps):
        distances, is_same, _ = example(40, seed=seed, steps=steps)
        found = verification.best_threshold(distances, is_same)
        best = max(right(distances, is_same, t) for t in candidates(distances))
        self.assertEqual(right(distances, is_same, found), best)

    def test_the_middle_one_of_equally_good_ones_is_taken(self):
        # One pair is on the wrong side of each of 1.5, 2.5 and 3.5.
        distances = np.array([1.0, 2.0, 3.0, 4.0])
        is_same = np.array([True, False, True, False])
        found = verification.best_threshold(distances, is_same)
        self.assertIn(found, (1.5, 3.5))
        self.assertEqual(right(distances, is_same, found), 3)
        # 1, 2 of one person and 5, 6 of two: everything in 2..5 is as good.
        distances = np.array([1.0, 2.0, 5.0, 6.0])
        is_same = np.array([True, True, False, False])
        self.assertEqual(verification.best_threshold(distances, is_same), 3.5)


class AccuracyTest(parameterized.TestCase):
    @parameterized.parameters(None, 4)
    def test_each_fold_is_told_by_a_threshold_of_the_others(self, steps):
        distances, is_same, folds = example(steps=steps)
        found = verification.accuracy(distances, is_same, folds)
        for fold in range(5):
            others, here = folds != fold, folds == fold
            threshold = found.thresholds[fold]
            best = max(
                right(distances[others], is_same[others], t)
                for t in candidates(distances[others])
            )
            self.assertEqual(
                right(distances[others], is_same[others], threshold), best
            )
            told = right(distances[here], is_same[here], threshold)
            self.assertAlmostEqual(found.folds[fold], told / here.sum())
        self.assertAlmostEqual(found.mean, np.mean(found.folds))
        self.assertAlmostEqual(found.std, np.std(found.folds))

    def test_pairs_told_apart_are_all_right_and_mixed_ones_half(self):
        is_same = np.arange(40) % 2 == 0
        folds = np.arange(40) // 4
        apart = np.where(is_same, 0.1, 1.0)
        self.assertEqual(verification.accuracy(apart, is_same, folds).mean, 1.0)
        equal = np.ones(40)
        found = verification.accuracy(equal, is_same, folds)
        self.assertEqual((found.mean, found.std), (0.5, 0.0))

    def test_a_threshold_never_sees_its_own_fold(self):
        # Fold 0 lies elsewhere: the others' threshold tells it all wrong.
        is_same = np.array([True, False] * 6)
        folds = np.repeat([0, 1, 2], 4)
        distances = np.where(is_same, 1.0, 2.0) + np.where(folds == 0, 5, 0)
        found = verification.accuracy(distances, is_same, folds)
        self.assertEqual(found.folds[0], 0.5)

    @parameterized.parameters(
        ({"distances": [0.1, 0.2]}, r"\[N\] each"),
        ({"distances": [0.1, np.nan, 0.3, 0.4]}, "must be finite"),
        ({"folds": [0, 0, 0, 0]}, "two folds or more"),
        ({"folds": [0, 0, 2, 2]}, r"none of them empty; got .*\[2, 0, 2\]"),
        ({"is_same": [True] * 4}, "needed; got 2 and 0"),
        ({"distances": [], "is_same": [], "folds": []}, r"\[N\] each"),
    )
    def test_other_arguments_are_refused(self, changes, message):
        arguments = {
            "distances": [0.1, 0.2, 0.3, 0.4],
            "is_same": [True, False, True, False],
            "folds": [0, 0, 1, 1],
        }
        with self.assertRaisesRegex(ValueError, message):
            verification.accuracy(**(arguments | changes))


class CurveTest(parameterized.TestCase):
    @parameterized.product(seed=(0, 1), steps=(None, 3))
    def test_curve_and_area_are_scikit_learn_s(self, seed, steps):
        distances, is_same, _ = example(80, seed=seed, steps=steps)
        curve = verification.roc(distances, is_same)
        false, true, _ = sklearn.metrics.roc_curve(
            is_same, -distances, drop_intermediate=False
        )
        np.testing.assert_allclose(curve.false_accepts, false)
        np.testing.assert_allclose(curve.true_accepts, true)
        area = sklearn.metrics.roc_auc_score(is_same, -distances)
        self.assertAlmostEqual(curve.area(), area)
        for threshold, accepted in zip(curve.thresholds, curve.true_accepts):
            self.assertAlmostEqual(
                np.mean(distances[is_same] <= threshold), accepted
            )

    def test_area_is_the_share_of_ordered_pairs(self):
        distances, is_same, _ = example(30, steps=2)
        points = [
            (one < other) + 0.5 * (one == other)
            for one in distances[is_same]
            for other in distances[~is_same]
        ]
        area = verification.roc(distances, is_same).area()
        self.assertAlmostEqual(area, np.mean(points))


class TrueAcceptRateTest(parameterized.TestCase):
    @parameterized.product(rate=(0.3, 0.1, 0.05), steps=(None, 4))
    def test_is_that_of_the_largest_threshold_allowed(self, rate, steps):
        distances, is_same, folds = example(steps=steps)
        found = verification.true_accept_rate(distances, is_same, folds, rate)
        for fold in range(5):
            others = distances[(folds != fold) & ~is_same]
            allowed = [
                t
                for t in candidates(distances[folds != fold])
                if sum(d <= t for d in others) <= rate * len(others)
            ]
            here = distances[(folds == fold) & is_same]
            # Within the gap that the threshold lies in, all are alike.
            nearest = np.unique(distances[folds != fold])
            edge = nearest[nearest <= max(allowed)].max(initial=-np.inf)
            self.assertAlmostEqual(found.folds[fold], np.mean(here <= edge))
        self.assertAlmostEqual(found.mean, found.folds.mean())
        self.assertAlmostEqual(found.std, found.folds.std())

    def test_too_few_pairs_cannot_show_a_small_rate(self):
        arguments = example(200)
        found = verification.true_accept_rate(*arguments, 1e-3)
        self.assertTrue(np.isnan(found.mean))
        with self.assertRaisesRegex(ValueError, r"must lie in \(0, 1\)"):
            verification.true_accept_rate(*arguments, 1.0)


class SummaryTest(absltest.TestCase):
    def test_table_is_in_the_thesis_s_units(self):
        distances, is_same, folds = example()
        found = verification.summary(distances, is_same, folds)
        told = verification.accuracy(distances, is_same, folds)
        self.assertEqual(found["accuracy"], told.mean)
        self.assertEqual(found["num_folds"], 5)
        self.assertIsNone(found["true_accept_rates"]["0.001"])
        text = verification.table(found)
        self.assertIn(f"{100 * told.mean:.1f} ± {100 * told.std:.1f} %", text)
        self.assertIn(f"{is_same.sum()} of one person", text)
        self.assertIn("too few pairs", text)


if __name__ == "__main__":
    absltest.main()
