"""FBNet: blocks of the reference, counts of Ch. 7 Tables 7-9, Tables 5-6."""

import collections
import functools
import json

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import fbnet, fbnet_architectures, models
from squeeze_tf.efficiency import workload
from squeeze_tf.layers import shift_modules
from tests import shared_files
from tests.classification import counts

keras = tf.keras
_FACTS = "reference/architectures"
SETTINGS = shift_modules.Settings()
# Name to the reference's name and variant, millions of parameters and of MACs
# that the thesis prints, and in how many decimals. None: it prints others.
PRINTED = {
    "fbnet_a": ("FBNet-A", "released", (4.3, 1), (249, 0)),
    "fbnet_b": ("FBNet-B", "released", None, None),
    "fbnet_c": ("FBNet-C", "released", (5.5, 1), None),
    "fbnet_96_0.35_1": ("FBNet-96-0.35-1", "released", (1.8, 1), (12.9, 1)),
    "fbnet_s8": ("FBNet-S8", "figure7", (4.43, 2), (293, 0)),
    "fbnet_iphonex": ("FBNet-iPhoneX", "figure7", (4.47, 2), (322, 0)),
}
# All kinds, "skip" also where the shape changes, as in layers 2 and 18.
EVERY_KIND = (
    *("k3_e1", "skip", "k3_e1_g2", "skip", "k3_e3"),
    *("k5_e1_g2", "k3_e6", "k5_e1", "k3x2sep_e6"),
    *("k5_e3", "k3_e1", "k5_e6", "k3_e1"),
    *("k3x2sep_e6", "skip", "k5_e1_g2", "k3_e1"),
    *("skip", "k3_e1", "skip", "k3_e1"),
    "k3_e1_g2",
)


@functools.cache
def counted(name):
    """MACs and kernel weights of the layers of a network of ARCHITECTURES."""
    model = models.MODELS[name]()
    loads = [load for load in workload.workloads(model) if load.macs]
    weights = {
        load.name: np.prod(model.get_layer(load.name).weights[0].shape)
        for load in loads
    }
    return model, {load.name: load.macs for load in loads}, weights


def by_block(values):
    """Sums of what belongs to one block, or to the layers around them."""
    sums = collections.Counter()
    for name, value in values.items():
        sums[name.partition("_")[0]] += int(value)
    return sums


def of_list(reference, variant):
    """Our network of a reference's list of blocks, and its entry."""
    entry = counts.reference(reference)["variants"][variant]
    model = fbnet.fbnet(
        blocks=[row["type"] for row in entry["blocks"]],
        last_filters=entry["last"]["cout"],
    )
    return model, entry


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(*PRINTED)
    def test_every_block_is_the_reference_s(self, name):
        model, macs, weights = counted(name)
        reference, variant, *_ = PRINTED[name]
        facts = counts.reference(reference)
        entry = facts["variants"][variant]
        self.assertEqual(model.input_shape[1:], tuple(facts["input"]))
        rows = entry["blocks"]
        self.assertEqual(
            list(fbnet_architectures.ARCHITECTURES[name].blocks),
            [r["type"] for r in rows],
        )
        self.assertEqual(
            fbnet.searched_layers(
                fbnet_architectures.ARCHITECTURES[name].width
            ),
            [(row["cout"], row["stride"]) for row in rows],
        )
        ends = {key: entry[key] for key in ("first", "last", "fc")}
        expected = ends | {f"layer{row['layer']}": row for row in rows}
        macs, weights = by_block(macs), by_block(weights)
        self.assertLessEqual(set(macs), set(expected))
        for key, row in expected.items():
            self.assertEqual(macs[key], row["macs"], key)
            self.assertEqual(weights[key], row["weights"], key)
        self.assertEqual(macs.total(), entry["macs"])
        self.assertEqual(counts.kernels(model), entry["params"]["weights_only"])
        self.assertEqual(
            counts.trained(model), entry["params"]["with_bn_affine_and_fc_bias"]
        )

    @parameterized.parameters(*PRINTED)
    def test_the_thesis_s_figures(self, name):
        model, macs, _ = counted(name)
        _, _, *printed = PRINTED[name]
        values = counts.kernels(model), sum(macs.values())
        for value, figure in zip(values, printed):
            if figure:
                number, decimals = figure
                self.assertEqual(round(value / 1e6, decimals), number)

    def test_figures_that_do_not_agree(self):
        # DEVIATIONS.md: Ch. 7 Table 7 prints 4.5M parameters and 295M FLOPs
        # for FBNet-B, 375M FLOPs for FBNet-C.
        model, macs, _ = counted("fbnet_b")
        self.assertEqual(round(counts.kernels(model) / 1e6, 3), 4.777)
        self.assertEqual(round(sum(macs.values()) / 1e6, 2), 295.56)
        _, macs, _ = counted("fbnet_c")
        self.assertEqual(round(sum(macs.values()) / 1e6, 2), 382.98)

    @parameterized.parameters(
        ("FBNet-A", "pytorch-definition", 249.92, 244.45),
        ("FBNet-B", "table6-vocabulary", 296.61, None),
        ("FBNet-B", "pytorch-definition", 306.21, 291.00),
        ("FBNet-B1", "released", 286.80, None),
        ("FBNet-C", "table6-vocabulary", 384.96, 378.14),
        ("FBNet-C1", "released", 374.23, None),
    )
    def test_other_lists_of_the_same_names(self, name, variant, macs, without):
        # README.md of the reference: `without` the first 1x1 convolution of
        # blocks that do not expand, as later code builds them.
        model, entry = of_list(name, variant)
        self.assertEqual(counts.kernels(model), entry["params"]["weights_only"])
        layers = counts.layers(model)
        self.assertEqual(sum(layers.values()), entry["macs"])
        self.assertEqual(round(entry["macs"] / 1e6, 2), macs)
        for row in entry["blocks"]:
            if "_e1" in row["type"]:
                for key in ("conv1", "conv1_group1", "conv1_group2"):
                    layers.pop(f"layer{row['layer']}_{key}", None)
        if without:
            self.assertEqual(round(sum(layers.values()) / 1e6, 2), without)


class TablesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = shared_files.path(f"{_FACTS}/architectures.json")
        cls.facts = json.loads(path.read_text())

    def test_candidates_are_those_of_table_6(self):
        ours = {
            name: row and [row.expansion, row.kernel_size, row.groups]
            for name, row in fbnet.BLOCKS.items()
        }
        self.assertEqual(ours, self.facts["table6_blocks"])

    def test_macro_architecture_is_that_of_table_5(self):
        rows = self.facts["table5_macro"]["rows"]
        for ours, (_, filters, repeats, strides) in zip(
            fbnet.MACRO, rows, strict=True
        ):
            if ours.kind == "1x1 conv":
                self.assertIn(str(ours.filters), filters)
            else:
                self.assertEqual(ours.filters, filters)
            self.assertEqual((ours.repeats, ours.strides), (repeats, strides))
        self.assertLen(fbnet.searched_layers(), 22)  # Ch. 7 §6.1

    def test_widths_are_rounded_up_to_a_multiple_of_8(self):
        widths = [fbnet.scaled(row.filters, 0.35) for row in fbnet.MACRO[:8]]
        self.assertEqual(widths, [8, 8, 16, 16, 24, 40, 72, 128])
        widths = [fbnet.scaled(row.filters, 1) for row in fbnet.MACRO[:8]]
        self.assertEqual(widths, [row.filters for row in fbnet.MACRO[:8]])
        self.assertEqual(fbnet.scaled(16, 1.001), 24)


class BlocksTest(parameterized.TestCase):
    @parameterized.parameters("k3_e3", "k5_e6", "k3_e1_g2", "k5_e1", "skip")
    def test_equal_the_reference_s(self, kind):
        given = np.load(shared_files.path(f"{_FACTS}/vectors/fbnet_{kind}.npz"))
        _, filters, strides = (int(value) for value in given["cfg"])
        x = keras.Input(given["x"].shape[1:])
        y = fbnet.block(
            x, kind, filters, strides=strides, name="b", settings=SETTINGS
        )
        model = keras.Model(x, y)
        names = {"pw": "conv1", "dw": "depthwise1", "pwl": "conv2"}
        for key, layer in (names | {"conv": "skip"}).items():
            if f"{key}_w_oihw" not in given:
                continue
            axes = (2, 3, 0, 1) if key == "dw" else (2, 3, 1, 0)
            kernel = given[f"{key}_w_oihw"].transpose(axes)
            if kind.endswith("_g2") and key != "dw":
                for i, half in enumerate(np.split(kernel, 2, axis=-1), start=1):
                    group = model.get_layer(f"b_{layer}_group{i}")
                    group.set_weights([half])
            else:
                model.get_layer(f"b_{layer}").set_weights([kernel])
            norm = model.get_layer(f"b_{layer}_bn")
            norm.epsilon = float(given[f"{key}_bn_eps"])
            statistics = ("gamma", "beta", "mean", "var")
            norm.set_weights([given[f"{key}_bn_{name}"] for name in statistics])
        difference = np.abs(model(given["x"], training=False) - given["y"])
        self.assertLess(difference.max(), 1e-5 * np.abs(given["y"]).max())

    def test_two_depthwise_convolutions_are_their_steps(self):
        random = np.random.default_rng(0)
        inputs = keras.Input((6, 6, 4))
        model = keras.Model(
            inputs,
            fbnet.block(
                inputs,
                "k3x2sep_e6",
                8,
                strides=2,
                name="b",
                settings=SETTINGS,
            ),
        )
        for weight in model.trainable_weights:
            if "kernel" in weight.name:
                weight.assign(random.normal(size=weight.shape))
        x = random.normal(size=(2, 6, 6, 4)).astype("f")
        scale = 1 / np.sqrt(1 + SETTINGS.epsilon)  # untrained normalisation
        y = tf.nn.conv2d(x, model.get_layer("b_conv1").kernel, 1, "SAME")
        self.assertEqual(y.shape[-1], 6 * 4)
        y = tf.nn.relu(y * scale)
        for i, step in ((1, 2), (2, 1)):
            kernel = model.get_layer(f"b_depthwise{i}").depthwise_kernel
            y = tf.nn.depthwise_conv2d(y, kernel, [1] * 4, "SAME")
            y = tf.nn.relu(y[:, ::step, ::step] * scale)
        y = tf.nn.conv2d(y, model.get_layer("b_conv2").kernel, 1, "SAME")
        expected = y.numpy() * scale
        self.assertGreater(expected.std(), 1)
        np.testing.assert_allclose(model(x), expected, atol=1e-4, rtol=1e-5)

    def test_skip_is_the_input_where_the_shape_stays(self):
        x = keras.Input((4, 4, 8))
        found = fbnet.block(
            x, "skip", 8, strides=1, name="b", settings=SETTINGS
        )
        self.assertIs(found, x)

    @parameterized.parameters(
        ("k3_e2", 8, "kind must be among k3_e1, .*; got 'k3_e2'"),
        ("k3_e1_g2", 7, "filters must fall into 2 groups of k3_e1_g2; got 7"),
    )
    def test_bad_arguments_are_refused(self, kind, filters, message):
        x = keras.Input((4, 4, 8))
        with self.assertRaisesRegex(ValueError, message):
            fbnet.block(
                x, kind, filters, strides=1, name="b", settings=SETTINGS
            )


