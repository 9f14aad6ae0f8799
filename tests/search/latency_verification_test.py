"""Networks against estimates: what is drawn, compared and written."""

import json
import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.search import latency_table, latency_verification, space
from tests.search import spaces


class ArchitecturesTest(absltest.TestCase):
    def test_are_different_and_of_the_space(self):
        small = spaces.small()
        found = latency_verification.architectures(small, 18)  # 3 x 2 x 3
        self.assertLen(set(found), 18)
        for architecture in found:
            small.check(architecture)

    def test_are_the_first_of_more_of_the_same_seed(self):
        few = latency_verification.architectures(spaces.small(), 4, seed=1)
        more = latency_verification.architectures(spaces.small(), 9, seed=1)
        other = latency_verification.architectures(spaces.small(), 9, seed=2)
        self.assertEqual(more[:4], few)
        self.assertNotEqual(more, other)

    def test_too_few_or_too_many_are_refused(self):
        for count in (2, 19):
            with self.assertRaisesRegex(
                ValueError, f"3 and 18 .*; got {count}"
            ):
                latency_verification.architectures(spaces.small(), count)


class NetworksTest(absltest.TestCase):
    def test_are_operators_from_image_to_logits(self):
        small, chosen = spaces.small(), [("1", "3", "skip"), ("1",) * 3]
        found = latency_verification.network_models(small, chosen)
        self.assertEqual(list(found)[0], "1,3,skip 6x6x1 3")
        self.assertLen(found, 2)
        for architecture, make in zip(chosen, found.values()):
            model = space.network(small, architecture)
            self.assertEqual(make().count_params(), model.count_params())


class AgreementTest(parameterized.TestCase):
    def test_of_a_line_is_perfect_but_for_its_error(self):
        estimates = np.array([10.0, 20.0, 40.0])
        found = latency_verification.agreement(estimates, 2 * estimates - 5)
        self.assertAlmostEqual(found.spearman, 1)
        self.assertAlmostEqual(found.pearson, 1)
        self.assertAlmostEqual(found.slope, 2)
        self.assertAlmostEqual(found.intercept_us, -5)
        # 15, 35 and 75 are missed by 5, 15 and 35.
        expected = 100 * np.mean([5 / 15, 15 / 35, 35 / 75])
        self.assertAlmostEqual(found.mean_absolute_percentage_error, expected)

    def test_ranks_and_values_are_two_things(self):
        estimates = np.array([1.0, 2.0, 3.0, 4.0])
        found = latency_verification.agreement(estimates, np.exp(estimates))
        self.assertAlmostEqual(found.spearman, 1)
        self.assertLess(found.pearson, 0.95)
        swapped = np.array([1.0, 3.0, 2.0, 4.0])
        found = latency_verification.agreement(estimates, swapped)
        self.assertAlmostEqual(found.spearman, 1 - 6 * 2 / (4 * 15))
        self.assertAlmostEqual(found.pearson, 0.8)

    def test_equal_numbers_are_refused(self):
        with self.assertRaisesRegex(ValueError, "must differ among themselves"):
            latency_verification.agreement(np.ones(3), np.arange(1.0, 4.0))


class VerifyTest(absltest.TestCase):
    def table(self, entries, overhead=None):
        return latency_table.LatencyTable(
            "phone",
            {"cores": 2},
            "tflite",
            1,
            1,
            {key: latency_table.Entry(p50=x) for key, x in entries.items()},
            overhead,
        )

    def test_writes_numbers_and_a_picture(self):
        small = spaces.small()
        chosen = [("skip", "1", "skip"), ("1", "1", "1"), ("3", "3", "3")]
        entries = {
            key: float(i)
            for i, key in enumerate(
                [
                    *("first 6x6x1 6x6x4", "last 3x3x4 3"),
                    *("1 6x6x4 6x6x4", "3 6x6x4 6x6x4"),
                    *("1 6x6x4 3x3x4", "3 6x6x4 3x3x4"),
                    *("1 3x3x4 3x3x4", "3 3x3x4 3x3x4"),
                ],
                start=2,
            )
        }
        table = self.table(entries, latency_table.Entry(p50=1.0))
        keys = latency_verification.network_models(small, chosen)
        networks = self.table(dict(zip(keys, [10.0, 18.0, 22.0])))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "table.verification.json"
            found = latency_verification.verify(
                table, networks, small, chosen, path
            )
            content = json.loads(path.read_text())
            image = cv2.imread(str(path.with_suffix(".png")))
            self.assertLen(list(path.parent.iterdir()), 2)
        # Ends 1 + 2, a call 1; blocks 5; 3 + 5 + 7; 4 + 6 + 8.
        estimates = [row["estimate_us"] for row in content["networks"]]
        np.testing.assert_allclose(estimates, [9, 19, 22])
        self.assertEqual(
            content["networks"][1]["architecture"], ["1", "1", "1"]
        )
        self.assertEqual(content["networks"][2]["measured_us"], 22)
        self.assertEqual(content["agreement"]["spearman"], found.spearman)
        self.assertEqual(found.spearman, 1)
        self.assertEqual(content["name"], "phone")
        self.assertEqual(image.shape, (500, 600, 3))
        self.assertGreater(image.std(), 5)


if __name__ == "__main__":
    absltest.main()
