"""What the detection scripts share, without a process of its own."""

import dataclasses
import json
import pathlib
import shutil
import tempfile

import joblib
import numpy as np
from absl.testing import absltest, parameterized

from experiments import detection_run, segmentation_run
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.data import synthetic
from squeeze_tf.detection import config


def record(workdir):
    lines = (workdir / "record.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def small(data):
    return dataclasses.replace(
        config.CONFIGS["smoke"],
        train_data=str(synthetic.write_images(data, count=4)),
        anchors=(20.0, 8.0, 10.0, 20.0, 40.0, 12.0),
        epochs=1,
    )


def train(settings, workdir, **changes):
    settings = dataclasses.replace(settings, **changes)
    detection_run.train(settings, workdir, verbose=0)
    return workdir


class TrainedTest(absltest.TestCase):
    """One run that hardly moves, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.config = dataclasses.replace(
            small(cls.folder / "data"), learning_rate=1e-5
        )
        cls.workdir = train(cls.config, cls.folder / "run")

    def test_a_run_starts_from_the_weights_of_another(self):
        model = detection_run.build(
            dataclasses.replace(self.config, input_height=80)
        )
        detection_run.start(model, str(self.workdir))
        for ours, theirs in zip(
            model.get_weights(), training.load_model(self.workdir).get_weights()
        ):
            np.testing.assert_array_equal(ours, theirs)
        # Of other classes or anchors only the last layer starts afresh.
        other = detection_run.build(
            dataclasses.replace(
                self.config, class_list="kitti_car", anchors=(20.0, 8.0)
            )
        )
        fresh = other.get_layer("conv12").get_weights()
        detection_run.start(other, str(self.workdir))
        for ours, before in zip(other.get_layer("conv12").get_weights(), fresh):
            np.testing.assert_array_equal(ours, before)
        np.testing.assert_array_equal(
            other.get_layer("fire5_expand3x3").get_weights()[0],
            model.get_layer("fire5_expand3x3").get_weights()[0],
        )
        wide = detection_run.build(
            dataclasses.replace(self.config, model="squeezedet_plus")
        )
        with self.assertRaisesRegex(ValueError, "layer conv1 is not that of"):
            detection_run.start(wide, str(self.workdir))
        again = train(
            self.config,
            self.folder / "again",
            initial_weights=str(self.workdir),
            learning_rate=1e-12,
            optimizer="momentum",
            weight_decay=0.0,
        )
        for ours, theirs in zip(
            training.load_model(again).trainable_weights,
            training.load_model(self.workdir).trainable_weights,
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)

    def test_half_precision_learns_the_same_and_is_stored_in_float32(self):
        workdir = train(
            self.config, self.folder / "half", precision="mixed_bfloat16"
        )
        got, want = (record(x)[0]["loss"] for x in (workdir, self.workdir))
        np.testing.assert_allclose(got, want, rtol=0.02)
        model = training.load_model(workdir)
        self.assertEqual(model.get_layer("conv12").compute_dtype, "float32")

    def test_runs_of_the_other_kind_are_refused(self):
        workdir = self.folder / "renamed"
        shutil.copytree(self.workdir, workdir)
        with self.assertRaisesRegex(ValueError, "a run of train_detection"):
            segmentation_run.read_run(workdir)
        (workdir / "class_list.yaml").rename(workdir / "label_map.yaml")
        with self.assertRaisesRegex(ValueError, "a run of train_segmentation"):
            detection_run.read_run(workdir)


class DetectionRunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.config = small(self.folder / "data")

    def train(self, name, **changes):
        return train(self.config, self.folder / name, **changes)

    def test_a_run_starts_from_imagenet_weights(self):
        kernel = np.random.default_rng(0).normal(size=(64, 3, 3, 3))
        path = self.folder / "squeezenet.pkl"
        joblib.dump({"conv1": [kernel, np.zeros(64)]}, path)
        workdir = self.train(
            "run", initial_weights=str(path), frozen=True, batch_norm=False
        )
        layer = training.load_model(workdir).get_layer("conv1")
        np.testing.assert_allclose(
            layer.get_weights()[0][0, 1, 2, 7], kernel[7, 0, 0, 1], rtol=1e-6
        )

    def test_the_thesis_s_own_setting_learns(self):
        settings = dataclasses.replace(
            config.CONFIGS["squeezedet"],
            train_data=self.config.train_data,
            input_height=64,
            input_width=128,
            batch_size=2,
            epochs=6,
            drift_x=0,
            drift_y=0,
            dropout=0.0,
            anchors=self.config.anchors,
            num_anchors=3,
        )
        workdir = self.folder / "thesis"
        detection_run.train(settings, workdir, verbose=0)
        losses = [line["loss"] for line in record(workdir)]
        self.assertLess(losses[-1], 0.8 * losses[0])

    def test_the_hash_splits_train_and_validation(self):
        synthetic.write_images(self.config.train_data, count=8)
        settings = dataclasses.replace(
            self.config, split="hash", validation_share=0.5
        )
        train, validation = (
            {s.name for s in detection_run.samples(settings, part)}
            for part in ("train", "validation")
        )
        self.assertFalse(train & validation)
        self.assertLen(train | validation, 8)

    def test_the_class_list_is_kept_with_the_run(self):
        mine = self.folder / "mine.yaml"
        mine.write_text("classes:\n  - {name: thing, types: [Car]}\n")
        workdir = self.train("run", class_list=str(mine))
        mine.unlink()
        kept = detection_run.read_run(workdir)
        self.assertEqual(kept.class_list, str(workdir / "class_list.yaml"))
        detection_run.load(kept, workdir)
        moved = self.folder / "moved"
        shutil.move(workdir, moved)
        detection_run.load(detection_run.read_run(moved), moved)

    @parameterized.parameters(
        ("model=yolo", "model must be one of"),
        ("loss_form=mse", "loss_form must be one of"),
        ("dataset=imagenet", "dataset must be one of"),
        ("suppression=soft", "suppression must be one of"),
        ("precision=int8", "precision must be one of"),
        ("batch_size=0", "batch_size must be 1 or more"),
        ("anchors=3,4,5", "widths and heights in turn"),
        ("anchors=3,-4", "widths and heights in turn"),
        ("anchors=nan,4", "widths and heights in turn"),
        ("num_anchors=16", "but anchors hold 3"),
        ("mean=1,2", "mean must be three numbers"),
        ("std=0,1,1", "std must be three numbers"),
        ("colour=2", "colour must lie in 0..1"),
        ("input_height=0", "input_height must be 32 or more"),
        ("drift_x=-1", "drift_x must be 0 or more"),
    )
    def test_settings_that_make_no_sense_are_refused(self, setting, message):
        settings = config_lib.override(self.config, [setting])
        with self.assertRaisesRegex(ValueError, message):
            detection_run.train(settings, self.folder / "run")
        self.assertFalse((self.folder / "run").exists())

    def test_data_without_an_object_of_a_class_is_refused(self):
        mine = self.folder / "mine.yaml"
        mine.write_text("classes:\n  - {name: boat}\n")
        for anchors in ((), self.config.anchors):
            with self.assertRaisesRegex(
                ValueError, "no image holds .* types are Car, Cyclist, Pedes"
            ):
                self.train("run", class_list=str(mine), anchors=anchors)

    def test_evaluating_on_training_images_is_said(self):
        with self.assertLogs(level="WARNING") as logged:
            detection_run.samples(self.config, "validation")
        self.assertIn("also trained the network", logged.output[0])


if __name__ == "__main__":
    absltest.main()
