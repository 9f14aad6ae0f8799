"""Angles and heights of lasers that are known, and of real ones."""

import glob

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import lidar_grids, point_clouds
from squeeze_tf.geometry import laser_lines, laser_rings
from tests import shared_files

DEGREES = np.array([3.0, 0.0, -4.0, -25.0])
HEIGHTS = np.array([0.21, 0.2, 0.12, -0.05])


def returns(seed=0, jitter_degrees=0.0, count=400):
    """[N, 3] points of each laser at random ranges all around, [N] lasers."""
    rng = np.random.default_rng(seed)
    lasers = np.tile(np.arange(len(DEGREES)), count)
    zenith = np.radians(
        DEGREES[lasers] + jitter_degrees * rng.standard_normal(len(lasers))
    )
    azimuth = rng.uniform(-np.pi, np.pi, len(lasers))
    ranges = rng.uniform(2, 60, len(lasers))
    points = np.stack(
        [
            ranges * np.cos(zenith) * np.cos(azimuth),
            ranges * np.cos(zenith) * np.sin(azimuth),
            ranges * np.sin(zenith) + HEIGHTS[lasers],
        ],
        axis=-1,
    )
    return points, lasers


class FitTest(absltest.TestCase):
    def test_known_lasers_are_found_whatever_they_hit(self):
        found = laser_lines.fit(*returns(), len(DEGREES))
        np.testing.assert_allclose(found[:, 0], DEGREES, atol=1e-6)
        np.testing.assert_allclose(found[:, 1], HEIGHTS, atol=1e-6)

    def test_a_few_false_returns_do_not_matter(self):
        points, lasers = returns()
        points[:40, 2] += np.random.default_rng(1).uniform(-5, 5, 40)
        found = laser_lines.fit(points, lasers, len(DEGREES))
        np.testing.assert_allclose(found[:, 0], DEGREES, atol=1e-3)
        np.testing.assert_allclose(found[:, 1], HEIGHTS, atol=1e-3)

    def test_heights_that_nothing_tells_are_unknown(self):
        points, lasers = returns()
        on_a_wall = points / np.hypot(*points[:, :2].T)[:, np.newaxis]
        for case in (
            returns(jitter_degrees=0.3),
            returns(count=20),
            (on_a_wall, lasers),
            (points[:0], lasers[:0]),
        ):
            found = laser_lines.fit(*case, len(DEGREES))
            self.assertTrue(np.isnan(found).all())

    def test_real_scans_of_two_drives_show_the_same_lasers(self):
        found = []
        for folder in ("kitti_object/training", "kitti_seq_drive_0009"):
            path = shared_files.path(f"data/{folder}/velodyne")
            for scan in sorted(glob.glob(f"{path}/*.bin")):
                points = point_clouds.read(scan).points
                rings = laser_rings.from_scan_order(points, 64)
                found.append(laser_lines.fit(points, rings, 64))
        self.assertLen(found, 8)
        np.testing.assert_allclose(np.std(found, axis=0), 0, atol=5e-3)
        # Velodyne 63-HDL64ES2: two blocks of 32 lasers, one upon the other.
        degrees, heights = np.median(found, axis=0).T
        self.assertTrue((np.diff(degrees) < 0).all())
        self.assertEqual(np.argmin(np.diff(heights)), 31)
        self.assertLess(np.ptp(heights[:32]), 0.02)
        self.assertLess(np.ptp(heights[32:]), 0.02)

    def test_rows_of_a_projected_scan_are_no_lasers(self):
        folder = shared_files.path("data/grids/semantic_kitti/train")
        grid = lidar_grids.read(folder / "0.npz")
        rows, columns = np.nonzero(grid[..., 4])
        found = laser_lines.fit(grid[rows, columns, :3], rows, 64)
        self.assertTrue(np.isnan(found).all())


if __name__ == "__main__":
    absltest.main()
