"""Counts of DiracDeltaNet's calls against the thesis and a reference list."""

import json

from absl.testing import absltest, parameterized

from tests import shared_files
from tools.synetgy import workload


class CallTest(parameterized.TestCase):
    def test_sizes_by_hand(self):
        call = workload.Call(
            "a",
            height=7,
            width=10,
            in_channels=3,
            out_channels=5,
            stride=2,
            pool=2,
            weight_bits=4,
            activation_bits=8,
            output_bits=3,
        )
        # Stride 2 leaves 4 x 5 of 7 x 10, pooling 2 x 2 of these.
        self.assertEqual(call.input_pixels, 70)
        self.assertEqual(call.convolved_pixels, 20)
        self.assertEqual((call.output_height, call.output_width), (2, 2))
        self.assertEqual(call.macs, 20 * 3 * 5)
        self.assertEqual(call.weight_bytes, 8)  # 15 of 4 bits are 7.5
        self.assertEqual(call.input_bytes, 210)
        self.assertEqual(call.output_bytes, 8)  # 4 * 5 of 3 bits are 7.5

    @parameterized.parameters(
        ({"height": 0}, "height must be a whole number of at least 1; got 0"),
        ({"pool": 2.0}, "pool must be a whole number of at least 1; got 2.0"),
        ({"shuffled_values": -1}, "shuffled_values .* at least 0; got -1"),
        ({"pool": 5}, "pooling 5x5 leaves nothing of 4x4 with stride 1"),
    )
    def test_impossible_sizes_are_refused(self, change, message):
        sizes = dict(height=4, width=4, in_channels=1, out_channels=1)
        with self.assertRaisesRegex(ValueError, "call a: " + message):
            workload.Call("a", **sizes | change)


class DiracDeltaNetTest(parameterized.TestCase):
    def test_totals_of_the_thesis(self):
        frame = workload.diracdeltanet()
        self.assertLen(frame.calls, 39)
        self.assertEqual(frame.macs, 330_178_560)  # 330M in Ch. 6 Table 11
        # Block outputs of Table 10: 4 of 28 x 28 x 128, 8 of 14 x 14 x 256 and
        # 4 of 7 x 7 x 512 values.
        self.assertEqual(frame.shuffled_values, 401_408 + 401_408 + 100_352)
        self.assertEqual(frame.pooled_values, 7 * 7 * 1024)  # GlobalPool

    def test_stem_of_the_thesis(self):
        # Ch. 6 §4.2: 2144 parameters and 30.5M MACs.
        stem = workload.diracdeltanet_calls()[:2]
        weights = [call.in_channels * call.out_channels for call in stem]
        self.assertEqual(sum(weights), 2144)
        self.assertEqual(round(sum(x.macs for x in stem) / 1e6, 1), 30.5)

    def test_calls_feed_each_other(self):
        calls = {x.name: x for x in workload.diracdeltanet_calls()}
        for name, call in calls.items():
            if name.endswith(".first"):
                second = calls[name.replace("first", "second")]
                self.assertTrue(call.has_shift)
                self.assertEqual(call.output_height, second.height)
                self.assertEqual(call.out_channels, second.in_channels)
                self.assertEqual(call.out_channels, 2 * second.out_channels)
                self.assertEqual(
                    second.shuffled_values,
                    2 * second.output_pixels * second.out_channels,
                )

    def test_layers_of_the_reference(self):
        path = shared_files.path("reference/architectures/architectures.json")
        models = json.loads(path.read_text())["models"]
        layers = models["DiracDeltaNet"]["layers"]
        expected = [
            (row[2], row[3], row[7] or 1, row[8] or 1, row[-1])
            for row in layers
            if row[1] in ("conv", "fc")
        ]
        found = [
            (x.in_channels, x.out_channels, x.height, x.width, x.macs)
            for x in workload.diracdeltanet_calls()
        ]
        self.assertEqual(found, expected)

    def test_bits_reach_the_calls(self):
        calls = workload.diracdeltanet_calls(weight_bits=2, activation_bits=3)
        self.assertEqual({x.weight_bits for x in calls}, {2})
        # The classifier reads sums of 7 x 7 levels, at most 49 * 7 = 343.
        bits = [8] + 37 * [3] + [9]
        self.assertEqual([x.activation_bits for x in calls], bits)
        self.assertEqual([x.output_bits for x in calls], 38 * [3] + [32])

    @parameterized.parameters(0, -32, 225)
    def test_sizes_must_divide(self, size):
        with self.assertRaisesRegex(ValueError, f"multiple of 32; got {size}"):
            workload.diracdeltanet_calls(image_size=size)


if __name__ == "__main__":
    absltest.main()
