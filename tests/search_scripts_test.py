"""The search scripts as they are called: what they write and refuse."""

import contextlib
import dataclasses
import io
import json
import pathlib
import shutil
import time
from unittest import mock

import numpy as np
from absl.testing import absltest

from experiments import (
    classification_run,
    search_baselines,
    search_children,
    search_problems,
    search_run,
)
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.classification import config as classification_config
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import config, latency_table, operator_benchmark
from tests import scripts, search_data


class PrecisionTest(search_data.SearchTestCase):
    """One search of three blocks, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workdir = cls.folder / "search"
        with contextlib.redirect_stdout(io.StringIO()) as cls.printed:
            search_run.finish(
                cls.precision, search_problems.precision, cls.workdir
            )
        cls.audit = search_run.read_audit(cls.workdir)
        cls.problem = search_problems.precision(cls.precision, 3)

    def trained(self, architecture, folder="children"):
        return search_children.trained(
            self.precision, self.problem, architecture, self.workdir / folder
        )

    def test_the_table_has_each_architecture_with_its_cost(self):
        text = self.printed.getvalue()
        self.assertLen(self.audit["architectures"], 2)
        for architecture in self.audit["architectures"]:
            self.assertIn(" ".join(architecture), text)
            child = self.trained(architecture)
            # Eq. 13 on the 3x3 convolutions of ResNet-8's three blocks.
            sizes = (2 * 9 * 16 * 16, 9 * (16 + 32) * 32, 9 * (32 + 64) * 64)
            want = sum(int(k) * n for k, n in zip(architecture, sizes))
            self.assertEqual(child.cost, want)
            rate = 32 * sum(sizes) / want  # of 32 bits
            self.assertRegex(text, f" {want:,} +{rate:.1f} ")
        self.assertTrue((self.workdir / "front.png").exists())
        lines = (self.workdir / "table.csv").read_text().splitlines()
        self.assertLen(lines, 3)

    def test_the_audit_says_what_it_came_from(self):
        parts = self.audit["parts"]
        self.assertEqual(
            [parts[x]["images"] for x in ("weights", "architecture")], [10, 2]
        )
        self.assertNotEqual(
            parts["weights"]["sha256"], parts["architecture"]["sha256"]
        )
        probabilities = np.array(self.audit["probabilities"])
        self.assertEqual(probabilities.shape, (2, 3, 3))
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-4)
        self.assertLen(self.audit["record"], 2)
        self.assertIn("architecture_top1", self.audit["record"][1])
        # "0" is no candidate where the shape changes.
        self.assertEqual(
            self.audit["candidates"], [["0", "2", "4"], *[["2", "4"]] * 2]
        )

    def test_what_is_done_is_not_done_again(self):
        with (
            mock.patch.object(training, "fit") as fit,
            contextlib.redirect_stdout(io.StringIO()) as printed,
        ):
            search_run.finish(
                self.precision, search_problems.precision, self.workdir
            )
        fit.assert_not_called()
        self.assertTrue(self.printed.getvalue().endswith(printed.getvalue()))

    def test_an_architecture_file_makes_the_same_network(self):
        architecture = self.audit["architectures"][0]
        (place,) = (self.workdir / "children").glob(
            f"{search_children.sample.digest(tuple(architecture))}"
        )
        base = dataclasses.replace(
            classification_config.CONFIGS["own"], input_height=8, input_width=8
        )
        found = classification_run.with_architecture(
            base, place / search_children.ARCHITECTURE
        )
        model = classification_run.build(found, 3)
        trained = training.load_model(place)
        self.assertEqual(
            [x.shape for x in model.weights], [x.shape for x in trained.weights]
        )
        self.assertEqual(found.bits, tuple(architecture))
        self.assertEqual(found.dataset, "folders")

    def test_other_architecture_files_are_refused(self):
        path = self.folder / "architecture.json"
        for content, message in (
            ("[", "no architecture"),
            ('{"blocks": ["skip"]}', "with model"),
            ('{"model": "fbnet", "seed": 3}', "got .'seed'"),
        ):
            path.write_text(content)
            with self.assertRaisesRegex(ValueError, message):
                classification_run.with_architecture(self.precision, path)

    def test_baselines_use_the_budget_and_are_compared(self):
        workdir = self.folder / "quick"
        shutil.copytree(self.workdir, workdir)
        for path in workdir.glob("children/*/result.json"):  # a small budget
            values = json.loads(path.read_text()) | {"seconds": 0.0}
            path.write_text(json.dumps(values))
        done = scripts.script("search_baselines", f"--search={workdir}")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("DNAS", *search_baselines.METHODS):
            self.assertRegex(done.stdout, rf"(?m)^{name} +\d+ ")
        budget = sum(x["processor_seconds"] for x in self.audit["record"])
        self.assertIn(f" of {budget:.0f} s", done.stdout)
        self.assertTrue((workdir / "baselines.png").exists())
        again = scripts.script(
            "search_baselines",
            f"--search={workdir}",
            "--methods=uniform,chance",
        )
        self.assertEqual(again.returncode, 1)
        self.assertIn("methods must be among", again.stderr)

    def test_training_that_was_cut_off_counts_as_a_whole(self):
        architecture = self.audit["architectures"][0]
        digest = search_children.sample.digest(tuple(architecture))
        shutil.copytree(
            self.workdir / "children" / digest, self.workdir / "cut" / digest
        )
        (self.workdir / "cut" / digest / search_children.RESULT).unlink()
        model = training.load_model(self.workdir / "cut" / digest)
        with (
            mock.patch.object(classification_run, "train", return_value=model),
            mock.patch.object(training, "num_epochs_done", return_value=1),
            mock.patch.object(time, "process_time", side_effect=[10.0, 13.0]),
        ):
            child = search_children.trained(
                dataclasses.replace(self.precision, epochs=2),
                self.problem,
                architecture,
                self.workdir / "cut",
            )
        self.assertEqual(child.seconds, 6.0)  # 3 for one of two epochs

    def test_evolution_repeats_itself_and_goes_on(self):
        trained = []

        def train(architecture):
            trained.append(tuple(architecture))
            cost = self.problem.cost(architecture)
            return search_children.Child(
                tuple(architecture), cost, 0.5, 0, 0, 1.0
            )

        runs = []
        for count in (5, 8):
            found = search_baselines.evolution(self.problem, train, seed=3)
            runs.append([next(found).architecture for _ in range(count)])
        self.assertEqual(runs[0], runs[1][:5])
        self.assertLen(set(runs[1]), 8)
        every = list(
            search_baselines.evolution(self.problem, train, seed=3)
        )  # the space has 3 * 2 * 2
        self.assertLen({child.architecture for child in every}, 12)
        self.assertLen(every, 12)

    def test_another_config_is_refused(self):
        other = dataclasses.replace(self.precision, cost_power=3.0)
        with self.assertRaisesRegex(ValueError, "cost_power is 0.6"):
            search_run.run(other, search_problems.precision, self.workdir)


class DevicesTest(search_data.SearchTestCase):
    def test_networks_of_two_searches_are_measured_on_both_devices(self):
        given = config_lib.override(
            config.FBNET["smoke"],
            [
                *self.settings,
                *("kinds=skip", "search_epochs=1", "warmup_epochs=0"),
                *("num_samples=1", "last_filters=16"),
            ],
        )
        keys = operator_benchmark.operator_models(
            search_problems.fbnet(given, 3).space
        )
        folders = []
        for name, wide in (("phone", 10.0), ("board", 20.0)):
            table = latency_table.LatencyTable(
                operator_benchmark.device()["processor"],
                operator_benchmark.device(),
                "tflite",
                1,
                1,
                {key: latency_table.Entry(p50=wide) for key in keys},
                latency_table.Entry(p50=1.0),
            )
            path = self.folder / f"{name}.json"
            latency_table.write(table, path)
            own = dataclasses.replace(
                given, cost="latency", latency_table=str(path)
            )
            if folders:  # another search that found the same
                shutil.copytree(folders[0], self.folder / name)
                config_lib.write(own, self.folder / name / "config.json")
            else:
                search_run.run(own, search_problems.fbnet, self.folder / name)
            folders.append(str(self.folder / name))
        done = scripts.script(
            "search_devices",
            f"--searches={','.join(folders)}",
            f"--workdir={self.folder / 'devices'}",
            "--repeats=5",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.strip().splitlines()
        rows = [x for x in lines if x.startswith("network of")]
        self.assertLen(rows, 2)
        for folder, row in zip(folders, rows):
            audit = search_run.read_audit(pathlib.Path(folder))
            # Ends and blocks that do something have 10 - 1 and 20 - 1 us each.
            (blocks,) = audit["architectures"]
            shapes = search_problems.fbnet(given, 3).space.shapes
            count = 2 + sum(
                kind != "skip" or shapes[i] != shapes[i + 1]
                for i, kind in enumerate(blocks)
            )
            for wide in (10, 20):
                want = 1e-3 * (count * (wide - 1) + 1)
                self.assertIn(f"({want:.3f})", row)

    def test_a_search_without_a_table_is_refused(self):
        workdir = self.folder / "by_macs"
        given = config_lib.override(
            config.FBNET["smoke"],
            [
                *self.settings,
                *("kinds=skip", "search_epochs=1", "num_samples=1"),
            ],
        )
        workdir.mkdir()
        config_lib.write(given, workdir / "config.json")
        done = scripts.script(
            "search_devices", f"--searches={workdir}", "--workdir=x"
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("must be a search by a latency table", done.stderr)


class ScriptTest(search_data.SearchTestCase):
    def test_a_killed_search_goes_on(self):
        workdir = self.folder / "killed"
        settings = [
            *self.settings,
            *("input_height=8", "input_width=8", "search_epochs=3"),
            *("kinds=2,4", "num_samples=1"),
        ]
        arguments = (
            *("--config=smoke", f"--workdir={workdir}"),
            "--strategy=mirrored",
            *(f"--set={x}" for x in settings),
        )
        scripts.killed(
            workdir / "search", "-m", "experiments.search_precision", *arguments
        )
        done = scripts.script("search_precision", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        record = (workdir / "search" / "record.jsonl").read_text()
        self.assertLen(record.splitlines(), 3)
        self.assertIn("top-1, %", done.stdout)

    def test_diracdeltanets_are_searched(self):
        workdir = self.folder / "dirac"
        settings = [
            *self.settings,
            *("input_height=8", "input_width=8"),
            *("stage_channels=16", "stage_blocks=2"),
            *("search_epochs=1", "warmup_epochs=0", "num_samples=1"),
        ]
        done = scripts.script(
            "search_dirac",
            "--config=smoke",
            f"--workdir={workdir}",
            *(f"--set={x}" for x in settings),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"  down (e1|skip)\n")
        (path,) = workdir.glob(f"children/*/{search_children.ARCHITECTURE}")
        base = classification_config.CONFIGS["own"]
        found = classification_run.with_architecture(base, path)
        self.assertEqual((found.std, found.end_bits), ((255,), 4))

    def test_an_architecture_file_is_trained_and_exported(self):
        """A sampled FBNet goes on as any other classifier."""
        given = config_lib.override(config.FBNET["smoke"], self.settings)
        problem = search_problems.fbnet(given, 3)
        blocks = ["k3_e1"] + ["skip"] * 21
        path = self.folder / "architecture.json"
        search_children.write_architecture(given, problem.fields(blocks), path)
        run = self.folder / "run"
        settings = (
            *self.settings[:-2],
            *("input_height=32", "input_width=32"),
        )
        done = scripts.script(
            "train_classifier",
            *("--config=own", f"--architecture={path}", f"--workdir={run}"),
            *(f"--set={x}" for x in settings if "search" not in x),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        model = training.load_model(run)
        self.assertEqual(
            metrics.total(workload.workloads(model)).macs, problem.cost(blocks)
        )
        exports = self.folder / "exports"
        done = scripts.script(
            "export_model",
            *(f"--workdir={run}", f"--output={exports}"),
            "--formats=float32",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        (parity,) = json.loads((exports / "parity.json").read_text())
        self.assertEqual(parity["agreement"], 1.0)


if __name__ == "__main__":
    absltest.main()
