"""Latency tables: round trip, and what is refused by name."""

import dataclasses
import json
import math
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from squeeze_tf.search import latency_table

KEY = "k3_e1 8x8x16 8x8x24"
SKIP = "skip 8x8x16 8x8x16"


def make(**changes):
    """A table of one operator and one that does nothing."""
    fields = {
        "name": "phone",
        "device": {"processor": "P", "cores": 2, "accelerators": []},
        "engine": "tflite",
        "num_threads": 2,
        "batch_size": 1,
        "entries": {
            KEY: latency_table.Entry(1.0, 1.5, 2.0, 3.0, 9.5, 2.5, 100),
            SKIP: latency_table.Entry(mean=0.0),
        },
        "overhead_us": latency_table.Entry(p50=0.5, repeats=10),
    }
    return latency_table.LatencyTable(**fields | changes)


class FileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "table.json"

    def content(self):
        latency_table.write(make(), self.path)
        return json.loads(self.path.read_text())

    def refused(self, text, *parts):
        self.path.write_text(text)
        with self.assertRaises(ValueError) as caught:
            latency_table.read(self.path)
        for part in (str(self.path), *parts):
            self.assertIn(part, str(caught.exception))

    def test_what_is_written_is_read_again(self):
        for table in (make(), make(num_threads=None, overhead_us=None)):
            latency_table.write(table, self.path)
            self.assertEqual(latency_table.read(self.path), table)
        self.assertLen(list(self.path.parent.iterdir()), 1)

    @parameterized.parameters("", "{", '{"a": 1}', "[]", "3", "\x00")
    def test_what_is_no_table_is_refused(self, text):
        self.refused(text, "no latency table")

    @parameterized.parameters(
        ("p50", -1.0, "not negative; got -1.0"),
        ("p50", 0.0, "p50 is 0"),
        ("mean", math.nan, "finite microseconds, not negative; got nan"),
        ("p100", math.inf, "got inf"),
        ("p10", "1", "got '1'"),
        ("p10", True, "got True"),
        ("p90", 1.9, "percentiles must rise; got [1.0, 1.5, 2.0, 1.9, 9.5]"),
        ("repeats", 1.5, "repeats must be a whole number"),
        ("repeats", -1, "repeats must be a whole number"),
    )
    def test_numbers_that_cannot_be_true_are_refused(self, field, value, part):
        content = self.content()
        content["entries"][KEY][field] = value
        self.refused(json.dumps(content), f"entry {KEY!r}", part)

    @parameterized.parameters(
        ("version", 2, "'version': 1"),
        ("batch_size", 0, "batch_size must be a whole number of at least 1"),
        ("num_threads", 0, "num_threads must be a whole number"),
        ("name", 3, "name must be"),
        ("device", [], "device must be"),
        ("entries", [], "entries must be"),
        ("entries", {KEY: 3.0}, f"entry {KEY!r} must be an object; got 3.0"),
        ("entries", {"k3_e1": {"p50": 1}}, "entry 'k3_e1'"),
        ("overhead_us", {"p50": 1}, "overhead_us must have the fields"),
    )
    def test_facts_that_cannot_be_true_are_refused(self, field, value, part):
        self.refused(json.dumps(self.content() | {field: value}), part)

    def test_missing_and_unknown_fields_are_named(self):
        content = self.content()
        del content["engine"]
        self.refused(json.dumps(content), "missing: ['engine'], unknown: []")
        content = self.content()
        content["entries"][KEY]["p95"] = content["entries"][KEY].pop("p90")
        self.refused(json.dumps(content), "missing: ['p90'], unknown: ['p95']")

    def test_an_entry_must_know_something(self):
        with self.assertRaisesRegex(ValueError, f"{SKIP}.* has none of p0"):
            make(entries={SKIP: latency_table.Entry(repeats=3)})

    def test_a_missing_file_is_missing(self):
        with self.assertRaises(FileNotFoundError):
            latency_table.read(self.path)


class DeviceTest(absltest.TestCase):
    def test_of_another_name_is_refused_with_both(self):
        latency_table.check_device(make(), "phone")
        with self.assertRaisesRegex(ValueError, "'tablet'; got one of 'phone'"):
            latency_table.check_device(make(), "tablet")


class EntryTest(absltest.TestCase):
    def test_knows_what_is_given(self):
        entry = latency_table.Entry(p50=2.0, mean=0.0, repeats=4)
        self.assertEqual(entry.known, {"p50": 2.0, "mean": 0.0})
        fields = {field.name for field in dataclasses.fields(entry)}
        self.assertEqual(fields - {"repeats"}, {*latency_table.STATISTICS})


if __name__ == "__main__":
    absltest.main()
