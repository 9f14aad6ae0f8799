"""KITTI calibration: hand-worked projections, round trips, real files."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from scipy.spatial import transform

from squeeze_tf.geometry import calibration
from tests import shared_files

# LiDAR x forward, y left, z up to camera x right, y down, z forward.
_AXES = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
_PINHOLE = np.array([[100.0, 0, 50, 0], [0, 100, 20, 0], [0, 0, 1, 0]])


def _simple():
    shifted = _PINHOLE.copy()
    shifted[0, 3] = -54.0  # 0.54 m to the right at 100 pixels of focal length
    return calibration.Calibration(
        {"P2": _PINHOLE, "P3": shifted}, np.eye(3), _AXES
    )


def _random(seed=0):
    rng = np.random.default_rng(seed)
    rotation = transform.Rotation.random(random_state=seed).as_matrix()
    return calibration.Calibration(
        {name: rng.normal(size=(3, 4)) for name in ("P0", "P1", "P2", "P3")},
        transform.Rotation.random(random_state=seed + 1).as_matrix(),
        np.hstack([rotation, rng.normal(size=(3, 1))]),
        rng.normal(size=(3, 4)),
    )


class TransformTest(absltest.TestCase):
    def test_a_point_ahead_lands_where_arithmetic_says(self):
        # 10 m ahead, 1 m left, 0.5 m up: u = 50 - 100 * 1 / 10,
        # v = 20 - 100 * 0.5 / 10; P3 stands 0.54 m to the right.
        point = np.array([[10.0, 1.0, 0.5]])
        pixels, depth = calibration.lidar_to_image(_simple(), point)
        np.testing.assert_allclose(pixels, [[40, 15]])
        np.testing.assert_allclose(depth, [10])
        pixels, _ = calibration.lidar_to_image(_simple(), point, "P3")
        np.testing.assert_allclose(pixels, [[40 - 5.4, 15]])

    def test_points_behind_have_no_pixel_but_a_depth(self):
        points = np.array([[-3.0, 0, 0], [0, 1, 1], [3, 0, 0]])
        pixels, depth = calibration.lidar_to_image(_simple(), points)
        np.testing.assert_array_equal(
            np.isnan(pixels).all(axis=1), [True, True, False]
        )
        np.testing.assert_allclose(depth, [-3, 0, 3])

    def test_equals_homogeneous_matrices(self):
        matrices = _random()
        points = np.random.default_rng(1).normal(size=(7, 3))
        rectify, move = np.eye(4), np.eye(4)
        rectify[:3, :3] = matrices.rectification
        move[:3] = matrices.velo_to_cam
        ones = np.column_stack([points, np.ones(7)])
        rectified = (rectify @ move @ ones.T).T
        np.testing.assert_allclose(
            calibration.lidar_to_rectified(matrices, points),
            rectified[:, :3],
            atol=1e-12,
        )
        image = rectified @ matrices.projections["P1"].T
        _, depth = calibration.lidar_to_image(matrices, points, "P1")
        np.testing.assert_allclose(depth, image[:, 2], atol=1e-12)

    def test_rectified_to_lidar_is_the_inverse(self):
        points = np.random.default_rng(2).normal(size=(9, 3)) * 50
        there = calibration.lidar_to_rectified(_random(), points)
        back = calibration.rectified_to_lidar(_random(), there)
        np.testing.assert_allclose(back, points, atol=1e-10)

    def test_an_unknown_camera_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"\['P2', 'P3'\]; got 'P9'"):
            calibration.lidar_to_image(_simple(), np.zeros((1, 3)), "P9")

    def test_points_with_intensity_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"got \(1, 4\)"):
            calibration.lidar_to_rectified(_simple(), np.zeros((1, 4)))


class FileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_writing_and_reading_returns_every_matrix(self):
        path = self.folder / "000000.txt"
        written = _random()
        calibration.write(path, written)
        found = calibration.read(path)
        self.assertEqual(list(found.projections), ["P0", "P1", "P2", "P3"])
        for name, matrix in written.projections.items():
            np.testing.assert_allclose(
                found.projections[name], matrix, rtol=1e-11
            )
        for name in ("rectification", "velo_to_cam", "imu_to_velo"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(written, name), rtol=1e-11
            )
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_raw_files_are_put_together(self):
        numbers = {
            "R": np.arange(9.0),
            "T": [9.0, 10, 11],
            "P": np.arange(12.0),
        }

        def row(name, key, scale=1.0):
            values = " ".join(str(scale * v) for v in numbers[key])
            return f"{name}: {values}\n"

        (self.folder / "calib_cam_to_cam.txt").write_text(
            "calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\n"
            + "".join(row(f"P_rect_0{i}", "P", i + 1) for i in range(4))
            + row("R_rect_00", "R", 2)
            + row("R_rect_01", "R", 3)
        )
        (self.folder / "calib_velo_to_cam.txt").write_text(
            "calib_time: 15-Mar-2012 11:37:16\n" + row("R", "R") + row("T", "T")
        )
        found = calibration.read_raw(self.folder)
        np.testing.assert_array_equal(
            found.projections["P2"], 3 * np.arange(12.0).reshape(3, 4)
        )
        np.testing.assert_array_equal(
            found.rectification, 2 * np.arange(9.0).reshape(3, 3)
        )
        np.testing.assert_array_equal(
            found.velo_to_cam, [[0, 1, 2, 9], [3, 4, 5, 10], [6, 7, 8, 11]]
        )
        self.assertIsNone(found.imu_to_velo)

    def test_odometry_files_lead_to_the_rectified_camera(self):
        path = self.folder / "calib.txt"
        path.write_text(
            "P0: " + " ".join(["1"] * 12) + "\nTr: 0 -1 0 1 0 0 -1 2 1 0 0 3\n"
        )
        moved = calibration.lidar_to_rectified(
            calibration.read(path), np.array([[5.0, 6, 7]])
        )
        np.testing.assert_array_equal(moved, [[-6 + 1, -7 + 2, 5 + 3]])

    @parameterized.parameters(
        ("P2: 1 2 3\nR0_rect: 1\n", "P2 must hold 12 numbers; got 3"),
        ("R0_rect: 1 0 0 0 1 0 0 0 1\n", "expected a projection"),
        ("P2: " + "1 " * 12 + "\n", "expected a line R0_rect or R_rect"),
    )
    def test_broken_files_are_named(self, text, message):
        path = self.folder / "broken.txt"
        path.write_text(text)
        with self.assertRaisesRegex(ValueError, f"broken.txt.*{message}"):
            calibration.read(path)


class RecordedTest(absltest.TestCase):
    def test_real_rotations_are_rotations(self):
        folder = shared_files.path("data/kitti_object/training/calib")
        for path in sorted(folder.glob("*.txt")):
            matrices = calibration.read(path)
            for turn in (
                matrices.rectification,
                matrices.velo_to_cam[:, :3],
                matrices.imu_to_velo[:, :3],
            ):
                np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-5)

    def test_box_centres_fall_into_their_image_boxes(self):
        """Label lines carry both, so projecting one must hit the other."""
        folder = shared_files.path("data/kitti_object/training")
        count = 0
        for path in sorted(folder.glob("label_2/*.txt")):
            matrices = calibration.read(folder / "calib" / path.name)
            for line in path.read_text().splitlines():
                fields = line.split()
                if fields[0] == "DontCare":
                    continue
                x0, y0, x1, y1, h, _, _, x, y, z = map(float, fields[4:14])
                centre = calibration.rectified_to_lidar(
                    matrices, np.array([[x, y - h / 2, z]])
                )
                pixels, _ = calibration.lidar_to_image(matrices, centre)
                u, v = pixels[0]
                self.assertBetween(u, x0, x1)
                self.assertBetween(v, y0, y1)
                count += 1
        self.assertGreater(count, 4)


if __name__ == "__main__":
    absltest.main()
