"""Unlabelled scans of every kind, whose labels are never read."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.adaptation import inputs
from squeeze_tf.data import lidar_grids, point_clouds
from squeeze_tf.geometry import spherical

PROJECTION = spherical.Projection(8, 32, 5.0, -25.0, 45.0, -45.0)


class UnlabelledTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write_grids(self, folder, count, label=7.5):
        folder = self.folder / folder
        folder.mkdir()
        random = np.random.default_rng(count)
        for i in range(count):
            grid = random.uniform(1, 2, [8, 32, 6]).astype(np.float32)
            grid[0], grid[..., 5] = 0, label
            lidar_grids.write(folder / f"{i}.npy", grid)
        return folder

    def test_of_grids_leave_out_what_stands_in_the_label_channel(self):
        a = self.write_grids("a", 2)  # 7.5 is no label, nor would it be kept
        b = self.write_grids("b", 1, label=np.float32(1e9))
        samples = inputs.unlabelled("grids", f"{a},{b}", PROJECTION)
        samples = list(samples.as_numpy_iterator())
        self.assertLen(samples, 3)
        for sample in samples:
            self.assertEqual(sample["grid"].shape, (8, 32, 5))
            self.assertFalse(sample["label_ids"].any())
            np.testing.assert_array_equal(
                sample["mask"], sample["grid"][..., 4] > 0
            )

    def test_of_scans_are_projected_and_need_no_labels(self):
        points = np.random.default_rng(0).normal(size=[500, 4])
        points[:, :3] *= [10, 10, 1]
        path = self.folder / "scan.bin"
        points.astype(np.float32).tofile(path)
        # Labels of another scan, which would be refused if they were read.
        (self.folder / "scan.label").write_bytes(b"abc")
        (sample,) = inputs.unlabelled(
            "plain", str(self.folder), PROJECTION
        ).as_numpy_iterator()
        want = spherical.project(point_clouds.read(path).points, PROJECTION)
        np.testing.assert_array_equal(sample["grid"], want.grid)
        (self.folder / "list.txt").write_text("scan.bin\nscan.bin\n")
        listed = inputs.unlabelled(
            "plain", f"{self.folder},{self.folder}/list.txt", PROJECTION
        )
        self.assertLen(list(listed), 3)

    def test_turns_show_a_scan_from_all_sides(self):
        path = self.folder / "scan.bin"
        points = np.array([[9, 1, 0, 0.5], [1, -9, 0, 0.25]], np.float32)
        points.tofile(path)
        views = inputs.unlabelled("plain", str(self.folder), PROJECTION, 4)
        grids = [x["grid"] for x in views.as_numpy_iterator()]
        returns = [grid[grid[..., 4] > 0] for grid in grids]
        self.assertEqual([len(x) for x in returns], [1, 1, 0, 0])
        distance = np.sqrt(82)
        np.testing.assert_allclose(
            returns[0], [[9, 1, 0, 0.5, distance]], rtol=1e-6
        )
        np.testing.assert_allclose(  # what was at the right, turned left
            returns[1], [[9, 1, 0, 0.25, distance]], rtol=1e-6
        )

    def test_grids_on_disk_are_not_turned(self):
        folder = self.write_grids("a", 1)
        with self.assertRaisesRegex(ValueError, "cannot be turned"):
            inputs.unlabelled("grids", str(folder), PROJECTION, 2)

    def test_grids_of_another_size_are_named(self):
        folder = self.write_grids("a", 2)
        lidar_grids.write(folder / "9.npy", np.zeros([8, 16, 6]))
        samples = inputs.unlabelled("grids", str(folder), PROJECTION)
        with self.assertRaisesRegex(Exception, r"9.npy: expected \(8, 32, 5\)"):
            list(samples)

    def test_an_unknown_data_set_is_refused(self):
        with self.assertRaisesRegex(ValueError, "dataset must be one of"):
            inputs.unlabelled("x", "y", PROJECTION)

    def test_split_holds_some_out_and_loses_none(self):
        folder = self.write_grids("a", 7)
        samples = inputs.unlabelled("grids", str(folder), PROJECTION)
        kept, held = inputs.split(samples, 3)
        self.assertEqual(int(kept.cardinality()), 5)
        self.assertEqual(int(held.cardinality()), 2)
        grids = [x["grid"] for x in samples.as_numpy_iterator()]
        for got, want in (
            (kept, [grids[i] for i in (0, 1, 3, 4, 6)]),
            (held, [grids[i] for i in (2, 5)]),
        ):
            got = [x["grid"] for x in got.as_numpy_iterator()]
            np.testing.assert_array_equal(got, want)

    def test_too_few_to_split_are_on_both_sides(self):
        folder = self.write_grids("a", 2)
        samples = inputs.unlabelled("grids", str(folder), PROJECTION)
        kept, held = inputs.split(samples, 3)
        self.assertEqual(int(kept.cardinality()), 2)
        self.assertEqual(int(held.cardinality()), 1)


if __name__ == "__main__":
    absltest.main()
