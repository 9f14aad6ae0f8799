"""Networks of equal size: counts without building, r that matches."""

import csv
import dataclasses
import io
import math
import re

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.classification import config, ladder, models
from tests.classification import counts

SHIFT = ladder.Design("shift", 8, 1.0)


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(
        ladder.Design("shift", 8, 0.5),
        ladder.Design("shift", 14, 3.0),
        ladder.Design("module", 8, 1.0, 7.8),
        ladder.Design("net", 14, 1.0, 7.2),
        ladder.Design("depthwise", 8, 1.0, 0.38),
    )
    def test_they_are_those_of_the_built_network(self, design):
        base = config.ClassificationConfig()
        settings = dataclasses.replace(base, **design.changes())
        model = models.MODELS[settings.model](
            input_shape=(8, 8, 1),
            num_classes=7,
            **{
                name: getattr(settings, name)
                for name in models.OPTIONS[settings.model]
            },
        )
        self.assertEqual(ladder.parameters(design, 1, 7), counts.trained(model))

    def test_they_are_the_reference_s(self):
        entries = counts.reference("reductions")["counts_cifar10"]
        kinds = {"block": "module", "net": "net", None: "depthwise"}
        checked = 0
        for name, found in entries.items():
            match = re.fullmatch(
                r"(?:DW)?ResNet(\d+)-(?:(block|net)-)?r([\d.]+)", name
            )
            if match:
                depth, rule, value = match.groups()
                design = ladder.Design(
                    kinds[rule], int(depth), 1.0, float(value)
                )
                self.assertEqual(
                    ladder.parameters(design, 3, 10), found["params"], name
                )
                checked += 1
        self.assertEqual(checked, len(entries) - 1)
        for depth in (20, 56, 110):
            for e in (1, 3, 6, 9):
                found = counts.reference(f"ShiftResNet{depth}-{e}")["params"]
                design = ladder.Design("shift", depth, float(e))
                for classes in (10, 100):
                    self.assertEqual(
                        ladder.parameters(design, 3, classes),
                        found[f"cifar{classes}"],
                    )


class DesignsTest(parameterized.TestCase):
    def designs(self, **options):
        arguments = {
            "kinds": list(ladder.KINDS),
            "depths": (8, 20),
            "expansions": (1.0, 3.0),
        }
        return ladder.designs(
            *(arguments | options).values(), channels=3, num_classes=10
        )

    def test_no_other_reduction_comes_nearer(self):
        target = ladder.parameters(SHIFT, 3, 10)
        for kind in ("module", "net", "depthwise"):
            best = ladder.matching(
                dataclasses.replace(SHIFT, kind=kind), target, 3, 10
            )
            nearest = abs(ladder.parameters(best, 3, 10) - target)
            largest = 256 if kind == "net" else 16
            for reduction in np.geomspace(0.05, largest, 500):
                other = dataclasses.replace(best, reduction=float(reduction))
                distance = abs(ladder.parameters(other, 3, 10) - target)
                self.assertGreaterEqual(distance, nearest)

    def test_groups_are_of_about_equal_size(self):
        found = self.designs()
        self.assertLen(found, 4 * 2 * 2)
        self.assertLen({design.label for design in found}, 16)
        for start in range(0, 16, 4):
            sizes = [
                ladder.parameters(design, 3, 10)
                for design in found[start : start + 4]
            ]
            np.testing.assert_allclose(sizes, sizes[0], rtol=0.1)

    def test_names_of_the_curves(self):
        self.assertEqual(
            [design.line for design in self.designs(depths=(20,))[:4]],
            [
                *("ShiftResNet20", "ResNet20 (module)"),
                *("ResNet20 (net)", "DWResNet20"),
            ],
        )

    @parameterized.parameters(
        ({"kinds": ("vgg",)}, "kinds must be of"),
        ({"kinds": ()}, "kinds must be of"),
        ({"depths": (9,)}, "depth must be 6 n"),
        ({"expansions": (0.01,)}, "leave a channel"),
        ({"expansions": ()}, "leave a channel"),
    )
    def test_other_arguments_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            self.designs(**options)


class ResultsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = [
            ladder.Summary(SHIFT, 12_218, 300_000, (0.9, 0.92, 0.94)),
            ladder.Summary(
                ladder.Design("net", 8, 1.0, 6.3), 11_861, 400_000, (0.8,)
            ),
        ]

    def test_mean_and_deviation(self):
        several, one = self.rows
        self.assertAlmostEqual(several.mean, 0.92)
        self.assertAlmostEqual(several.deviation, math.sqrt(0.0008 / 2))
        self.assertTrue(math.isnan(one.deviation))

    def test_table_and_csv_hold_the_numbers(self):
        _, first, second = ladder.table(self.rows).splitlines()
        self.assertEqual(
            first.split(),
            ["ShiftResNet8", "1", "12,218", "300,000", "92.00", "2.00", "3"],
        )
        self.assertEqual(second.split()[-3:], ["80.00", "-", "1"])
        text = io.StringIO(ladder.to_csv(self.rows))
        first, second = csv.DictReader(text)
        self.assertEqual(float(first["deviation"]), self.rows[0].deviation)
        self.assertEqual(second["deviation"], "")
        self.assertEqual(first["runs"].split(), ["0.9", "0.92", "0.94"])
        self.assertEqual((second["kind"], second["reduction"]), ("net", "6.3"))


if __name__ == "__main__":
    absltest.main()
