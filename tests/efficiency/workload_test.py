"""Costs of layers against convolutions of ones, whose sums count MACs."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.segmentation import crf

keras = tf.keras
layers = keras.layers


def one_layer(layer, shape, batch_size=1):
    """Its workload in a model of nothing else."""
    x = keras.Input(shape)
    model = keras.Model(x, layer(x))
    return workload.workloads(model, batch_size)[-1]


def brute_force(kind, shape, arguments, batch_size=1):
    """MACs by adding up ones: each product of two ones is one MAC.

    Convolutions see an input so large that no tap falls beyond the border,
    as the thesis counts them; transposed ones keep all of their output.
    """
    free = {"use_bias": False, "padding": "valid"}
    given = arguments | free | {"kernel_initializer": "ones"}
    if kind is layers.DepthwiseConv2D:
        given["depthwise_initializer"] = given.pop("kernel_initializer")
    layer = kind(**given)
    extents = shape[:-1]
    if not kind.__name__.endswith("Transpose"):
        output = kind(**arguments)(tf.zeros((1, *shape))).shape[1:-1]
        rank = len(extents)
        kernel, strides, rate = (
            np.broadcast_to(arguments.get(name, 1), rank)
            for name in ("kernel_size", "strides", "dilation_rate")
        )
        extents = [
            (n - 1) * s + (k - 1) * r + 1
            for n, s, k, r in zip(output, strides, kernel, rate)
        ]
    ones = tf.ones((batch_size, *extents, shape[-1]))
    return int(tf.reduce_sum(layer(ones)))


CONVOLUTIONS = (
    ("same", layers.Conv2D, (7, 8, 4), {"padding": "same"}),
    ("valid", layers.Conv2D, (7, 8, 4), {"padding": "valid"}),
    ("strided", layers.Conv2D, (7, 8, 4), {"strides": (1, 2)}),
    ("dilated", layers.Conv2D, (9, 9, 4), {"dilation_rate": (2, 3)}),
    ("grouped", layers.Conv2D, (7, 8, 4), {"groups": 2, "padding": "same"}),
    ("line", layers.Conv1D, (9, 4), {"padding": "same", "strides": 2}),
    ("volume", layers.Conv3D, (4, 5, 6, 4), {"padding": "same"}),
    ("up", layers.Conv2DTranspose, (3, 4, 4), {"strides": (1, 2)}),
    ("up_same", layers.Conv2DTranspose, (3, 4, 4), {"padding": "same"}),
    ("up_line", layers.Conv1DTranspose, (5, 4), {"strides": 2}),
    ("up_volume", layers.Conv3DTranspose, (2, 3, 2, 4), {"strides": 2}),
)


class ConvolutionTest(parameterized.TestCase):
    @parameterized.named_parameters(*CONVOLUTIONS)
    def test_macs_are_products_of_ones(self, kind, shape, arguments):
        arguments = {"filters": 6, "kernel_size": 3} | arguments
        layer = kind(**arguments)
        for batch_size in (1, 3):
            load = one_layer(layer, shape, batch_size)
            want = brute_force(kind, shape, arguments, batch_size)
            self.assertEqual(load.macs, want)
            self.assertEqual(load.kind, kind.__name__)
            self.assertTrue(load.is_counted)
            self.assertEqual(load.parameters, layer.count_params())
            self.assertEqual(load.input_values, batch_size * math.prod(shape))
            self.assertEqual(
                load.output_shape,
                layer(tf.zeros((batch_size, *shape))).shape,
            )
            self.assertEqual(load.output_values, math.prod(load.output_shape))

    @parameterized.parameters("same", "valid")
    def test_depthwise(self, padding):
        arguments = {
            "kernel_size": (3, 5),
            "depth_multiplier": 2,
            "strides": 2,
            "padding": padding,
        }
        load = one_layer(layers.DepthwiseConv2D(**arguments), (8, 9, 3))
        want = brute_force(layers.DepthwiseConv2D, (8, 9, 3), arguments)
        self.assertEqual(load.macs, want)
        self.assertEqual(load.parameters, 3 * 5 * 3 * 2 + 6)

    def test_separable_is_depthwise_and_pointwise(self):
        given = {"kernel_size": 3, "depth_multiplier": 2, "strides": 2}
        load = one_layer(
            layers.SeparableConv2D(5, padding="same", **given), (8, 9, 3)
        )
        first = given | {"padding": "same"}
        middle = layers.DepthwiseConv2D(**first)(tf.zeros((1, 8, 9, 3)))
        second = {"filters": 5, "kernel_size": 1}
        want = brute_force(layers.DepthwiseConv2D, (8, 9, 3), first)
        want += brute_force(layers.Conv2D, middle.shape[1:], second)
        self.assertEqual(load.macs, want)

    def test_channels_may_come_first(self):
        given = {"filters": 6, "kernel_size": 3, "padding": "same"}
        last = one_layer(layers.Conv2D(**given), (7, 8, 4))
        x = keras.Input((4, 7, 8))
        layer = layers.Conv2D(data_format="channels_first", **given)
        layer.build(x.shape)
        shape = layer.compute_output_shape(x.shape)
        places = workload.positions(layer, (1, *shape[1:]))
        self.assertEqual(places * workload.kernel_weights(layer), last.macs)

    def test_dense(self):
        ones = layers.Dense(5, kernel_initializer="ones", use_bias=False)
        want = int(tf.reduce_sum(ones(tf.ones((2, 4, 3)))))
        load = one_layer(layers.Dense(5), (4, 3), 2)
        self.assertEqual((load.macs, load.parameters), (want, 20))

    def test_the_keras_layers_equal_table_1(self):
        sizes = {"batch": 2, "channels": 8, "kernel": 3, "extent": 6}
        same = {"padding": "same", "use_bias": False}
        for layer, row in (
            (
                layers.Conv2D(4, 3, **same),
                metrics.spatial_convolution(filters=4, **sizes),
            ),
            (
                layers.Conv2D(4, (3, 1), **same),
                metrics.separable_convolution(filters=4, **sizes),
            ),
            (
                layers.Conv2D(4, 3, groups=2, **same),
                metrics.group_convolution(filters=4, groups=2, **sizes),
            ),
            (
                layers.DepthwiseConv2D(3, **same),
                metrics.depthwise_convolution(**sizes),
            ),
        ):
            load = one_layer(layer, (6, 6, 8), 2)
            with self.subTest(row.kind):
                for field in ("macs", "parameters", "activations"):
                    self.assertEqual(getattr(load, field), getattr(row, field))
                self.assertEqual(
                    load.arithmetic_intensity, row.arithmetic_intensity
                )


class OtherLayersTest(parameterized.TestCase):
    @parameterized.parameters(
        (layers.BatchNormalization(), 20),
        (layers.LayerNormalization(), 10),
        (layers.UnitNormalization(), 0),
        (layers.ReLU(), 0),
        (layers.Activation("sigmoid"), 0),
        (layers.PReLU(shared_axes=(1, 2)), 5),
        (layers.MaxPooling2D(3, 2, padding="same"), 0),
        (layers.GlobalAveragePooling2D(), 0),
        (layers.UpSampling2D(), 0),
        (layers.ZeroPadding2D(1), 0),
        (layers.Normalization(mean=[1.0] * 5, variance=[2.0] * 5), 0),
        (layers.Rescaling(2.0), 0),
    )
    def test_without_macs_they_still_move_values(self, layer, parameters):
        load = one_layer(layer, (4, 6, 5))
        self.assertEqual(load.macs, 0)
        self.assertTrue(load.is_counted)
        self.assertEqual(load.parameters, parameters)
        self.assertEqual(load.input_values, 120)
        self.assertEqual(
            load.output_values, math.prod(layer(tf.zeros((1, 4, 6, 5))).shape)
        )
        self.assertEqual(load.memory_accesses, parameters + load.activations)

    @parameterized.parameters(
        layers.Dropout(0.5), layers.Reshape((24, 5)), layers.Flatten()
    )
    def test_views_move_nothing(self, layer):
        load = one_layer(layer, (4, 6, 5))
        self.assertTrue(load.is_counted)
        self.assertEqual(load.activations, 240)
        self.assertEqual(load.memory_accesses, 0)

    def test_merging_layers_read_all_their_inputs_once(self):
        x, y = keras.Input((3, 2)), keras.Input((3, 5))
        z = layers.Concatenate()([x, y])
        model = keras.Model([x, y], layers.Multiply()([z, z]))
        concat, multiply = workload.workloads(model)[2:]
        self.assertEqual((concat.input_values, concat.output_values), (21, 21))
        self.assertEqual(multiply.input_values, 21)

    def test_what_nobody_knows_is_named(self):
        class Changed(layers.Conv2D):
            def call(self, x):
                return super().call(super().call(x))

        x = keras.Input((4, 4, 2), name="x")
        y = Changed(2, 3, padding="same", name="changed")(x)
        square = layers.Lambda(
            lambda v: tf.matmul(v, v, transpose_b=True), name="square"
        )
        y = layers.Reshape((4, 16))(square(y) + 1.0)
        y = layers.LSTM(3, name="lstm")(y)
        found = workload.workloads(keras.Model(x, y))
        total = metrics.total(found)
        names = ("changed", "square", "lstm")
        self.assertContainsSubset(names, total.uncounted)
        self.assertLen(total.uncounted, 4)  # and the addition
        self.assertEqual(total.macs, 0)
        self.assertEqual(found[1].parameters, 9 * 4 + 2)

    def test_layers_may_say_it_themselves(self):
        class Own(layers.Dense):
            def workload(self, input_shapes, output_shape):
                self.asked = (input_shapes, output_shape)
                return {"macs": 7, "weight_bits": 2, "kind": "quantised"}

        layer = Own(4)
        load = one_layer(layer, (3,), 2)
        self.assertEqual(layer.asked, ([(2, 3)], (2, 4)))
        self.assertEqual((load.macs, load.kind), (7, "quantised"))
        self.assertEqual((load.parameters, load.weight_bytes), (16, 4))
        self.assertEqual(load.activations, 6 + 8)

    @parameterized.parameters({"flops": 3, "macs": 1}, {"parameters": 1})
    def test_what_they_say_is_checked(self, **said):
        class Own(layers.Dense):
            def workload(self, input_shapes, output_shape):
                return said

        with self.assertRaisesRegex(ValueError, "of layer own must return"):
            one_layer(Own(4, name="own"), (3,))

    def test_bits_are_those_of_the_types(self):
        for dtype, weights, activations in (
            ("mixed_float16", 32, 16),
            ("float16", 16, 16),
            ("float64", 64, 64),
        ):
            load = one_layer(layers.Dense(4, dtype=dtype), (3,))
            self.assertEqual(load.weight_bits, weights)
            self.assertEqual(load.activation_bits, activations)


class ModelTest(absltest.TestCase):
    def test_shared_layers_work_twice_and_are_stored_once(self):
        dense = layers.Dense(3, name="dense")
        x = keras.Input((3,))
        model = keras.Model(x, dense(dense(x)))
        _, first, second = workload.workloads(model, 2)
        self.assertEqual((first.macs, second.macs), (18, 18))
        self.assertEqual(first.shared_parameters, 0)
        self.assertEqual(second.shared_parameters, 12)
        total = metrics.total([first, second])
        self.assertEqual(total.macs, 36)
        self.assertEqual(total.parameters, model.count_params())

    def test_the_crf_is_counted_where_it_stands(self):
        inputs = [keras.Input((4, 6, channels)) for channels in (3, 5, 1)]
        layer = crf.RecurrentCRF()
        model = keras.Model(inputs, layer(inputs))
        load = workload.workloads(model, 2)[-1]
        said = layer.workload([x.shape for x in inputs], (2, 4, 6, 3))
        self.assertTrue(load.is_counted)
        self.assertEqual(load.macs, said["macs"])
        self.assertEqual(load.parameters, 2 * 3 * 3)
        self.assertEqual(load.input_values, 48 * (3 + 5 + 1))

    def test_models_in_models_count_as_their_layers_do(self):
        def encoder():
            return keras.Sequential(
                [
                    keras.Input((8, 8, 3)),
                    layers.Conv2D(4, 3, padding="same", name="conv"),
                    layers.BatchNormalization(name="norm"),
                ],
                name="encoder",
            )

        alone = metrics.total(workload.workloads(encoder()))
        inner = encoder()
        x, y = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
        model = keras.Model([x, y], layers.Add()([inner(x), inner(y)]))
        total = metrics.total(workload.workloads(model))
        self.assertEqual(total.macs, 2 * alone.macs)
        self.assertEqual(total.parameters, alone.parameters)
        self.assertEqual(total.parameters, model.count_params())


if __name__ == "__main__":
    absltest.main()
