"""The timing model against measurements of another accelerator.

CoDeNet's notebooks (github.com/hqjenny/CoDeNet, sw/codenet.ipynb, in its two
versions of 437c0bd and 7853820) print times of single calls and of networks.
"""

import json

import numpy as np
from absl.testing import absltest

from tests import shared_files
from tools.synetgy import hardware, timing, workload

DEVICE = hardware.DEVICES["codenet"]
# Input size, input and output channels (which the notebook fills up to tiles
# of 16), stride of the 3x3 convolution behind, and milliseconds of each
# different call; where one is printed several times, about the median.
CALLS = (
    (64, 32, 32, 2, 1.028),
    (32, 32, 128, 1, 0.609),
    (64, 32, 128, 2, 1.712),
    (32, 128, 128, 1, 0.740),
    (32, 256, 256, 2, 1.8585),
    (16, 256, 256, 1, 0.576),
    (16, 512, 512, 2, 1.588),
    (8, 512, 512, 1, 0.556),
    (8, 1024, 512, 1, 0.839),
    (8, 2048, 16, 1, 0.152),
    (8, 2048, 256, 1, 0.800),
    (16, 256, 16, 1, 0.132),
    (16, 256, 128, 1, 0.334),
    (32, 128, 16, 1, 0.374),
    (64, 128, 80, 1, 1.781),
    (64, 128, 16, 1, 1.3145),
)
MOST_FILTERS = 512  # of one call; wider layers take several


def make_call(size, channels, filters, stride=1, spatial=True):
    """A 1x1 convolution and, if spatial, a depthwise 3x3 one behind it."""
    return workload.Call(
        "call",
        size,
        size,
        channels,
        filters,
        pool=stride,  # as to sizes, the 3x3 convolution's stride is a pooling
        weight_bits=8,
        activation_bits=8,
        output_bits=8,
        has_shift=spatial,  # for the line buffer
    )


class Network:
    """CoDeNet's calls, shuffled values and operations at one size."""

    def __init__(self, size, is_wide):
        self.calls, self.values, self.operations = [], 0, 0
        widths = (32, 256, 512, 1024) if is_wide else (32, 128, 256, 512)
        for before, width, repeats in zip(widths, widths[1:], (3, 7, 3)):
            half = width // 2
            self.add(size, before, before, 2, pointwise=False)
            self.add(size // 2, before, half, spatial=False)
            self.add(size, before, half, 2)
            size //= 2
            self.add(size, half, half, spatial=False)
            self.values += size**2 * width
            for _ in range(repeats):
                self.add(size, half, half)
                self.add(size, half, half, spatial=False)
                self.values += size**2 * width
        self.add(size, widths[-1], 2 * widths[-1], spatial=False)
        for channels, filters in (
            (2 * widths[-1], 256),
            (256, 128),
            (128, 128),
        ):
            self.add(size, channels, 16, spatial=False)
            self.add(size, channels, channels, pointwise=False)
            if channels != filters:
                self.add(size, channels, filters, spatial=False)
            size *= 2
        for filters in (80, 16, 16):
            self.add(size, 128, filters)

    def add(
        self, size, channels, filters, stride=1, pointwise=True, spatial=True
    ):
        while filters > 0:
            now = min(filters, MOST_FILTERS)
            taken = channels if pointwise else now
            each = taken * now * pointwise + 9 * taken * spatial
            self.operations += 2 * (size // stride) ** 2 * each
            # Without its 1x1 convolution a call passes its input on, as a
            # convolution to one tile would.
            to = now if pointwise else DEVICE.tile_out
            self.calls.append(make_call(size, taken, to, stride, spatial))
            filters -= now


NETWORKS = {
    "a": Network(64, is_wide=False),
    "c": Network(128, is_wide=False),
    "d": Network(128, is_wide=True),
}


def measured():
    path = shared_files.path("reference/architectures/architectures.json")
    synetgy = json.loads(path.read_text())["synetgy"]
    return synetgy["sibling_CoDeNet"]["configs"]


class CoDeNetTest(absltest.TestCase):
    def test_single_calls_that_the_constants_were_fitted_to(self):
        errors = np.array(
            [
                timing.time_call(make_call(*row[:4]), DEVICE).latency_us
                / (1e3 * row[4])
                - 1
                for row in CALLS
            ]
        )
        self.assertLess(np.abs(errors).max(), 0.14)
        self.assertLess(np.sqrt((errors**2).mean()), 0.075)

    def test_networks_are_those_that_were_measured(self):
        for name, expected in measured().items():
            network = NETWORKS[name]
            self.assertLen(network.calls, expected["calls"])
            giga = network.operations / 1e9
            self.assertAlmostEqual(giga, expected["GOP"], delta=5e-4)

    def test_times_of_networks_that_were_not_fitted_to(self):
        for name, expected in measured().items():
            calls = NETWORKS[name].calls
            times = [timing.time_call(x, DEVICE).latency_us for x in calls]
            error = sum(times) / (1e6 * expected["conv_s"]) - 1
            self.assertLess(abs(error), 0.018, name)

    def test_shuffles(self):
        for name, expected in measured().items():
            found = NETWORKS[name].values * DEVICE.shuffle_ns_per_value
            error = found / (1e9 * expected["shuffle_s"]) - 1
            self.assertLess(abs(error), 0.03, name)

    def test_fastest_calls(self):
        # Printed peak_gops, without the 3x3 convolutions' share, which the
        # fastest calls do not have; of 16 * 16 MACs at 250 MHz, 128 GOPs.
        self.assertAlmostEqual(DEVICE.peak_gops, 128)
        for name, peak in (("a", 78.014), ("c", 94.773), ("d", 100.887)):
            found = max(
                2e-3 * call.macs / timing.time_call(call, DEVICE).latency_us
                for call in NETWORKS[name].calls
            )
            self.assertLess(abs(found / peak - 1), 0.08, name)


if __name__ == "__main__":
    absltest.main()
