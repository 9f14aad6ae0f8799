"""Lines between commas."""

import pathlib
import tempfile

from absl.testing import absltest

from tools.synetgy import scalesim_tables


class TablesTest(absltest.TestCase):
    def test_lines_come_back(self):
        text = scalesim_tables.line(["a", 1, 0.5])
        self.assertEqual(text, "a, 1, 0.5,")
        self.assertEqual(scalesim_tables.cells(text), ["a", "1", "0.5"])
        self.assertEqual(scalesim_tables.cells(" a,b\n"), ["a", "b"])

    def test_numbers_of_lines_count_empty_ones(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.csv"
            path.write_text("\na,\n  \nb,\n")
            found = scalesim_tables.read(path)
        self.assertEqual(found, [(2, ["a"]), (4, ["b"])])

    def test_errors_say_where(self):
        with self.assertRaisesRegex(ValueError, "^here: expected 2 .* got 1"):
            scalesim_tables.check_width("here", ["1"], ["a", "b"])
        with self.assertRaisesRegex(ValueError, "^here: .* got '1.5'"):
            scalesim_tables.number("here", "1.5", int)
        self.assertEqual(scalesim_tables.number("here", "1.5", float), 1.5)


if __name__ == "__main__":
    absltest.main()
