"""The functional simulator equals the quantised models, map for map."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import integer
from squeeze_tf.layers import quantization, shift
from tests.synetgy import networks
from tools.synetgy import front_end, program, simulator

keras = tf.keras


def layer_outputs(model, images):
    """What every layer makes, in floats: a list of tensors by name."""
    made, names = [], []
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            for tensor in tf.nest.flatten(node.outputs):
                made.append(tensor)
                names.append(node.layer.name)
    found = {}
    arrays = keras.Model(model.inputs, made)(images, training=False)
    for name, array in zip(names, arrays):
        found.setdefault(name, []).append(array.numpy())
    return found


def steps_and_scale(network):
    """Highest level and what it stands for, by the names of level maps."""
    maps = {}
    for step in network.steps:
        parts = [step.output]
        if isinstance(step, program.Convolution):
            parts += [step.quantised, *filter(None, [step.pooled])]
        maps |= {x.name: (2**x.bits - 1, x.scale) for x in parts if x.bits}
    return maps


class SimulatorTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = networks.chain()
        cls.network = front_end.read(cls.model)

    def compared(self, model, count=20):
        """Runs a model; logits must be equal bit for bit."""
        images = networks.images(model, count)
        network = front_end.read(model)
        run = simulator.run(network, images, keep_maps=True)
        wanted = model(images, training=False).numpy()
        np.testing.assert_array_equal(run.output, wanted)
        self.assertGreater(wanted.std(), 0.01)
        return network, run, images

    @parameterized.parameters(
        {},
        {"weight_form": "released"},
        {"weight_bits": 1, "activation_bits": 2, "end_bits": 32},
    )
    def test_every_map_is_the_quantised_model_s(self, **settings):
        model = networks.dirac(**settings)
        network, run, images = self.compared(model)
        self.compare_floats(model, network, run, images)
        self.compare_whole_numbers(model, network, run, images)

    def compare_floats(self, model, network, run, images):
        """All level maps against the floats of the quantised model."""
        floats, checked = layer_outputs(model, images), set()
        for name, (steps, scale) in steps_and_scale(network).items():
            levels = run.maps[name]
            self.assertEqual(levels.dtype, np.uint8)
            layer = name.removesuffix("_levels").split(":")[0].split("[")[0]
            if name.endswith("_shift"):  # of a QuantShiftConv2D's input
                source = model.get_layer(layer.removesuffix("_shift")).input
                x = keras.Model(model.inputs, source)(images, training=False)
                candidates = [shift.Shift(convention="cardinal")(x).numpy()]
            elif name == "conv1_levels":
                candidates, steps, scale = [images], 255, 255
            else:
                candidates = floats[layer]
            # A layer that is used twice has two outputs.
            equal = [
                np.array_equal(levels, np.rint(x * (steps / scale)))
                for x in candidates
            ]
            self.assertTrue(any(equal), name)
            checked.add(layer)
        for block in ("stage2_0", "stage2_1", "stage3_0"):
            for part in ("act1", "act2", "rotation"):
                self.assertIn(f"{block}_{part}", checked)

    def compare_whole_numbers(self, model, network, run, images):
        """Logits and all maps against classification.integer's network."""
        whole = integer.convert(model)
        np.testing.assert_array_equal(run.output, whole(images))
        theirs = layer_outputs(whole, images)
        ours = dict(run.maps)
        for step in network.steps:  # its convolutions end behind ActQuant
            if isinstance(step, program.Convolution):
                ours[step.name] = run.maps[step.quantised.name]
                self.assertIn(step.name, theirs)
        num_checked = 0
        for name, arrays in theirs.items():
            if name in ours and len(arrays) == 1:
                np.testing.assert_array_equal(ours[name], arrays[0], name)
                num_checked += 1
        # 10 convolutions besides conv1, 4 poolings, 3 rotations.
        self.assertGreaterEqual(num_checked, 17)

    @parameterized.parameters(
        {},
        {"convention": "interleaved"},
        {"convention": "contiguous", "dilation_rate": 2, "strides": 2},
    )
    def test_plain_chain(self, **shift):
        model = networks.chain(**shift)
        network, run, images = self.compared(model)
        floats = layer_outputs(model, images)
        for name in ("one_act", "one_pool", "two_act"):
            # 3 bits of s = 2; without normalisation behind the second.
            levels = np.rint(floats[name][0] * 3.5)
            np.testing.assert_array_equal(run.maps[name], levels)
            self.assertGreater(len(np.unique(levels)), 4)
        count = floats["two_act"][0][0, ..., 0].size
        sums = np.rint(floats["mean"][0] * 3.5 * count)
        np.testing.assert_array_equal(run.maps["mean"], sums)
        moved = run.maps["two_shift"]
        self.assertFalse(np.array_equal(moved, run.maps["one_pool"]))

    def test_ends_in_full_precision(self):
        self.compared(networks.chain(dense=keras.layers.Dense(3)))

    def test_networks_may_end_in_levels(self):
        model = networks.chain()
        model = keras.Model(model.input, model.get_layer("two_act").output)
        _, run, _ = self.compared(model)
        self.assertEqual(run.output.dtype, np.float32)

    def test_models_in_models_are_entered(self):
        inner = networks.chain()
        x = keras.Input((9, 8, 3))
        self.compared(keras.Model(x, inner(x)))

    def test_maps_are_not_kept_unless_asked_for(self):
        run = simulator.run(self.network, networks.images(self.model, 2))
        self.assertEmpty(run.maps)

    def test_images_do_not_depend_on_each_other(self):
        images = networks.images(self.model, 5)
        whole = simulator.run(self.network, images).output
        single = [
            simulator.run(self.network, image[None]).output[0]
            for image in images
        ]
        np.testing.assert_array_equal(whole, single)

    def test_wrong_images_are_refused(self):
        images = networks.images(self.model, 2)
        with self.assertRaisesRegex(ValueError, r"\[B, 9, 8, 3\]; got \(2, 8"):
            simulator.run(self.network, images[:, 1:])
        with self.assertRaisesRegex(ValueError, "rescaled must lie in 0 to 1"):
            simulator.run(self.network, images - 20)

    def test_narrow_accumulators_are_noticed(self):
        images = networks.images(self.model, 5)
        most = max(step.largest_sum for step in self.network.calls)
        enough = most.bit_length() + 1
        simulator.run(self.network, images, accumulator_bits=enough)
        with self.assertRaisesRegex(ValueError, "accumulators of 6 bits hold"):
            simulator.run(self.network, images, accumulator_bits=6)


class WeightsTest(absltest.TestCase):
    def test_lowest_weights_that_turn_their_sign_are_refused(self):
        # Eight bits of the released form reach -128, whose opposite does not
        # fit; a negative factor of the normalisation asks for it.
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(8, 4, 2.0, "released")
        x = inputs = keras.Input((2, 2, 4))
        x = quantization.QuantConv2D(3, 1, bits=bits, name="conv")(x)
        x = keras.layers.BatchNormalization(name="norm")(x)
        x = quantization.ActQuant(bits=4)(x)
        model = keras.Model(inputs, x)
        kernel = np.linspace(-1, 1, 12).reshape(1, 1, 4, 3)
        model.get_layer("conv").set_weights([kernel])
        front_end.read(model)
        norm = model.get_layer("norm")
        norm.set_weights([-np.ones(3), *norm.get_weights()[1:]])
        with self.assertRaisesRegex(ValueError, "weights of -127 to 128, outs"):
            front_end.read(model)


if __name__ == "__main__":
    absltest.main()