class ModelTest(parameterized.TestCase):
    def test_a_step_changes_every_kernel_of_every_kind_of_block(self):
        self.assertEqual(
            set(EVERY_KIND), set(fbnet.BLOCKS | fbnet.RELEASED_BLOCKS)
        )
        keras.utils.set_random_seed(0)
        model = fbnet.fbnet(
            blocks=EVERY_KIND,
            input_shape=(64, 64, 3),
            num_classes=4,
            width=0.35,
            last_filters=32,
        )
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        x = np.random.default_rng(0).uniform(0, 255, (8, 64, 64, 3))
        before = model.get_weights()
        model.train_on_batch(x, np.arange(8) % 4)
        for weight, old in zip(model.weights, before, strict=True):
            self.assertTrue(np.isfinite(weight).all(), weight.name)
            if "kernel" in weight.name:  # a normalisation may undo the rest
                self.assertTrue(np.any(weight != old), weight.name)

    @parameterized.parameters((8, 1), (32, 1), (50, 2), (224, 7))
    def test_maps_shrink_to_a_32nd(self, size, expected):
        for blocks in ("fbnet_96_0.35_1", ["skip"] * 22):
            model = fbnet.fbnet(blocks=blocks, input_shape=(size, size, 1))
            shape = model.get_layer("pool").input_shape
            self.assertEqual(shape[1:3], (expected, expected))

    def test_a_name_has_its_own_width_and_last_convolution(self):
        model = fbnet.fbnet(blocks="fbnet_96_0.35_1", input_shape=(32, 32, 3))
        self.assertEqual(model.name, "fbnet_96_0.35_1")
        self.assertEqual(model.get_layer("first").filters, 8)
        self.assertEqual(model.get_layer("last").filters, 1416)
        model = fbnet.fbnet(blocks=["skip"] * 22, input_shape=(32, 32, 3))
        self.assertEqual(model.get_layer("first").filters, 16)
        self.assertEqual(model.get_layer("last").filters, 1984)

    @parameterized.parameters(
        ({"blocks": "fbnet_d"}, "blocks must be one of .*; got 'fbnet_d'"),
        ({"blocks": ["skip"] * 21}, "blocks must be 22 names.*; got 21"),
        (
            {"blocks": ["skip"] * 21 + ["k7_e1"]},
            "blocks must be among k3_e1, .*; got 'k7_e1'",
        ),
        ({"width": 0}, "width must be above 0; got 0"),
        ({"width": -1.0}, "width must be above 0; got -1.0"),
        ({"width": float("nan")}, "width must be above 0; got nan"),
        ({"last_filters": 0}, "last_filters must be at least 1; got 0"),
    )
    def test_bad_arguments_are_refused(self, change, message):
        with self.assertRaisesRegex(ValueError, message):
            fbnet.fbnet(**change)


if __name__ == "__main__":
    absltest.main()
