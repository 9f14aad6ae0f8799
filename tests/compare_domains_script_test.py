"""compare_domains as it is called: what it writes and how it refuses."""

import json
import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf.data import point_clouds
from tests import scripts


def write_scans(folder, count, intensity, height):
    """Level ground with a labelled patch, as .bin with .label beside."""
    folder.mkdir()
    azimuth, zenith = np.meshgrid(
        np.radians(np.linspace(-44, 44, 300)),
        np.radians(np.linspace(-3, -24, 64)),
    )
    distance = height / np.tan(-zenith)
    points = np.stack(
        [
            distance * np.cos(azimuth),
            distance * np.sin(azimuth),
            np.full_like(distance, -height),
            np.full_like(distance, intensity),
        ],
        axis=-1,
    ).reshape(-1, 4)
    ids = np.where(np.abs(points[:, 1]) < 1, 10, 40)  # car on road
    for index in range(count):
        path = folder / f"{index:06}.bin"
        point_clouds.write_bin(path, points)
        point_clouds.write_labels(path.with_suffix(".label"), ids, 0 * ids)


class CompareDomainsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        write_scans(self.folder / "a", 2, 0.1, 1.73)
        write_scans(self.folder / "b", 3, 0.5, 1.9)

    def run_script(self, *more):
        return scripts.script(
            "compare_domains",
            *("--a_dataset=plain", f"--a_data={self.folder / 'a'}"),
            *("--b_dataset=plain", f"--b_data={self.folder / 'b'}"),
            f"--workdir={self.folder / 'new' / 'gap'}",
            *more,
        )

    def test_reports_in_text_numbers_and_a_picture(self):
        done = self.run_script("--a_label_map=kitti", "--b_label_map=kitti")
        self.assertEqual(done.returncode, 0, done.stderr)
        workdir = self.folder / "new" / "gap"
        names = {path.name for path in workdir.iterdir()}
        self.assertEqual(names, {"report.txt", "gap.json", "gap.png"})
        report = (workdir / "report.txt").read_text()
        self.assertIn(report, done.stdout)
        self.assertIn("intensity: large gap 1.00: lir", report)
        self.assertIn("a: 2 of 2, 1.730 ± 0.000 m, ", report)
        self.assertIn("b: 3 of 3, 1.900 ± 0.000 m", report)
        self.assertRegex(report, r"car +\d+\.\d+% +\d+\.\d")
        found = json.loads((workdir / "gap.json").read_text())
        self.assertEqual(found["gaps"][0]["name"], "intensity")
        self.assertEqual(found["sets"]["b"]["scans"], 3)
        self.assertGreater(found["sets"]["a"]["counts"]["classes"][0][1], 0)
        self.assertEqual(found["sets"]["a"]["median_range_by_row"][0], None)
        self.assertGreater(cv2.imread(str(workdir / "gap.png")).std(), 10)

    def test_without_label_maps_no_labels_are_read(self):
        for path in self.folder.rglob("*.label"):
            path.write_bytes(b"no labels")
        done = self.run_script()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("classes", done.stdout)

    def test_label_maps_of_other_classes_are_refused_in_one_line(self):
        done = self.run_script(
            "--a_label_map=kitti", "--b_label_map=semantic_kitti"
        )
        self.assertEqual(done.returncode, 1)
        last = done.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: both label maps must give the same")
        self.assertFalse((self.folder / "new").exists())


if __name__ == "__main__":
    absltest.main()
