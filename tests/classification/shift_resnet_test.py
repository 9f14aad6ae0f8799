"""Parameters and MACs that Ch. 6 Tables 1, 2, 5 and 6 print."""

import functools
import re

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import shift_resnet
from tests.classification import counts

keras = tf.keras
MAKE = {
    "shift": shift_resnet.shift_resnet,
    "module": functools.partial(shift_resnet.resnet, rule="module"),
    "net": functools.partial(shift_resnet.resnet, rule="net"),
    "dw": shift_resnet.dw_resnet,
}
# Ch. 6 Tables 5 and 6: E to millions of parameters, for 20, 56, 110 layers.
PRINTED = {
    1: (0.03, 0.10, 0.20),
    3: (0.10, 0.29, 0.59),
    6: (0.19, 0.58, 1.18),
    9: (0.28, 0.87, 1.76),
}
DEPTHS = (20, 56, 110)
EXPANSIONS = tuple(PRINTED)


@functools.cache
def of_depth(kind, value, depth):
    """Trained parameters and MACs of a built network."""
    option = "expansion" if kind == "shift" else "reduction"
    model = MAKE[kind](depth=depth, **{option: value})
    return np.array([counts.trained(model), counts.macs(model)])


def predicted(kind, value, depth):
    """The same of any depth: each further module adds what the last did."""
    first, second = (of_depth(kind, value, d) for d in (8, 14))
    return first + (depth - 8) // 6 * (second - first)


