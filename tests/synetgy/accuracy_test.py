"""Accuracy of the simulated accelerator on handwritten digits."""

import contextlib
import dataclasses
import io
import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from experiments import classification_run
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.classification import config
from tests import scripts
from tests.synetgy import networks
from tools.synetgy import accuracy, study

CLASSES = tuple("0123456789")


class AccuracyTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.model = networks.dirac()
        cls.quantised = cls.run_of("quantised", cls.model)
        full = networks.dirac(weight_bits=32, activation_bits=32, end_bits=32)
        cls.full = cls.run_of("full", full)

    @classmethod
    def run_of(cls, name, model, names=CLASSES):
        """A workdir as train_classifier and quantize leave it."""
        workdir = cls.folder / name
        training.save_model(model, workdir)
        settings = dataclasses.replace(config.CONFIGS["smoke"])
        config_lib.write(settings, workdir / classification_run.CONFIG)
        text = json.dumps(names)
        (workdir / classification_run.CLASS_NAMES).write_text(text)
        return str(workdir)

    def test_all_three_are_evaluated(self):
        done = scripts.python(
            *("-m", "tools.synetgy.evaluate"),
            f"--workdir={self.quantised}",
            f"--full_precision={self.full}",
            "--batch=1,4",
            "--images=100",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        path = pathlib.Path(self.quantised) / "accelerator/accelerator.json"
        found = json.loads(path.read_text())
        self.assertEqual(found["agreement"]["num_images"], 100)
        self.assertEqual(found["agreement"]["equal_images"], 100)
        self.assertEqual([x["batch"] for x in found["batches"]], [1, 4])
        accuracies = found["accuracy"]
        self.assertEqual(accuracies["accelerator"], accuracies["quantised"])
        # The first 100 digits that classification_run holds out.
        images = classification_run.images(
            config.CONFIGS["smoke"], "validation"
        )
        samples = list(images.read(None).take(100).as_numpy_iterator())
        x = np.stack([sample["image"] for sample in samples])
        ids = np.array([sample["class_id"] for sample in samples])
        scores = self.model(x.astype(np.float32), training=False).numpy()
        share = np.mean(scores.argmax(1) == ids)
        self.assertAlmostEqual(accuracies["quantised"]["top1"], share)
        self.assertIn("full precision", accuracies)
        self.assertRegex(done.stdout, rf"accelerator +{100 * share:.2f}%")

    def test_study_takes_the_run_s_images(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            study.run(model=self.quantised, simulate=30)
        self.assertIn(f"validation images of {self.quantised}", text.getvalue())
        self.assertIn("of 30 images 30 have equal", text.getvalue())

    def test_other_classes_are_refused(self):
        names = ("a", *CLASSES[1:])
        other = self.run_of("other", self.model, names)
        with self.assertRaisesRegex(ValueError, "other has other classes"):
            accuracy.run(self.quantised, full_precision=other)
        with self.assertRaisesRegex(ValueError, "images must be 0 or more"):
            accuracy.run(self.quantised, count=-1)

    def test_networks_in_full_precision_are_refused(self):
        with self.assertRaisesRegex(ValueError, "no quantised convolution"):
            accuracy.run(self.full)


if __name__ == "__main__":
    absltest.main()
