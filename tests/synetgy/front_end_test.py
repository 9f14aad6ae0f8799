"""Programs of the thesis' network and of small ones; what is refused."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.layers import channels, quantization, shift
from tests.synetgy import networks
from tools.synetgy import (
    front_end,
    hardware,
    program,
    settings,
    study,
    timing,
    workload,
)

keras = tf.keras


class ThesisTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = front_end.read(settings.network(None))

    def test_totals_of_the_thesis(self):
        frame = self.program.frame
        self.assertLen(frame.calls, 39)
        self.assertEqual(frame.macs, 330_178_560)  # 330M in Ch. 6 Table 11
        # Block outputs of Table 10: 4 of 28 x 28 x 128, 8 of 14 x 14 x 256 and
        # 4 of 7 x 7 x 512 values.
        self.assertEqual(frame.shuffled_values, 903_168)
        self.assertEqual(frame.pooled_values, 7 * 7 * 1024)

    def test_calls_are_those_of_the_table(self):
        for ours, theirs in zip(
            self.program.frame.calls, workload.diracdeltanet_calls()
        ):
            self.assertEqual(
                dataclasses.replace(ours, name=theirs.name), theirs
            )
        self.assertTrue(workload.is_diracdeltanet(self.program.frame))

    def test_frame_rates_are_those_of_the_table(self):
        device = hardware.DEVICES["ultra96"]
        for batch in hardware.TABLE_14:
            self.assertEqual(
                timing.time_frame(self.program.frame, device, batch).latency_us,
                timing.time_frame(
                    workload.diracdeltanet(), device, batch
                ).latency_us,
            )

    def test_tables_stand_beside_the_thesis(self):
        timings = timing.time_batches(
            self.program.frame, hardware.DEVICES["ultra96"], [1, 16]
        )
        text = study.tables(self.program, timings)
        # Ch. 6 Table 14 and §5.2.
        self.assertRegex(text, r" 1 +17\.\d+ +5\d\.\d +58\.7 ")
        self.assertRegex(text, r" 16 +16\d\.\d+ +9\d\.\d +96\.5 ")
        self.assertRegex(text, r"MACs +330,178,560")
        self.assertRegex(text, r"throughput +47\.09 +43\.78")
        self.assertIn("351,232 values an image", text)

    def test_what_is_not_in_the_calls(self):
        pools = [
            step
            for step in self.program.steps
            if isinstance(step, program.MaxPool)
        ]
        # Inputs of the three down-sampling blocks, Table 10.
        self.assertEqual(
            [step.sources[0].values for step in pools],
            [56 * 56 * 64, 28 * 28 * 128, 14 * 14 * 256],
        )
        self.assertEqual(
            [type(x).__name__ for x in self.program.uncounted[:2]],
            ["FullPrecision", "ToLevels"],  # of the image
        )
        self.assertLen(self.program.uncounted, 5)

    def test_sums_fit_18_bits(self):
        # conv5 sums at most 512 * 15 * 15 and fc 49 * 15 * 1024 * 15 and its
        # bias: bounds of the shapes alone.
        by_name = {step.name: step for step in self.program.calls}
        self.assertLessEqual(by_name["conv5"].largest_sum, 512 * 225)
        self.assertLessEqual(by_name["fc"].largest_sum, 49 * 225 * 1024)
        self.assertEqual(by_name["fc"].highest, 49 * 15)
        self.assertEqual(by_name["fc"].call.activation_bits, 10)


class StructureTest(parameterized.TestCase):
    def test_one_call_takes_pooling_and_shift_along(self):
        found = front_end.read(networks.chain())
        self.assertEqual(
            [(type(x).__name__, x.name) for x in found.steps],
            [
                ("FullPrecision", "rescaled"),
                ("ToLevels", "one_levels"),
                ("Convolution", "one"),
                ("Convolution", "two"),
                ("PlaceSum", "mean"),
                ("FullyConnected", "dense"),
            ],
        )
        one, two, dense = found.frame.calls
        # 9 x 8 pixels are pooled to 4 x 4; the image has 8 bits, weights 3.
        wanted = workload.Call(
            *("one", 9, 8, 3, 10, 1, 2),
            weight_bits=3,
            activation_bits=8,
            output_bits=3,
            has_shift=True,
        )
        self.assertEqual(one, wanted)
        self.assertEqual((two.height, two.width, two.pool), (4, 4, 1))
        self.assertFalse(two.has_shift)
        # 16 levels of at most 7 are 112, 7 bits.
        self.assertEqual((dense.activation_bits, dense.output_bits), (7, 32))
        self.assertEqual(found.frame.shuffled_values, 0)
        self.assertEqual(found.frame.pooled_values, 4 * 4 * 6)

    @parameterized.parameters(
        {"convention": "interleaved"}, {"dilation_rate": 2}
    )
    def test_shifts_beyond_the_next_pixels_are_the_cpu_s(self, **shift):
        # Ch. 6 §4.2: the accelerator has four directions, and no diagonals.
        found = front_end.read(networks.chain(**shift))
        self.assertIn("Shift", [type(x).__name__ for x in found.steps])
        self.assertEqual(found.frame.shuffled_values, 4 * 4 * 10)
        self.assertFalse(found.frame.calls[0].has_shift)

    def test_what_others_read_too_is_not_taken_along(self):
        keras.utils.set_random_seed(0)
        bits = quantization.Bits(4, 4)
        x = inputs = keras.Input((4, 4, 8))
        x = quantization.ActQuant(bits=4, name="in")(x)
        x = quantization.QuantConv2D(8, 1, bits=bits, name="conv")(x)
        x = quantization.ActQuant(bits=4, name="act")(x)
        y = shift.Shift(convention="cardinal", name="moved")(x)
        z = keras.layers.Concatenate(name="both")([x, y])
        z = channels.ChannelShuffle(name="shuffled")(z)
        z = channels.ChannelRotation(name="rotated")(z)
        found = front_end.read(keras.Model(inputs, z))
        kinds = [type(step).__name__ for step in found.steps]
        self.assertEqual(
            kinds, ["FullPrecision", "ToLevels", "Convolution", "Shift", "Copy"]
        )
        # The shift's 128 values, and 256 of one copy for all three layers.
        self.assertEqual(found.frame.shuffled_values, 128 + 256)
        order = np.arange(16).reshape(2, 8).T.ravel()
        self.assertEqual(
            found.steps[-1].order.tolist(), np.roll(order, 4).tolist()
        )

    def test_full_precision_ends_are_the_cpu_s(self):
        found = front_end.read(networks.dirac(end_bits=32))
        names = [step.name for step in found.uncounted]
        for name in ("conv1", "conv1_bn", "act1", "fc"):
            self.assertIn(name, names)
        self.assertNotIn("conv1", [call.name for call in found.frame.calls])
        # Two stages halve 8 x 8 pixels; the last convolution has 24 filters.
        self.assertEqual(found.frame.pooled_values, 2 * 2 * 24)


class RefusedTest(parameterized.TestCase):
    def refused(self, model, message):
        with self.assertRaisesRegex(ValueError, message):
            front_end.read(model)

    @parameterized.parameters(
        (keras.layers.UpSampling2D, {}, "cannot be run with levels"),
        (keras.layers.ReLU, {}, "cannot be run with levels"),
        (
            keras.layers.Conv2D,
            {"filters": 2, "kernel_size": 1},
            "cannot be run",
        ),
        (quantization.QuantConv2D, {"filters": 2, "kernel_size": 1}, "cannot"),
        (keras.layers.MaxPooling2D, {"pool_size": 3}, r"pools \(3, 3\)"),
        (keras.layers.MaxPooling2D, {"strides": 1}, r"strides \(1, 1\)"),
    )
    def test_the_first_unsupported_layer_is_named(self, kind, options, why):
        x = kind(name="odd", **options)
        model = networks.chain([x, keras.layers.Dropout(0.5, name="later")])
        message = rf"layer odd \({kind.__name__}\) .*{why}.*; supported: 1x1 Qu"
        self.refused(model, message)

    def test_convolutions_of_several_pixels_are_refused(self):
        bits = quantization.Bits(4, 3)
        wide = quantization.QuantConv2D(4, 3, bits=bits, name="wide")
        act = quantization.ActQuant(bits=3)
        self.refused(
            networks.chain([wide, act]),
            r"wide \(QuantConv2D\) has a kernel of 3x3",
        )

    @parameterized.parameters(
        ({}, [], "must be read by one ActQuant.* three: mean .GlobalAver"),
        ({"weights": 9}, [quantization.ActQuant(bits=3)], "use fewer bits"),
        ({"inputs": 4}, [quantization.ActQuant(bits=3)], "expects 4 bits"),
        ({"scale": 6.0}, [quantization.ActQuant(bits=3)], "of scale 6 and ge"),
        ({}, [quantization.ActQuant(bits=9)], "writes 9 bits; at most 8"),
    )
    def test_what_does_not_fit_is_refused(self, changes, after, message):
        bits = quantization.Bits(**{"weights": 4, "inputs": 3} | changes)
        layer = quantization.QuantConv2D(4, 1, bits=bits, name="three")
        layers = [layer, *(type(x).from_config(x.get_config()) for x in after)]
        model = networks.chain(layers, dense=keras.layers.Dense(2))
        self.refused(model, message)

    def test_classifiers_of_other_means_are_refused(self):
        bits = quantization.Bits(4, 3)
        dense = quantization.QuantDense(5, bits=bits, count=9, name="dense")
        message = r"dense \(QuantDense\) expects means of 9 .* means of 16"
        self.refused(networks.chain(dense=dense), message)

    def test_different_scales_are_not_concatenated(self):
        x = inputs = keras.Input((4, 4, 8))
        bits = quantization.Bits(4, 4)
        x = quantization.QuantConv2D(8, 1, bits=bits)(x)
        x = quantization.ActQuant(bits=4)(x)
        both = [
            quantization.ActQuant(bits=4, scale=scale)(
                quantization.QuantConv2D(8, 1, bits=bits)(x)
            )
            for scale in (2.0, 6.0)
        ]
        joined = keras.layers.Concatenate(name="joined")(both)
        message = r"joined \(Concatenate\) needs inputs of the same bits and sc"
        self.refused(keras.Model(inputs, joined), message)

    def test_networks_in_full_precision_are_refused(self):
        model = networks.dirac(weight_bits=32, activation_bits=32, end_bits=32)
        message = (
            r"no quantised convolution.*layer conv1 \(QuantConv2D\) is the"
        )
        self.refused(model, message)

    def test_full_precision_in_the_middle_is_refused(self):
        model = networks.dirac(weight_bits=32)
        message = r"conv2 \(QuantShiftConv2D\) cannot .* has 32-bit weights"
        self.refused(model, message)

    def test_several_inputs_are_refused(self):
        inputs = [keras.Input((2, 2, 1)), keras.Input((2, 2, 1))]
        model = keras.Model(inputs, keras.layers.Add()(inputs))
        self.refused(model, "one input and one output; got 2 and 1")


if __name__ == "__main__":
    absltest.main()