class CountsTest(parameterized.TestCase):
    @parameterized.product(expansion=EXPANSIONS, depth=DEPTHS)
    def test_shift_resnet_has_the_printed_parameters(self, expansion, depth):
        params, macs = predicted("shift", expansion, depth)
        printed = PRINTED[expansion][DEPTHS.index(depth)]
        self.assertEqual(round(params / 1e6, 2), printed)
        found = counts.reference(f"ShiftResNet{depth}-{expansion}")
        self.assertEqual(params, found["params"]["cifar10"])
        self.assertEqual(macs, found["macs"])

    def test_a_deep_network_has_what_the_shallow_ones_predict(self):
        np.testing.assert_array_equal(
            of_depth("shift", 1, 26), predicted("shift", 1, 26)
        )
        # Table 2 with 10 classes: 203 K, 29 M (29.54 rounded down).
        params, macs = predicted("shift", 1, 110)
        self.assertEqual((round(params / 1e3), macs // 10**6), (203, 29))

    def test_a_hundred_classes_make_the_last_layer_larger(self):
        model = MAKE["shift"](num_classes=100, expansion=1)
        found = counts.reference("ShiftResNet20-1")
        self.assertEqual(counts.trained(model), found["params"]["cifar100"])

    def test_table_1(self):
        # 44.9M stands there for 44.75M: the first layer counted as of 64
        # instead of 48 channels (reference, "macs_old_repo_formula").
        params, macs = predicted("shift", 3, 56)
        self.assertEqual(round(params / 1e6, 2), 0.29)
        self.assertEqual(round((macs + 147_456) / 1e6, 1), 44.9)
        params, macs = predicted("net", 1.0, 56)
        self.assertEqual(round(params / 1e6, 2), 0.86)
        self.assertEqual(round(macs / 1e6), 126)

    @parameterized.parameters(*DEPTHS)
    def test_resnet_has_the_reference_s_counts(self, depth):
        found = counts.reference(f"ResNet{depth}")
        expected = (found["params"]["cifar10"], found["macs"])
        for kind in ("net", "module"):
            np.testing.assert_array_equal(predicted(kind, 1.0, depth), expected)

    def test_reduced_networks_have_the_reference_s_counts(self):
        # The least and the most reduced of 20 layers; ladder_test has the
        # parameters of all.
        entries = counts.reference("reductions")["counts_cifar10"]
        found = {kind: [] for kind in ("module", "net", "dw")}
        for name in entries:
            match = re.fullmatch(
                r"(DW)?ResNet20-(?:(block|net)-)?r([\d.]+)", name
            )
            if match:
                is_dw, rule, value = match.groups()
                kind = "dw" if is_dw else rule.replace("block", "module")
                found[kind].append((float(value), name))
        for kind, rows in found.items():
            self.assertGreaterEqual(len(rows), 4)
            for value, name in (min(rows), max(rows)):
                np.testing.assert_array_equal(
                    predicted(kind, value, 20),
                    (entries[name]["params"], entries[name]["macs"]),
                    name,
                )

    def test_net_wise_reduction_of_table_2(self):
        # Ch. 6 Table 2: 211K, 28M; the nearest that was found has 2 % fewer
        # parameters (reference, "reductions").
        params, macs = predicted("net", 7.8, 110)
        self.assertEqual(round(macs / 1e6), 28)
        self.assertAlmostEqual(params / 211e3, 0.97, places=2)

    @parameterized.parameters(
        ("ShiftResNet20-1", "shift", 1), ("ResNet20", "net", 1.0)
    )
    def test_every_layer_has_the_reference_s_macs(self, name, kind, value):
        option = "expansion" if kind == "shift" else "reduction"
        ours = counts.layers(MAKE[kind](depth=20, **{option: value}))
        theirs = counts.reference_layers(counts.reference(name))
        named = {
            re.sub(r"layer(\d)\.(\d)\.(\w+).*", r"group\1_\2_\3", key): macs
            for key, macs in theirs.items()
        }
        named["fc"] = named.pop("linear")
        self.assertEqual(ours, named)


class ModulesTest(parameterized.TestCase):
    def model(self, kind, **options):
        keras.utils.set_random_seed(0)
        return MAKE[kind](input_shape=(8, 8, 3), depth=8, **options)

    def names(self, kind):
        """Of the layers of the first module."""
        return [
            layer.name.removeprefix("group1_0_")
            for layer in self.model(kind).layers
            if layer.name.startswith("group1_0")
        ]

    def test_relus_stand_where_the_released_code_has_them(self):
        # ReLU after the sum in ResNet and DWResNet, none in ShiftResNet.
        shift, net, dw = map(self.names, ("shift", "net", "dw"))
        self.assertEqual(shift[-1], "sum")
        for names in (net, dw):
            self.assertEqual(names[-2:], ["sum", "relu"])
            self.assertNotIn("bn2_relu", names)
        self.assertIn("bn2_relu", shift)

    def test_the_thesis_s_form_concatenates(self):
        model = self.model("shift", form="thesis", expansion=2)
        layer = model.get_layer("group2_0_concat")
        self.assertEqual(layer.output_shape, (None, 4, 4, 32))
        kernel = model.get_layer("group2_0_conv2").kernel
        self.assertEqual(kernel.shape, (1, 1, 2 * 16, 32 - 16))

    def test_a_depthwise_module_is_its_steps(self):
        model = self.model("dw", reduction=0.5)
        probe = keras.Model(
            model.input,
            [
                model.get_layer(f"{name}").output
                for name in ("bn1_relu", "group1_0_relu")
            ],
        )
        image = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
        x, expected = probe(image)
        y = tf.nn.conv2d(x, model.get_layer("group1_0_conv1").kernel, 1, "SAME")
        self.assertEqual(y.shape[-1], 32)  # int(16 / 0.5)
        y = tf.nn.relu(y / np.sqrt(1 + 1e-5))
        y = tf.nn.depthwise_conv2d(
            y,
            model.get_layer("group1_0_conv2").depthwise_kernel,
            [1] * 4,
            "SAME",
        ) / np.sqrt(1 + 1e-5)
        y = tf.nn.conv2d(y, model.get_layer("group1_0_conv3").kernel, 1, "SAME")
        y = tf.nn.relu(x + y / np.sqrt(1 + 1e-5))
        np.testing.assert_allclose(y, expected, atol=1e-4)

    @parameterized.parameters(
        ({"reduction": 17.0, "rule": "module"}, "reduction must be above 0"),
        ({"reduction": 257.0}, "reduction must be above 0"),
        ({"reduction": 0.0}, "reduction must be above 0"),
        ({"rule": "layer"}, "rule must be one of"),
        ({"depth": 2}, "depth must be 6 n"),
    )
    def test_other_arguments_are_refused(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            shift_resnet.resnet(**arguments)


if __name__ == "__main__":
    absltest.main()
