"""The super net: gates choose, weights are shared, gradients reach gates."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.search import space, supernet
from tests.search import spaces

IMAGE = np.random.default_rng(0).uniform(0, 255, [2, 6, 6, 1])
CHOICE = ("3", "1", "skip")
ONE_HOT = [[0.0, 0, 1], [1.0, 0, 0], [1.0, 0, 0]]  # CHOICE, as gates


def made():
    tf.keras.utils.set_random_seed(0)
    return supernet.SuperNet(spaces.small())


class SuperNetTest(absltest.TestCase):
    def test_one_hot_gates_run_the_network_that_they_choose(self):
        network = made()
        chosen = network.subnetwork(CHOICE)
        np.testing.assert_allclose(
            network(IMAGE, tf.constant(ONE_HOT)), chosen(IMAGE), rtol=1e-5
        )

    def test_a_subnetwork_is_of_the_space_and_has_the_weights_of_the_net(self):
        network = made()
        chosen = network.subnetwork(CHOICE)
        alone = space.network(spaces.small(), CHOICE)
        alone.set_weights(chosen.get_weights())
        np.testing.assert_allclose(chosen(IMAGE), alone(IMAGE), rtol=1e-5)
        network.last.trainable_weights[0].assign_add([[1.0] * 3] * 4)
        self.assertGreater(np.abs(chosen(IMAGE) - alone(IMAGE)).max(), 1e-4)

    def test_a_subnetwork_runs_one_block_a_layer(self):
        chosen = made().subnetwork(CHOICE)
        function = tf.function(chosen).get_concrete_function(
            tf.TensorSpec([1, 6, 6, 1])
        )
        kinds = [x.type for x in function.graph.get_operations()]
        nested = [
            x.type
            for inner in function.graph._functions.values()
            for x in inner.graph.get_operations()
        ]
        # The first layer, a 3x3 and a 1x1 convolution; nothing for "skip".
        self.assertEqual((kinds + nested).count("Conv2D"), 3)

    def test_gates_mix_the_candidates(self):
        network = made()
        x = network.first(IMAGE)
        skip, small, large = (block(x) for block in network.blocks[0])
        want = network.last(
            network.blocks[1][0](0.2 * skip + 0.5 * small + 0.3 * large)
        )
        gates = tf.constant([[0.2, 0.5, 0.3], *ONE_HOT[1:]])
        np.testing.assert_allclose(network(IMAGE, gates), want, rtol=1e-5)

    def test_gradients_reach_all_gates_and_blocks(self):
        network, gates = made(), tf.fill([3, 3], 0.4)
        with tf.GradientTape() as tape:
            tape.watch(gates)
            loss = tf.reduce_sum(network(IMAGE, gates, training=True) ** 2)
        weights = network.trainable_weights
        of_gates, *of_weights = tape.gradient(loss, [gates, *weights])
        # The second layer has two candidates.
        np.testing.assert_array_equal(
            of_gates != 0, [[True] * 3, [True, True, False], [True] * 3]
        )
        self.assertTrue(all(x is not None for x in of_weights))
        self.assertLen(weights, 2 + 6 * 4 + 2)

    def test_what_is_no_architecture_is_refused(self):
        with self.assertRaisesRegex(ValueError, "layer 2 of small"):
            made().subnetwork(["1", "skip", "3"])


class PaddedTest(absltest.TestCase):
    def test_lines_get_one_length(self):
        self.assertEqual(supernet.padded([[1], [2, 3]]), [[1, 0.0], [2, 3]])


if __name__ == "__main__":
    absltest.main()
