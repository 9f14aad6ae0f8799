"""What the thesis prints of Synetgy, and what a device may not be."""

import dataclasses

from absl.testing import absltest, parameterized

from tools.synetgy import hardware

BASE = hardware.Device(
    "test",
    tile_in=8,
    tile_out=4,
    clock_mhz=100.0,
    bus_bits=64,
    dram_bytes_per_second=1e9,
    weight_bits=4,
    activation_bits=4,
)


class DeviceTest(parameterized.TestCase):
    def test_peak_by_hand(self):
        # 32 multipliers, each a MAC every 2 cycles of 10 ns: 1.6 GMAC/s.
        device = dataclasses.replace(BASE, issue_cycles=2)
        self.assertEqual(device.macs_per_cycle, 16)
        self.assertAlmostEqual(device.peak_gops, 3.2)
        self.assertAlmostEqual(device.dram_bytes_per_cycle, 10)

    @parameterized.parameters(
        (4, 4, 8),  # 32 multipliers, four a slice
        (1, 4, 8),
        (4, 8, 16),  # two a slice
        (8, 9, 32),
        (18, 27, 32),
    )
    def test_slices_of_the_multipliers(self, weight, activation, slices):
        device = dataclasses.replace(
            BASE, weight_bits=weight, activation_bits=activation
        )
        self.assertEqual(device.multiplier_dsps, slices)

    def test_slices_of_wide_values_are_not_known(self):
        device = dataclasses.replace(BASE, weight_bits=28)
        with self.assertRaisesRegex(ValueError, "27 by 18 bits, not 28 by 4"):
            device.multiplier_dsps  # noqa: B018

    @parameterized.parameters(
        ({"tile_in": 0}, "tile_in must be above 0; got 0"),
        ({"tile_out": 2.5}, "tile_out must be a whole number; got 2.5"),
        ({"clock_mhz": -1.0}, "clock_mhz must be finite and not negative"),
        ({"clock_mhz": float("inf")}, "clock_mhz must be finite"),
        ({"bus_bits": "64"}, "bus_bits must be a whole number; got '64'"),
        ({"issue_cycles": 0.5}, "issue_cycles must be at least 1; got 0.5"),
        ({"idle_watts": 2.0}, "load_watts must be at least idle_watts 2.0"),
        ({"dsps": -1}, "dsps must be finite and not negative; got -1"),
    )
    def test_impossible_devices_are_refused(self, change, message):
        with self.assertRaisesRegex(ValueError, "device test: " + message):
            dataclasses.replace(BASE, **change)


class SynetgyTest(absltest.TestCase):
    def test_is_what_the_thesis_prints(self):
        device = hardware.DEVICES["ultra96"]
        self.assertEqual(device.clock_mhz, 250)  # Ch. 6 §5.2
        self.assertEqual((device.weight_bits, device.activation_bits), (4, 4))
        self.assertEqual((device.idle_watts, device.load_watts), (5.3, 5.5))
        self.assertAlmostEqual(device.peak_gops, 418)
        self.assertAlmostEqual(device.macs_per_cycle, 418e9 / 2 / 250e6)
        self.assertLess(device.macs_per_cycle, device.tile_in * device.tile_out)
        self.assertLessEqual(device.multiplier_dsps, device.dsps)

    def test_table_14(self):
        rates = [58.7, 72.9, 84.1, 94.4, 95.9, 96.5]
        self.assertEqual(list(hardware.TABLE_14.values()), rates)
        self.assertEqual(list(hardware.TABLE_14), [1, 2, 4, 8, 10, 16])


if __name__ == "__main__":
    absltest.main()
