"""Presets and rays of LiDARs and cameras."""

import dataclasses
import os
import tempfile
import unittest

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf import config
from squeeze_tf.geometry import calibration
from squeeze_tf.simulation import sensors
from tests import shared_files


class LidarTest(parameterized.TestCase):
    @parameterized.parameters(
        ("hdl32e", 32, 1024, 10.67, -30.67, 70.0),
        ("vlp16", 16, 1024, 15.0, -15.0, 100.0),
    )
    def test_presets_are_those_of_the_manuals(
        self, name, rows, columns, top, bottom, reach
    ):
        sensor = sensors.LIDARS[name]
        beams = np.array(sensor.beam_degrees)
        self.assertEqual((sensor.rows, sensor.columns), (rows, columns))
        self.assertAlmostEqual(beams[0], top, places=2)
        self.assertAlmostEqual(beams[-1], bottom, places=2)
        self.assertTrue((np.diff(beams) < 0).all())
        self.assertEqual(sensor.max_range, reach)

    def test_upper_block_of_the_hdl64e_is_finer_than_the_lower(self):
        steps = -np.diff(sensors.LIDARS["hdl64e"].beam_degrees)
        # Manual (Velodyne 63-HDL64ES2): 1/3 degree above, 1/2 below; the
        # table is of apparent angles, so its means are near that.
        self.assertAlmostEqual(steps[:31].mean(), 1 / 3, delta=0.02)
        self.assertAlmostEqual(steps[32:].mean(), 1 / 2, delta=0.02)

    def test_an_own_sensor_comes_from_its_file(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "own.json")
        own = sensors.LidarSensor(
            "own", (3.0, 0.0, -9.5), 60.0, -50.0, 220, height=2.1, max_range=35
        )
        config.write(own, path)
        self.assertEqual(sensors.find(path), own)
        low = sensors.find(path, height=0.5)
        self.assertEqual((low.height, low.max_range), (0.5, 35))

    @parameterized.parameters(
        ({"beam_degrees": (1.0, 2.0)}, "beam_degrees must fall"),
        ({"beam_degrees": ()}, "beam_degrees must fall"),
        ({"right_degrees": 45.0}, "0 < left - right <= 360"),
        ({"columns": 0}, "and columns"),
        ({"beam_heights": (0.1,)}, "as many as beam_degrees, 24, or none"),
        ({"min_range": 80.0}, "0 <= min_range < max_range"),
    )
    def test_what_is_no_sensor_is_refused(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            dataclasses.replace(sensors.LIDARS["tiny"], **changes)

    def test_rays_are_units_through_the_centres_of_cells(self):
        sensor = sensors.LIDARS["hdl64e_front"]
        rays = sensors.rays(sensor).astype(float)
        np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1, atol=1e-6)
        grid = rays.reshape(64, 512, 3)
        azimuth = np.degrees(np.arctan2(grid[..., 1], grid[..., 0]))
        # 90 / 512 degrees a cell; the first centre is half a cell inside.
        np.testing.assert_allclose(azimuth[:, 0], 45 - 45 / 512, atol=1e-4)
        np.testing.assert_allclose(azimuth[:, -1], -45 + 45 / 512, atol=1e-4)
        np.testing.assert_allclose(
            np.degrees(np.arcsin(grid[..., 2])),
            np.tile(np.array(sensor.beam_degrees)[:, None], (1, 512)),
            atol=1e-4,
        )

    def test_beams_lie_where_those_of_a_real_scan_do(self):
        path = shared_files.path("data/grids/kitti_front/val")
        grid = np.load(sorted(path.glob("*.npy"))[0])
        seen = grid[..., 4] > 0
        zenith = np.degrees(np.arcsin(grid[..., 2] / (grid[..., 4] + 1e-9)))
        rows = range(4, 60)
        real = [np.median(zenith[row][seen[row]]) for row in rows]
        ours = np.array(sensors.LIDARS["hdl64e_front"].beam_degrees)[4:60]
        self.assertLess(np.abs(real - ours).max(), 0.5)

    def test_rays_start_where_their_laser_and_the_drive_have_them(self):
        sensor = sensors.LidarSensor(
            "own", (1.0, -1.0), 180.0, -180.0, 4, (0.2, 0.1), travel=0.8
        )
        # Columns at 135, 45, -45, -135 degrees: 3/8 and 1/8 of a turn before
        # the sensor looks ahead, and after.
        ahead = [-0.3, -0.1, 0.1, 0.3]
        np.testing.assert_allclose(
            sensors.origins(sensor),
            [[x, 0, z] for z in (0.2, 0.1) for x in ahead],
            atol=1e-7,
        )

    def test_jitter_has_the_given_spread(self):
        sensor = sensors.LIDARS["hdl64e_front"]
        rays = sensors.rays(sensor, 0.05, np.random.default_rng(0))
        clean = sensors.rays(sensor)
        zenith = np.degrees(np.arcsin(rays[:, 2]) - np.arcsin(clean[:, 2]))
        self.assertAlmostEqual(zenith.std(), 0.05, delta=0.002)
        with self.assertRaisesRegex(ValueError, "rng"):
            sensors.rays(sensor, 0.05)


class CameraTest(unittest.TestCase):
    def test_pixel_rays_project_back_to_their_pixels(self):
        camera = sensors.scaled(sensors.KITTI_CAMERA, 0.1)
        rays = sensors.pixel_rays(camera)
        pixels, depth = calibration.lidar_to_image(
            sensors.camera_calibration(camera), 7.0 * rays
        )
        columns, rows = np.meshgrid(
            np.arange(camera.width), np.arange(camera.height)
        )
        expected = np.stack([columns.ravel(), rows.ravel()], -1)
        np.testing.assert_allclose(pixels, expected, atol=1e-3)
        np.testing.assert_allclose(depth, 7.0, rtol=1e-6)

    def test_scaling_keeps_the_edges_of_the_view(self):
        camera = sensors.KITTI_CAMERA
        half = sensors.scaled(camera, 0.5)
        # The left edge of pixel 0 is at -0.5.
        for one, other in ((camera, half),):
            self.assertAlmostEqual(
                (-0.5 - one.centre_x) / one.focal,
                (-0.5 - other.centre_x) / other.focal,
            )


if __name__ == "__main__":
    absltest.main()
