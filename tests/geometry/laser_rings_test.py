"""Laser indices: made scans with known lasers, and KITTI's files."""

import glob

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import laser_rings
from tests import shared_files


def _scan(beams, per_laser=50):
    """Points of a turn to the left from straight ahead, laser by laser."""
    azimuth = np.linspace(0, 2 * np.pi, per_laser, endpoint=False)
    points = [
        np.stack(
            [
                10 * np.cos(azimuth) * np.cos(beam),
                10 * np.sin(azimuth) * np.cos(beam),
                np.full(per_laser, 10 * np.sin(beam)),
            ],
            axis=1,
        )
        for beam in np.radians(beams)
    ]
    return np.concatenate(points), np.repeat(np.arange(len(beams)), per_laser)


class FromTopTest(parameterized.TestCase):
    def test_indices_from_the_top_stay(self):
        zenith = np.array([3.0, 3.1, 1.0, 0.9, -2.0])
        rings = np.array([0, 0, 5, 5, 9])
        np.testing.assert_array_equal(
            laser_rings.from_top(rings, zenith), rings
        )

    def test_indices_from_the_bottom_are_mirrored_with_gaps_kept(self):
        # Of 16 lasers number 15, the topmost, has no return.
        rings = np.array([0, 1, 4, 14, 14])
        zenith = np.array([-15.0, -13, -7, 13, 13.2])
        np.testing.assert_array_equal(
            laser_rings.from_top(rings, zenith), [15, 14, 11, 1, 1]
        )

    def test_indices_in_wiring_order_are_ranked(self):
        # The VLP-16's firing order (user's manual): -15, 1, -13, 3, ...
        wiring = np.stack([np.arange(-15, 0, 2), np.arange(1, 16, 2)]).T.ravel()
        ids = np.repeat(np.arange(16), 3)
        expected = (15 - wiring[ids]) // 2  # +15 is row 0, -15 row 15
        np.testing.assert_array_equal(
            laser_rings.from_top(ids, wiring[ids].astype(float)), expected
        )

    def test_a_swapped_pair_of_neighbours_changes_nothing(self):
        rings = np.arange(32)
        zenith = 10.0 - rings
        zenith[[7, 8]] = zenith[[8, 7]]
        np.testing.assert_array_equal(
            laser_rings.from_top(rings, zenith), rings
        )
        np.testing.assert_array_equal(
            laser_rings.from_top(31 - rings, zenith), rings
        )

    @parameterized.parameters(
        (np.array([0, 1]), np.zeros(3), "both be"),
        (np.array([0, -1]), np.zeros(2), ">= 0; got -1"),
    )
    def test_impossible_indices_are_refused(self, rings, zenith, message):
        with self.assertRaisesRegex(ValueError, message):
            laser_rings.from_top(rings, zenith)


class FromScanOrderTest(parameterized.TestCase):
    def test_lasers_are_found_in_order(self):
        points, rings = _scan([5.0, 1.0, -3.0, -10.0])
        np.testing.assert_array_equal(
            laser_rings.from_scan_order(points), rings
        )

    def test_missing_returns_do_not_matter(self):
        points, rings = _scan([5.0, 1.0, -3.0, -10.0])
        kept = np.random.default_rng(0).random(len(points)) < 0.4
        np.testing.assert_array_equal(
            laser_rings.from_scan_order(points[kept]), rings[kept]
        )

    def test_points_without_return_keep_their_place(self):
        points, rings = _scan([5.0, 1.0, -3.0, -10.0])
        lost = np.random.default_rng(0).random(len(points)) < 0.3
        points[lost], rings[lost] = 0, 0
        np.testing.assert_array_equal(
            laser_rings.from_scan_order(points), rings
        )

    def test_other_orders_are_not_taken_for_lasers(self):
        points, _ = _scan([5.0, 1.0, -3.0, -10.0])
        mixed = np.random.default_rng(0).permutation(points)
        for wrong in (mixed, points[::-1], points[:50], points[:0]):
            self.assertIsNone(laser_rings.from_scan_order(wrong))
        self.assertIsNone(laser_rings.from_scan_order(points, num_lasers=5))

    def test_kitti_files_have_64_lasers(self):
        paths = glob.glob(
            f"{shared_files.path('data/kitti_object/training/velodyne')}/*"
        )
        paths += glob.glob(
            f"{shared_files.path('data/kitti_seq_drive_0009/velodyne')}/*"
        )
        for path in paths:
            points = point_clouds.read(path).points
            rings = laser_rings.from_scan_order(points, 64)
            counts = np.bincount(rings)
            self.assertLen(counts, 64)
            # A turn has at most 2080 or so firings per laser, so a wrong
            # split would give longer lasers.
            self.assertLess(counts.max(), 2300)


if __name__ == "__main__":
    absltest.main()
