"""ShiftNet: parameters of Ch. 6 Table 8, layers of Table 7."""

import functools

from absl.testing import absltest, parameterized

from squeeze_tf.classification import shiftnet
from squeeze_tf.layers import shift
from tests.classification import counts


@functools.cache
def network(variant):
    return shiftnet.shiftnet(variant=variant)


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(("a", 4.1), ("b", 1.1), ("c", 0.78))
    def test_every_layer_is_the_reference_s(self, variant, printed):
        model = network(variant)
        found = counts.reference(f"ShiftNet-{variant.upper()}")
        self.assertEqual(
            counts.kernels(model), found["params"]["conv_fc_weights"]
        )
        ours = counts.layers(model)
        self.assertEqual(sum(ours.values()), found["macs"])
        theirs = {
            key.replace("g", "group", 1).replace(".", "_"): macs
            for key, macs in counts.reference_layers(found).items()
        }
        theirs["conv1"] = theirs.pop("stem")
        self.assertEqual(ours, theirs)
        # Table 8 cuts digits off: 4.16 and 4.19 are 4.1 there.
        digits = 2 if variant == "c" else 1
        cut = int(counts.trained(model) / 1e6 * 10**digits) / 10**digits
        self.assertEqual(cut, printed)

    def test_normalisation_adds_two_numbers_for_each_channel(self):
        for variant, widened in (("a", 0), ("b", 0), ("c", 32 + 64 + 128)):
            found = counts.reference(f"ShiftNet-{variant.upper()}")["params"]
            # The reference has them behind the convolutions, so it counts the
            # channels that "c" gains in its modules of stride 2.
            model = network(variant)
            self.assertEqual(
                counts.trained(model) + 2 * widened,
                found["with_bn_affine_and_fc_bias"],
            )

    def test_groups_are_those_of_table_7(self):
        for variant, counted, kernels in (
            ("a", (5, 6, 7, 3), (5, 5, 3, 3)),
            ("b", (5, 6, 7, 3), (5, 5, 3, 3)),
            ("c", (1, 4, 4, 3), (3, 3, 3, 3)),
        ):
            model = network(variant)
            layers = [
                x for x in model.layers if isinstance(x, shift.ShiftConv2D)
            ]
            groups = [
                [x for x in layers if x.name.startswith(f"group{g}_")]
                for g in (1, 2, 3, 4)
            ]
            self.assertEqual(tuple(map(len, groups)), counted)
            self.assertEqual(
                tuple(group[0].kernel_size for group in groups), kernels
            )
            for group in groups:
                strides = [layer.strides for layer in group]
                self.assertEqual(strides, [2] + [1] * (len(group) - 1))

    def test_an_unknown_variant_is_refused(self):
        with self.assertRaisesRegex(ValueError, "variant must be one of"):
            shiftnet.shiftnet(variant="d")


if __name__ == "__main__":
    absltest.main()
