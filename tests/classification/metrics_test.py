import math

import numpy as np
from absl.testing import absltest
from sklearn import metrics as reference

from squeeze_tf.classification import metrics


class MetricsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(0)
        self.scores = random.normal(size=(200, 7))
        self.ids = random.integers(0, 6, 200)  # class 6 has no image
        self.scores[np.arange(200), self.ids] += 1

    def test_accuracies_are_scikit_learn_s(self):
        for k in (1, 2, 5):
            expected = reference.top_k_accuracy_score(
                self.ids, self.scores, k=k, labels=np.arange(7)
            )
            found = metrics.top_accuracy(self.scores, self.ids, k)
            self.assertAlmostEqual(found, expected)

    def test_equal_scores_find_the_first_classes_alone(self):
        scores, ids = np.zeros((4, 4)), np.arange(4)
        for k in range(1, 5):
            self.assertEqual(metrics.top_accuracy(scores, ids, k), k / 4)

    def test_confusions_are_scikit_learn_s(self):
        predicted = self.scores.argmax(1)
        expected = reference.confusion_matrix(
            self.ids, predicted, labels=np.arange(7)
        )
        found = metrics.confusion(self.ids, predicted, 7)
        np.testing.assert_array_equal(found, expected)

    def test_the_table_by_class(self):
        matrix = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
        first, second, third = metrics.by_class(matrix, ("a", "b", "c"))
        self.assertEqual(
            (first.num_images, first.num_predicted, first.recall),
            (4, 5, 3 / 4),
        )
        self.assertEqual((first.precision, first.confused_with), (3 / 5, "b"))
        self.assertEqual((second.recall, second.precision), (4 / 6, 4 / 5))
        self.assertEqual(second.confused_with, "a")
        self.assertTrue(math.isnan(third.recall))
        self.assertTrue(math.isnan(third.precision))
        self.assertEqual(third.confused_with, "")

    def test_nothing_to_score_is_refused(self):
        for scores, ids in ((np.zeros((0, 3)), []), (np.zeros((2, 3)), [1])):
            with self.assertRaisesRegex(ValueError, "at least one image; got"):
                metrics.top_accuracy(scores, np.array(ids), 1)


if __name__ == "__main__":
    absltest.main()
