"""context_aggregation as it is called: what it writes and how it refuses."""

import json
import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf.adaptation import dropout_error
from tests import scripts


class ContextAggregationTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.workdir = pathlib.Path(folder.name) / "new"

    def run_script(self, *more):
        return scripts.script(
            "context_aggregation",
            f"--workdir={self.workdir}",
            *("--repeats=1", "--draws=2", "--steps=2"),
            "--probabilities=0,0.4",
            *more,
        )

    def test_prints_a_table_and_writes_numbers_and_picture(self):
        done = self.run_script("--inputs=independent,smooth")
        self.assertEqual(done.returncode, 0, done.stderr)
        names = {path.name for path in self.workdir.iterdir()}
        self.assertEqual(names, {"dropout_error.json", "dropout_error.png"})
        found = json.loads((self.workdir / "dropout_error.json").read_text())
        self.assertEqual(found["settings"]["probabilities"], [0, 0.4])
        self.assertEqual(list(found["errors"]), ["independent", "smooth"])
        expected = dropout_error.measure(
            [0, 0.4], "smooth", repeats=1, draws=2, steps=2
        )
        for row, wanted in zip(found["errors"]["smooth"], expected):
            self.assertEqual(row["module"], wanted.module)
            np.testing.assert_allclose(
                row["relative"], wanted.relative, rtol=1e-4
            )
        self.assertIn("smooth pixels", done.stdout)
        self.assertIn("p = 0.4", done.stdout)
        self.assertIn("100%", done.stderr)  # the progress
        picture = cv2.imread(str(self.workdir / "dropout_error.png"))
        self.assertGreater(picture.std(), 10)

    def test_refuses_in_one_line(self):
        done = self.run_script("--inputs=rough")
        self.assertEqual(done.returncode, 1)
        last = done.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: inputs must be one of")
        self.assertFalse(self.workdir.exists())


if __name__ == "__main__":
    absltest.main()
