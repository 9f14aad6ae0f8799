"""The ladder of domain adaptation as it is called, on tiny streets."""

import dataclasses
import json
import pathlib
import shutil
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from experiments import (
    adaptation_data,
    adaptation_run,
    rendering_run,
    segmentation_evaluation,
)
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.adaptation import config as adaptation_config
from squeeze_tf.geometry import spherical
from squeeze_tf.simulation import config as simulation_config
from squeeze_tf.simulation import generation
from tests import scripts

ALL = ("noise", "lir", "gca", "pdc", "cam")
_IS_EVEN = np.arange(96) % 2 == 0
_EVEN = _IS_EVEN[:, np.newaxis].astype(np.float32)


class Shared(parameterized.TestCase):
    """Simulated streets; others stand for unlabelled and labelled real ones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tf.config.run_functions_eagerly(True)  # tracing takes longer
        cls.addClassCleanup(tf.config.run_functions_eagerly, False)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        for name, seed, count in (("sim", 0, 2), ("real", 1, 5), ("val", 2, 1)):
            generation.generate(
                simulation_config.CONFIGS["tiny"],
                cls.folder / name,
                count,
                seed,
                camera=False,
            )
        shutil.rmtree(cls.folder / "real" / "training" / "labels")
        config_lib.write(
            spherical.Projection(24, 96, 2.57, -24.9, 45.0, -45.0),
            cls.folder / "view.json",
        )
        cls.settings = [
            f"train_data={cls.folder / 'sim' / 'training'}",
            f"real_data={cls.folder / 'real' / 'training' / 'velodyne'}",
            f"validation_data={cls.folder / 'val' / 'training'}",
            f"projection={cls.folder / 'view.json'}",
            *("real_dataset=plain", "validation_dataset=simulated"),
            *("validation_label_map=kitti", "epochs=1", "cache=none"),
            "batch_size=4",
        ]
        cls.config = config_lib.override(
            adaptation_config.CONFIGS["smoke"], cls.settings
        )


class LadderTest(Shared):
    """One ladder with all rows, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workdir = cls.folder / "ladder"
        cls.found = adaptation_run.run(cls.config, cls.workdir, ALL, [0])

    def test_every_row_is_scored(self):
        self.assertEqual(
            list(self.found),
            [
                "none",
                "noise",
                "noise+lir",
                "noise+lir+gca",
                "noise+lir+gca+pdc",
                "noise+lir+gca+pdc+cam",
                "noise+lir+self",
            ],
        )
        for (scores,) in self.found.values():
            self.assertGreater(scores["points"], 200)
            self.assertIn("car", scores["classes"])

    def test_what_is_done_is_not_done_again(self):
        with mock.patch.object(training, "fit") as fit:
            again = adaptation_run.run(self.config, self.workdir, ALL, [0])
        fit.assert_not_called()
        self.assertEqual(again, self.found)

    def test_the_folder_of_a_row_is_a_run(self):
        row = self.workdir / "seed0" / "noise+lir+gca+pdc+cam"
        found = segmentation_evaluation.run(
            row,
            data=str(self.folder / "val" / "training"),
            output=self.folder / "evaluation",
            num_pictures=0,
        )
        (scores,) = self.found["noise+lir+gca+pdc+cam"]
        self.assertEqual(found.confusion.sum(), scores["points"])
        car = found.confusion[1]
        want = scores["classes"]["car"]["recall"]
        self.assertAlmostEqual(car[1] / car.sum(), want, places=3)

    def test_a_row_is_released_without_paths_and_history(self):
        row = self.workdir / "seed0" / "noise+lir+gca+pdc"
        output = self.folder / "released"
        arguments = (
            *("-m", "tools.release_weights"),
            *(f"--workdir={row}", f"--output={output}"),
        )
        done = scripts.python(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        grid = np.random.default_rng(0).uniform(1, 2, [1, 24, 96, 5])
        np.testing.assert_array_equal(
            training.load_model(output)(grid), training.load_model(row)(grid)
        )
        self.assertNotIn(str(self.folder), (output / "config.json").read_text())
        self.assertTrue((output / "projection.json").exists())
        again = scripts.python(*arguments)
        self.assertEqual(again.returncode, 1)
        self.assertIn("expected a folder that is not there", again.stderr)

    def test_calibration_says_what_it_did(self):
        row = self.workdir / "seed0" / "noise+lir+gca+pdc"
        text = (row / "calibration.txt").read_text()
        self.assertIn("conv1_bn", text)
        self.assertIn("entropy on held-out inputs", text)

    def test_only_networks_after_rendering_see_intensities(self):
        grid = np.random.default_rng(0).uniform(1, 2, [1, 24, 96, 5])
        bright = grid.copy()
        bright[..., 3] = 0.1
        for row, sees in (("noise", False), ("noise+lir", True)):
            model = training.load_model(self.workdir / "seed0" / row)
            change = np.abs(model(grid) - model(bright)).max()
            self.assertEqual(change > 1e-3, sees)

    def test_simulated_intensities_are_seen_if_told_so(self):
        given = dataclasses.replace(self.config, see_simulated_intensity=True)
        data = adaptation_data.read(given)
        wide, plain = (
            adaptation_run._Ladder(config, self.workdir, data)._settings(())
            for config in (self.config, given)
        )
        intensities = np.concatenate(
            [
                x["grid"][x["mask"]][:, 3]
                for x in data.simulated.as_numpy_iterator()
            ]
        )
        self.assertAlmostEqual(plain.std[3], intensities.std(), places=4)
        self.assertGreater(wide.std[3], 1e5)

    def test_rendered_scans_differ_in_intensity_alone(self):
        data = adaptation_data.read(self.config)
        rendered = rendering_run.rendered(
            self.config, self.workdir, data.simulated, data.intensities
        )
        pairs = zip(data.simulated, rendered, strict=True)
        for before, after in pairs:
            kept = [0, 1, 2, 4]
            grids = [x["grid"].numpy() for x in (before, after)]
            np.testing.assert_array_equal(
                grids[0][..., kept], grids[1][..., kept]
            )
            self.assertTrue(np.any(grids[0][..., 3] != grids[1][..., 3]))
            np.testing.assert_array_equal(
                before["label_ids"], after["label_ids"]
            )

    def test_scans_of_another_simulation_are_rendered_anew(self):
        data = adaptation_data.read(self.config)
        other = data.simulated.map(lambda x: x | {"grid": 2 * x["grid"]})
        other = other.apply(
            tf.data.experimental.assert_cardinality(other.cardinality())
        )
        for scans in (data.simulated, other, other):
            found = rendering_run.rendered(
                self.config, self.workdir, scans, data.intensities
            )
        doubled = next(iter(found))["grid"][..., 4]
        np.testing.assert_array_equal(
            doubled, 2 * next(iter(data.simulated))["grid"][..., 4]
        )

    def test_brighter_scans_than_rendering_knows_are_refused(self):
        dark = dataclasses.replace(self.config, rendering_top=1e-3)
        data = adaptation_data.read(dark)
        with self.assertRaisesRegex(ValueError, "rendering_top must be"):
            rendering_run.trained(dark, self.folder / "dark", data.intensities)
        self.assertFalse((self.folder / "dark").exists())

    def test_table_gives_mean_and_deviation(self):
        scores = [{"classes": {"car": {"iou": x}}} for x in (0.2, 0.4)]
        text = adaptation_run.table({"none": scores}, ["car"])
        self.assertIn("30.0 ± 14.1", text)

    def test_losses_of_rendering_are_compared_by_class(self):
        data = adaptation_data.read(self.config)
        names = ("unknown", "car", "pedestrian", "cyclist")
        text = rendering_run.compare(
            self.config, self.workdir, data.intensities, data.validation, names
        )
        self.assertIn("car", text)
        found = json.loads((self.workdir / "rendering_errors.json").read_text())
        self.assertEqual(set(found), {"hybrid", "expectation", "l2"})

    def test_another_config_is_refused(self):
        other = dataclasses.replace(self.config, alignment_weight=3.0)
        with self.assertRaisesRegex(ValueError, "alignment_weight is 10"):
            adaptation_run.run(other, self.workdir, ALL, [0])


class NoLabelTest(Shared):
    def test_rows_are_trained_and_not_measured(self):
        config = dataclasses.replace(self.config, validation_data="")
        workdir = self.folder / "no_label"
        found = adaptation_run.run(config, workdir, ["lir"], [0], False)
        self.assertEqual(found, {"none": [{}], "lir": [{}]})
        self.assertRegex(adaptation_run.table(found, ["car"]), r"lir +-$")
        self.assertEmpty(list(workdir.rglob("scores.json")))
        measured = segmentation_evaluation.run(
            workdir / "seed0" / "lir",
            data=str(self.folder / "val" / "training"),
            output=self.folder / "measured",
            num_pictures=0,
        )
        self.assertGreater(measured.confusion.sum(), 200)


class PrecisionTest(Shared):
    def test_what_is_trained_in_bfloat16_is_kept_in_float32(self):
        config = dataclasses.replace(self.config, precision="mixed_bfloat16")
        workdir = self.folder / "bfloat16"
        adaptation_run.run(config, workdir, [], [0], with_baseline=False)
        model = training.load_model(workdir / "seed0" / "none")
        self.assertEqual({x.compute_dtype for x in model.layers}, {"float32"})
        record = (workdir / "seed0" / "none" / "record.jsonl").read_text()
        self.assertLen(record.splitlines(), 1)


class KilledTest(Shared):
    """Training that ends within its second epoch goes on exactly."""

    def setUp(self):
        super().setUp()
        self.killed = set()
        run_epoch = training._run_epoch

        def dying(model, batches, epoch, *arguments):
            kind = type(model).__name__
            if epoch and self.dies and kind not in self.killed:
                self.killed.add(kind)
                raise KeyboardInterrupt
            return run_epoch(model, batches, epoch, *arguments)

        self.enter_context(mock.patch.object(training, "_run_epoch", dying))

    def weights_of(self, train, dies):
        """Those that `train` returns, called until it comes to its end."""
        self.dies = dies
        while True:
            try:
                return train()
            except KeyboardInterrupt:
                pass

    def assert_same(self, train):
        whole, cut = (
            self.weights_of(lambda x=x: train(self.folder / x), x == "cut")
            for x in ("whole", "cut")
        )
        for a, b in zip(whole, cut, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_rows_of_a_ladder(self):
        config = dataclasses.replace(
            self.config,
            epochs=2,
            self_training_epochs=2,
            confidence=0.0,  # or this teacher would label nothing
            teacher_momentum=0.5,  # and hardly move
        )

        def train(workdir):
            found = adaptation_run.run(config, workdir, ["gca"], [0])
            self.assertEqual(list(found), ["none", "gca", "self"])
            return [
                weight
                for row in found
                for weight in training.load_model(
                    workdir / "seed0" / row
                ).get_weights()
            ]

        self.assert_same(train)
        self.assertLen(self.killed, 3)

    def test_the_rendering_network(self):
        config = dataclasses.replace(self.config, rendering_epochs=2)
        real = adaptation_data.read(config).intensities
        self.assert_same(
            lambda workdir: rendering_run.trained(
                config, workdir / "rendering", real
            ).get_weights()
        )
        self.assertLen(self.killed, 1)


class NoiseTest(Shared):
    @parameterized.parameters(*adaptation_data.NOISES)
    def test_loses_returns_anew_each_epoch_and_the_same_for_a_seed(self, kind):
        config = dataclasses.replace(self.config, noise=kind)
        data = adaptation_data.read(config)
        emptied = data.real.map(  # every second return of the others
            lambda x: (
                x | {"grid": x["grid"] * _EVEN, "mask": x["mask"] & _IS_EVEN}
            )
        )
        rates = adaptation_data.noise_rates(config, emptied, data.simulated)
        counts = [
            [int(scan["mask"].sum()) for scan in samples.as_numpy_iterator()]
            for samples in (
                data.simulated,
                adaptation_data.noisy(config, data.simulated, rates, 0),
                adaptation_data.noisy(config, data.simulated, rates, 0),
                adaptation_data.noisy(config, data.simulated, rates, 1),
            )
        ]
        self.assertLess(sum(counts[1]), 0.8 * sum(counts[0]))
        self.assertEqual(counts[1], counts[2])
        self.assertNotEqual(counts[1], counts[3])


class RefusalTest(Shared):
    @parameterized.parameters(
        ("noise=loud", "noise must be one of"),
        ("distance=near", "distance must be one of"),
        ("precision=half", "precision must be one of"),
        ("rendering_loss=l1", "rendering_loss must be one of"),
        ("rendering_epochs=0", "rendering_epochs must be at least 1"),
        ("held_out_every=1", "held_out_every must be at least 2"),
        ("real_data=", "--set=real_data=DIR"),
        ("train_data=", "--set=train_data=DIR"),
        ("validation_label_map=semantic_kitti", "must have the classes"),
    )
    def test_settings_that_fit_nothing(self, setting, message):
        config = config_lib.override(self.config, [setting])
        workdir = self.folder / "refused"
        with self.assertRaisesRegex(ValueError, message):
            adaptation_run.run(config, workdir, ALL, [0])
        self.assertFalse(workdir.exists())

    @parameterized.parameters((["gca", "lir"],), (["dann"],))
    def test_stages_in_another_order(self, stages):
        with self.assertRaisesRegex(ValueError, "in this order"):
            adaptation_run.rows(stages, False)


class ScriptTest(Shared):
    def test_a_killed_ladder_goes_on_and_prints_its_table(self):
        workdir = self.folder / "killed"
        arguments = (
            *("--config=smoke", f"--workdir={workdir}", "--stages="),
            *("--noself_training", "--classes=car,pedestrian"),
            *(f"--set={x}" for x in [*self.settings, "epochs=2"]),
        )
        row = workdir / "seed0" / "none"
        scripts.killed(row, "-m", "experiments.adapt_domain", *arguments)
        done = scripts.script("adapt_domain", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("none  ", done.stdout)
        self.assertLen((row / "record.jsonl").read_text().splitlines(), 2)
        self.assertIn("none  ", (workdir / "table.txt").read_text())

    @parameterized.parameters(
        ("--classes=bus", "classes must be of"),
        ("--compare_rendering", "needs --set=validation_data=DIR"),
    )
    def test_what_no_table_can_hold_is_refused(self, flag, message):
        done = scripts.script("adapt_domain", "--workdir=x", flag)
        self.assertEqual(done.returncode, 1)
        self.assertIn(message, done.stderr)


if __name__ == "__main__":
    absltest.main()
