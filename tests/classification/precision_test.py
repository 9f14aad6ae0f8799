"""Bits by their names; sizes and rates of Ch. 7 Tables 1-4, Eqs. 13-14."""

import itertools
import json

from absl.testing import absltest, parameterized

from squeeze_tf.classification import precision, precision_resnet
from tests import shared_files

# Ch. 7 Table 2.
MOST_ACCURATE = ("4", "4", "3", "3", "3", "4", "4", "3", "1")
MOST_EFFICIENT = ("2", "3", "0", "2", "4", "2", "3", "2", "1")


class NamesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("0", None),
        ("1", (1, 32)),
        ("32", (32, 32)),
        ("w3a4", (3, 4)),
        ("w32a8", (32, 8)),
    )
    def test_stand_for_bits_of_weights_and_activations(self, name, bits):
        found = precision.parse(name)
        want = bits and precision.Precision(*bits)
        self.assertEqual(found, want)

    @parameterized.parameters(
        ("", 'must be a name such as "0", "4" or "w4a2"; got \'\''),
        ("w4", "must be a name .* got 'w4'"),
        ("4.5", "must be a name .* got '4.5'"),
        ("-1", "must be a name .* got '-1'"),
        ("17", "bits must be 1 to 16, or 32 .* got 17"),
        ("w0a4", "bits must be 1 to 16, or 32 .* got 0"),
        ("w4a0", "bits must be 1 to 16, or 32 .* got 0"),
    )
    def test_others_are_refused(self, name, message):
        with self.assertRaisesRegex(ValueError, message):
            precision.parse(name)


class CostsTest(parameterized.TestCase):
    def test_compression_is_that_of_table_2(self):
        path = shared_files.path("reference/architectures/architectures.json")
        reference = json.loads(path.read_text())["mixed_precision_resnet20"]
        parameters = precision_resnet.block_parameters(20)
        self.assertEqual(list(parameters), reference["block_weights_3x3"])
        rate = precision.compression_rate(MOST_ACCURATE, parameters)
        self.assertEqual(round(rate, 2), 11.60)
        # Ch. 7 Table 1 prints 16.6. No change of one block's bits gives that.
        rate = precision.compression_rate(MOST_EFFICIENT, parameters)
        self.assertEqual(round(rate, 2), 15.60)
        for i, name in itertools.product(range(9), "0123468"):
            bits = (*MOST_EFFICIENT[:i], name, *MOST_EFFICIENT[i + 1 :])
            rate = precision.compression_rate(bits, parameters)
            self.assertNotEqual(round(rate, 1), 16.6)
        for name, bits in (
            ("most_accurate", MOST_ACCURATE),
            ("most_efficient", MOST_EFFICIENT),
        ):
            self.assertEqual(list(map(int, bits)), reference[name]["bits"])

    def test_size_counts_what_a_block_keeps(self):
        # 5 x 1 + 7 x 32 bits; of 32 x 15 that is 480 / 229.
        bits, parameters = ("1", "0", "32"), (5, 3, 7)
        self.assertEqual(precision.size_cost(bits, parameters), 229)
        self.assertEqual(
            precision.compression_rate(bits, parameters), 480 / 229
        )
        with self.assertRaises(ValueError):
            precision.size_cost(bits, parameters[1:])

    @parameterized.parameters(("w4a4", 64), ("w1a2", 512), ("2", 16), ("32", 1))
    def test_computation_shrinks_with_both_bits(self, name, rate):
        # Ch. 7 §5.2: (32 / 4) (32 / 4) = 64; (32 / 1) (32 / 2) = 512, which
        # GroupNet's five branches make 102.4.
        macs = precision_resnet.block_macs(18, (224, 224, 3))
        found = precision.compute_compression_rate([name] * 8, macs)
        self.assertEqual(found, rate)
        pairs = ("w1a4", "w2a4", "w3a3", "0")
        self.assertEqual(
            precision.compute_cost(pairs, (2, 3, 5, 7)),
            2 * 4 + 3 * 8 + 5 * 9,
        )

    def test_stored_are_kernels_of_few_bits_and_all_else_in_full(self):
        model = precision_resnet.precision_resnet(
            depth=8,
            bits=("1", "w2a4", "32"),
            input_shape=(8, 8, 1),
            num_classes=4,
        )
        few = 2 * 9 * 16 * 16 * 1 + 9 * (16 + 32) * 32 * 2
        full = 9 * (32 + 64) * 64  # third block
        full += 9 * 16 + 16 * 32 + 32 * 64  # first layer, shortcuts
        full += 4 * (16 + 2 * 16 + 3 * 32 + 3 * 64)  # normalisations
        full += 64 * 4 + 4 + 2  # last layer; α twice
        self.assertEqual(precision.stored_bits(model), few + 32 * full)


if __name__ == "__main__":
    absltest.main()
