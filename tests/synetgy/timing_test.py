"""The timing model against Table 14, sums by hand and its properties."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from tools.synetgy import hardware, timing, workload

FRAME = workload.diracdeltanet()
SYNETGY = hardware.DEVICES["ultra96"]
# Nothing but an array; the memory is as fast as one could wish.
IDEAL = hardware.Device(
    "ideal",
    tile_in=32,
    tile_out=32,
    clock_mhz=250.0,
    bus_bits=2**20,
    dram_bytes_per_second=1e15,
    weight_bits=8,
    activation_bits=8,
)
SLOW = dataclasses.replace(
    IDEAL,
    tile_in=4,
    tile_out=8,
    clock_mhz=100.0,
    bus_bits=16,
    dram_bytes_per_second=4e8,  # 4 bytes a cycle
    dram_latency_ns=50.0,  # 5 cycles
    weight_bits=4,
    activation_bits=4,
    issue_cycles=1.5,
    tile_fill_cycles=2.0,
    load_cycles=1.0,
    pixel_cycles=10.0,
    call_overhead_us=7.0,
    batch_overhead_us=11.0,
    shuffle_ns_per_value=2.0,
    pool_ns_per_value=3.0,
    idle_watts=1.0,
    load_watts=2.0,
    mac_picojoules=0.5,
    dram_picojoules_per_byte=100.0,
)
CALL = workload.Call(
    "call",
    height=6,
    width=4,
    in_channels=10,
    out_channels=12,
    pool=2,
    weight_bits=8,
    activation_bits=4,
    output_bits=4,
    has_shift=True,
    shuffled_values=72,
)


class SynetgyTest(parameterized.TestCase):
    def test_frame_rates_of_table_14(self):
        errors = [
            timing.time_frame(FRAME, SYNETGY, batch).frames_per_second / rate
            - 1
            for batch, rate in hardware.TABLE_14.items()
        ]
        self.assertLess(np.abs(errors).max(), 0.03)
        # The claim of hardware.DEVICES: what a line can reach at all.
        self.assertLess(np.abs(errors).max(), 0.019)

    def test_batch_line_is_the_least_squares_line_of_table_14(self):
        batches = np.array(list(hardware.TABLE_14), float)
        times = 1e6 * batches / np.array(list(hardware.TABLE_14.values()))
        terms = np.stack([np.ones(6), batches], axis=1) / times[:, None]
        fixed, each = np.linalg.lstsq(terms, np.ones(6), rcond=None)[0]
        one, two = (timing.time_frame(FRAME, SYNETGY, b) for b in (1, 2))
        slope = two.latency_us - one.latency_us
        self.assertAlmostEqual(slope / each, 1, delta=1e-3)
        self.assertAlmostEqual((one.latency_us - slope) / fixed, 1, delta=1e-3)

    def test_shuffle_and_first_layer_take_most_of_an_image(self):
        # Ch. 6 §5.2: "The inefficiency is mainly from the software shuffle
        # operations and the first convolution layer".
        timed = timing.time_frame(FRAME, SYNETGY, 1000)
        layers = sorted(x.latency_us for x in timed.calls)
        self.assertEqual(timed.calls[0].latency_us, layers[-1])
        self.assertGreater(timed.shuffle_us, layers[-2])
        both = timed.shuffle_us + layers[-1]
        self.assertGreater(both, timed.latency_us / 2)

    def test_first_layer_uses_three_channels_of_a_tile(self):
        for device in (SYNETGY, IDEAL, hardware.DEVICES["codenet"]):
            timed = timing.time_call(FRAME.calls[0], device, 1000)
            self.assertLessEqual(timed.utilisation, 3 / device.tile_in)
        timed = timing.time_call(FRAME.calls[0], IDEAL, 1000)
        self.assertAlmostEqual(timed.utilisation, 3 / 32, delta=1e-5)

    def test_estimated_energy_is_less_than_the_board_draws_under_load(self):
        # 5.5 W - 5.3 W, Ch. 6 §5.2; MACs and DRAM are a part of that.
        timed = timing.time_frame(FRAME, SYNETGY)
        self.assertLess(timed.energy_uj, 0.2 * timed.latency_us)
        self.assertAlmostEqual(timed.board_uj, 5.5 * timed.latency_us)


class CallTest(parameterized.TestCase):
    def test_every_term_by_hand(self):
        timed = timing.time_call(CALL, SLOW, batch=3)
        # ceil(10 / 4) = 3 and ceil(12 / 8) = 2 tiles, 2 steps for 8-bit
        # weights: 3 * 1 + 2 * (3 * 2 * 1.5 + 2) = 25 cycles a pixel.
        self.assertEqual(timed.compute_cycles, 3 * 24 * 25)
        self.assertEqual(timed.pixel_cycles, 3 * 24 * 10)
        self.assertEqual(timed.input_cycles, 3 * 24 * 3)  # 40 bits
        self.assertEqual(timed.output_cycles, 3 * 6 * 3)  # 48 bits
        # 120 bytes in and 36 bytes out, 4 bytes a cycle.
        self.assertAlmostEqual(timed.memory_cycles, 3 * 156 / 4)
        self.assertEqual(timed.weight_cycles, 60)  # 960 bits by 16
        self.assertAlmostEqual(timed.fill_cycles, 2 * 5 + (4 + 2) * 2)
        self.assertAlmostEqual(timed.cycles, 60 + 22 + 1800)
        self.assertAlmostEqual(timed.accelerator_us, 18.82)
        self.assertAlmostEqual(timed.latency_us, 25.82)
        # 24 * 120 MACs an image, 32 multipliers.
        self.assertAlmostEqual(timed.utilisation, 3 * 2880 / (1882 * 32))
        self.assertEqual(timed.dram_bytes, 120 + 3 * 156)
        # 8640 MACs of 0.5 pJ and 588 bytes of 100 pJ.
        self.assertAlmostEqual(timed.energy_uj, 1e-6 * (4320 + 58_800))

    @parameterized.parameters(
        ("weights", {"bus_bits": 1, "dram_bytes_per_second": 1e15}, 1),
        ("memory", {"dram_bytes_per_second": 1e6}, 50),
        ("input", {"bus_bits": 1}, 50),
        ("output", {"bus_bits": 1, "tile_in": 64}, 50),
        ("pixel", {"pixel_cycles": 99.0}, 50),
        ("compute", {}, 50),
        ("overhead", {"call_overhead_us": 1000.0}, 1),
    )
    def test_bound_is_what_takes_longest(self, name, change, batch):
        call = dataclasses.replace(CALL, shuffled_values=0)
        if name == "weights":
            call = dataclasses.replace(call, height=2, width=2)
        if name == "output":
            call = dataclasses.replace(call, pool=1, out_channels=64)
        timed = timing.time_call(
            call, dataclasses.replace(SLOW, **change), batch
        )
        self.assertEqual(timed.bound_by, name)

    def test_full_tiles_use_the_whole_array(self):
        call = workload.Call("full", 16, 16, 64, 96)
        timed = timing.time_call(call, IDEAL, batch=1000)
        # 256 pixels, 2 x 3 tiles.
        self.assertEqual(timed.compute_cycles, 1000 * 256 * 6)
        self.assertAlmostEqual(timed.utilisation, 1, delta=1e-5)

    def test_line_buffer_fills_only_for_shift_and_pooling(self):
        plain = dataclasses.replace(CALL, pool=1, has_shift=False)
        filled = dataclasses.replace(CALL, pool=1)
        device = dataclasses.replace(SLOW, dram_latency_ns=0.0)
        self.assertEqual(timing.time_call(plain, device).fill_cycles, 0)
        self.assertEqual(timing.time_call(filled, device).fill_cycles, 12)

    @parameterized.parameters(0, -1, 1.5)
    def test_batch_must_be_a_number_of_images(self, batch):
        with self.assertRaisesRegex(ValueError, f"above 0; got {batch}"):
            timing.time_call(CALL, SLOW, batch)


class PropertiesTest(parameterized.TestCase):
    @parameterized.product(
        device=(SYNETGY, SLOW, hardware.DEVICES["codenet"]),
        field=("tile_in", "tile_out", "bus_bits", "dram_bytes_per_second"),
        batch=(1, 7),
    )
    def test_more_hardware_is_never_slower(self, device, field, batch):
        value = getattr(device, field)
        steps = [value, value + 1, 2 * value, 3 * value, 8 * value]
        times = [
            timing.time_frame(
                FRAME, dataclasses.replace(device, **{field: step}), batch
            ).latency_us
            for step in steps
        ]
        self.assertEqual(times, sorted(times, reverse=True))

    @parameterized.parameters(SYNETGY, SLOW)
    def test_time_is_a_line_over_the_batch(self, device):
        times = [
            timed.latency_us
            for timed in timing.time_batches(FRAME, device, range(1, 9))
        ]
        steps = np.diff(times)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-12)
        self.assertGreater(times[0], steps[0])  # something is fixed

    @parameterized.parameters(SYNETGY, SLOW, IDEAL)
    def test_throughput_stays_below_the_peak(self, device):
        for batch in (1, 16, 10_000):
            timed = timing.time_frame(FRAME, device, batch)
            self.assertLess(timed.gops, device.peak_gops)
            self.assertLess(timed.utilisation, 1)
            for call in timed.calls:
                rate = 2e-3 * batch * call.call.macs / call.accelerator_us
                self.assertLessEqual(rate, device.peak_gops)

    def test_parts_make_the_whole(self):
        frame = workload.Frame("two", (CALL, CALL), pooled_values=5)
        timed = timing.time_frame(frame, SLOW, batch=3)
        # Twice the 25.82 us of the test above, 3 * 144 values of 2 ns, 3 * 5
        # of 3 ns, and 11 us once.
        self.assertAlmostEqual(timed.shuffle_us, 0.864)
        self.assertAlmostEqual(timed.pool_us, 0.045)
        self.assertAlmostEqual(timed.latency_us, 51.64 + 0.864 + 0.045 + 11)
        rate = 3e6 / timed.latency_us
        self.assertAlmostEqual(timed.frames_per_second, rate)
        self.assertAlmostEqual(timed.gops, 2e-9 * rate * 2 * 2880)
        self.assertAlmostEqual(timed.cpu_share, 0.909 / timed.latency_us)
        self.assertEqual(timed.dram_bytes, 2 * 588)
        self.assertAlmostEqual(timed.energy_uj, 2 * 0.06312)
        self.assertAlmostEqual(timed.board_uj, 2 * timed.latency_us)
        # As many MACs and cycles as of one of the calls.
        self.assertAlmostEqual(timed.utilisation, timed.calls[0].utilisation)


if __name__ == "__main__":
    absltest.main()
