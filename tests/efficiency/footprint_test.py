"""Memory of activations on graphs that are small enough to do by hand."""

import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.efficiency import footprint, graph, workload

keras = tf.keras
layers = keras.layers


def conv(filters, name):
    return layers.Conv2D(filters, 1, name=name)


def live(model, batch_size=1):
    """Bytes that live while each layer runs, by its name."""
    found = graph.trace(model, batch_size)
    loads = workload.of_calls(found.calls)
    amounts = footprint.live_bytes(found, loads)
    return {call.name: size for call, size in zip(found.calls, amounts)}


def peaks(model):
    found = graph.trace(model)
    return footprint.footprint(found, workload.of_calls(found.calls))


class FootprintTest(absltest.TestCase):
    def test_a_chain_holds_input_and_output(self):
        # 16 cells: 2, 4, 3 channels of 4 bytes.
        x = keras.Input((4, 4, 2), name="x")
        model = keras.Model(x, conv(3, "b")(conv(4, "a")(x)))
        self.assertEqual(live(model), {"x": 128, "a": 384, "b": 448})
        self.assertEqual(live(model, 3), {"x": 384, "a": 1152, "b": 1344})
        want = footprint.Footprint(448, "b", 448, "b")
        self.assertEqual(peaks(model), want)

    def test_a_skip_connection_stays_until_it_is_read(self):
        # 16 cells of 4 bytes; channels x 8, a 4, b 16, c 8, sum 8.
        x = keras.Input((4, 4, 8), name="x")
        y = conv(8, "c")(conv(16, "b")(conv(4, "a")(x)))
        model = keras.Model(x, layers.Add(name="sum")([x, y]))
        self.assertEqual(
            live(model),
            {
                "x": 64 * 8,
                "a": 64 * (8 + 4),
                "b": 64 * (8 + 4 + 16),
                "c": 64 * (8 + 16 + 8),
                "sum": 64 * (8 + 8 + 8),
            },
        )
        # By layers alone c and sum take most: 24 channels.
        want = footprint.Footprint(64 * 24, "c", 64 * 32, "c")
        self.assertEqual(peaks(model), want)

    def test_what_the_model_returns_stays_to_the_end(self):
        # 64 bytes for each channel: x 2, a 4, b 3, c 1; a is an output too.
        x = keras.Input((4, 4, 2), name="x")
        a = conv(4, "a")(x)
        model = keras.Model(x, [a, conv(1, "c")(conv(3, "b")(a))])
        self.assertEqual(
            live(model),
            {"x": 128, "a": 64 * 6, "b": 64 * 7, "c": 64 * 8},
        )

    def test_all_inputs_are_there_from_the_start(self):
        x, y = keras.Input((4,), name="x"), keras.Input((6,), name="y")
        a = layers.Dense(2, name="a")(x)
        model = keras.Model([x, y], layers.Concatenate(name="b")([a, y]))
        self.assertEqual(
            live(model),
            {"x": 40, "y": 40, "a": 4 * (4 + 6 + 2), "b": 4 * (6 + 2 + 8)},
        )

    def test_views_take_no_memory_of_their_own(self):
        # The flat view keeps its source alive until b has read it.
        x = keras.Input((2, 4), name="x")
        a = layers.Dense(3, name="a")(x)
        flat = layers.Flatten(name="flat")(layers.Dropout(0.5, name="drop")(a))
        model = keras.Model(x, layers.Dense(5, name="b")(flat))
        self.assertEqual(
            live(model),
            {"x": 32, "a": 32 + 24, "drop": 24, "flat": 24, "b": 24 + 20},
        )

    def test_a_tensor_that_nobody_reads_lives_for_its_own_step(self):
        class Split(layers.Layer):
            def call(self, x):
                return x[:, :2], x[:, 2:]

        x = keras.Input((6,), name="x")
        first, _ = Split(name="split")(x)
        model = keras.Model(x, layers.Dense(1, name="a")(first))
        self.assertEqual(live(model), {"x": 24, "split": 48, "a": 8 + 4})

    def test_layers_that_say_their_bits_take_that_much(self):
        class Quantised(layers.Dense):
            def workload(self, input_shapes, output_shape):
                return {"macs": 0, "activation_bits": 3}

        x = keras.Input((6,), name="x")
        model = keras.Model(x, Quantised(5, name="a")(x))
        self.assertEqual(live(model)["a"], 24 + 2)  # 15 bits

    def test_two_consecutive_outputs_against_16_mb(self):
        # Ch. 2 §3.4 asks for input and output of a layer together.
        x = keras.Input((64, 64, 8), name="x")
        model = keras.Model(x, conv(2, "b")(conv(64, "a")(x)))
        want = 64 * 64 * (8 + 64) * 4
        self.assertEqual(peaks(model).pair_bytes, want)
        self.assertEqual(peaks(model).pair_layer, "a")


if __name__ == "__main__":
    absltest.main()
