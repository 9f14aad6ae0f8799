"""Spaces: shapes, operators, networks of an architecture."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.search import space
from tests.search import spaces


class SpaceTest(parameterized.TestCase):
    def test_a_network_has_the_layers_of_its_architecture(self):
        model = space.network(spaces.small(), ["skip", "3", "1"])
        sizes = [x.kernel_size for x in model.layers if hasattr(x, "filters")]
        self.assertEqual(sizes, [(1, 1), (3, 3), (1, 1)])
        self.assertEqual(model.output_shape, (None, 3))

    def test_nodes_have_the_shapes_that_blocks_give(self):
        self.assertEqual(
            spaces.small().shapes, ((6, 6, 4), (6, 6, 4), (3, 3, 4), (3, 3, 4))
        )

    def test_equal_operators_have_one_key_and_others_another(self):
        found = space.operators(spaces.small())
        keys = [[operator.key for operator in layer] for layer in found]
        self.assertEqual(
            keys[1:],
            [
                ["1 6x6x4 3x3x4", "3 6x6x4 3x3x4"],
                ["skip 3x3x4 3x3x4", "1 3x3x4 3x3x4", "3 3x3x4 3x3x4"],
            ],
        )
        self.assertLen({key for layer in keys for key in layer}, 8)

    def test_ends_are_operators_too(self):
        first, last = space.ends(spaces.small())
        self.assertEqual(first.key, "first 6x6x1 6x6x4")
        self.assertEqual(last.key, "last 3x3x4 3")

    def test_ends_and_blocks_in_a_row_are_the_network(self):
        small = spaces.small()
        network = space.network(small, ["1", "3", "skip"])
        first, last = space.end_models(small)
        blocks = [
            space.block_model(small, i, x) for i, x in enumerate(["1", "3"])
        ]
        parts = [first, *blocks, last]
        values = iter(network.get_weights())
        for part in parts:
            part.set_weights([next(values) for _ in part.weights])
        image = np.random.default_rng(0).uniform(0, 255, [2, 6, 6, 1])
        x = image
        for part in parts:
            x = part(x)
        np.testing.assert_allclose(x, network(image), rtol=1e-5)

    @parameterized.parameters(
        (["1", "3"], "has 3 blocks; got 2"),
        (
            ["1", "skip", "3"],
            "layer 2 of small must be one of 1, 3; got 'skip'",
        ),
    )
    def test_what_is_no_architecture_is_refused(self, given, message):
        with self.assertRaisesRegex(ValueError, message):
            space.network(spaces.small(), given)


if __name__ == "__main__":
    absltest.main()
