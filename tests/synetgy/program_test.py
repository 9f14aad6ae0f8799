"""Programs: what they count, their order, what accumulators must hold."""

import dataclasses
import itertools

import numpy as np
from absl.testing import absltest, parameterized

from tools.synetgy import program


def make_map(name, *shape, bits=4):
    return program.Map(name, shape, bits, 2.0)


IMAGE = make_map("image", 6, 4, 3, bits=8)
SMALL = make_map("small", 3, 2, 2)
KERNEL = np.array([[1, -1], [7, -8], [0, 3]], np.int8)
CONVOLUTION = program.Convolution(
    "conv",
    (IMAGE,),
    SMALL,
    kernel=KERNEL,
    thresholds=np.zeros((2, 15), np.int32),
    weight_bits=4,
    quantised=make_map("act", 6, 4, 2),
    pooled=SMALL,
)


def copy(name, *sources):
    channels = sum(source.shape[-1] for source in sources)
    output = make_map(name, *sources[0].shape[:-1], channels)
    return program.Copy(name, sources, output, np.arange(channels))


class StepTest(parameterized.TestCase):
    def test_call_of_a_convolution(self):
        call = CONVOLUTION.call
        self.assertEqual(call.macs, 6 * 4 * 3 * 2)
        self.assertEqual((call.output_height, call.output_width), (3, 2))
        self.assertEqual(call.activation_bits, 8)
        self.assertEqual(call.output_bits, 4)
        self.assertFalse(call.has_shift)

    def test_largest_sum_is_that_of_some_input(self):
        # 255 * (1 + 7) above and 255 * (1 + 8) below; 3 * 255 joins neither.
        self.assertEqual(CONVOLUTION.largest_sum, 255 * 9)
        kernel = np.random.default_rng(0).integers(-8, 8, (5, 3))
        wanted = 0
        for x in itertools.product((0, 7), repeat=5):  # parts leave some out
            wanted = max(wanted, np.abs(np.array(x) @ kernel).max())
        self.assertEqual(program.largest_sum(kernel, 7), wanted)
        self.assertEqual(
            program.largest_sum(np.array([[2], [-3]]), 10, np.array([-5])), 35
        )

    def test_too_narrow_accumulators_are_refused(self):
        network = program.Program("net", IMAGE, (CONVOLUTION,), SMALL)
        # 2295 is less than 2^12 = 4096 and more than 2^11.
        program.check_accumulators(network, 13)
        program.check_accumulators(network, 0)  # unknown
        message = "layer conv needs accumulators of 13 bits for sums up to 2295"
        with self.assertRaisesRegex(ValueError, message):
            program.check_accumulators(network, 12)


class ProgramTest(absltest.TestCase):
    def test_copies_belong_to_the_call_before_them(self):
        early = copy("early", IMAGE, IMAGE)  # 6 * 4 * 6 values
        second = dataclasses.replace(
            CONVOLUTION, name="second", output=make_map("b", 3, 2, 2)
        )
        late = copy("late", SMALL, second.output)  # 3 * 2 * 4
        moved = program.Shift(
            "moved", (late.output,), make_map("m", 3, 2, 4), np.ones((4, 2))
        )
        total = program.PlaceSum(
            "sum", (moved.output,), program.Map("s", (4,)), 6
        )
        steps = (early, CONVOLUTION, second, late, moved, total)
        frame = program.Program("net", IMAGE, steps, total.output).frame
        self.assertEqual([x.name for x in frame.calls], ["conv", "second"])
        self.assertEqual([x.shuffled_values for x in frame.calls], [144, 48])
        self.assertEqual(frame.pooled_values, 24)

    def test_uncounted_steps_are_listed(self):
        pool = program.MaxPool("pool", (IMAGE,), make_map("p", 3, 2, 3))
        mean = program.FullPrecision(
            "mean", (SMALL,), program.Map("m", (2,)), None, pooled_values=12
        )
        other = program.FullPrecision(
            "other", (SMALL,), program.Map("o", (2,)), None
        )
        network = program.Program(
            "net", IMAGE, (pool, CONVOLUTION, mean, other), other.output
        )
        self.assertEqual(network.uncounted, [pool, other])
        self.assertEqual(network.frame.pooled_values, 12)

    def test_branches_are_finished_one_after_the_other(self):
        # a1 -> a2 and b1 -> b2 -> b3 meet in a copy; one step is not needed.
        steps, last = {}, {}
        for name in ("b1", "a1", "unused", "b2", "a2", "b3"):
            source = last.get(name[0], IMAGE)
            steps[name] = copy(name, source)
            last[name[0]] = steps[name].output
        both = copy("both", last["a"], last["b"])
        found = program.ordered([both, *steps.values()], both.output)
        self.assertEqual(
            [step.name for step in found],
            ["a1", "a2", "b1", "b2", "b3", "both"],
        )


if __name__ == "__main__":
    absltest.main()
