import csv
import io
import json

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.classification import evaluation, metrics

NAMES = ("ant", "bee", "cat, wild")


class EvaluationTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(0)
        self.scores = 100 * random.normal(size=(20, 3))
        self.ids = random.integers(0, 2, 20)  # no image of the third class

    def test_summary_is_what_tensorflow_says(self):
        found = evaluation.summary(self.scores, self.ids, NAMES)
        self.assertAlmostEqual(
            found["top1"], (self.scores.argmax(1) == self.ids).mean()
        )
        self.assertEqual((found["top5"], found["num_images"]), (1.0, 20))
        expected = tf.nn.sparse_softmax_cross_entropy_with_logits(
            self.ids, self.scores
        )
        self.assertAlmostEqual(
            found["cross_entropy"], float(tf.reduce_mean(expected)), places=6
        )
        self.assertIsNone(found["classes"][2]["recall"])
        self.assertEqual(json.loads(json.dumps(found)), found)

    def test_csv_holds_the_confusions(self):
        matrix = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 7]])
        text = evaluation.confusion_csv(matrix, NAMES)
        head, *rows = csv.reader(io.StringIO(text))
        self.assertEqual(tuple(head[1:]), NAMES)
        self.assertEqual([row[0] for row in rows], list(NAMES))
        self.assertEqual(
            [[int(x) for x in r[1:]] for r in rows], matrix.tolist()
        )

    def test_table_shows_every_class_or_the_worst(self):
        matrix = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
        text = evaluation.table(metrics.by_class(matrix, NAMES))
        ant, bee, cat = text.splitlines()[1:]
        self.assertEqual(ant.split(), ["ant", "4", "75.0%", "60.0%", "bee"])
        self.assertEqual(bee.split(), ["bee", "4", "50.0%", "66.7%", "ant"])
        self.assertEqual(cat.split()[-3:], ["0", "-", "-"])
        many = np.eye(50, dtype=int)
        many[7] = np.roll(many[7], 1)
        names = tuple(f"name{i}" for i in range(50))
        lines = evaluation.table(metrics.by_class(many, names)).splitlines()
        self.assertStartsWith(lines[1], "name7 ")
        self.assertLen(lines, 42)
        self.assertEqual(lines[-1], "the 40 worst of 50 classes")


if __name__ == "__main__":
    absltest.main()
