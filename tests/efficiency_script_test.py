"""measure_efficiency as it is called: what it writes and how it refuses."""

import contextlib
import io
import json
import pathlib
import tempfile
from unittest import mock

import tensorflow as tf
from absl.testing import absltest

from experiments import efficiency_run
from squeeze_tf import config, training
from squeeze_tf.efficiency import machine, metrics, power, workload
from squeeze_tf.segmentation import models
from tests import scripts

keras = tf.keras
FILES = {"efficiency.json", "efficiency.png", "layers.csv"}


def run(**arguments):
    """The run in this process; the report and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        found = efficiency_run.run(**arguments)
    return found, printed.getvalue()


class EfficiencyTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def trained(self):
        """A workdir with a network of 32 x 3 + 2 weights."""
        x = keras.Input((4, 8, 8), name="grid")
        y = keras.layers.Conv2D(2, (2, 3), name="conv")(x)
        model = keras.Model(x, y, name="tiny")
        training.save_model(model, self.folder / "run")
        return self.folder / "run"

    def test_a_model_by_name_is_counted_timed_and_written_down(self):
        output = self.folder / "new" / "output"
        done = scripts.script(
            "measure_efficiency",
            "--model=segmentation/squeezeseg",
            "--input_size=8x32",
            "--batch_sizes=1,2",
            "--machine=titan_x",
            "--repeats=2",
            f"--output={output}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({path.name for path in output.iterdir()}, FILES)
        summary = json.loads((output / "efficiency.json").read_text())
        model = models.squeezeseg(input_shape=(8, 32, 5))
        total = metrics.total(workload.workloads(model))
        self.assertEqual(summary["total"]["macs"], total.macs)
        self.assertEqual(summary["total"]["parameters"], model.count_params())
        self.assertEqual([x["batch_size"] for x in summary["speeds"]], [1, 2])
        self.assertIn(f"MACs                {total.macs:,}", done.stdout)
        self.assertIn("batch 2", done.stdout)
        self.assertIn("time: 100%", done.stderr)

    def test_networks_of_chapter_6_are_counted_whole(self):
        for name, size in (
            ("faces/shift_facenet", "32x32"),
            ("style/shift_all", "8x8"),
        ):
            found, _ = run(
                model=name,
                input_size=size,
                machine="titan_x",
                repeats=0,
                output=str(self.folder / name),
            )
            self.assertTrue(all(load.is_counted for load in found.loads), name)
            self.assertGreater(metrics.total(found.loads).macs, 0)

    def test_quantised_layers_are_counted_with_their_bits(self):
        found, printed = run(
            model="classification/diracdeltanet_w4a4",
            machine="titan_x",
            repeats=0,
            output=str(self.folder / "new"),
        )
        loads = {load.name: load for load in found.loads if load.macs}
        self.assertAlmostEqual(metrics.total(found.loads).macs / 330e6, 1, 2)
        self.assertEqual(loads["conv1"].weight_bits, 32)
        self.assertEqual(loads["fc"].weight_bits, 32)
        for name in ("conv2", "stage2_0_conv2", "stage4_3_conv1", "conv5"):
            self.assertEqual(loads[name].weight_bits, 4)
            self.assertEqual(loads[name].activation_bits, 4)
        self.assertIn("stage3_7_conv2", printed)

    def test_a_bad_argument_ends_in_one_line(self):
        done = scripts.script("measure_efficiency", "--model=segmentation/x")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        self.assertEqual(
            last, "error: --model needs --output=DIR, where to write"
        )

    def test_a_trained_network_on_a_machine_from_a_file(self):
        path = self.folder / "own.json"
        own = machine.Machine("own", 1e9, 1e9, 1000)
        config.write(own, path)
        workdir = self.trained()
        found, printed = run(workdir=str(workdir), machine=str(path), repeats=0)
        self.assertEqual(found.machine, own)
        self.assertEqual(found.speeds, ())
        made = {path.name for path in (workdir / "efficiency").iterdir()}
        self.assertEqual(made, FILES)
        # 3 x 6 outputs of 2 channels, 6 taps of 8 channels.
        self.assertIn("MACs                1,728", printed)
        self.assertIn("tiny, batch 1, own", printed)

    def test_the_machine_is_measured_if_none_is_named(self):
        with mock.patch.object(
            efficiency_run.measured_machine,
            "measure",
            lambda: machine.Machine("here", 1.0, 1.0),
        ):
            found, _ = run(workdir=str(self.trained()), repeats=1)
        self.assertEqual(found.machine.name, "here")

    def test_power_is_measured_for_batch_1(self):
        measure = power.measure

        def short(*arguments, seconds, **more):
            self.assertEqual(seconds, 10)
            return measure(*arguments, seconds=0.1, interval=0.01, **more)

        with mock.patch.multiple(
            power, find_reader=lambda: lambda: 5.0, measure=short
        ):
            found, printed = run(
                workdir=str(self.trained()),
                machine="figure_1",
                repeats=0,
                with_power=True,
                threshold=4.0,
            )
        self.assertEqual(found.power.watts, 5)
        self.assertIn("J/frame", printed)
        path = self.folder / "run" / "efficiency" / "efficiency.json"
        self.assertEqual(json.loads(path.read_text())["power"]["watts"], 5)

    def test_power_that_cannot_be_read_is_refused_before_any_work(self):
        nobody = mock.Mock(side_effect=OSError("no power can be read here"))
        with mock.patch.object(power, "find_reader", nobody):
            with self.assertRaisesRegex(OSError, "no power can be read"):
                run(workdir=str(self.trained()), with_power=True)
        self.assertFalse((self.folder / "run" / "efficiency").exists())

    def test_bad_arguments_are_refused(self):
        workdir, output = str(self.trained()), str(self.folder / "output")
        named = {"model": "segmentation/squeezeseg", "output": output}
        for message, arguments in (
            ("give one of --workdir", {"output": output}),
            ("give one of --workdir", named | {"workdir": workdir}),
            ("must be one of .*/squeezeseg_v2", named | {"model": "x/y"}),
            ("HEIGHTxWIDTH, as", named | {"input_size": "64"}),
            ("W a multiple of 16", named | {"input_size": "8x20"}),
            (
                "goes with --model",
                {"workdir": workdir, "input_size": "8x8"},
            ),
            ("batch_sizes must be", named | {"batch_sizes": ["0"]}),
            ("batch_sizes must be", named | {"batch_sizes": ["a"]}),
            ("repeats must not", named | {"repeats": -1}),
            ("machine must be measured", named | {"machine": "cray"}),
        ):
            with self.subTest(message):
                with self.assertRaisesRegex(ValueError, message):
                    run(**arguments)
        with self.assertRaisesRegex(OSError, "absent.json"):
            run(**named, machine="absent.json")
        self.assertEqual(list(self.folder.rglob("*.png")), [])


if __name__ == "__main__":
    absltest.main()
