"""Foreign tables, made by hand, against means worked by hand."""

import os
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.classification import fbnet
from squeeze_tf.search import latency_costs, latency_formats
from tests.search import spaces

NAMES = {"1": "one", "3": "three"}
# Three layers; the second lacks "skip".
ROWS = [
    {"skip": 0.3, "one": 2.0, "three": 5.0},
    {"one": 7.0, "three": np.float64(8.0)},
    {"skip": 0.2, "one": 3, "three": 4.0},
]


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class FormatsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def nni(self, rows):
        path = self.folder / "lut.npy"
        np.save(path, rows, allow_pickle=True)
        return path

    def text(self, text):
        path = self.folder / "lut.txt"
        path.write_text(text)
        return path

    def test_the_list_of_nni_gives_its_numbers_and_nothing_for_identities(self):
        table = latency_formats.read_nni(self.nni(ROWS), spaces.small(), NAMES)
        found = latency_costs.costs(table, spaces.small(), "mean")
        for row, expected in zip(found, ([0, 2, 5], [7, 8], [0, 3, 4])):
            np.testing.assert_array_equal(row, expected)
        with self.assertRaisesRegex(ValueError, "has no p50; it has mean"):
            latency_costs.costs(table, spaces.small())
        with self.assertRaisesRegex(ValueError, "lacks 2 operators .*: first"):
            latency_costs.fixed_cost(table, spaces.small(), "mean")

    def test_the_text_names_the_operators_of_fbnet(self):
        self.assertEqual(
            latency_formats.FBNET_NAMES.keys(), fbnet.BLOCKS.keys()
        )
        path = self.text("skip two three\n0.5 2.0 5.0\n9 7 8e0\n0 3 4.25")
        table = latency_formats.read_text(
            path, spaces.small(), {"1": "two", "3": "three"}
        )
        found = latency_costs.costs(table, spaces.small(), "mean")
        for row, expected in zip(found, ([0, 2, 5], [7, 8], [0, 3, 4.25])):
            np.testing.assert_array_equal(row, expected)

    def test_layers_with_one_operator_give_their_mean(self):
        small = spaces.small()
        same = type(small)(
            "same",
            (("1", "3"),) * 3,
            small.first,
            lambda x, layer, kind, name: small.block(x, 0, kind, name),
            small.last,
        )
        table = latency_formats.read_text(
            self.text("1 3\n1 2\n3 4\n8 9\n"), same, {}
        )
        self.assertEqual(table.entries["1 6x6x4 6x6x4"].mean, 4)
        self.assertEqual(table.entries["3 6x6x4 6x6x4"].mean, 5)

    def test_a_pickle_that_runs_code_is_refused_before_it_does(self):
        made = self.folder / "made"
        path = self.nni([RunsCode(made), 1, 2])
        with self.assertRaisesRegex(
            ValueError, "lut.npy.*it holds posix.mkdir"
        ):
            latency_formats.read_nni(path, spaces.small())
        self.assertFalse(made.exists())

    @parameterized.parameters(
        (ROWS[:2], "must have 3 layers, as small has; got 2"),
        ([*ROWS[:2], {"one": 1.0}], "layer 3 must have 'three'; got {'one'"),
        ([*ROWS[:2], 5], "layer 3 must have 'one'; got 5"),
        (
            [*ROWS[:2], {"one": "1", "three": 1}],
            "one must be a number; got '1'",
        ),
        (
            [{"one": -2.0, "three": 5.0}, *ROWS[1:]],
            "entry '1 6x6x4 6x6x4': mean must be",
        ),
        (np.zeros(3), "must be a pickled list of dicts.*float64"),
    )
    def test_lists_of_another_form_are_refused(self, rows, message):
        path = self.nni(rows)
        with self.assertRaisesRegex(ValueError, f"lut.npy.*{message}"):
            latency_formats.read_nni(path, spaces.small(), NAMES)

    def test_what_is_no_array_is_refused(self):
        for content in (b"", b"no array", b"\x93NUMPY\x01\x00"):
            path = self.folder / "lut.npy"
            path.write_bytes(content)
            with self.assertRaisesRegex(ValueError, "lut.npy must be a pickl"):
                latency_formats.read_nni(path, spaces.small())

    @parameterized.parameters(
        ("1 3\n1 2\n3\n8 9\n", "a number for each in all others"),
        ("1 3\n1 2\n3 x\n8 9\n", "could not convert"),
        ("1 3\n1 2\n3 4\n", "must have 3 layers"),
        ("", "must have 3 layers, as small has; got 0"),
        ("1 3\n1 2\n3 0\n8 9\n", "entry '3 6x6x4 3x3x4': mean is 0"),
        ("1 3\n1 2\n3 nan\n8 9\n", "entry '3 6x6x4 3x3x4': mean must be"),
        ("one 3\n1 2\n3 4\n8 9\n", "layer 1 must have '1'"),
    )
    def test_texts_of_another_form_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, f"lut.txt.*{message}"):
            latency_formats.read_text(self.text(text), spaces.small(), {})


if __name__ == "__main__":
    absltest.main()
