"""The tables of a study and its files; what it refuses."""

import contextlib
import csv
import io
import json
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from squeeze_tf import training
from squeeze_tf.layers import quantization
from tests.synetgy import networks
from tools.synetgy import (
    front_end,
    hardware,
    report,
    scalesim,
    scalesim_reports,
    study,
    timing,
    workload,
)


class StudyTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dirac = front_end.read(networks.dirac())

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def saved(self, model):
        workdir = self.folder / model.name
        training.save_model(model, workdir)
        return str(workdir)

    def printed(self, **arguments):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            timings = study.run(**arguments)
        return text.getvalue(), timings

    def test_small_network_with_all_files(self):
        output, scale = self.folder / "out", self.folder / "scale"
        text, timings = self.printed(
            model=self.saved(networks.chain()),
            batches=["2", "3"],
            device="codenet",
            overrides=["clock_mhz=100", "tile_in=16", "tile_out=8"],
            simulate=4,
            scalesim_folder=str(scale),
            with_sweep=True,
            output=str(output),
        )
        frame = front_end.read(networks.chain()).frame
        self.assertEqual(timings[0].frame, frame)
        self.assertIn("chain on CoDeNet on Ultra96, batch 2", text)
        self.assertIn("of 4 images 4 have equal outputs bit for bit", text)
        self.assertIn("random images of seed 0", text)
        self.assertRegex(text, r"time unknown: rescaled \(Rescaling\), one_lev")
        self.assertNotIn("Table 14", text)
        kept = (output / study.REPORT).read_text()
        self.assertIn(report.text(timings), kept)
        times = json.loads((output / study.TIMES).read_text())
        self.assertEqual([x["batch"] for x in times["batches"]], [2, 3])
        self.assertEqual(times["device"]["clock_mhz"], 100.0)
        self.assertEqual(
            times["batches"][1]["frames_per_second"],
            timings[1].frames_per_second,
        )
        self.assertEqual(times["not_timed"], ["rescaled", "one_levels"])
        self.assert_swept(output)
        self.assert_scaled(scale, frame)

    def assert_swept(self, output):
        with open(output / study.SWEEP, newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertLen(rows, 16 * 5 * 4)
        picture = (output / study.PICTURE).read_bytes()
        self.assertTrue(picture.startswith(b"\x89PNG"))

    def assert_scaled(self, folder, frame):
        layers = scalesim.read_topology(folder / "topology.csv")
        self.assertEqual(layers, scalesim.convolutions(frame))
        config = scalesim.read_config(folder / "scale.cfg")
        self.assertEqual((config.array_height, config.array_width), (16, 8))
        lines = scalesim_reports.read_report(folder / "COMPUTE_REPORT.csv")
        self.assertLen(lines, 3)

    def test_only_the_thesis_network_stands_beside_table_14(self):
        device = hardware.DEVICES["ultra96"]
        timings = timing.time_batches(self.dirac.frame, device, [1, 2])
        text = study.tables(self.dirac, timings)
        self.assertNotIn("Table 14", text)
        # 8 x 8 x 8 and 4 x 4 x 16 values of 4.22 ns.
        self.assertRegex(
            text,
            r"stage2_0_skip_pool, stage3_0_skip_pool; 768 values an image "
            r"\(3\.2 us if",
        )
        self.assertFalse(workload.is_diracdeltanet(self.dirac.frame))

    def test_unknown_costs_are_not_0(self):
        device = hardware.Device("bare", 8, 8, 100.0, 64, 1e9, 4, 4)
        self.assertIn("(unknown if", report.uncounted(self.dirac, device))

    @parameterized.parameters(
        ({"batches": ["0"]}, "batch must be whole numbers above 0; got '0'"),
        ({"device": "gpu"}, "device must be one of codenet, ultra96 or"),
        ({"simulate": -1}, "simulate must be 0 or more images; got -1"),
        ({"with_sweep": True}, "--sweep needs --output=DIR"),
    )
    def test_bad_arguments_are_refused_before_anything_is_built(
        self, arguments, message
    ):
        with self.assertRaisesRegex(ValueError, message):
            study.run(**{"model": "absent"} | arguments)

    def test_folders_without_a_model_are_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "no trained model"):
            study.run(model=str(self.folder))

    def test_networks_that_do_not_fit_are_refused(self):
        model = self.saved(networks.chain())
        message = "layer one needs accumulators of 1. bits .* device's have 8"
        with self.assertRaisesRegex(ValueError, message):
            study.run(model=model, overrides=["accumulator_bits=8"])
        odd = networks.chain([quantization.ActQuant(bits=3, name="odd")])
        message = r"layer odd \(ActQuant\) cannot be run with levels; supported"
        with self.assertRaisesRegex(ValueError, message):
            study.run(model=self.saved(odd))


if __name__ == "__main__":
    absltest.main()
