"""The classifier scripts as they are called: what they write and refuse."""

import csv
import dataclasses
import json
import pathlib
import shutil
import tempfile

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from experiments import (
    classification_evaluation,
    classification_run,
    classifier_ladder,
)
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.classification import config
from squeeze_tf.data import image_records, synthetic
from tests import scripts

CLASSES = ("ant", "bee", "cat")


def record(workdir):
    lines = (workdir / "record.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


class Shared(parameterized.TestCase):
    """Twelve images of three classes, and a run that learned them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tf.config.run_functions_eagerly(True)  # tracing takes longer
        cls.addClassCleanup(tf.config.run_functions_eagerly, False)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.data = synthetic.write_class_folders(cls.folder / "data")
        cls.held_out = synthetic.write_class_folders(
            cls.folder / "held_out", seed=1, count=2
        )

    @classmethod
    def settings(cls, *more):
        return [
            "dataset=folders",
            "channels=3",
            f"train_data={cls.data}",
            f"validation_data={cls.held_out}",
            *more,
        ]

    @classmethod
    def config(cls, *more):
        return config_lib.override(config.CONFIGS["smoke"], cls.settings(*more))

    def assert_refused(self, done, *parts):
        """Ended in one line that holds all the parts."""
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: ")
        for part in parts:
            self.assertIn(str(part), last)


class ScriptsTest(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workdir = cls.folder / "run"
        cls.trained = scripts.script(
            "train_classifier", *cls.arguments(cls.workdir)
        )

    @classmethod
    def arguments(cls, workdir, *more):
        settings = [f"--set={setting}" for setting in cls.settings(*more)]
        return ["--config=smoke", *settings, f"--workdir={workdir}"]

    def test_training_leaves_record_checkpoint_and_settings(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        lines = record(self.workdir)
        self.assertLen(lines, 2)
        for name in ("loss", "top1", "top5", "val_loss", "val_top1"):
            self.assertIn(name, lines[0])
        self.assertEqual(classification_run.class_names(self.workdir), CLASSES)
        kept = json.loads((self.workdir / "config.json").read_text())
        self.assertEqual(kept["train_data"], str(self.data))

    def test_a_killed_run_started_again_gives_the_same_record(self):
        workdir = self.folder / "killed"
        scripts.killed(
            workdir,
            *("-m", "experiments.train_classifier"),
            *self.arguments(workdir),
        )
        classification_run.train(self.config(), workdir, verbose=0)
        got, expected = record(workdir), record(self.workdir)
        self.assertLen(got, 2)
        for line, wanted in zip(got, expected, strict=True):
            for name, value in wanted.items():
                np.testing.assert_allclose(line[name], value, rtol=1e-3)

    def test_evaluation_writes_tables_and_confusions(self):
        done = scripts.script(
            "evaluate_classifier", f"--workdir={self.workdir}"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        folder = self.workdir / "evaluation"
        found = json.loads((folder / "evaluation.json").read_text())
        self.assertEqual(found["num_images"], 6)
        self.assertAlmostEqual(
            found["top1"], record(self.workdir)[-1]["val_top1"], places=6
        )
        self.assertEqual(found["top5"], 1.0)  # of three classes
        with open(folder / "confusion.csv", newline="") as file:
            _, *rows = csv.reader(file)
        matrix = np.array([[int(x) for x in row[1:]] for row in rows])
        np.testing.assert_array_equal(matrix.sum(1), [2, 2, 2])
        self.assertAlmostEqual(np.trace(matrix) / 6, found["top1"])
        picture = cv2.imread(str(folder / "confusion.png"))
        self.assertGreater(picture.size, 10_000)
        self.assertIn("cat", done.stdout)

    def test_bad_input_is_one_clear_error(self):
        workdir = self.folder / "refused"
        done = scripts.script(
            "train_classifier", *self.arguments(workdir, "train_data=absent")
        )
        self.assert_refused(done, "absent", "no such folder")
        self.assertFalse(workdir.exists())


class RunTest(Shared):
    """What the scripts call, without a process of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = cls.train("first", "epochs=1", "decay_epochs=")

    @classmethod
    def train(cls, name, *more):
        workdir = cls.folder / name
        shutil.rmtree(workdir, ignore_errors=True)
        classification_run.train(cls.config(*more), workdir, verbose=0)
        return workdir

    def test_digits_need_no_data(self):
        settings = dataclasses.replace(config.CONFIGS["smoke"], epochs=1)
        settings = dataclasses.replace(settings, batch_size=400)
        workdir = self.folder / "digits"
        classification_run.train(settings, workdir, verbose=0)
        found = classification_evaluation.run(str(workdir))
        self.assertEqual(found["num_images"], 597)

    def test_records_train_and_are_evaluated(self):
        folder = self.folder / "records"
        folder.mkdir()
        images, ids = synthetic.class_images(3, 4)
        image_records.write(folder / "train-0", images, ids + 1)
        image_records.write(folder / "validation-0", images[:6], ids[:6] + 1)
        (folder / "labels.txt").write_text("1:ant\n2:bee\n3:cat\n")
        workdir = self.train(
            "of_records",
            *("dataset=records", f"train_data={folder}", "validation_data="),
        )
        found = classification_evaluation.run(str(workdir))
        self.assertEqual(found["num_images"], 6)
        # The same classes in folders, with another order of reading.
        found = classification_evaluation.run(
            str(workdir), str(self.held_out), None, ["dataset=folders"]
        )
        self.assertEqual(
            [row["name"] for row in found["classes"]], list(CLASSES)
        )

    def test_a_teacher_s_probabilities_take_the_labels_place(self):
        teacher = self.first
        workdir = self.train(
            "student", "epochs=1", "decay_epochs=", f"teacher={teacher}"
        )
        # Both start from the same weights and see the same images.
        learned, taught = record(teacher)[0], record(workdir)[0]
        self.assertNotAlmostEqual(taught["loss"], learned["loss"], places=3)
        other = synthetic.write_class_folders(
            self.folder / "others", class_names=("dog", "eel")
        )
        with self.assertRaisesRegex(ValueError, "teacher .* other classes"):
            self.train(
                "refused",
                *(f"teacher={teacher}", f"train_data={other}"),
                f"validation_data={other}",
            )
        with self.assertRaisesRegex(ValueError, "teacher must be of images"):
            self.train("refused", f"teacher={teacher}", "input_width=16")
        self.assertFalse((self.folder / "refused").exists())

    def test_a_run_starts_from_the_weights_of_another(self):
        second = self.train(
            "second",
            *("epochs=1", "decay_epochs=", "learning_rate=0"),
            f"initial_weights={self.first}",
        )
        for ours, theirs in zip(
            training.load_model(second).trainable_weights,
            training.load_model(self.first).trainable_weights,
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-7)

    def test_images_held_out_keep_the_classes_of_the_training(self):
        fewer = synthetic.write_class_folders(
            self.folder / "fewer", class_names=("bee", "cat"), count=1
        )
        settings = self.config(f"validation_data={fewer}")
        trained = classification_run.images(settings, "train")
        found = classification_run.held_out(settings, trained)
        self.assertEqual(found.class_names, CLASSES)
        np.testing.assert_array_equal(found.class_ids, [1, 2])
        other = synthetic.write_class_folders(
            self.folder / "more", class_names=("bee", "dog")
        )
        settings = self.config(f"validation_data={other}")
        with self.assertRaisesRegex(ValueError, "instance 'dog'"):
            classification_run.held_out(settings, trained)

    def test_training_on_everything_is_said(self):
        settings = self.config("validation_data=")
        trained = classification_run.images(settings, "train")
        with self.assertLogs(level="WARNING") as logged:
            found = classification_run.held_out(settings, trained)
        self.assertIsNone(found)
        self.assertIn("no images are held out", logged.output[0])
        share = self.config("validation_data=", "validation_share=0.5")
        trained = classification_run.images(share, "train")
        found = classification_run.held_out(share, trained)
        self.assertEqual(trained.num_images + found.num_images, 12)

    def test_a_damaged_image_is_named(self):
        data = self.folder / "damaged"
        shutil.copytree(self.data, data)
        bad = data / "bee" / "004.png"
        bad.write_bytes(bad.read_bytes()[:50])
        for field in ("train_data", "validation_data"):
            with self.assertRaisesRegex(ValueError, f"{bad}: not a whole"):
                self.train("stopped", f"{field}={data}")

    def test_a_ladder_trains_what_is_missing_and_keeps_the_rest(self):
        workdir = self.folder / "ladder"

        def run(kinds, seeds, *settings):
            return classifier_ladder.run(
                self.config("epochs=1", "decay_epochs=", *settings),
                str(workdir),
                kinds=kinds,
                depths=(8,),
                expansions=(1.0,),
                seeds=seeds,
            )

        run(["shift"], [0])
        first = workdir / "shift8_1_seed0" / "result.json"
        before = first.stat().st_mtime_ns
        shift, net = run(["shift", "net"], [0])
        self.assertEqual(first.stat().st_mtime_ns, before)
        # 9 x 3 x 16 + 2 x 16 of conv1, 3 modules, shortcuts, 65 x 3: by hand.
        of_modules = sum(
            a * b + b * b + 4 * b for a, b in ((16, 16), (16, 32), (32, 64))
        )
        of_shortcuts = 16 * 32 + 64 + 32 * 64 + 128
        self.assertEqual(
            shift.parameters, 464 + of_modules + of_shortcuts + 195
        )
        self.assertLen(net.accuracies, 1)
        with open(workdir / "ladder.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(
            [float(r["top1"]) for r in rows], [shift.mean, net.mean]
        )
        picture = cv2.imread(str(workdir / "ladder.png"))
        self.assertGreater(picture.size, 10_000)
        with self.assertRaisesRegex(ValueError, "another run; .* pad is 1"):
            run(["shift"], [0], "pad=0")
        with self.assertRaisesRegex(ValueError, "needs validation images"):
            run(["shift"], [0], "validation_data=")
        with self.assertRaisesRegex(ValueError, "at least one; got none"):
            run(["shift"], [])

    def test_data_that_is_not_there_is_said(self):
        for settings, message in (
            (["train_data="], "no data is given"),
            (["dataset=cifar10"], f"{self.data}: expected data_batch_1"),
            (["dataset=records"], "labels.txt: expected"),
        ):
            with self.assertRaisesRegex((ValueError, OSError), message):
                self.train("refused", *settings)
            self.assertFalse((self.folder / "refused").exists())
        with self.assertRaisesRegex(FileNotFoundError, "config.json"):
            classification_run.read_run(self.folder)

    @parameterized.parameters("depth=14", "input_height=9", "mean=1,2,3")
    def test_a_trained_network_stays_as_it_is(self, setting):
        workdir = self.folder / "kept"
        shutil.rmtree(workdir, ignore_errors=True)
        shutil.copytree(self.first, workdir)
        with self.assertRaisesRegex(ValueError, "cannot change a trained"):
            classification_run.read_run(workdir, [setting])
        (workdir / "class_names.json").rename(workdir / "x.json")
        with self.assertRaisesRegex(ValueError, "a run of train_classifier"):
            classification_run.read_run(workdir)
        names = workdir / "class_names.json"
        names.write_text('["a", "b"]')
        with self.assertRaisesRegex(ValueError, "a network of 2 classes"):
            classification_run.load(workdir)
        names.write_text("{")
        with self.assertRaisesRegex(ValueError, "class_names.json: not JSON"):
            classification_run.load(workdir)

    def test_grey_images_in_colour_settings_are_refused(self):
        settings = dataclasses.replace(
            config.CONFIGS["digits_shift_resnet"], channels=3
        )
        with self.assertRaisesRegex(ValueError, "digits have 1"):
            classification_run.images(settings, "train")


if __name__ == "__main__":
    absltest.main()
