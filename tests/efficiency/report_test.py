"""Tables, JSON and CSV of a network that is small enough to do by hand."""

import csv
import dataclasses
import json
import pathlib
import tempfile

import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.efficiency import graph, machine, power, report, timing

keras = tf.keras
layers = keras.layers

# A dense layer: 4 inputs, 3 outputs, 12 MACs, 15 parameters; 88 bytes.
MACHINE = machine.Machine(
    "by hand",
    peak_macs_per_second=24.0,
    bandwidth_bytes_per_second=88.0,
    on_chip_bytes=1000,
    mac_picojoules=1e12,
    on_chip_picojoules_per_byte=1e12,
)
SPEED = timing.Throughput(2, 20.0, timing.Latency(0.1, 0.1, 0.2, 0.3, 0.4, 9))
POWER = power.Power(30.0, 20.0, 5)


def dense_network(unknown=False):
    x = keras.Input((4,), name="x")
    y = layers.Dense(3, name="dense")(x)
    if unknown:
        y = layers.Lambda(tf.sin, name="sine")(y)
    return keras.Model(x, y, name="network")


def make(machine_=MACHINE, unknown=False):
    traced = graph.trace(dense_network(unknown))
    return report.count(traced, "network", 1, machine_)


class RowsTest(absltest.TestCase):
    def test_numbers_of_one_layer(self):
        first, row = report.rows(make())
        self.assertEqual(row["name"], "dense")
        self.assertEqual((row["macs"], row["parameters"]), (12, 15))
        self.assertEqual(row["memory_accesses"], 22)
        self.assertAlmostEqual(row["arithmetic_intensity"], 12 / 22)
        self.assertEqual(row["least_seconds"], 1.0)  # of the memory
        self.assertIs(row["is_compute_bound"], False)
        self.assertIsNone(first["is_compute_bound"])
        self.assertAlmostEqual(row["joules"], 12 + 88)

    def test_what_is_not_known_is_none(self):
        without = make(machine.PRESETS["figure_1"], unknown=True)
        _, dense, sine = report.rows(without)
        for row in (dense, sine):
            self.assertIsNone(row["least_seconds"])
            self.assertIsNone(row["is_compute_bound"])
        self.assertIsNone(sine["macs"])
        self.assertIsNone(sine["arithmetic_intensity"])
        self.assertEqual(sine["input_values"], 3)


class TextTest(absltest.TestCase):
    def test_the_table_lists_layers_and_sums(self):
        found = dataclasses.replace(make(), speeds=(SPEED,), power=POWER)
        lines = report.table(found).splitlines()
        (dense,) = (line.split() for line in lines if line.startswith("dense"))
        self.assertEqual(
            dense,
            ["dense", "Dense", "3", "12", "15", "7", "0.5", "memory"]
            + ["1000000.0", "100000000.0"],
        )
        text = "\n".join(lines)
        for part in (
            "MACs                12\n",
            "parameters          15 ",
            "least time          1000.000 ms",
            "20.0 frames/s; ms: mean 100.00, p10 100.00, p50 200.00",
            "30.0 W at 20.0 frames/s: 1.500 J/frame",
        ):
            self.assertIn(part, text)
        self.assertNotIn("not known", text)

    def test_the_table_says_what_it_does_not_know(self):
        found = make(machine.PRESETS["figure_1"], unknown=True)
        text = report.table(found)
        (sine,) = (x for x in text.splitlines() if x.startswith("sine"))
        self.assertEqual(sine.split()[3:9], ["?", "0", "6", "?", "-", "-"])
        self.assertIn("not in the MACs     sine: not known", text)
        self.assertNotIn("least time", text)


class FilesTest(absltest.TestCase):
    def test_json_and_csv_hold_the_same_numbers(self):
        found = dataclasses.replace(
            make(unknown=True), speeds=(SPEED,), power=POWER
        )
        with tempfile.TemporaryDirectory() as folder:
            report.write(found, folder)
            names = {path.name for path in pathlib.Path(folder).iterdir()}
            text = (pathlib.Path(folder) / report.JSON).read_text()
            with open(pathlib.Path(folder) / report.CSV) as file:
                rows = list(csv.DictReader(file))
        self.assertEqual(names, {report.JSON, report.CSV})
        summary = json.loads(text)
        self.assertEqual(summary["total"]["macs"], 12)
        self.assertEqual(summary["total"]["uncounted"], ["sine"])
        # 88 bytes of the dense layer and 24 of the sine.
        self.assertAlmostEqual(summary["total"]["joules"], 12 + 112)
        self.assertAlmostEqual(summary["total"]["least_seconds"], 112 / 88)
        self.assertEqual(summary["footprint"]["live_bytes"], 28)
        self.assertEqual(summary["activation_counter"], 7)
        self.assertEqual(summary["flop_counter"], 27)
        self.assertEqual(summary["speeds"][0]["latency"]["p90"], 0.3)
        self.assertEqual(summary["power"]["joules_per_frame"], 1.5)
        self.assertEqual(machine.Machine(**summary["machine"]), MACHINE)
        self.assertLen(rows, 3)
        for row, layer in zip(rows, summary["layers"], strict=True):
            self.assertEqual(set(row), set(layer))
            for name in ("name", "kind"):
                self.assertEqual(row[name], layer[name])
            for name in ("parameters", "joules", "least_seconds"):
                self.assertEqual(float(row[name]), layer[name])
        self.assertEqual((rows[1]["macs"], rows[2]["macs"]), ("12", ""))
        self.assertEqual(rows[1]["input_shapes"], "1x4")

    def test_a_folder_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(OSError, "absent"):
            report.write(make(), "absent/folder")


if __name__ == "__main__":
    absltest.main()
