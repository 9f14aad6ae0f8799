"""The FBNet space against the networks of classification.fbnet and Table 5."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.classification import fbnet, fbnet_architectures
from squeeze_tf.search import fbnet_space, space

SMALL = {
    "input_shape": (32, 32, 3),
    "num_classes": 5,
    "width": 0.35,
    "last_filters": 32,
}


class FbnetSpaceTest(parameterized.TestCase):
    def test_has_22_layers_of_9_candidates_and_the_shapes_of_table_5(self):
        found = fbnet_space.fbnet_space()
        self.assertEqual({len(kinds) for kinds in found.candidates}, {9})
        self.assertEqual(found.num_layers, 22)
        table_5 = [  # input shape of each row that is searched, and its n
            ((112, 112, 16), 1), ((112, 112, 16), 1), ((56, 56, 24), 3),
            ((56, 56, 24), 1), ((28, 28, 32), 3), ((28, 28, 32), 1),
            ((14, 14, 64), 3), ((14, 14, 64), 1), ((14, 14, 112), 3),
            ((14, 14, 112), 1), ((7, 7, 184), 3), ((7, 7, 184), 1),
            ((7, 7, 352), 1),
        ]  # fmt: skip
        want = [shape for shape, count in table_5 for _ in range(count)]
        self.assertEqual(list(found.shapes), want)

    def test_a_network_of_it_is_the_fbnet_of_these_blocks(self):
        blocks = fbnet_architectures.ARCHITECTURES["fbnet_a"].blocks
        ours = space.network(fbnet_space.fbnet_space(**SMALL), blocks)
        theirs = fbnet.fbnet(blocks=blocks, **SMALL)
        ours.set_weights(theirs.get_weights())
        image = np.random.default_rng(0).uniform(0, 255, [2, 32, 32, 3])
        np.testing.assert_array_equal(ours(image), theirs(image))

    @parameterized.parameters(
        (("k3_e1", "k7_e1"), "kinds must be among .*; got 'k7_e1'"),
        (("skip", "skip"), "kinds must differ"),
        ((), "at least one"),
    )
    def test_other_kinds_are_refused(self, kinds, message):
        with self.assertRaisesRegex(ValueError, message):
            fbnet_space.fbnet_space(kinds=kinds)


if __name__ == "__main__":
    absltest.main()
