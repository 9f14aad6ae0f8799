"""Calls of layers: order, names, shapes, models in models."""

import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.efficiency import graph

keras = tf.keras
layers = keras.layers


def names(found):
    return [call.name for call in found.calls]


class GraphTest(absltest.TestCase):
    def test_calls_are_linked_by_their_tensors(self):
        x = keras.Input((4, 6, 3), name="x")
        a = layers.Conv2D(5, 3, strides=2, padding="same", name="a")(x)
        b = layers.Conv2D(5, 1, name="b")(a)
        model = keras.Model(x, layers.Add(name="sum")([b, a]))
        found = graph.trace(model, batch_size=2)
        self.assertEqual(names(found), ["x", "a", "b", "sum"])
        x, a, b, total = found.calls
        self.assertEqual(x.outputs[0].shape, (2, 4, 6, 3))
        self.assertEqual(a.outputs[0].shape, (2, 2, 3, 5))
        self.assertIs(a.inputs[0], x.outputs[0])
        self.assertEqual(total.inputs, (*b.outputs, *a.outputs))
        self.assertEqual(found.outputs, total.outputs)

    def test_layers_run_in_the_order_of_keras(self):
        x = keras.Input((4,), name="x")
        skip = layers.Dense(4, name="skip")(x)
        y = layers.Dense(4, name="a")(x)
        y = layers.Dense(4, name="b")(y)
        model = keras.Model(x, layers.Add(name="sum")([y, skip]))
        ran = []

        class Spy(layers.Dense):
            def call(self, x):
                ran.append(self.name)
                return super().call(x)

        def clone(layer):
            config = layer.get_config()
            kind = Spy if isinstance(layer, layers.Dense) else type(layer)
            return kind.from_config(config)

        copy = keras.models.clone_model(model, clone_function=clone)
        ran.clear()
        copy(tf.zeros((1, 4)))
        self.assertEqual(names(graph.trace(model))[1:-1], ran)
        self.assertLen(ran, 3)

    def test_models_inside_are_entered(self):
        inner_x = keras.Input((None, None, 2))
        inner = keras.Model(
            inner_x, layers.Conv2D(3, 3, name="conv")(inner_x), name="inner"
        )
        chain = keras.Sequential(
            [layers.Flatten(name="flat"), layers.Dense(5, name="dense")],
            name="chain",
        )
        x = keras.Input((8, 8, 2), name="x")
        y = keras.Input((5, 4, 2), name="y")
        model = keras.Model([x, y], [chain(inner(x)), inner(y)])
        found = graph.trace(model, 3)
        shapes = {call.name: call.outputs[0].shape for call in found.calls}
        self.assertEqual(
            shapes,
            {
                "x": (3, 8, 8, 2),
                "y": (3, 5, 4, 2),
                "inner/conv": (3, 6, 6, 3),
                "inner/conv:2": (3, 3, 2, 3),
                "chain/flat": (3, 108),
                "chain/dense": (3, 5),
            },
        )
        calls = {call.name: call for call in found.calls}
        self.assertIs(
            calls["chain/flat"].inputs[0], calls["inner/conv"].outputs[0]
        )
        self.assertEqual(
            found.outputs,
            (
                *calls["chain/dense"].outputs,
                *calls["inner/conv:2"].outputs,
            ),
        )

    def test_types_say_the_bits(self):
        x = keras.Input((4,), dtype="float16")
        y = layers.Dense(3, dtype="mixed_float16", name="a")(x)
        y = layers.Activation("softmax", dtype="float32", name="b")(y)
        found = graph.trace(keras.Model(x, y))
        self.assertEqual([c.outputs[0].bits for c in found.calls], [16, 16, 32])

    def test_a_fixed_batch_is_kept(self):
        x = keras.Input((4,), batch_size=2)
        model = keras.Model(x, layers.Dense(1)(x))
        self.assertEqual(graph.trace(model, 2).outputs[0].shape, (2, 1))
        with self.assertRaisesRegex(ValueError, "fixed batch of 2"):
            graph.trace(model, 1)

    def test_open_shapes_and_other_models_are_refused(self):
        x = keras.Input((None, 4, 1))
        with self.assertRaisesRegex(ValueError, "leaves its input shape open"):
            graph.trace(keras.Model(x, layers.Conv2D(1, 1)(x)))
        with self.assertRaisesRegex(ValueError, "must be functional"):
            graph.trace(keras.Sequential([layers.Dense(1)]))
        x = keras.Input((4,))
        with self.assertRaisesRegex(ValueError, "at least 1; got 0"):
            graph.trace(keras.Model(x, layers.Dense(1)(x)), 0)

    def test_a_model_may_do_nothing(self):
        x = keras.Input((4,), name="x")
        found = graph.trace(keras.Model(x, x))
        self.assertEqual(names(found), ["x"])
        self.assertEqual(found.outputs, found.calls[0].outputs)


if __name__ == "__main__":
    absltest.main()
