"""Settings that do not fit the data, and what a workdir keeps of a run."""

import dataclasses
import pathlib
import tempfile

from absl.testing import absltest

from experiments import segmentation_run
from squeeze_tf.segmentation import config as segmentation_config

_FULL = (64, 1024, 5)


class SegmentationRunTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.workdir = pathlib.Path(folder.name)
        self.config = dataclasses.replace(
            segmentation_config.CONFIGS["semantic_kitti_few_thesis_classes"],
            class_weights=(1.0, 2.0, 3.0, 4.0),
        )

    def test_class_weights_must_be_one_for_each_class(self):
        segmentation_run.check(self.config, _FULL)
        short = dataclasses.replace(self.config, class_weights=(1.0, 2.0))
        with self.assertRaisesRegex(ValueError, "must hold 4 values.*got 2"):
            segmentation_run.check(short, _FULL)

    def test_roll_needs_a_full_turn(self):
        front = dataclasses.replace(self.config, projection="hdl64e_front")
        for config, shape in (
            (front, (64, 512, 5)),
            (self.config, (32, 240, 5)),  # not the projection's grids
        ):
            with self.assertRaisesRegex(ValueError, "roll=true needs"):
                segmentation_run.check(config, shape)

    def test_settings_that_fit_no_data_are_refused(self):
        segmentation_run.check_choices(self.config)
        for change, message in (
            ({"model": "foo"}, "model must be one of.*squeezeseg.*'foo'"),
            ({"ignored_ids": (9,)}, r"ignored_ids must be.*0 to 3; got \(9,"),
            ({"batch_size": 0}, "batch_size must be 1 or more; got 0"),
            ({"epochs": 0}, "epochs must be 1 or more; got 0"),
            ({"drop": 1.5}, "drop must lie in 0..1; got 1.5"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                segmentation_run.check_choices(
                    dataclasses.replace(self.config, **change)
                )

    def test_a_refused_call_leaves_no_workdir(self):
        smoke = segmentation_config.CONFIGS["smoke"]
        run = self.workdir / "run"
        nothing = {"dataset": "grids", "train_data": ""}
        for change in ({"crf": "foo"}, nothing, {"mean": (1, 2)}):
            with self.assertRaises(ValueError):
                segmentation_run.train(
                    dataclasses.replace(
                        smoke, **({"train_data": "a", "epochs": 1} | change)
                    ),
                    run,
                )
            self.assertFalse(run.exists())

    def test_another_config_in_a_workdir_says_what_differs(self):
        segmentation_run.prepare_workdir(self.config, self.workdir, _FULL)
        longer = dataclasses.replace(self.config, epochs=99)
        with self.assertRaisesRegex(
            ValueError, "another run.*: epochs is 50 there and 99 here$"
        ):
            segmentation_run.prepare_workdir(longer, self.workdir, _FULL)

    def test_pasting_needs_the_projection_of_the_grids(self):
        config = dataclasses.replace(self.config, roll=False)
        with self.assertRaisesRegex(ValueError, "paste_ids need"):
            segmentation_run.check(config, (32, 240, 5))

    def test_the_spread_of_x_and_y_can_be_widened(self):
        plain = segmentation_config.CONFIGS["smoke"]
        wide = dataclasses.replace(plain, xy_std_factor=8.0)
        samples = segmentation_run.samples(plain, "a")
        one, other = (
            segmentation_run.with_statistics(config, samples).std
            for config in (plain, wide)
        )
        for index, factor in enumerate((8, 8, 1, 1, 1)):
            self.assertAlmostEqual(
                other[index] / one[index], factor, delta=1e-4
            )

    def test_a_workdir_keeps_its_label_map_and_projection(self):
        label_map = self.workdir / "classes.yaml"
        text = (
            "classes:\n"
            "  - {name: unknown, from: [0], color: [0, 0, 0], write: 0}\n"
            "  - {name: car, from: [1], color: [255, 0, 0], write: 1}\n"
        )
        label_map.write_text(text)
        config = dataclasses.replace(self.config, label_map=str(label_map))
        run = self.workdir / "run"
        segmentation_run.prepare_workdir(config, run, _FULL)
        label_map.unlink()
        kept = segmentation_run.read_run(run)
        self.assertEqual(kept.label_map, str(run / "label_map.yaml"))
        self.assertEqual(kept.projection, str(run / "projection.json"))
        other = segmentation_run.read_run(run, ["label_map=kitti"])
        self.assertEqual(other.label_map, "kitti")

        label_map.write_text(text.replace("car", "van"))
        with self.assertRaisesRegex(ValueError, "differs from"):
            segmentation_run.prepare_workdir(config, run, _FULL)

    def test_grids_of_another_size_leave_no_projection(self):
        segmentation_run.prepare_workdir(self.config, self.workdir, (32, 240))
        self.assertFalse((self.workdir / "projection.json").exists())


if __name__ == "__main__":
    absltest.main()
