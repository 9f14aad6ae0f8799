"""The DiracDeltaNet space against the networks of classification."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.classification import diracdeltanet
from squeeze_tf.search import dirac_space, space

SMALL = {
    "input_shape": (8, 8, 1),
    "num_classes": 5,
    "stem": (4, 8),
    "stage_channels": (16, 32),
    "stage_blocks": (3, 2),
    "last": 24,
    "stem_pools": False,
}


class DiracSpaceTest(parameterized.TestCase):
    def test_has_the_blocks_and_shapes_of_table_10(self):
        found = dirac_space.dirac_space()
        # Ch. 6 Table 10: stages of 1 + 3, 1 + 7 and 1 + 3 blocks.
        down, kinds = (dirac_space.DOWN,), ("e1", "e2", "e4", "skip")
        want = (down, *[kinds] * 3, down, *[kinds] * 7, down, *[kinds] * 3)
        self.assertEqual(found.candidates, want)
        want = [(56, 56, 64)]
        want += [(28, 28, 128)] * 4 + [(14, 14, 256)] * 8 + [(7, 7, 512)] * 4
        self.assertEqual(list(found.shapes), want)

    def test_a_network_of_it_is_the_diracdeltanet_of_these_blocks(self):
        given = SMALL | {
            "weight_bits": 3,
            "activation_bits": 5,
            "end_bits": 8,
            "weight_form": "released",
            "weight_decay": 0.2,
            "momentum": 0.7,
        }
        architecture = ("down", "e4", "skip", "down", "e1")
        found = dirac_space.dirac_space(**given)
        ours = space.network(found, architecture)
        theirs = diracdeltanet.diracdeltanet(
            **given, block_kinds=dirac_space.block_kinds(architecture)
        )
        for one, other in zip(ours.layers, theirs.layers, strict=True):
            one, other = (
                {k: v for k, v in layer.get_config().items() if k != "name"}
                for layer in (one, other)
            )
            self.assertEqual(one, other)
        ours.set_weights(theirs.get_weights())
        image = np.random.default_rng(0).uniform(0, 255, [2, 8, 8, 1])
        np.testing.assert_array_equal(ours(image), theirs(image))

    def test_ends_of_other_bits_have_other_names(self):
        names = {
            end.key
            for bits in (3, 4)
            for end in space.ends(
                dirac_space.dirac_space(**SMALL, activation_bits=bits)
            )
        }
        self.assertLen(names, 4)
        self.assertIn("last24_w4a3_ends4 2x2x32 5", names)

    @parameterized.parameters(
        ({"kinds": ("e1", "k3_e1")}, "kind of a block must be .* got 'k3_e1'"),
        ({"kinds": ("down",)}, "got 'down'"),
        ({"kinds": ("e1", "e1")}, "kinds must differ"),
        ({"kinds": ()}, "at least one"),
        ({"stage_blocks": (3, 0)}, r"1 or more each; got \(3, 0\)"),
        ({"input_shape": (2, 8, 1)}, "at least 4, as the map halves 2"),
    )
    def test_bad_arguments_are_refused(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            dirac_space.dirac_space(**SMALL | changes)


if __name__ == "__main__":
    absltest.main()
