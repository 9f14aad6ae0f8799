"""Tables 1 and 2 of Ch. 1 from loops over Listing 1, and sums."""

import itertools

from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import metrics

# Ch. 1 Table 2: B = 1, K = 3, G = 4; early M = N = 32, F = 112; late
# M = N = 512, F = 7. Parameters, MACs and intensity as the formulas of Table 1
# give them. Two intensities of the first row are printed otherwise: 143 where
# 115,605,504 / 812,032 = 142.4, and 48.1 where 115,605,504 / 2,409,472 = 47.98.
EARLY = {"batch": 1, "channels": 32, "extent": 112}
LATE = {"batch": 1, "channels": 512, "extent": 7}
TABLE_2 = {
    "spatial": ((9216, 115_605_504, 142.4), (2_359_296, 115_605_504, 48.0)),
    "separable": ((3072, 38_535_168, 47.8), (786_432, 38_535_168, 46.1)),
    "pointwise": ((1024, 12_845_056, 16.0), (262_144, 12_845_056, 41.1)),
    # Printed are 5.89e5 parameters of the late layer: 589,824, cut off.
    "group": ((2304, 28_901_376, 35.9), (589_824, 28_901_376, 45.2)),
    "depthwise": ((288, 3_612_672, 4.50), (4608, 225_792, 4.12)),
}
OTHERS = {
    "spatial": {"filters": 32, "kernel": 3},
    "separable": {"filters": 32, "kernel": 3},
    "pointwise": {"filters": 32},
    "group": {"filters": 32, "kernel": 3, "groups": 4},
    "depthwise": {"kernel": 3},
}


def convolution(kind, **arguments):
    return getattr(metrics, f"{kind}_convolution")(**arguments)


def listing_1(batch, channels, filters, kernel, extent, groups=1, width=None):
    """Counts the MACs, weights, inputs and outputs that the loops touch."""
    macs, weights, inputs, outputs = 0, set(), set(), set()
    for b, i, j, n, m, p, q in itertools.product(
        range(batch),
        range(extent),
        range(extent),
        range(filters),
        range(channels),
        range(kernel),
        range(kernel if width is None else width),
    ):
        if m // (channels // groups) != n // (filters // groups):
            continue
        macs += 1
        weights.add((n, m, p, q))
        inputs.add((b, m, i, j))
        outputs.add((b, n, i, j))
    return macs, len(weights), len(inputs), len(outputs)


def costs(load):
    return (
        load.macs,
        load.parameters,
        load.input_values,
        load.output_values,
    )


class Table1Test(absltest.TestCase):
    sizes = {"batch": 2, "channels": 6, "extent": 3}

    def test_rows_count_what_the_loops_touch(self):
        every = {"filters": 4, "kernel": 3, **self.sizes}
        for kind, left_out, more in (
            ("spatial", (), {}),
            ("separable", (), {"width": 1}),
            ("pointwise", ("kernel",), {"kernel": 1}),
            ("group", (), {"groups": 2}),
            ("depthwise", ("filters",), {"filters": 6, "groups": 6}),
        ):
            given = {k: v for k, v in every.items() if k not in left_out}
            if kind == "group":
                given["groups"] = 2
            with self.subTest(kind):
                load = convolution(kind, **given)
                self.assertEqual(costs(load), listing_1(**(every | more)))

    def test_the_dense_layer_is_a_special_case(self):
        # Ch. 1 §2.1: F = 1 and K = 1; §3.1: fc1 of VGG16.
        for batch in (1, 8, 4096):
            load = metrics.spatial_convolution(
                batch=batch,
                channels=7 * 7 * 512,
                filters=4096,
                kernel=1,
                extent=1,
            )
            want = (batch * 25088 * 4096) / (
                25088 * 4096 + batch * (25088 + 4096)
            )
            self.assertAlmostEqual(load.arithmetic_intensity, want)

    def test_groups_must_divide(self):
        with self.assertRaisesRegex(ValueError, "4 groups must divide 6"):
            metrics.group_convolution(
                filters=4, kernel=3, groups=4, **self.sizes
            )


class Table2Test(parameterized.TestCase):
    @parameterized.parameters(*TABLE_2)
    def test_numbers(self, kind):
        for size, want in zip((EARLY, LATE), TABLE_2[kind]):
            given = dict(OTHERS[kind])
            if "filters" in given:
                given["filters"] = size["channels"]
            load = convolution(kind, **given, **size)
            parameters, macs, intensity = want
            self.assertEqual(load.parameters, parameters)
            self.assertEqual(load.macs, macs)
            digits = 2 if kind == "depthwise" else 1
            self.assertEqual(
                round(load.arithmetic_intensity, digits), intensity
            )

    def test_the_separable_row_is_one_of_the_two_layers(self):
        # Both have K / 2 times less than the spatial one, not K times.
        one = metrics.separable_convolution(filters=32, kernel=3, **EARLY)
        whole = metrics.spatial_convolution(filters=32, kernel=3, **EARLY)
        self.assertEqual(whole.parameters / (2 * one.parameters), 3 / 2)
        self.assertEqual(whole.macs / (2 * one.macs), 3 / 2)


class WorkloadTest(absltest.TestCase):
    def test_bytes_follow_the_bits_and_round_up(self):
        load = metrics.Workload(
            "x", "y", 10, 3, 4, 5, weight_bits=1, activation_bits=4
        )
        self.assertEqual(load.weight_bytes, 1)  # 3 bits
        self.assertEqual(load.activation_bytes, 5)  # 36 bits
        self.assertEqual(load.footprint, 6)
        self.assertEqual(load.memory_accesses, 12)
        self.assertAlmostEqual(load.arithmetic_intensity, 10 / 12)

    def test_what_moves_nothing_has_no_accesses(self):
        load = metrics.Workload("x", "y", 0, 0, 4, 4, moves_data=False)
        self.assertEqual(load.activations, 8)
        self.assertEqual(load.memory_accesses, 0)
        self.assertEqual(load.bytes_moved, 0)
        self.assertEqual(load.arithmetic_intensity, 0)

    def test_totals_count_shared_parameters_once_and_name_the_unknown(self):
        first = metrics.Workload("a", "k", 7, 10, 1, 2, weight_bits=8)
        again = metrics.Workload(
            "a:2", "k", 7, 10, 1, 2, weight_bits=8, shared_parameters=10
        )
        other = metrics.Workload("b", "k", 0, 4, 1, 1, is_counted=False)
        total = metrics.total([first, again, other])
        self.assertEqual(total.macs, 14)
        self.assertEqual(total.parameters, 14)
        self.assertEqual(total.weight_bytes, 10 + 4 * 4)
        self.assertEqual(total.memory_accesses, 13 + 13 + 6)
        self.assertEqual(total.bytes_moved, 22 + 22 + 24)
        self.assertEqual(total.uncounted, ("b",))
        self.assertAlmostEqual(total.arithmetic_intensity, 14 / 32)


if __name__ == "__main__":
    absltest.main()
