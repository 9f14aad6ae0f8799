"""Roofline and energy by hand, the example of Ch. 2 §3.4, bad machines."""

import dataclasses

from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import machine, metrics

# Ridge at 100 / 20 = 5 MACs a byte.
SMALL = machine.Machine(
    "small",
    peak_macs_per_second=100.0,
    bandwidth_bytes_per_second=20.0,
    on_chip_bytes=100,
    mac_picojoules=2.0,
    on_chip_picojoules_per_byte=10.0,
    off_chip_picojoules_per_byte=1000.0,
)
MIB = 2**20


def load(macs=0, weights=0, inputs=0, outputs=0, **more):
    """Values of one byte."""
    return metrics.Workload(
        "layer",
        "kind",
        macs,
        weights,
        inputs,
        outputs,
        weight_bits=8,
        activation_bits=8,
        **more,
    )


class RooflineTest(absltest.TestCase):
    def test_below_the_ridge_memory_bounds(self):
        # 60 MACs on 10 + 5 + 5 bytes: 3 a byte, 60 a second, 1 s.
        bound = machine.roofline(load(60, 10, 5, 5), SMALL)
        self.assertEqual(bound.macs_per_byte, 3)
        self.assertEqual(bound.macs_per_second, 60)
        self.assertFalse(bound.is_compute_bound)
        self.assertEqual(bound.seconds, 1)

    def test_above_the_ridge_the_peak_bounds(self):
        bound = machine.roofline(load(200, 10, 5, 5), SMALL)
        self.assertEqual(bound.macs_per_byte, 10)
        self.assertEqual(bound.macs_per_second, 100)
        self.assertTrue(bound.is_compute_bound)
        self.assertEqual(bound.seconds, 2)

    def test_without_macs_only_memory_takes_time(self):
        bound = machine.roofline(load(0, 0, 30, 10), SMALL)
        self.assertEqual((bound.macs_per_second, bound.seconds), (0, 2))
        view = load(0, 0, 30, 30, moves_data=False)
        self.assertEqual(machine.roofline(view, SMALL).seconds, 0)

    def test_fewer_bits_move_the_layer_to_the_right(self):
        given = load(60, 10, 5, 5)
        fewer = dataclasses.replace(given, weight_bits=4, activation_bits=4)
        self.assertEqual(machine.roofline(fewer, SMALL).macs_per_byte, 6)

    def test_unknown_speeds_are_refused(self):
        with self.assertRaisesRegex(ValueError, "has no peak_macs"):
            machine.roofline(load(1), machine.PRESETS["figure_1"])
        self.assertFalse(machine.Machine("x", 1.0).has_roofline)


class EnergyTest(absltest.TestCase):
    def check(self, loads, *wanted):
        """Wanted are pJ of MACs, on-chip and off-chip accesses by layer."""
        found = machine.energies(loads, SMALL)
        self.assertLen(found, len(wanted))
        for got, (compute, on_chip, off_chip) in zip(found, wanted):
            self.assertAlmostEqual(got.compute * 1e12, compute)
            self.assertAlmostEqual(got.on_chip * 1e12, on_chip)
            self.assertAlmostEqual(got.off_chip * 1e12, off_chip)
            self.assertAlmostEqual(
                got.joules * 1e12, compute + on_chip + off_chip
            )

    def test_all_fits(self):
        # 30 + 10 bytes of weights, 60 of the wider layer: 100.
        self.check(
            [load(50, 30, 20, 40), load(5, 10, 40, 10)],
            (100, 10 * (30 + 60), 0),
            (10, 10 * (10 + 50), 0),
        )

    def test_activations_that_do_not_fit_beside_the_weights(self):
        self.check(
            [load(50, 30, 20, 41), load(5, 10, 41, 10)],
            (100, 10 * 30, 1000 * 61),
            (10, 10 * (10 + 51), 0),
        )

    def test_weights_that_do_not_fit(self):
        # 120 bytes of weights come from DRAM; beside its own 90 the first
        # layer's 11 bytes have no room, beside 30 the second's 70 do.
        self.check(
            [load(0, 90, 6, 5), load(0, 30, 5, 65)],
            (0, 0, 1000 * (90 + 11)),
            (0, 10 * 70, 1000 * 30),
        )

    def test_views_and_shared_weights(self):
        self.check(
            [
                load(0, 60, 10, 10),
                load(0, 60, 10, 10, shared_parameters=60),
                load(0, 0, 10, 10, moves_data=False),
            ],
            (0, 10 * 80, 0),
            (0, 10 * 80, 0),
            (0, 0, 0),
        )

    def test_the_example_of_squeezenet(self):
        # Ch. 2 §3.4: 16 MB on chip, a model of 5 MB, two consecutive outputs.
        sram = machine.PRESETS["sram_16mb"]
        for more, off_chip in ((0, 0), (1, 11 * MIB + 1)):
            found = machine.energies(
                [load(0, 5 * MIB, 4 * MIB, 7 * MIB + more)], sram
            )
            self.assertAlmostEqual(
                found[0].off_chip,
                off_chip * sram.off_chip_picojoules_per_byte * 1e-12,
            )

    def test_constants_are_those_of_ch_1(self):
        figure_1 = machine.PRESETS["figure_1"]
        self.assertAlmostEqual(
            8 * figure_1.off_chip_picojoules_per_byte, 3556 * 0.4
        )
        self.assertEqual(8 * figure_1.on_chip_picojoules_per_byte, 100)
        self.assertEqual(figure_1.on_chip_bytes, 10 * MIB)


class MachineTest(parameterized.TestCase):
    @parameterized.parameters(
        {"on_chip_bytes": -1},
        {"mac_picojoules": float("inf")},
        {"peak_macs_per_second": 0},
        {"bandwidth_bytes_per_second": "fast"},
        {"on_chip_bytes": None},
    )
    def test_impossible_numbers_are_refused(self, **given):
        with self.assertRaisesRegex(ValueError, f"bad: {next(iter(given))}"):
            machine.Machine("bad", **given)

    def test_presets_are_sound(self):
        for name, preset in machine.PRESETS.items():
            with self.subTest(name):
                self.assertGreater(preset.on_chip_bytes, 0)
                self.assertGreater(
                    preset.off_chip_picojoules_per_byte,
                    preset.on_chip_picojoules_per_byte,
                )


if __name__ == "__main__":
    absltest.main()
