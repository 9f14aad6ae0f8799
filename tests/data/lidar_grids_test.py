"""Grids on disk and in TFRecords, their statistics, generated samples."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.data import lidar_grids, synthetic
from tests import shared_files


def numpy_samples(grids):
    return list(
        lidar_grids.dataset(grids.__getitem__, len(grids)).as_numpy_iterator()
    )


def _damaged(content):
    """Other bytes within the compressed array, whose name stays."""
    start = content.index(b"grid.npy") + len("grid.npy") + 30
    return content[:start] + b"\xff" * 20 + content[start + 20 :]


class FolderTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class ReadTest(FolderTestCase):
    def test_round_trip_and_both_formats(self):
        grid = np.random.default_rng(0).normal(size=(4, 8, 6)).astype("f4")
        lidar_grids.write(self.folder / "b.npy", grid)
        np.savez_compressed(self.folder / "a.npz", grid=grid)
        (self.folder / "readme.txt").write_text("not a grid")
        paths = lidar_grids.find(self.folder)
        self.assertEqual([p.name for p in paths], ["a.npz", "b.npy"])
        for path in paths:
            np.testing.assert_array_equal(lidar_grids.read(path), grid)

    def test_what_is_no_grid_is_refused_with_its_name(self):
        grid = np.ones((2, 4, 6), np.float32)
        nan = grid.copy()
        nan[0, 1, 2], nan[1, 1, 0] = np.nan, np.inf
        whole = self.folder / "whole.npz"
        np.savez_compressed(whole, grid=grid)
        content = whole.read_bytes()
        (self.folder / "zip.npy").write_bytes(content)  # by content, not name
        np.testing.assert_array_equal(
            lidar_grids.read(self.folder / "zip.npy"), grid
        )
        cases = {
            "channels.npy": (grid[..., :5], r"\[H, W, 6\].*got \(2, 4, 5\)"),
            "flat.npy": (grid[0], r"got \(4, 6\)"),
            "empty.npy": (grid[:0], r"got \(0, 4, 6\)"),
            "nan.npy": (nan, "2 cells are NaN or infinite"),
            "objects.npy": (np.array([{}]), "expected an array"),
            "text.npy": (np.full((2, 4, 6), "a"), "expected"),
            "cut.npy": (b"\x93NUMPY\x01\x00", "expected an array"),
            "zero.npy": (b"", "expected an array"),
            "noise.npz": (b"noise", "expected an array"),
            "cut.npz": (content[: len(content) // 2], "expected an array"),
            "other.npz": ({"points": grid}, "under the name 'grid'"),
            "damaged.npz": (_damaged(content), "expected an array"),
        }
        for name, (value, message) in cases.items():
            path = self.folder / name
            if isinstance(value, bytes):
                path.write_bytes(value)
            elif isinstance(value, dict):
                np.savez(path, **value)
            else:
                np.save(path, value)
            with (
                self.subTest(name),
                self.assertRaisesRegex(ValueError, f"{name}.*{message}"),
            ):
                lidar_grids.read(path)

    def test_a_folder_without_grids_is_refused(self):
        for folder in (self.folder, self.folder / "absent"):
            with self.assertRaisesRegex(FileNotFoundError, folder.name):
                lidar_grids.find(folder)

    def test_a_failed_write_leaves_the_old_file(self):
        path = self.folder / "grid.npy"
        lidar_grids.write(path, np.ones((1, 1, 6)))
        with self.assertRaises(ValueError):
            lidar_grids.write(path, np.full((1, 1, 6), "text"))
        np.testing.assert_array_equal(
            lidar_grids.read(path), np.ones((1, 1, 6))
        )

    def test_a_real_grid_is_what_its_readme_says(self):
        folder = shared_files.path("data/grids/kitti_front/val")
        for path in lidar_grids.find(folder):
            grid = lidar_grids.read(path)
            self.assertEqual(grid.shape, (64, 512, 6))
            norm = np.linalg.norm(grid[..., :3], axis=-1)
            np.testing.assert_allclose(norm, grid[..., 4], atol=0.02)
            self.assertContainsSubset(np.unique(grid[..., 5]), [0, 1, 2, 3])


class RecordsTest(FolderTestCase):
    def test_samples_keep_the_contract_through_a_record_file(self):
        grids = synthetic.lidar_grids(4)
        instances = np.float32(17 * (grids[..., 5:] > 0))
        grids = np.concatenate([grids, instances], axis=-1)
        read = lidar_grids.dataset(grids.__getitem__, len(grids))
        path = self.folder / "cache.tfrecord"
        count = lidar_grids.write_records(path, read, progress=False)
        self.assertEqual(count, len(grids))
        self.assertEqual([p.name for p in self.folder.iterdir()], [path.name])
        records = lidar_grids.read_records(path, grids.shape[1:])
        for samples in (read, records):
            spec = samples.element_spec
            self.assertEqual(spec["grid"].shape, (16, 64, 5))
            self.assertEqual(spec["mask"].shape, (16, 64))
            self.assertEqual(spec["label_ids"].shape, (16, 64))
            got = list(samples.as_numpy_iterator())
            self.assertLen(got, len(grids))
            for sample, grid in zip(got, grids):
                self.assertEqual(sample["grid"].dtype, np.float32)
                self.assertEqual(sample["label_ids"].dtype, np.int32)
                np.testing.assert_array_equal(sample["grid"], grid[..., :5])
                np.testing.assert_array_equal(sample["mask"], grid[..., 4] > 0)
                np.testing.assert_array_equal(sample["label_ids"], grid[..., 5])
                np.testing.assert_array_equal(
                    sample["instance_ids"], grid[..., 6]
                )

    def test_an_interrupted_write_leaves_no_record(self):
        path = self.folder / "cache.tfrecord"

        def broken(index):
            if index == 2:
                raise ValueError("scan 2 is bad")
            return synthetic.lidar_grids(2)[index]

        with self.assertRaisesRegex(tf.errors.OpError, "scan 2 is bad"):
            lidar_grids.write_records(
                path, lidar_grids.dataset(broken, 4), False
            )
        self.assertFalse(path.exists())
        with self.assertRaisesRegex(FileNotFoundError, "cache.tfrecord"):
            lidar_grids.read_records(path, (16, 64, 6))

    def test_no_samples_are_refused(self):
        with self.assertRaisesRegex(ValueError, "at least one"):
            lidar_grids.dataset(lambda index: None, 0)


class StatisticsTest(absltest.TestCase):
    def test_equal_those_of_all_returns_at_once(self):
        grids = synthetic.lidar_grids(5)
        got = lidar_grids.statistics(numpy_samples(grids), 6)
        returns = grids[grids[..., 4] > 0].astype(np.float64)
        np.testing.assert_allclose(got["mean"], returns[:, :5].mean(axis=0))
        np.testing.assert_allclose(
            got["std"], returns[:, :5].std(axis=0), rtol=1e-6
        )
        shares = [np.mean(returns[:, 5] == c) for c in range(6)]
        np.testing.assert_allclose(got["frequencies"], shares)
        self.assertEqual(got["frequencies"][5], 0)

    def test_labels_outside_the_classes_and_empty_scans_are_refused(self):
        samples = numpy_samples(synthetic.lidar_grids(5))
        with self.assertRaisesRegex(ValueError, r"\[0, 4\); got 0 to 4"):
            lidar_grids.statistics(samples, 4)
        samples = numpy_samples(np.zeros((2, 4, 4, 6), np.float32))
        with self.assertRaisesRegex(ValueError, "no return"):
            lidar_grids.statistics(samples, 4)


class SyntheticTest(absltest.TestCase):
    def test_every_class_occurs_and_cells_are_consistent(self):
        grids = synthetic.lidar_grids(6, seed="a")
        self.assertEqual(grids.shape, (synthetic.NUM_GRIDS, 16, 64, 6))
        self.assertEqual(set(np.unique(grids[..., 5])), set(range(6)))
        norm = np.linalg.norm(grids[..., :3], axis=-1)
        np.testing.assert_allclose(norm, grids[..., 4], rtol=1e-5)
        empty = grids[..., 4] == 0
        self.assertFalse(grids[empty].any())
        self.assertBetween(empty.mean(), 0.03, 0.4)
        ground = (grids[..., 5] == 0) & ~empty
        np.testing.assert_allclose(grids[ground][:, 2], -1.73, rtol=1e-5)

    def test_seed_decides(self):
        same = synthetic.lidar_grids(4, "x"), synthetic.lidar_grids(4, "x")
        np.testing.assert_array_equal(*same)
        other = synthetic.lidar_grids(4, "y")
        self.assertFalse(np.array_equal(same[0], other))


if __name__ == "__main__":
    absltest.main()
