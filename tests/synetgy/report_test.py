"""Tables hold the numbers of the timings."""

import dataclasses

from absl.testing import absltest

from tools.synetgy import hardware, report, timing, workload

DEVICE = hardware.Device(
    "array",
    tile_in=4,
    tile_out=4,
    clock_mhz=100.0,
    bus_bits=2**20,
    dram_bytes_per_second=1e15,
    weight_bits=4,
    activation_bits=4,
    call_overhead_us=1.0,
    batch_overhead_us=2.0,
    shuffle_ns_per_value=10.0,
    pool_ns_per_value=5.0,
    load_watts=4.0,
)
# 10 x 10 pixels, 2 x 1 tiles: 200 cycles and one for the weights, 2.01 us.
CALL = workload.Call("layer", 10, 10, 8, 4, shuffled_values=100)
FRAME = workload.Frame("network", (CALL, CALL), pooled_values=200)


def cells(line):
    return [cell for cell in line.split("  ") if cell]


class ReportTest(absltest.TestCase):
    def test_layers_by_hand(self):
        lines = report.layers(timing.time_frame(FRAME, DEVICE)).splitlines()
        self.assertLen(lines, 4)
        names, numbers = cells(lines[0]), [x.strip() for x in cells(lines[1])]
        self.assertEqual(names[0].strip(), "call")
        # 3200 MACs of 201 * 16; 16, 400 and 200 bytes; 3200 * 0.23 pJ and
        # 616 * 177.8 pJ make 0.11 uJ.
        self.assertEqual(
            numbers, ["layer", "201", "3.0", "99.5", "616", "compute", "0.11"]
        )
        self.assertEqual(lines[1], lines[2])
        numbers = [x.strip() for x in cells(lines[3])]
        self.assertEqual(
            numbers, ["all", "402", "6.0", "99.5", "1,232", "0.22"]
        )

    def test_sums_by_hand(self):
        lines = report.sums(timing.time_frame(FRAME, DEVICE)).splitlines()
        table = {
            x[0].strip(): [y.strip() for y in x[1:]] for x in map(cells, lines)
        }
        # 4.02 + 2 + 2 + 1 + 2 us; 6400 MACs in 11.02 us are 1.16 GOPs.
        self.assertEqual(table["accelerator"], ["4.0", "us", "36.5%"])
        self.assertEqual(table["calling it"], ["2.0", "us", "18.1%"])
        self.assertEqual(table["CPU's shuffle"], ["2.0", "us", "18.1%"])
        self.assertEqual(table["CPU's pooling"], ["1.0", "us", "9.1%"])
        self.assertEqual(table["once a batch"], ["2.0", "us", "18.1%"])
        self.assertEqual(table["whole"], ["11.0", "us", "100.0%"])
        self.assertEqual(table["MACs"], ["6,400", "an image"])
        self.assertEqual(table["throughput"], ["1.16", "GOPs"])
        self.assertEqual(table["attainable"], ["3.20", "GOPs"])
        self.assertEqual(table["board"], ["0.04", "mJ/image"])

    def test_unknown_power_is_not_0(self):
        device = dataclasses.replace(DEVICE, load_watts=0.0)
        found = report.sums(timing.time_frame(FRAME, device))
        self.assertRegex(found, r"board +\? +mJ")

    def test_batches_stand_beside_what_was_measured(self):
        timed = timing.time_batches(
            workload.diracdeltanet(), hardware.DEVICES["ultra96"], [1, 3, 16]
        )
        lines = report.batches(timed, hardware.TABLE_14).splitlines()
        rows = [line.split() for line in lines[1:]]
        self.assertEqual([row[0] for row in rows], ["1", "3", "16"])
        self.assertEqual([row[3] for row in rows], ["58.7", "-", "96.5"])
        self.assertEqual(rows[1][4], "-")
        for row in (rows[0], rows[2]):
            self.assertLess(abs(float(row[4])), 3)
            error = 100 * (float(row[2]) / float(row[3]) - 1)
            self.assertAlmostEqual(float(row[4]), error, delta=0.1)

    def test_text_holds_all_tables(self):
        timed = timing.time_batches(FRAME, DEVICE, [2, 5])
        found = report.text(timed)
        self.assertStartsWith(found, "network on array, batch 2\n")
        self.assertIn(report.layers(timed[0]), found)
        self.assertIn(report.sums(timed[0]), found)
        self.assertIn(report.batches(timed, {}), found)
        with self.assertRaisesRegex(ValueError, "needs a timing"):
            report.text([])


if __name__ == "__main__":
    absltest.main()
