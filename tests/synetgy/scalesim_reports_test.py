"""Reports against those that SCALE-Sim wrote for DiracDeltaNet."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized

from tests import shared_files
from tools.synetgy import scalesim, scalesim_reports, systolic

FOLDER = "reference/architectures/scalesim/"
REPORTS = ("COMPUTE", "BANDWIDTH", "DETAILED_ACCESS")


class ReportsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    # 670,859 and 675,557 cycles are the sums of the 39 lines.
    @parameterized.parameters(("ws", 670_859), ("os", 675_557))
    def test_all_columns_are_scalesims(self, dataflow, cycles):
        layers = scalesim.read_topology(shared_files.path(FOLDER + "dirac.csv"))
        config = scalesim.read_config(
            shared_files.path(f"{FOLDER}{dataflow}.cfg")
        )
        found = scalesim_reports.counts(layers, config)
        self.assertEqual(sum(layer.cycles for layer in found), cycles)
        scalesim_reports.write_reports(self.folder, found)
        for name in REPORTS:
            file = f"{name}_REPORT.csv"
            ours = scalesim_reports.read_report(self.folder / file)
            theirs = scalesim_reports.read_report(
                shared_files.path(f"{FOLDER}{dataflow}_{file}")
            )
            self.assertLen(ours, 39)
            self.assertLen(theirs, 39)
            for line, expected in zip(ours, theirs):
                for column, value in line.items():
                    self.assertAlmostEqual(value, expected[column], delta=1e-9)
        self.assertLen(list(self.folder.iterdir()), 3)

    def test_compute_report_is_whole(self):
        theirs = scalesim_reports.read_report(
            shared_files.path(FOLDER + "ws_COMPUTE_REPORT.csv")
        )
        counts = systolic.count(systolic.Gemm("a", 5, 6, 7), 4, 4, "is")
        scalesim_reports.write_reports(self.folder, [counts])
        path = self.folder / "COMPUTE_REPORT.csv"
        ours = scalesim_reports.read_report(path)
        self.assertEqual(list(ours[0]), list(theirs[0]))

    def test_slow_memories_have_no_closed_forms(self):
        config = scalesim.Config("a", interface_bandwidth="USER")
        with self.assertRaisesRegex(ValueError, "CALC; got USER"):
            scalesim_reports.counts([], config)

    @parameterized.parameters(
        ("a, b,\n1, 2,\n3,\n", r":3: expected 2 values \(a, b\); got 1: '3'"),
        ("a,\nx,\n", r":2: expected a number \(float\); got 'x'"),
    )
    def test_malformed_reports_are_refused(self, text, message):
        path = self.folder / "r.csv"
        path.write_text(text)
        with self.assertRaisesRegex(ValueError, f"{path}{message}"):
            scalesim_reports.read_report(path)


if __name__ == "__main__":
    absltest.main()
