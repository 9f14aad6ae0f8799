"""Spaces with their costs as the search scripts take them, and bad tables."""

import dataclasses
import json
import re

import numpy as np
from absl.testing import absltest

from experiments import (
    classification_run,
    search_baselines,
    search_problems,
    search_run,
)
from squeeze_tf import config as config_lib
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import (
    config,
    latency_formats,
    latency_table,
    operator_benchmark,
    space,
)
from tests import search_data


class ProblemTest(search_data.SearchTestCase):
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

    def test_diracdeltanets_of_the_space_are_those_that_are_trained(self):
        given = config_lib.override(
            config.DIRAC["smoke"], ["kinds=e1,e3,skip", "stage_blocks=1,3"]
        )
        problem = search_problems.dirac(given, 10)
        blocks = ("down", "down", "e3", "e1")
        model = classification_run.build(
            dataclasses.replace(given, **problem.fields(blocks)), 10
        )
        self.assertEqual(
            problem.cost(blocks), metrics.total(workload.workloads(model)).macs
        )
        ours = space.network(problem.space, blocks)
        self.assertEqual(
            [x.shape for x in ours.weights], [x.shape for x in model.weights]
        )
        trained = search_baselines.uniform(problem, tuple, seed=0)
        self.assertEqual(
            list(trained),
            [("down", "down", x, x) for x in ("e1", "e3")],
        )

    def test_a_cost_of_the_other_problem_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must be latency or macs"):
            search_problems.fbnet(self.fbnet("cost=size"), 3)
        other = dataclasses.replace(self.precision, cost="macs")
        with self.assertRaisesRegex(ValueError, "must be size or compute"):
            search_problems.precision(other, 3)


class TableTest(search_data.SearchTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.folder / "table.json"
        cls.given = config_lib.override(
            config.FBNET["smoke"],
            [
                *cls.settings,
                *("kinds=k3_e1,skip", "cost=latency", "device=phone"),
                f"latency_table={cls.path}",
            ],
        )
        macs = dataclasses.replace(cls.given, cost="macs", latency_table="")
        cls.space = search_problems.fbnet(macs, 3).space
        table = latency_table.LatencyTable(
            "phone",
            {},
            "tflite",
            1,
            1,
            {
                key: latency_table.Entry(p50=10.0)
                for key in operator_benchmark.operator_models(cls.space)
            },
        )
        latency_table.write(table, cls.path)
        cls.content = json.loads(cls.path.read_text())

    def refused(self, changes, message, *settings):
        self.path.write_text(json.dumps(self.content | changes))
        given = config_lib.override(self.given, settings)
        workdir = self.folder / "refused"
        with self.assertRaisesRegex(ValueError, message):
            search_run.run(given, search_problems.fbnet, workdir)
        self.assertFalse(workdir.exists())

    def test_what_does_not_fit_is_refused_before_anything_is_written(self):
        self.refused({"name": "tablet"}, "'phone'; got one of 'tablet'")
        self.refused({"engine": 3}, "table.json.*engine must be")
        entries = self.content["entries"]
        key = next(key for key in entries if key.startswith("k3_e1"))
        less = {name: x for name, x in entries.items() if name != key}
        self.refused({"entries": less}, f"lacks 1 operators.*{re.escape(key)}")
        for value in (-1.0, float("nan")):
            wrong = entries | {key: entries[key] | {"p50": value}}
            self.refused({"entries": wrong}, f"p50 must be.* got {value}")
        self.refused({}, "lacks [0-9]+ operators.* it has ", "input_height=64")

    def test_a_table_that_changes_during_a_search_is_refused(self):
        self.path.write_text(json.dumps(self.content))
        problem = search_problems.fbnet(self.given, 3)
        workdir = self.folder / "begun"
        workdir.mkdir()
        config_lib.write(self.given, workdir / "config.json")
        for _ in "12":  # the same are no others
            search_run.keep_costs(problem, workdir / search_run.COSTS)
        slower = {
            key: entry | {"p50": 20.0}
            for key, entry in self.content["entries"].items()
        }
        self.path.write_text(json.dumps(self.content | {"entries": slower}))
        with self.assertRaisesRegex(ValueError, "began with other costs"):
            search_run.run(self.given, search_problems.fbnet, workdir)

    def test_a_table_of_nni_costs_its_means_and_nothing_for_the_ends(self):
        names = [latency_formats.FBNET_NAMES[x] for x in self.given.kinds]
        rows = [
            dict(zip(names, (layer + 1.0, 0.5)))
            for layer in range(self.space.num_layers)
        ]
        path = self.folder / "lut.npy"
        np.save(path, rows, allow_pickle=True)
        given = config_lib.override(
            self.given,
            ["device=", "latency_format=nni", f"latency_table={path}"],
        )
        problem = search_problems.fbnet(given, 3)
        self.assertEqual(problem.fixed, 0)
        shapes = self.space.shapes
        for layer, row in enumerate(problem.costs):
            alike = [  # the mean of equal layers
                n + 1.0
                for n in range(self.space.num_layers)
                if shapes[n : n + 2] == shapes[layer : layer + 2]
            ]
            moves = shapes[layer] != shapes[layer + 1]
            np.testing.assert_allclose(row, [np.mean(alike), 0.5 * moves])


if __name__ == "__main__":
    absltest.main()
