"""Networks of whole numbers equal the quantised; what they lack is named."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import diracdeltanet, integer, packed_weights
from squeeze_tf.layers import integer as layers
from squeeze_tf.layers import quantization
from squeeze_tf.ops import custom_ops
from tests import scripts

keras = tf.keras


def network(seed=0, **settings):
    """A small DiracDeltaNet whose normalisations are not the identity."""
    keras.utils.set_random_seed(seed)
    model = diracdeltanet.diracdeltanet(
        **{
            "input_shape": (8, 8, 1),
            "num_classes": 10,
            "weight_bits": 4,
            "activation_bits": 4,
            "stem": (8, 16),
            "stage_channels": (32, 64),
            "stage_blocks": (2, 2),
            "last": 64,
            "stem_pools": False,
        }
        | settings
    )
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            gamma = random.normal(size=size)  # some are negative
            gamma[0] = 0.0  # a constant level
            layer.set_weights(
                [
                    gamma,
                    random.normal(size=size) + 0.5,
                    random.normal(size=size) / 10,
                    random.random(size) + 0.1,
                ]
            )
    return model


def images(count=100):
    random = np.random.default_rng(1)
    return random.integers(0, 256, (count, 8, 8, 1)).astype(np.float32)


class IntegerTest(parameterized.TestCase):
    @parameterized.product(
        ends=(32, 5),
        bits=(((4, 4), "thesis"), ((6, 3), "thesis"), ((1, 2), "released")),
    )
    def test_equals_the_quantised_network(self, ends, bits):
        bits, form = bits
        model = network(
            end_bits=ends,
            weight_bits=bits[0],
            activation_bits=bits[1],
            weight_form=form,
        )
        x = images()
        whole = integer.convert(model)
        want = model(x, training=False).numpy()
        np.testing.assert_array_equal(whole(x), want)
        self.assertGreater(want.std(), 0.01)
        with custom_ops.stock_ops_only():
            np.testing.assert_array_equal(whole(x), want)

    def test_holds_whole_numbers_alone(self):
        whole = integer.convert(network(end_bits=4))
        kinds = {type(layer).__name__ for layer in whole.layers}
        self.assertEqual(
            kinds,
            {
                *("InputLayer", "Normalization", "ToLevels"),  # of the image
                *("IntegerConv2D", "IntegerShift", "IntegerDense", "LevelSum"),
                *("MaxPooling2D", "ChannelSplit", "ChannelRotation"),
                "Concatenate",
            },
        )
        for layer in whole.layers:
            if isinstance(layer, layers.IntegerConv2D):
                self.assertEqual(layer.kernel.dtype, tf.int8)
                self.assertEqual(layer.output.dtype, tf.uint8)
                # Thresholds rise, so that counting them is a table look-up.
                table = layer.thresholds.numpy().astype(np.int64)
                self.assertTrue((np.diff(table, axis=1) >= 0).all())

    def test_thresholds_are_where_levels_change(self):
        keras.utils.set_random_seed(0)
        normalise = keras.layers.BatchNormalization(epsilon=0.0)
        normalise.build((None, 1, 1, 3))
        # level = 15 (0.1 n γ + β) / 2, clipped, of sums n: unit 0.1.
        normalise.set_weights(
            np.array([[1, -1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]], np.float32)
        )
        activation = quantization.ActQuant(bits=4, scale=2.0)
        table, signs = integer.thresholds(
            [normalise, activation], 4, 2.0, 0.1, np.full((9, 3), 4), 4
        )
        self.assertEqual(signs.tolist(), [1, -1, 1])
        # Level l from 0.75 n >= l - 1/2 on: n = ceil((l - 1/2) / 0.75); at
        # equality (l = 2, 5, ...: n = 2, 6, ...) halves go to even levels.
        exact = (np.arange(1, 16) - 0.5) / 0.75
        want = np.ceil(exact - 1e-9).astype(int)
        ties = np.abs(exact - np.rint(exact)) < 1e-9
        self.assertTrue((np.abs(table[0] - want) <= ties).all())
        # 15 (1 - 0.1 (-n)) / 2 = 7.5 + 0.75 n of the turned sums.
        exact = (np.arange(1, 16) - 0.5 - 7.5) / 0.75
        ties = np.abs(exact - np.rint(exact)) < 1e-9
        self.assertTrue(
            (np.abs(table[1] - np.ceil(exact - 1e-9)) <= ties).all()
        )
        # 7.5 always, which is level 8.
        limits = np.iinfo(np.int32)
        self.assertEqual(table[2].tolist(), [limits.min] * 8 + [limits.max] * 7)

    def test_unsupported_layers_are_named(self):
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(4, 4)

        def model(*middle, size=1, bits=bits):
            x = inputs = keras.Input((8, 8, 4))
            x = quantization.QuantConv2D(8, size, bits=bits, name="conv")(x)
            for layer in middle:
                x = layer(x)
            return keras.Model(inputs, x)

        normalise = keras.layers.BatchNormalization
        act = quantization.ActQuant
        for middle, settings, message in (
            (
                [normalise(), act(bits=4), keras.layers.UpSampling2D(name="u")],
                {},
                r"layer u \(UpSampling2D\) cannot be run",
            ),
            ([act(bits=4)], {}, "layer conv must be read by one BatchNorm"),
            ([normalise()], {}, "must be read by one ActQuant; got"),
            ([normalise(), act(bits=4)], {"size": 3}, "must be a 1x1 convol"),
            (
                [normalise(), act(bits=4)],
                {"bits": quantization.Bits(8, 4)},
                "must be -128 to 127; got .* use fewer bits",
            ),
        ):
            with self.assertRaisesRegex(ValueError, message):
                integer.convert(model(*middle, **settings))

    def test_weights_that_turn_out_of_a_byte_are_refused(self):
        # -128 of a filter whose normalisation is negative would become 128.
        model = network(weight_bits=8, weight_form="released", end_bits=4)
        with self.assertRaisesRegex(ValueError, "got .* to 128: use fewer"):
            integer.convert(model)

    def test_activations_must_fit_into_a_byte(self):
        with self.assertRaisesRegex(ValueError, "at most 8 bits; got 9"):
            integer.convert(network(activation_bits=9, end_bits=4))

    def test_a_dense_layer_must_count_what_is_pooled(self):
        model = network(end_bits=4)
        model.get_layer("fc").count = 3
        with self.assertRaisesRegex(ValueError, "count of layer fc must be 4"):
            integer.convert(model)

    def test_different_scales_are_not_concatenated(self):
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((8, 8, 4))
        both = []
        for name, scale in (("a", 2.0), ("b", 6.0)):
            y = quantization.QuantConv2D(8, 1, bits=quantization.Bits(4, 4))(x)
            y = keras.layers.BatchNormalization()(y)
            both.append(
                quantization.ActQuant(bits=4, scale=scale, name=name)(y)
            )
        joined = keras.layers.Concatenate(name="joined")(both)
        with self.assertRaisesRegex(ValueError, "layer joined must have the"):
            integer.convert(keras.Model(inputs, joined))


class PackedWeightsTest(parameterized.TestCase):
    @parameterized.parameters(("thesis", 4), ("released", 4), ("thesis", 1))
    def test_are_read_as_they_were(self, form, bits):
        whole = integer.convert(
            network(end_bits=4, weight_bits=bits, weight_form=form)
        )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "integer.npz"
            size = packed_weights.save(whole, path)
            self.assertEqual(size, path.stat().st_size)
            self.assertEqual(
                [x.name for x in path.parent.iterdir()], [path.name]
            )
            again = packed_weights.load(path)
            with np.load(path) as content:
                packed = content["stage2_1_conv1/0/bits"]
        for ours, theirs in zip(whole.get_weights(), again.get_weights()):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(again(images()), whole(images()))
        # 16 x 32 weights (half of 32 channels to twice as many) of k bits.
        self.assertEqual(packed.nbytes, 16 * 32 * bits // 8)

    def test_a_program_that_knows_no_layers_reads_them(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "integer.npz"
            packed_weights.save(integer.convert(network()), path)
            alone = scripts.python(
                "-c",
                "import sys; from squeeze_tf.classification import "
                "packed_weights; packed_weights.load(sys.argv[1])",
                path,
            )
            self.assertEqual(alone.returncode, 0, alone.stderr)

    def test_other_files_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.npz"
            np.savez(path, weights=np.zeros(3))
            with self.assertRaisesRegex(ValueError, "other.npz holds no netw"):
                packed_weights.load(path)
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            with self.assertRaisesRegex(ValueError, "other.npz holds no netw"):
                packed_weights.load(path)
            path.write_bytes(b"PK")
            with self.assertRaisesRegex(ValueError, "other.npz holds no netw"):
                packed_weights.load(path)
            with self.assertRaises(FileNotFoundError):
                packed_weights.load(pathlib.Path(folder) / "none.npz")


if __name__ == "__main__":
    absltest.main()
