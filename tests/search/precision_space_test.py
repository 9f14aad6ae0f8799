"""Spaces of mixed precision: their networks, candidates and Eqs. 13-14."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.classification import precision_resnet
from squeeze_tf.search import precision_space, space

SMALL = {"depth": 14, "input_shape": (8, 8, 1), "widths": (4, 6, 8)}


class SpaceTest(parameterized.TestCase):
    @parameterized.parameters(
        (SMALL, ("4", "0", "w2a3", "32", "1", "0")),
        (
            {"depth": 18, "input_shape": (33, 32, 3), "widths": (4, 4, 6, 8)},
            ("w1a4", "w2a4", "w3a3", "w4a4", "w8a8", "w32a32", "4", "32"),
        ),
    )
    def test_a_network_is_the_model_of_its_bits(self, arguments, bits):
        arguments = arguments | {
            "num_classes": 4,
            "mean": (100.0,),
            "std": (50.0,),
            "weight_decay": 0.2,
            "momentum": 0.7,
        }
        found = precision_space.precision_space(
            **arguments, kinds=sorted(set(bits))
        )
        network = space.network(found, bits)
        model = precision_resnet.precision_resnet(**arguments, bits=bits)
        for ours, theirs in zip(network.layers, model.layers, strict=True):
            self.assertEqual(ours.get_config(), theirs.get_config())
        network.set_weights(model.get_weights())
        x = np.random.default_rng(0).uniform(
            0, 255, (2, *arguments["input_shape"])
        )
        np.testing.assert_array_equal(network(x), model(x))
        self.assertEqual(sum(network.losses), sum(model.losses))

    def test_blocks_that_change_the_shape_are_not_skipped(self):
        found = precision_space.precision_space()
        self.assertEqual(found.num_layers, 9)
        for layer, kinds in enumerate(found.candidates, start=1):
            want = precision_space.CIFAR_KINDS
            self.assertEqual(kinds, want[1:] if layer in (4, 7) else want)
        # Also where the channels stay and only the stride is 2.
        found = precision_space.precision_space(**SMALL | {"widths": (4,) * 3})
        self.assertEqual([len(k) for k in found.candidates], [7, 7, 6, 7, 6, 7])

    @parameterized.parameters(
        (("4", "4"), 'kinds must differ, at least one not be "0"; got .*4'),
        (("0",), "kinds must differ, at least one not be"),
        ((), "kinds must differ, at least one not be"),
        (("4", "a4"), "bits of a block must be a name"),
    )
    def test_bad_kinds_are_refused(self, kinds, message):
        with self.assertRaisesRegex(ValueError, message):
            precision_space.precision_space(kinds=kinds)


class CostsTest(parameterized.TestCase):
    def test_of_a_network_add_up_to_the_thesiss_size(self):
        # Ch. 7 Table 2, "most accurate": 11.6 times smaller than 32 bits.
        bits = ("4", "4", "3", "3", "3", "4", "4", "3", "1")
        found = precision_space.precision_space()
        costs = precision_space.costs(found, "size")
        total, full = (
            sum(
                row[kinds.index(kind)]
                for row, kinds, kind in zip(costs, found.candidates, names)
            )
            for names in (bits, ["32"] * 9)
        )
        self.assertEqual(full, precision_space.full_cost(found, "size"))
        self.assertEqual(round(full / total, 2), 11.60)
        for row, kinds in zip(costs, found.candidates, strict=True):
            self.assertEqual(row.shape, (len(kinds),))

    @parameterized.parameters(
        (14, (9, 7, 1), (4, 6, 8), precision_space.CIFAR_KINDS),
        (
            18,
            (33, 50, 3),
            (4, 6, 8, 8),
            precision_space.IMAGENET_COMPUTE_KINDS,
        ),
    )
    def test_are_amounts_times_bits(self, depth, shape, widths, kinds):
        found = precision_space.precision_space(
            depth=depth, input_shape=shape, widths=widths, kinds=kinds
        )
        sizes = precision_space.costs(found, "size")
        computations = precision_space.costs(found, "compute")
        self.assertEqual(
            precision_space.full_cost(found, "compute"),
            32 * 32 * sum(precision_resnet.block_macs(depth, shape, widths)),
        )
        bits = {"0": (0, 0)} | {
            kind: tuple(map(int, kind[1:].split("a")))
            if kind[0] == "w"
            else (int(kind), 32)
            for kind in kinds
            if kind != "0"
        }
        for layer, (parameters, macs) in enumerate(
            zip(
                precision_resnet.block_parameters(depth, widths),
                precision_resnet.block_macs(depth, shape, widths),
            )
        ):
            rows = [bits[kind] for kind in found.candidates[layer]]
            np.testing.assert_array_equal(
                sizes[layer], [parameters * w for w, _ in rows]
            )
            np.testing.assert_array_equal(
                computations[layer], [macs * w * a for w, a in rows]
            )


if __name__ == "__main__":
    absltest.main()
