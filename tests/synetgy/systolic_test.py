"""Closed forms against what SCALE-Sim prints."""

from absl.testing import absltest, parameterized

from tools.synetgy import systolic, workload

# Printed by SCALE-Sim 3.0.0 for an array of 8 rows and 5 columns: dataflow,
# m, n, k; cycles, overall, mapping and compute utilisation in percent; reads
# of ifmap and filters and writes of ofmap in on-chip memory. Run by
# `python -m scalesim.scale -i gemm`, with 64 kB for each memory.
PRINTED = (
    ("ws", 23, 17, 11, 335, 32.0970149, 58.4375, 29.21875, 1012, 187, 782),
    ("ws", 7, 4, 3, 25, 8.4, 30.0, 7.0, 21, 12, 28),
    ("ws", 40, 10, 16, 235, 68.0851064, 100.0, 63.4920635, 1280, 160, 800),
    ("ws", 1, 12, 20, 179, 3.3519553, 66.6666667, 2.7777778, 60, 240, 36),
    ("os", 23, 17, 11, 263, 40.884030, 81.4583333, 40.7291667, 1012, 561, 547),
    ("os", 7, 4, 3, 13, 16.1538462, 70.0, 15.0, 21, 12, 41),
    ("os", 40, 10, 16, 269, 59.4795539, 100.0, 59.2592593, 1280, 800, 530),
    ("os", 1, 12, 20, 92, 6.5217391, 10.0, 6.4516129, 60, 240, 51),
    ("is", 23, 17, 11, 359, 29.9512535, 63.25, 26.88125, 253, 935, 782),
    ("is", 7, 4, 3, 45, 4.6666667, 26.25, 3.8888889, 21, 24, 28),
    ("is", 40, 10, 16, 463, 34.5572354, 100.0, 30.3030303, 640, 1280, 800),
    ("is", 1, 12, 20, 92, 6.5217391, 16.6666667, 5.7142857, 20, 240, 36),
)


class CountTest(parameterized.TestCase):
    @parameterized.parameters(*PRINTED)
    def test_is_what_scalesim_prints(self, dataflow, m, n, k, *expected):
        found = systolic.count(systolic.Gemm("a", m, n, k), 8, 5, dataflow)
        self.assertEqual(found.cycles, expected[0])
        for share, percent in zip(
            (
                found.overall_utilisation,
                found.mapping_efficiency,
                found.compute_utilisation,
            ),
            expected[1:4],
        ):
            self.assertAlmostEqual(100 * share, percent, places=6)
        self.assertEqual(
            (found.ifmap_reads, found.filter_reads, found.ofmap_writes),
            tuple(expected[4:]),
        )

    @parameterized.product(
        dataflow=systolic.DATAFLOWS, size=((1, 2), (3, 7), (16, 4))
    )
    def test_few_cells_or_many_do_all_macs(self, dataflow, size):
        gemm = systolic.Gemm("a", 29, 31, 37)
        found = systolic.count(gemm, *size, dataflow)
        done = found.cycles * size[0] * size[1] * found.overall_utilisation
        self.assertAlmostEqual(done, 29 * 31 * 37)
        self.assertLessEqual(found.overall_utilisation, 1)
        self.assertLessEqual(found.mapping_efficiency, 1)
        self.assertLess(
            found.compute_utilisation, found.mapping_efficiency + 1e-9
        )

    def test_what_stays_is_read_once(self):
        gemm = systolic.Gemm("a", 100, 200, 300)
        ws, os, in_ = (
            systolic.count(gemm, 8, 8, x) for x in systolic.DATAFLOWS
        )
        self.assertEqual(ws.filter_reads, 200 * 300)
        self.assertEqual(in_.ifmap_reads, 100 * 300)
        self.assertGreater(os.filter_reads, 200 * 300)
        self.assertGreater(os.ifmap_reads, 100 * 300)

    @parameterized.parameters(
        (8, 5, "rs", "one of ws, os, is; got 'rs'"),
        (0, 5, "ws", "at least two cells; got 0 x 5"),
        (1, 1, "os", "at least two cells; got 1 x 1"),
    )
    def test_impossible_arrays_are_refused(self, rows, columns, flow, message):
        with self.assertRaisesRegex(ValueError, message):
            systolic.count(systolic.Gemm("a", 1, 1, 1), rows, columns, flow)

    def test_empty_layers_are_refused(self):
        with self.assertRaisesRegex(ValueError, "layer a: .* got 1, 0 and 2"):
            systolic.Gemm("a", 1, 0, 2)


class CallTest(absltest.TestCase):
    def test_stride_leaves_out_pixels_and_pooling_does_not(self):
        call = workload.Call("a", 7, 10, 3, 5, stride=2, pool=2)
        found = systolic.gemm_of(call)
        self.assertEqual(found, systolic.Gemm("a", 4 * 5, 5, 3))
        self.assertEqual(found.macs, call.macs)


if __name__ == "__main__":
    absltest.main()
