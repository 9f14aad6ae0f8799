"""ResNets of mixed precision: Ch. 7 Eqs. 10-11, both forms, counts."""

import re
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import export
from squeeze_tf.classification import precision, precision_resnet, shift_resnet
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.layers import shift_modules
from tests.classification import counts

keras = tf.keras
SETTINGS = shift_modules.Settings()
SMALL = {"depth": 8, "input_shape": (8, 8, 1), "num_classes": 4}
MIXED = ("1", "w2a4", "32")


def randomize(model, seed=0):
    """Weights and statistics that leave nothing at 0 or 1."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        positive = re.search("variance|alpha|gamma", weight.name)
        low = 0.5 if positive else -1.0
        weight.assign(random.uniform(low, 1.5, weight.shape))


def quantised_weights(weights, bits):
    """Eq. 10 with the - 1 of Ch. 6."""
    if bits == 32:
        return weights
    squashed, steps = np.tanh(weights), 2**bits - 1
    share = squashed / (2 * np.abs(squashed).max()) + 0.5
    return 2 * np.rint(share * steps) / steps - 1


def activated(x, layer, bits):
    """Eq. 11, or a ReLU."""
    if bits == 32:
        return np.maximum(x, 0)
    alpha, steps = layer.alpha.numpy(), 2**bits - 1
    clipped = 0.5 * (np.abs(x) - np.abs(x - alpha) + alpha)
    return np.rint(clipped / alpha * steps) / steps * alpha


def convolved(x, weights, strides):
    """Each tap of a kernel at a time, its centre on every `strides` pixel."""
    margin = weights.shape[0] // 2
    x = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    height, width = (n - 2 * margin for n in x.shape[1:3])
    return sum(
        x[:, i : i + height : strides, j : j + width : strides] @ weights[i, j]
        for i in range(weights.shape[0])
        for j in range(weights.shape[1])
    )


def normalised(x, layer):
    scale, offset, mean, variance = (w.numpy() for w in layer.weights)
    return (x - mean) / np.sqrt(variance + layer.epsilon) * scale + offset


def expected(model, x, bits, strides, is_preactivated):
    """A block after its definition, in float64."""
    weights, activations = bits
    layer, shortcut = model.get_layer, x
    if "b_shortcut" in {found.name for found in model.layers}:
        kernel = layer("b_shortcut").kernel.numpy()
        shortcut = convolved(x, kernel, strides)
        shortcut = normalised(shortcut, layer("b_shortcut_bn"))
    for step, stride in ((1, strides), (2, 1)):
        if is_preactivated or step == 2 or activations < 32:
            x = activated(x, layer(f"b_act{step}"), activations)
        kernel = layer(f"b_conv{step}").kernel.numpy().astype(float)
        x = convolved(x, quantised_weights(kernel, weights), stride)
        x = normalised(x, layer(f"b_bn{step}"))
    return x + shortcut if is_preactivated else np.maximum(x + shortcut, 0)


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(
        (18, 8, 11_689_512, 1.814), (34, 16, 21_797_672, 3.664)
    )
    def test_are_those_of_the_usual_imagenet_networks(
        self, depth, blocks, parameters, billions
    ):
        # torchvision's, with ReLUs behind the sums. ReLU-only pre-activation
        # moves ReLUs alone: here too a normalisation follows each convolution,
        # the first, two of each block and three shortcuts.
        model = precision_resnet.precision_resnet(
            depth=depth, input_shape=(224, 224, 3), num_classes=1000
        )
        self.assertEqual(precision_resnet.num_blocks(depth), blocks)
        self.assertEqual(counts.trained(model), parameters)
        self.assertEqual(round(counts.macs(model) / 1e9, 3), billions)
        norms = sum(
            isinstance(layer, keras.layers.BatchNormalization)
            for layer in model.layers
        )
        self.assertEqual(norms, 1 + 2 * blocks + 3)
        self.assertEqual(model.get_layer("pool").input_shape[1:], (7, 7, 512))

    @parameterized.parameters(
        (8, (9, 7, 1), (4, 6, 6)), (18, (50, 33, 3), (8, 8, 12, 16))
    )
    def test_blocks_have_the_parameters_and_macs_of_their_layers(
        self, depth, shape, widths
    ):
        model = precision_resnet.precision_resnet(
            depth=depth, input_shape=shape, widths=widths
        )
        found = np.zeros((2, precision_resnet.num_blocks(depth)), int)
        for load in workload.workloads(model):
            match = re.fullmatch(r"layer(\d+)_conv[12]", load.name)
            if match:
                found[:, int(match[1]) - 1] += load.parameters, load.macs
        np.testing.assert_array_equal(
            found,
            (
                precision_resnet.block_parameters(depth, widths),
                precision_resnet.block_macs(depth, shape, widths),
            ),
        )

    def test_a_skipped_block_costs_nothing(self):
        loads = []
        for bits in (["8"] * 6, ["8", "0", *["8"] * 4]):
            model = precision_resnet.precision_resnet(
                **SMALL | {"depth": 14}, bits=bits
            )
            loads.append(metrics.total(workload.workloads(model)).macs)
        macs = precision_resnet.block_macs(14, (8, 8, 1))
        self.assertEqual(loads[0] - loads[1], macs[1])
        self.assertEqual(macs[1], 64 * 2 * 9 * 16 * 16)

    def test_layers_say_their_bits(self):
        model = precision_resnet.precision_resnet(**SMALL, bits=MIXED)
        found = {
            load.name: (load.weight_bits, load.activation_bits)
            for load in workload.workloads(model)
        }
        for layer, bits in enumerate(((1, 32), (2, 4), (32, 32)), start=1):
            for step in (1, 2):
                self.assertEqual(found[f"layer{layer}_conv{step}"], bits)
        for name in ("conv1", "layer2_shortcut", "layer3_shortcut", "fc"):
            self.assertEqual(found[name], (32, 32))


class BlockTest(parameterized.TestCase):
    @parameterized.product(
        is_preactivated=(False, True),
        shape=((8, 1), (8, 2), (6, 2)),
        kind=("32", "2", "w1a2", "w3a4", "w32a2"),
    )
    def test_is_its_definition(self, is_preactivated, shape, kind):
        filters, strides = shape
        inputs = keras.Input((5, 6, 8))
        outputs = precision_resnet.block(
            inputs,
            kind,
            filters,
            strides=strides,
            name="b",
            settings=SETTINGS,
            preactivation=is_preactivated,
        )
        model = keras.Model(inputs, outputs)
        randomize(model)
        x = np.random.default_rng(1).normal(size=(2, 5, 6, 8)).astype("f")
        if not is_preactivated:
            x = np.maximum(x, 0)
        found = precision.parse(kind)
        want = expected(
            model,
            x.astype(float),
            (found.weights, found.activations),
            strides,
            is_preactivated,
        )
        self.assertGreater(want.std(), 0.5)
        np.testing.assert_allclose(model(x), want, rtol=1e-4, atol=1e-4)

    def test_skipped_is_its_input(self):
        x = keras.Input((4, 4, 8))
        arguments = {"name": "b", "settings": SETTINGS, "preactivation": True}
        found = precision_resnet.block(x, "0", 8, strides=1, **arguments)
        self.assertIs(found, x)
        for filters, strides in ((8, 2), (16, 1)):
            with self.assertRaisesRegex(ValueError, "b must keep its shape"):
                precision_resnet.block(
                    x, "0", filters, strides=strides, **arguments
                )


class ModelTest(parameterized.TestCase):
    @parameterized.parameters("32", "w32a32", None)
    def test_in_full_precision_is_the_plain_resnet(self, name):
        shapes = {"depth": 14, "input_shape": (8, 8, 3), "weight_decay": 1e-3}
        plain = shift_resnet.resnet(**shapes)
        randomize(plain)
        bits = [name] * 6 if name else ()
        model = precision_resnet.precision_resnet(**shapes, bits=bits)
        for layer in model.layers:
            match = re.match(r"layer(\d+)_", layer.name)
            if match:
                group, i = divmod(int(match[1]) - 1, 2)
                theirs = f"group{group + 1}_{i}_{layer.name[match.end() :]}"
            else:
                theirs = layer.name
            if layer.weights:
                layer.set_weights(plain.get_layer(theirs).get_weights())
        x = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
        for training in (False, True):
            np.testing.assert_array_equal(
                model(x, training=training), plain(x, training=training)
            )
        self.assertEqual(sum(model.losses), sum(plain.losses))

    def test_a_step_changes_latent_weights_and_ranges(self):
        keras.utils.set_random_seed(0)
        model = precision_resnet.precision_resnet(
            **SMALL, bits=("2", "w2a3", "1")
        )
        before = {w.name: w.numpy() for w in model.trainable_weights}
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        x = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 1))
        model.train_on_batch(x, np.arange(8) % 4)
        for weight in model.trainable_weights:
            self.assertTrue(np.isfinite(weight).all(), weight.name)
            if "kernel" in weight.name or "alpha" in weight.name:
                self.assertTrue(
                    np.any(weight != before[weight.name]), weight.name
                )

    @parameterized.parameters(("1", 2), ("2", 4), ("3", 8))
    def test_few_bits_leave_few_values_of_a_weight(self, name, count):
        model = precision_resnet.precision_resnet(**SMALL, bits=[name] * 3)
        layer = model.get_layer("layer1_conv2")
        layer.kernel.assign(np.linspace(-1, 1, 2304).reshape(3, 3, 16, 16))
        probe = np.zeros((16, 3, 3, 16), np.float32)
        probe[np.arange(16), 1, 1, np.arange(16)] = 1
        values = np.unique(np.round(layer(probe), 5))  # of the kernel
        self.assertLen(values, count)
        self.assertAlmostEqual(np.abs(values).max(), 1, places=5)

    def test_an_exported_network_gives_the_same_logits(self):
        model = precision_resnet.precision_resnet(
            **SMALL, bits=MIXED, std=(255.0,)
        )
        randomize(model)
        image = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 1))
        image = image.astype(np.float32)
        with tempfile.TemporaryDirectory() as folder:
            export.tflite(model, f"{folder}/model.tflite", "float32")
            lite = tf.lite.Interpreter(f"{folder}/model.tflite")
            (found,) = lite.get_signature_runner()(image=image).values()
        np.testing.assert_allclose(found, model(image), rtol=1e-3, atol=1e-3)

    @parameterized.parameters(
        ({"depth": 19}, r"depth must be 18, 34 or 6 n \+ 2.*; got 19"),
        ({"depth": 2}, r"depth must be 18, 34 or 6 n \+ 2.*; got 2"),
        ({"bits": ["4"] * 8}, "bits .* must be 9 names.*; got 8"),
        ({"bits": ["4"] * 8 + ["x"]}, "bits of a block must be a name"),
        ({"bits": ["4"] * 3 + ["0"] * 6}, "layer4 must keep its shape"),
        ({"widths": (8, 8)}, r"widths must be 3 numbers.*; got \(8, 8\)"),
        ({"widths": (8, 8, 0)}, r"widths must be 3 numbers.*; got \(8, 8, 0\)"),
        ({"depth": 18, "widths": (8, 8, 8)}, "widths must be 4 numbers"),
    )
    def test_bad_arguments_are_refused(self, change, message):
        with self.assertRaisesRegex(ValueError, message):
            precision_resnet.precision_resnet(**change)


if __name__ == "__main__":
    absltest.main()
