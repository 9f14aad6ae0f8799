"""Numbers that the thesis prints and numbers that follow from them."""

from absl.testing import absltest

from tools.synetgy import hardware, identities


class IdentitiesTest(absltest.TestCase):
    def test_follow_from_what_is_printed(self):
        found = {x.name: x for x in identities.identities(330_178_560)}
        for name, value in (
            ("work", 330.17856),
            ("array", 836.0),  # 418e9 / 2 / 250e6
            ("throughput", 43.7816771),  # 2 * 0.33017856 * 66.3
            ("share of peak", 11.2655502),  # 47.09 / 418
            ("latency", 17.0357751),
            ("batch 1 by 16", 60.8290155),
            ("board", 82.9562594),  # 5.5 / 66.3 J
            ("above idle", 3.0165913),
            ("faster than [42]", 11.6315789),
        ):
            self.assertAlmostEqual(found[name].found, value, places=6)
        # The thesis' average is 7.6 % above what its rate makes.
        average = found["throughput"]
        self.assertAlmostEqual(average.printed / average.found, 1.0756, 4)
        self.assertEqual(found["faster than [42]"].printed, 11.6)

    def test_device_has_the_printed_numbers(self):
        device = hardware.DEVICES["ultra96"]
        self.assertEqual(device.clock_mhz, identities.CLOCK_MHZ)
        self.assertEqual(device.load_watts, identities.LOAD_WATTS)
        self.assertEqual(device.idle_watts, identities.IDLE_WATTS)
        self.assertAlmostEqual(device.peak_gops, identities.PEAK_GOPS)

    def test_text_says_what_is_printed(self):
        lines = identities.text(330_178_560).splitlines()
        self.assertLen(lines, 10)
        self.assertRegex(lines[3], r"throughput +47\.09 +43\.78 +GOPs +2 MACs")
        self.assertRegex(lines[2], r"array +- +836\.00 +MACs/cycle")


if __name__ == "__main__":
    absltest.main()
