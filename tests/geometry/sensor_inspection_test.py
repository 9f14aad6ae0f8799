"""Inspection of made scanners whose parameters are known, and real ones."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import laser_rings, sensor_inspection, spherical
from tests import shared_files


def _scan(beams, columns, left=180.0, right=-180.0, seed=0):
    """A scan with returns at random ranges, in random order, and rings."""
    rng = np.random.default_rng(seed)
    step = (left - right) / columns
    azimuth = np.radians(left - (np.arange(columns) + 0.5) * step)
    zenith, azimuth = np.meshgrid(np.radians(beams), azimuth, indexing="ij")
    distance = rng.uniform(3, 60, zenith.shape)
    points = np.stack(
        [
            distance * np.cos(zenith) * np.cos(azimuth),
            distance * np.cos(zenith) * np.sin(azimuth),
            distance * np.sin(zenith),
            rng.random(zenith.shape),
        ],
        axis=-1,
    ).reshape(-1, 4)
    rings = np.repeat(np.arange(len(beams)), columns)
    order = rng.permutation(len(points))
    return points[order].astype(np.float32), rings[order]


class InspectTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("vlp16", 15.0 - 2 * np.arange(16), 1024, 180.0, -180.0),
        ("hdl32e", (32 - 4 * np.arange(32)) / 3, 1088, 180.0, -180.0),
        ("front", np.array([3.0, 1, 0, -2, -7]), 256, 40.0, -40.0),
        ("behind", np.array([3.0, 1, 0, -2, -7]), 256, 220.0, 140.0),
    )
    def test_a_known_scanner_is_recovered(self, beams, columns, left, right):
        points, _ = _scan(beams, columns, left, right)
        found = sensor_inspection.inspect(points)
        self.assertEqual(found.source, "zenith clusters")
        self.assertEqual(found.projection.columns, columns)
        np.testing.assert_allclose(
            found.projection.beam_degrees, beams, atol=2e-3
        )
        self.assertEqual(found.projection.is_full_turn, right == -180)
        self.assertAlmostEqual(found.projection.left_degrees, left, delta=0.3)
        self.assertAlmostEqual(found.projection.right_degrees, right, delta=0.3)
        self.assertLess(found.by_angle.collision_rate, 0.02)
        self.assertLess(found.by_angle.empty_rate, 0.02)

    def test_rays_are_counted_where_some_steps_are_shorter(self):
        # As the HDL-64E: now and then half a step.
        steps = np.tile([0.18] * 11 + [0.09], 174)[:-3]
        azimuth = np.radians(np.cumsum(steps) - 180.0)
        azimuth, zenith = np.meshgrid(azimuth, np.radians([1.0, -3.0, -9.0]))
        points = np.stack(
            [np.cos(azimuth), np.sin(azimuth), np.tan(zenith), zenith], -1
        )
        lost = np.random.default_rng(0).random(zenith.shape) < 0.05
        found = sensor_inspection.inspect(points[~lost].reshape(-1, 4))
        self.assertAlmostEqual(found.azimuth_step_degrees, 0.18, places=4)
        self.assertAlmostEqual(found.rays_per_laser, len(steps), delta=10)

    def test_rings_separate_lasers_that_angles_do_not(self):
        rng = np.random.default_rng(1)
        beams = -0.2 * np.arange(8)
        points, rings = _scan(beams, 512)
        zenith, azimuth = spherical.zenith_azimuth(points)
        zenith = zenith + np.radians(rng.normal(0, 0.1, len(zenith)))
        points[:, 2] = np.tan(zenith) * np.hypot(points[:, 0], points[:, 1])
        by_rings = sensor_inspection.inspect(points, rings)
        self.assertEqual(by_rings.source, "rings")
        self.assertEqual(by_rings.projection.rows, 8)
        self.assertEqual(by_rings.by_laser.collision_rate, 0)
        self.assertGreater(by_rings.by_angle.collision_rate, 0.05)

    def test_rates_are_counted_by_hand(self):
        # Two points in one cell, one alone, one outside: of 3 inside 1 is
        # lost, of 8 cells 6 are empty, 1 of 4 points is outside.
        projection = spherical.Projection(2, 4, 10.0, -10.0, 40.0, -40.0)
        points = np.array(
            [[9, 1, 0.5, 0], [8, 1, 0.5, 0], [9, -1, 0.5, 0], [-9, 0, 0, 0]]
        )
        rates = sensor_inspection.fit(points, projection)
        self.assertAlmostEqual(rates.collision_rate, 1 / 3)
        self.assertAlmostEqual(rates.empty_rate, 6 / 8)
        self.assertAlmostEqual(rates.outside_rate, 1 / 4)

    def test_points_without_returns_do_not_count(self):
        points, rings = _scan(15.0 - 2 * np.arange(16), 512)
        padded = np.concatenate([np.zeros((99, 4), np.float32), points])
        rings = np.concatenate([np.zeros(99, int), rings])
        found = sensor_inspection.inspect(padded, rings)
        self.assertEqual(found.num_points, 16 * 512)
        self.assertEqual(found.projection.rows, 16)

    def test_several_scans_are_taken_together(self):
        beams = 15.0 - 2 * np.arange(16)
        shifted = [
            _scan(beams + x, 512, seed=i) for i, x in enumerate((-0.1, 0.2, 0))
        ]
        other = _scan(beams[:12], 512)
        found = sensor_inspection.inspect_all([*shifted, other])
        np.testing.assert_allclose(
            found.projection.beam_degrees, beams, atol=2e-3
        )
        self.assertEqual((found.scans, found.left_out), ((0, 1, 2), (3,)))
        self.assertEqual(found.projection.columns, 512)
        rates = [
            sensor_inspection.fit(points, found.projection).collision_rate
            for points, _ in shifted
        ]
        self.assertAlmostEqual(found.by_angle.collision_rate, np.mean(rates))

    def test_lasers_that_sit_apart_are_found(self):
        beams = 15.0 - 2 * np.arange(16)
        heights = np.linspace(0.3, 0.1, 16)
        scans = [_scan(beams, 512, seed=seed) for seed in range(2)]
        for points, rings in scans:
            points[:, 2] += heights[rings]
        wall = _scan(beams, 512)
        wall[0][:, :3] /= np.hypot(*wall[0][:, :2].T)[:, np.newaxis]
        found = sensor_inspection.inspect_all([*scans, wall])
        np.testing.assert_allclose(found.laser_degrees, beams, atol=1e-3)
        np.testing.assert_allclose(found.laser_heights, heights, atol=1e-3)
        self.assertIn(
            "sit +0.100 to +0.300 m", sensor_inspection.format_report(found)
        )
        found = sensor_inspection.inspect_all([wall])
        self.assertEqual((found.laser_degrees, found.laser_heights), ((), ()))
        self.assertIn("unknown", sensor_inspection.format_report(found))

    def test_no_scan_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at least one scan"):
            sensor_inspection.inspect_all([])

    @parameterized.parameters(((100, 3),), ((63, 4),))
    def test_too_little_is_refused(self, shape):
        with self.assertRaisesRegex(ValueError, r"\[N, 4\]|at least 64"):
            sensor_inspection.inspect(np.ones(shape))

    def test_the_report_names_the_proposal_and_every_preset(self):
        points, _ = _scan(15.0 - 2 * np.arange(16), 512)
        found = sensor_inspection.inspect(points)
        text = sensor_inspection.format_report(found)
        self.assertIn("16 x 512", text)
        self.assertIn("full turn", text)
        self.assertIn("beam_degrees: 15.00, 13.00", text)
        for name in spherical.PROJECTIONS:
            self.assertIn(name, text)


class RecordedTest(parameterized.TestCase):
    def test_kitti_scans_come_from_64_lasers_and_turn_fully(self):
        folder = shared_files.path("data/kitti_object/training/velodyne")
        for path in sorted(folder.glob("*.bin")):
            points = point_clouds.read(path).points
            found = sensor_inspection.inspect(points)
            self.assertEqual(found.source, "scan order")
            self.assertEqual(found.projection.rows, 64)
            self.assertTrue(found.projection.is_full_turn)
            # HDL-64E S2 manual: 0.09 degrees at 5 Hz, so 0.18 at KITTI's 10.
            self.assertAlmostEqual(found.azimuth_step_degrees, 0.18, delta=0.01)
            self.assertLess(found.by_laser.collision_rate, 0.1)
            best = found.presets["hdl64e_2048"].collision_rate
            self.assertLess(best, found.presets["hdl32e"].collision_rate)

    def test_the_sustech_scanner_has_40_lasers_where_its_file_says(self):
        """The records hold a laser index 0..39 at byte 32 (header: 34)."""
        path = shared_files.path("data/sustech/lidar/000950.pcd")
        content = path.read_bytes()
        start = content.index(b"DATA binary\n") + len(b"DATA binary\n")
        count = (len(content) - start) // 48
        records = np.frombuffer(content, np.uint8, count * 48, start)
        scan = point_clouds.read(path)
        rings = records.reshape(-1, 48)[: len(scan.points), 32:34].copy()
        rings = rings.view("<u2")[:, 0].astype(int)
        found = sensor_inspection.inspect(scan.points)
        self.assertEqual(found.projection.rows, 40)
        rows, _ = spherical.cells(scan.points, found.projection)
        np.testing.assert_array_equal(rows, rings)
        zenith, _ = spherical.zenith_azimuth(scan.points)
        np.testing.assert_array_equal(
            laser_rings.from_top(rings, zenith), rings
        )


if __name__ == "__main__":
    absltest.main()
