"""DiracDeltaNet: the thesis's counts, the released blocks, its variants."""

import dataclasses
import json

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import diracdeltanet
from squeeze_tf.efficiency import workload
from squeeze_tf.layers import shift_modules
from tests import shared_files

keras = tf.keras
_FACTS = "reference/architectures"


def settings(weight_bits=32, activation_bits=32):
    return diracdeltanet.Settings(
        weight_bits, activation_bits, "released", shift_modules.Settings()
    )


def set_batch_norm(layer, found, key):
    layer.epsilon = float(found[f"{key}_eps"])
    layer.set_weights(
        [found[f"{key}_{x}"] for x in ("gamma", "beta", "mean", "var")]
    )


class CountsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = diracdeltanet.diracdeltanet()
        cls.found = workload.workloads(cls.model)

    def test_are_the_thesiss_layer_by_layer(self):
        # Ch. 6 Table 11: 330 M MACs and 3.3 M parameters.
        model, found = self.model, self.found
        self.assertTrue(all(w.is_counted for w in found))
        facts = json.loads(
            shared_files.path(f"{_FACTS}/architectures.json").read_text()
        )["models"]["DiracDeltaNet"]
        macs = sum(w.macs for w in found)
        count = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        self.assertEqual((count, macs), (facts["params"], facts["macs"]))
        self.assertEqual(round(macs / 1e6), 330)
        self.assertEqual(round(count / 1e6, 1), 3.3)
        ours = sorted(w.macs for w in found if w.macs)
        theirs = sorted(layer[-1] for layer in facts["layers"] if layer[-1])
        self.assertEqual(ours, theirs)

    def test_stem_has_the_weights_that_the_text_says(self):
        # Ch. 6 §4.2: 2144 weights (648 before) and 30.5 M FLOPs.
        found = {w.name: w for w in self.found}
        stem = [found["conv1"], found["conv2"]]
        self.assertEqual(sum(w.parameters for w in stem), 2144)
        self.assertEqual(round(sum(w.macs for w in stem) / 1e6, 1), 30.5)


class BlocksTest(parameterized.TestCase):
    @parameterized.parameters(
        ("dirac_block_s1", 32),
        ("dirac_block_down", 32),
        ("dirac_block_first", 32),
        ("dirac_block_s1_w4a4", 4),
        ("dirac_block_down_w4a4", 4),
    )
    def test_equal_the_released_ones(self, name, bits):
        keras.utils.set_random_seed(0)
        found = np.load(shared_files.path(f"{_FACTS}/vectors/{name}.npz"))
        x, filters = found["x"], int(found["cfg"][1])
        inputs = keras.Input(x.shape[1:])
        if found["cfg"][2] == 1:
            y = diracdeltanet.block(
                inputs, name="b", settings=settings(bits, bits)
            )
        else:
            y = diracdeltanet.downsampling_block(
                inputs,
                filters,
                name="b",
                settings=settings(bits, bits),
                split=bool(found["cfg"][3]),
            )
        model = keras.Model(inputs, y)
        for layer, weights, bn in (
            ("b_conv1", "w1", "bn1"),
            ("b_conv2", "w3", "bn3"),
            ("b_skip", "short_w", "short_bn"),
        ):
            if weights in found:
                kernel = found[weights][np.newaxis, np.newaxis]
                model.get_layer(layer).set_weights([kernel])
                set_batch_norm(model.get_layer(f"{layer}_bn"), found, bn)
        for layer in ("b_conv1", "b_skip"):
            if bits == 4 and (layer == "b_conv1" or "short_w" in found):
                # Unlike a network's, the vectors' input is on no grid.
                layer = model.get_layer(layer)
                layer.bits = dataclasses.replace(layer.bits, inputs=32)
        for i in (1, 2):
            model.get_layer(f"b_act{i}").set_weights([found[f"alpha{i}"]])
        difference = np.abs(model(x, training=False) - found["y"])
        if bits == 32:
            self.assertLess(difference.max(), 1e-5)
        else:  # values at the edge of a level may fall to either side
            level = float(found["s"]) / 15
            np.testing.assert_allclose(
                difference / level, np.rint(difference / level), atol=1e-4
            )
            self.assertEqual((difference > 1e-5).sum(), 0)


class KindsTest(parameterized.TestCase):
    def test_change_the_first_convolution_of_their_blocks_alone(self):
        small = {
            "input_shape": (8, 8, 1),
            "stem": (8, 16),
            "stage_channels": (16, 32),
            "stage_blocks": (2, 3),
            "last": 32,
            "stem_pools": False,
        }
        kinds = ("e4", "skip", "e1")
        models = [
            diracdeltanet.diracdeltanet(**small, block_kinds=x)
            for x in (kinds, ("e2",) * 3, ())
        ]
        self.assertEqual(models[1].get_config(), models[2].get_config())
        shapes, usual = (
            {
                w.name: w.shape
                for w in model.weights
                if not w.name.startswith("stage3_1")
            }
            for model in models[:2]
        )
        for block, half, times in (("stage2_1", 8, 4), ("stage3_2", 16, 1)):
            many = times * half
            usual |= {f"{block}_conv1/kernel:0": (1, 1, half, many)}
            usual |= {f"{block}_conv2/kernel:0": (1, 1, many, half)}
            for x in ("gamma", "beta", "moving_mean", "moving_variance"):
                usual |= {f"{block}_conv1_bn/{x}:0": (many,)}
        self.assertEqual(shapes, usual)
        self.assertEmpty(
            [w.name for w in models[0].weights if "stage3_1" in w.name]
        )

    @parameterized.parameters("e0", "e", "e-1", "e2x", "k3_e1", "")
    def test_unknown_ones_are_refused(self, kind):
        with self.assertRaisesRegex(ValueError, f"e2; got '{kind}'"):
            diracdeltanet.expansion(kind)


class ModelTest(parameterized.TestCase):
    def test_trains_saves_and_loads(self):
        keras.utils.set_random_seed(0)
        model = diracdeltanet.diracdeltanet(
            input_shape=(8, 8, 1),
            num_classes=4,
            weight_bits=4,
            activation_bits=4,
            stem=(8, 16),
            stage_channels=(16,),
            stage_blocks=(2,),
            last=32,
            stem_pools=False,
        )
        model.compile(
            keras.optimizers.SGD(1e-2, clipnorm=1.0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,  # tracing takes longer
        )
        x = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1))
        x = x.astype(np.float32)
        y = np.arange(16) % 4
        first = model.evaluate(x, y, verbose=0)
        model.fit(x, y, epochs=6, verbose=0)
        self.assertLess(model.evaluate(x, y, verbose=0), first)
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(x), model(x))

    @parameterized.parameters(
        ({"input_shape": (31, 32, 3)}, "at least 32, as the map halves 5"),
        ({"end_bits": 4, "std": (1.0,)}, r"mean and std must be \(0.0,\)"),
        ({"weight_bits": 20}, "bits must be 1 to 16"),
        ({"block_kinds": ("e2",) * 3}, "must be 13 names, .*; got 3"),
        ({"block_kinds": ("e2",) * 12 + ("x",)}, "got 'x'"),
        ({"stage_blocks": (4, 8, 0)}, r"1 or more each; got \(4, 8, 0\)"),
    )
    def test_bad_arguments_are_refused(self, change, message):
        with self.assertRaisesRegex(ValueError, message):
            diracdeltanet.diracdeltanet(**change)


if __name__ == "__main__":
    absltest.main()
