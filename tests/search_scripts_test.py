"""The search scripts as they are called: what they write and refuse."""

import contextlib
import dataclasses
import io
import json
import pathlib
import tempfile
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
from squeeze_tf.data import synthetic
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import config, space
from tests import scripts


class Shared(absltest.TestCase):
    """Twelve images of three classes, and others to compare networks by."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        data = synthetic.write_class_folders(cls.folder / "data")
        held_out = synthetic.write_class_folders(
            cls.folder / "held_out", seed=1, count=2
        )
        cls.settings = [
            *("dataset=folders", "channels=3", "mean=0", "std=255"),
            *(f"train_data={data}", f"validation_data={held_out}"),
            *("batch_size=4", "epochs=1", "search_epochs=2", "pad=0"),
        ]
        cls.precision = config_lib.override(
            config.PRECISION["smoke"],
            [*cls.settings, "input_height=8", "input_width=8"],
        )


class PrecisionTest(Shared):
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
            self.assertIn(f"{want:,}", text)
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
        done = scripts.script(
            "search_baselines",
            "--problem=precision",
            f"--search={self.workdir}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("DNAS", *search_baselines.METHODS):
            self.assertRegex(done.stdout, rf"(?m)^{name} +\d+ ")
        self.assertTrue((self.workdir / "baselines.png").exists())
        again = scripts.script(
            "search_baselines",
            "--problem=precision",
            f"--search={self.workdir}",
            "--methods=uniform,chance",
        )
        self.assertEqual(again.returncode, 1)
        self.assertIn("methods must be among", again.stderr)

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

    def test_another_config_is_refused(self):
        other = dataclasses.replace(self.precision, cost_power=3.0)
        with self.assertRaisesRegex(ValueError, "cost_power is 0.6"):
            search_run.run(other, search_problems.precision, self.workdir)


class ProblemTest(Shared):
    def fbnet(self, *settings):
        return config_lib.override(
            config.FBNET["smoke"], [*self.settings, *settings]
        )

    def test_macs_of_an_fbnet_are_those_of_the_whole_network(self):
        given = self.fbnet("kinds=k3_e1,k5_e3,skip")
        problem = search_problems.fbnet(given, 3)
        random = np.random.default_rng(0)
        blocks = [str(x) for x in random.choice(given.kinds, 22)]
        model = space.network(problem.space, blocks)
        self.assertEqual(
            problem.cost(blocks), metrics.total(workload.workloads(model)).macs
        )
        made = classification_run.build(
            config_lib.override(
                dataclasses.replace(given, **problem.fields(blocks)), []
            ),
            3,
        )
        self.assertEqual(
            [x.shape for x in made.weights], [x.shape for x in model.weights]
        )

    def test_a_cost_of_the_other_problem_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must be latency or macs"):
            search_problems.fbnet(self.fbnet("cost=size"), 3)
        other = dataclasses.replace(self.precision, cost="macs")
        with self.assertRaisesRegex(ValueError, "must be size or compute"):
            search_problems.precision(other, 3)

    def test_a_bad_table_is_refused_before_anything_is_trained(self):
        path = self.folder / "table.json"
        path.write_text(json.dumps({"entries": {}}))
        given = self.fbnet("cost=latency", f"latency_table={path}")
        workdir = self.folder / "refused"
        with self.assertRaisesRegex(ValueError, "table.json"):
            search_run.run(given, search_problems.fbnet, workdir)
        self.assertFalse(workdir.exists())


class ScriptTest(Shared):
    def test_a_killed_search_goes_on(self):
        workdir = self.folder / "killed"
        settings = [
            *self.settings,
            *("input_height=8", "input_width=8", "search_epochs=3"),
            *("kinds=2,4", "num_samples=1"),
        ]
        arguments = (
            *("--config=smoke", f"--workdir={workdir}"),
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

    def test_fbnets_are_searched(self):
        workdir = self.folder / "fbnet"
        settings = [
            *self.settings,
            *("kinds=skip,k3_e1_g2", "search_epochs=1", "num_samples=1"),
            *("warmup_epochs=0", "last_filters=16"),
        ]
        done = scripts.script(
            "search_fbnet",
            "--config=smoke",
            f"--workdir={workdir}",
            *(f"--set={x}" for x in settings),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"cost, MACs")
        self.assertLen(list((workdir / "children").iterdir()), 1)


if __name__ == "__main__":
    absltest.main()
