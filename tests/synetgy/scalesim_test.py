"""SCALE-Sim's files: real ones are read, ours come back as they were."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized

from tests import shared_files
from tools.synetgy import scalesim, systolic, workload

FOLDER = "reference/architectures/scalesim/"
HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, "
HEADER += "Channels, Num Filter, Strides,\n"


class FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "file"

    def refused(self, read, text, message):
        self.path.write_text(text)
        with self.assertRaisesRegex(ValueError, f"{self.path}{message}"):
            read(self.path)


class TopologyTest(FilesTest):
    def test_diracdeltanet_is_the_one_that_scalesim_ran(self):
        expected = scalesim.read_topology(
            shared_files.path(FOLDER + "dirac.csv")
        )
        found = scalesim.convolutions(workload.diracdeltanet())
        self.assertLen(expected, 39)
        for ours, theirs in zip(found, expected):
            self.assertEqual(ours.gemm.m, theirs.gemm.m)
            self.assertEqual(ours.gemm.n, theirs.gemm.n)
            self.assertEqual(ours.gemm.k, theirs.gemm.k)
            self.assertEqual(
                (ours.height, ours.width), (theirs.height, theirs.width)
            )

    def test_both_kinds_come_back(self):
        frame = workload.diracdeltanet()
        convolutions = scalesim.convolutions(frame)
        products = [systolic.gemm_of(call) for call in frame.calls]
        self.assertEqual([x.gemm for x in convolutions], products)
        for layers in (convolutions, products):
            scalesim.write_topology(self.path, layers)
            self.assertEqual(scalesim.read_topology(self.path), layers)
            self.assertLen(list(self.path.parent.iterdir()), 1)
        lines = self.path.read_text().splitlines()
        self.assertEqual(lines[:2], ["Layer,M,N,K,", "conv1, 50176, 32, 3,"])

    def test_text_of_a_convolution(self):
        layer = scalesim.Convolution("a b", 8, 9, 3, 2, 4, 5, 2)
        scalesim.write_topology(self.path, [layer])
        text = HEADER + "a b, 8, 9, 3, 2, 4, 5, 2,\n"
        self.assertEqual(self.path.read_text(), text)

    @parameterized.parameters(
        # Cycles that SCALE-Sim 3.0.0 prints for an 8 x 5 array, ws.
        (scalesim.Convolution("odd", 8, 8, 3, 3, 3, 4, 2), 16, 139),
        (scalesim.Convolution("even", 7, 9, 3, 3, 3, 4, 2), 12, 123),
        (scalesim.Convolution("one", 6, 4, 1, 1, 5, 6, 2), 12, 61),
    )
    def test_pixels_are_scalesims(self, layer, pixels, cycles):
        self.assertEqual(layer.gemm.m, pixels)
        found = systolic.count(layer.gemm, 8, 5, "ws")
        self.assertEqual(found.cycles, cycles)

    def test_strided_calls_keep_their_macs(self):
        frame = workload.Frame("a", (workload.Call("a", 7, 6, 3, 5, stride=2),))
        layer = scalesim.convolutions(frame)[0]
        self.assertEqual(layer.gemm.macs, frame.macs)

    @parameterized.parameters(
        ("", ": expected a header; the file is empty"),
        ("a,b,\n", ":1: expected the header .* got 'a, b'"),
        (HEADER + "\na, 1, 2,\n", ":3: expected 8 values .* got 3: 'a, 1, 2'"),
        ("Layer,M,N,K,\na,1,x,3,", r":2: expected a number \(int\); got 'x'"),
        ("Layer,M,N,K,\na,1,0,3,", ":2: expected whole numbers above 0"),
    )
    def test_malformed_files_are_refused(self, text, message):
        self.refused(scalesim.read_topology, text, message)

    @parameterized.parameters(
        ([], "got none"),
        (
            [
                systolic.Gemm("a", 1, 1, 1),
                scalesim.Convolution("a", 1, 1, 1, 1, 1, 1, 1),
            ],
            "one kind; got .'Convolution', 'Gemm'",
        ),
        ([systolic.Gemm("a,b", 1, 1, 1)], "no comma .* got 'a,b'"),
        ([systolic.Gemm(" ", 1, 1, 1)], "not be empty; got ' '"),
    )
    def test_what_the_form_cannot_hold_is_not_written(self, layers, message):
        with self.assertRaisesRegex(ValueError, message):
            scalesim.write_topology(self.path, layers)
        self.assertFalse(self.path.exists())


class ConfigTest(FilesTest):
    @parameterized.parameters("ws", "os")
    def test_real_ones_are_read(self, dataflow):
        path = shared_files.path(f"{FOLDER}{dataflow}.cfg")
        found = scalesim.read_config(path)
        expected = scalesim.Config(f"dirac_32x32_{dataflow}", dataflow=dataflow)
        self.assertEqual(found, expected)

    def test_comes_back(self):
        config = scalesim.Config(
            "run 1", 8, 5, 1, 2, 3, 4, 5, 6, 7, "is", 8, "USER"
        )
        scalesim.write_config(self.path, config)
        self.assertEqual(scalesim.read_config(self.path), config)

    @parameterized.parameters(
        (
            "ArrayWidth = 32\n",
            "",
            r": \[architecture_presets\] ArrayWidth is a",
        ),
        ("= ws", "= rs", ".*Dataflow: expected one of ws, os, is; got 'rs'"),
        ("= 64", "= many", r".*IfmapSramSzkB: expected a number \(int\); got"),
        ("[general]", "[", ".*(errors|header)"),
    )
    def test_malformed_files_are_refused(self, old, new, message):
        scalesim.write_config(self.path, scalesim.Config("run"))
        text = self.path.read_text()
        self.assertIn(old, text)
        text = text.replace(old, new, 1)
        self.refused(scalesim.read_config, text, message)


if __name__ == "__main__":
    absltest.main()
