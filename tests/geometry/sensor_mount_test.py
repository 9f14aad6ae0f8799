"""Height and pitch of a sensor over roads of known height and pitch."""

import glob

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import sensor_mount
from tests import shared_files


def street(height=1.73, pitch_degrees=0.0, wall=30.0):
    """[N, 3] points of a level road that ends at a wall across it.

    The sensor's ray d hits the road of a world whose vertical is turned: the
    height of a point of it is sin(pitch) x + cos(pitch) z = -height.
    """
    pitch = np.radians(pitch_degrees)
    zenith = np.radians(np.linspace(3, -25, 32))[:, np.newaxis]
    azimuth = np.radians(np.linspace(44, -44, 128))
    rays = np.stack(
        [
            np.cos(zenith) * np.cos(azimuth),
            np.cos(zenith) * np.sin(azimuth),
            np.sin(zenith) * np.ones_like(azimuth),
        ],
        axis=-1,
    )
    down = -(np.sin(pitch) * rays[..., 0] + np.cos(pitch) * rays[..., 2])
    road = np.where(down > 1e-6, height / np.maximum(down, 1e-6), np.inf)
    distance = np.minimum(road, wall / rays[..., 0])[..., np.newaxis]
    return (rays * distance).reshape(-1, 3)


class EstimateTest(parameterized.TestCase):
    @parameterized.parameters((1.73, 0.0), (1.2, 2.0), (2.4, -3.5))
    def test_of_a_plane_is_found(self, height, pitch):
        found = sensor_mount.estimate(street(height, pitch))
        np.testing.assert_allclose(found, (height, pitch), atol=1e-4)

    def test_is_found_among_other_things(self):
        points = street(1.73, 1.0).reshape(32, 128, 3)
        points[12:, 20:50] *= 0.6  # something nearer, as tall as wide
        points[..., 2] += np.random.default_rng(0).normal(0, 0.02, (32, 128))
        points = np.delete(points, np.s_[90:110], axis=1).reshape(-1, 3)
        height, pitch = sensor_mount.estimate(points)
        self.assertAlmostEqual(height, 1.73, delta=0.02)
        self.assertAlmostEqual(pitch, 1.0, delta=0.1)

    def test_walls_and_empty_scans_have_none(self):
        for points in (street(wall=4.0), np.zeros([0, 4])):
            self.assertTrue(np.isnan(sensor_mount.estimate(points)).all())

    def test_of_kitti_is_what_its_makers_say(self):
        folder = shared_files.path("data/kitti_seq_drive_0009/velodyne")
        for path in glob.glob(f"{folder}/*.bin"):
            height, _ = sensor_mount.estimate(point_clouds.read(path).points)
            self.assertAlmostEqual(height, 1.73, delta=0.1)  # setup.php


if __name__ == "__main__":
    absltest.main()
