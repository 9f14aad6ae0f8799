"""Costs by a table against sums worked by hand."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.search import (
    fbnet_space,
    latency_costs,
    latency_table,
    space,
)
from tests.search import spaces

# Of all operators of spaces.small() that do something.
MEDIANS = {
    "first 6x6x1 6x6x4": 12.0,
    "1 6x6x4 6x6x4": 13.0,
    "3 6x6x4 6x6x4": 17.0,
    "1 6x6x4 3x3x4": 14.0,
    "3 6x6x4 3x3x4": 10.5,
    "1 3x3x4 3x3x4": 9.0,  # below the overhead
    "3 3x3x4 3x3x4": 16.0,
    "last 3x3x4 3": 11.0,
}
OVERHEAD = 10.0


def make(medians=MEDIANS, overhead=OVERHEAD):
    """A table; means are twice the medians."""

    def entry(value):
        return latency_table.Entry(p50=value, mean=2 * value)

    entries = {key: entry(value) for key, value in medians.items()}
    return latency_table.LatencyTable(
        "phone", {}, "tflite", 1, 1, entries, overhead and entry(overhead)
    )


class CostsTest(parameterized.TestCase):
    def test_are_the_entries_without_the_overhead_of_a_call(self):
        found = latency_costs.costs(make(), spaces.small())
        expected = [[0, 3, 7], [4, 0.5], [0, 0, 6]]
        for row, wanted in zip(found, expected, strict=True):
            self.assertEqual(row.dtype, np.float64)
            np.testing.assert_allclose(row, wanted)

    def test_are_of_the_statistic_that_is_asked_for(self):
        found = latency_costs.costs(make(), spaces.small(), "mean")
        np.testing.assert_allclose(found[1], [8, 1])
        with self.assertRaisesRegex(ValueError, "has no p90; it has p50, mean"):
            latency_costs.costs(make(), spaces.small(), "p90")
        with self.assertRaisesRegex(ValueError, "one of p0, .*; got 'p95'"):
            latency_costs.costs(make(overhead=None), spaces.small(), "p95")

    def test_are_entries_where_calls_are_no_part_of_them(self):
        found = latency_costs.costs(make(overhead=None), spaces.small())
        np.testing.assert_allclose(found[0], [0, 13, 17])

    def test_what_does_nothing_may_stand_in_the_table(self):
        table = make(MEDIANS | {"skip 3x3x4 3x3x4": 0.0})
        found = latency_costs.costs(table, spaces.small())
        np.testing.assert_allclose(found[2], [0, 0, 6])

    def test_missing_operators_are_counted_and_named_with_what_is_there(self):
        few = {
            key: value for key, value in MEDIANS.items() if key[:5] != "3 6x6"
        }
        with self.assertRaises(ValueError) as caught:
            latency_costs.costs(make(few), spaces.small())
        for part in (
            "'phone' lacks 2 operators of space small",
            "3 6x6x4 6x6x4, 3 6x6x4 3x3x4;",
            "of 3 it has 3x3x4 to 3x3x4;",
            "python -m tools.measure_operators",
        ):
            self.assertIn(part, str(caught.exception))

    def test_a_skip_that_changes_the_shape_must_be_in_the_table(self):
        tiny = fbnet_space.fbnet_space(
            input_shape=(32, 32, 1), width=0.35, kinds=("skip",)
        )
        with self.assertRaises(ValueError) as caught:
            latency_costs.costs(make(), tiny)
        # The first layers of the seven rows of Table 5 but the first, whose
        # shape stays.
        self.assertIn("lacks 6 operators", str(caught.exception))
        self.assertIn("skip 16x16x8 8x8x16, ", str(caught.exception))
        self.assertIn("of skip it has none", str(caught.exception))


class EstimateTest(parameterized.TestCase):
    @parameterized.parameters(
        # Overhead 10, ends 2 + 1, then the blocks.
        (("skip", "1", "skip"), 13 + 4),
        (("3", "3", "3"), 13 + 7 + 0.5 + 6),
        (("1", "1", "1"), 13 + 3 + 4 + 0),
    )
    def test_is_the_sum_over_the_layers_and_one_call(self, chosen, expected):
        got = latency_costs.estimate(make(), spaces.small(), chosen)
        self.assertAlmostEqual(got, expected)

    def test_is_the_fixed_cost_and_the_chosen_costs(self):
        small = spaces.small()
        rows = latency_costs.costs(make(), small)
        got = latency_costs.estimate(make(), small, ["3", "1", "3"])
        fixed = latency_costs.fixed_cost(make(), small)
        self.assertAlmostEqual(
            got, fixed + rows[0][2] + rows[1][0] + rows[2][2]
        )
        self.assertAlmostEqual(fixed, 13)

    def test_is_linear_in_entries_and_overhead(self):
        random = np.random.default_rng(0)
        small, chosen = spaces.small(), ["1", "3", "3"]

        def estimate(values, overhead):
            table = make(dict(zip(MEDIANS, values.tolist())), overhead)
            return latency_costs.estimate(table, small, chosen)

        a, b = 20 + random.random([2, len(MEDIANS)])
        self.assertAlmostEqual(
            estimate(2 * a + 3 * b, 2 * 5.0 + 3 * 7.0),
            2 * estimate(a, 5.0) + 3 * estimate(b, 7.0),
        )

    def test_needs_no_more_than_the_architecture_has(self):
        few = {key: x for key, x in MEDIANS.items() if not key.startswith("3")}
        got = latency_costs.estimate(make(few), spaces.small(), ["1", "1", "1"])
        self.assertAlmostEqual(got, 20)

    def test_of_no_architecture_is_refused(self):
        with self.assertRaisesRegex(ValueError, "layer 2 of small must be"):
            latency_costs.estimate(make(), spaces.small(), ["1", "skip", "1"])

    def test_without_the_ends_is_refused(self):
        blocks = {key: x for key, x in MEDIANS.items() if key[0] not in "fl"}
        with self.assertRaisesRegex(ValueError, "lacks 2 .*: first .*, last "):
            latency_costs.fixed_cost(make(blocks), spaces.small())


class DistinctTest(absltest.TestCase):
    def test_candidates_of_equal_layers_come_once_with_the_first(self):
        small = spaces.small()
        longer = dataclasses.replace(
            small, candidates=(*small.candidates, small.candidates[2])
        )
        found = latency_costs.distinct(longer)
        keys = {x.key for row in space.operators(small) for x in row}
        self.assertEqual(found.keys(), keys)
        self.assertEqual(found["3 3x3x4 3x3x4"][0], 2)

    def test_what_gives_its_input_back_does_nothing(self):
        small = spaces.small()
        found = [
            operator.key
            for layer, operator in latency_costs.distinct(small).values()
            if latency_costs.does_nothing(small, layer, operator)
        ]
        self.assertEqual(found, ["skip 6x6x4 6x6x4", "skip 3x3x4 3x3x4"])


if __name__ == "__main__":
    absltest.main()
