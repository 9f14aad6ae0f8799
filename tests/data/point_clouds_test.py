"""Scans of every format, written by each format's own library."""

import pathlib
import tempfile
import warnings

import laspy
import numpy as np
import plyfile
import pypcd4
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from tests import shared_files


def _points(count=40, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-30, 30, (count, 4)).astype(np.float32)
    points[:, 3] = rng.random(count)
    return points


def _rings(points, lasers=16):
    """Lasers by height above the ground: 0 is the topmost."""
    level = np.hypot(points[:, 0], points[:, 1])
    ranks = np.argsort(np.argsort(-np.arctan2(points[:, 2], level)))
    return (ranks * lasers // len(points)).astype(np.int32)


def _write_pcd(path, columns, encoding):
    """A PCD of named columns, written by pypcd4."""
    cloud = pypcd4.PointCloud.from_points(
        list(columns.values()),
        tuple(columns),
        tuple(column.dtype.type for column in columns.values()),
    )
    cloud.save(path, encoding=encoding)


def _columns(points, **more):
    named = dict(zip(("x", "y", "z", "intensity"), points.T))
    return {**named, **more}


class _FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class ReadTest(_FolderTest):
    def test_kitti_bin_returns_what_was_written(self):
        path = self.folder / "000000.bin"
        point_clouds.write_bin(path, _points().astype(np.float64))
        scan = point_clouds.read(path)
        np.testing.assert_array_equal(scan.points, _points())
        self.assertEqual(scan.points.dtype, np.float32)
        self.assertIsNone(scan.rings)
        self.assertEqual(path.stat().st_size, 16 * 40)
        self.assertEqual(list(self.folder.iterdir()), [path])

    @parameterized.parameters(*pypcd4.Encoding)
    def test_pcd_of_every_encoding(self, encoding):
        path = self.folder / "a.pcd"
        points = _points()
        columns = _columns(points, ring=_rings(points).astype(np.uint16))
        _write_pcd(path, columns, encoding)
        scan = point_clouds.read(path)
        np.testing.assert_allclose(scan.points, points, rtol=1e-6)
        np.testing.assert_array_equal(scan.rings, _rings(points))

    def test_pcd_of_one_point_in_double_precision(self):
        path = self.folder / "a.pcd"
        columns = _columns(_points(1).astype(np.float64))
        _write_pcd(path, columns, pypcd4.Encoding.ASCII)
        scan = point_clouds.read(path)
        np.testing.assert_allclose(scan.points, _points(1), rtol=1e-5)

    def test_pcd_text_may_be_padded_with_blanks(self):
        path = self.folder / "a.pcd"
        path.write_text(
            "# a comment\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\n"
            "COUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
            "POINTS 2\nDATA ascii\n 1  2 3 \n4\t5 6\n\n"
        )
        scan = point_clouds.read(path)
        np.testing.assert_array_equal(scan.points, [[1, 2, 3, 0], [4, 5, 6, 0]])

    @parameterized.parameters(True, False)
    def test_ply_in_text_and_binary(self, is_text):
        points = _points()
        columns = _columns(points, laser_id=15 - _rings(points))
        vertices = np.empty(40, [(n, c.dtype) for n, c in columns.items()])
        for name, column in columns.items():
            vertices[name] = column
        path = self.folder / "a.ply"
        element = plyfile.PlyElement.describe(vertices, "vertex")
        plyfile.PlyData([element], text=is_text).write(str(path))
        scan = point_clouds.read(path)
        np.testing.assert_allclose(scan.points, points, rtol=1e-6)
        np.testing.assert_array_equal(scan.rings, _rings(points))

    @parameterized.parameters("a.las", "a.laz")
    def test_las_intensity_is_a_share_of_its_16_bits(self, name):
        points = _points()
        header = laspy.LasHeader(point_format=3, version="1.2")
        header.scales = np.full(3, 1e-4)
        header.add_extra_dim(laspy.ExtraBytesParams("ring", np.uint8))
        cloud = laspy.LasData(header)
        cloud.x, cloud.y, cloud.z = points[:, :3].T.astype(np.float64)
        cloud.intensity = np.round(points[:, 3] * 65535).astype(np.uint16)
        cloud.ring = _rings(points).astype(np.uint8)
        path = self.folder / name
        cloud.write(path)
        scan = point_clouds.read(path)
        np.testing.assert_allclose(scan.points[:, :3], points[:, :3], atol=1e-4)
        np.testing.assert_allclose(scan.points[:, 3], points[:, 3], atol=1e-5)
        np.testing.assert_array_equal(scan.rings, _rings(points))
        half = point_clouds.read(path, intensity_scale=0.5)
        np.testing.assert_allclose(
            half.points[:, 3], 0.5 * scan.points[:, 3], rtol=1e-6
        )

    @parameterized.parameters(3, 4, 6)
    def test_npy_of_any_width(self, width):
        values = np.random.default_rng(0).normal(size=(9, width))
        np.save(self.folder / "a.npy", values)
        scan = point_clouds.read(self.folder / "a.npy")
        expected = np.zeros((9, 4))
        expected[:, : min(width, 4)] = values[:, :4]
        np.testing.assert_array_equal(scan.points, expected.astype(np.float32))

    def test_nuscenes_is_turned_into_our_frame_and_rings_counted_down(self):
        # x right, y forward: 10 ahead and 2 to the right is y = -2 for us.
        raw = np.array(
            [[2, 10, 1, 30, 31], [2, 10, 0, 40, 16], [2, 10, -3, 50, 0]],
            np.float32,
        )
        path = self.folder / "a__LIDAR_TOP__1.pcd.bin"
        raw.tofile(path)
        scan = point_clouds.read(path, intensity_scale=1 / 255)
        np.testing.assert_allclose(
            scan.points[:, :3], [[10, -2, 1], [10, -2, 0], [10, -2, -3]]
        )
        np.testing.assert_allclose(
            scan.points[:, 3], np.array([30, 40, 50]) / 255, rtol=1e-6
        )
        self.assertEqual(scan.rings.tolist(), [0, 15, 31])

    def test_laser_indices_no_scanner_has_are_left_out_loudly(self):
        path = self.folder / "a.pcd"
        ring = np.full(40, 58792, np.uint16)
        _write_pcd(path, _columns(_points(), ring=ring), pypcd4.Encoding.BINARY)
        with self.assertWarnsRegex(UserWarning, "58792..58792 left out"):
            scan = point_clouds.read(path)
        self.assertIsNone(scan.rings)

    def test_the_sustech_files_are_read_to_the_last_point(self):
        """The header names a field of COUNT 0; the file is padded."""
        folder = shared_files.path("data/sustech/lidar")
        for path in sorted(folder.glob("*.pcd")):
            content = path.read_bytes()
            start = content.index(b"DATA binary\n") + 12
            lines = content[:start].decode().splitlines()
            count = int(dict(line.split()[:2] for line in lines)["POINTS"])
            values = np.frombuffer(content, "<f4", count * 12, start)
            values = values.reshape(count, 12)  # records of 48 bytes
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scan = point_clouds.read(path)
            np.testing.assert_array_equal(scan.points, values[:, [0, 1, 2, 4]])


class RefusalTest(_FolderTest):
    @parameterized.parameters(
        ("a.bin", b"", "the file is empty"),
        ("a.bin", b"x" * 31, "multiple of 16 .*; got 31 bytes"),
        ("a.pcd.bin", b"x" * 32, "multiple of 20 .*; got 32 bytes"),
        ("a.xyz", b"1 2 3", r"expected one of \.bin.*; got '.xyz'"),
        ("a.pcd", b"VERSION 0.7\nFIELDS x y z\n", "ending in a DATA line"),
        ("a.pcd", b"FIELDS x y z\nDATA ascii\n1 2 3\n", "PCD header"),
        ("a.ply", b"ply\nformat ascii 2.0\n", "PLY not understood"),
        ("a.las", b"LASF" + b"\0" * 400, "LAS not understood"),
        ("a.laz", b"nothing", "LAS not understood"),
        ("a.npy", b"nothing", "not a NumPy array"),
    )
    def test_broken_files_are_named(self, name, content, message):
        path = self.folder / name
        path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, f"{name}: .*{message}"):
            point_clouds.read(path)

    def test_a_missing_file_is_an_os_error(self):
        with self.assertRaises(FileNotFoundError):
            point_clouds.read(self.folder / "none.bin")

    @parameterized.parameters(*pypcd4.Encoding)
    def test_truncated_pcd_is_refused(self, encoding):
        path = self.folder / "a.pcd"
        _write_pcd(path, _columns(_points()), encoding)
        path.write_bytes(path.read_bytes()[:-30])
        with self.assertRaisesRegex(ValueError, "a.pcd: "):
            point_clouds.read(path)

    @parameterized.parameters(
        ("a.las", 100), ("a.las", 3400), ("a.laz", 100), ("a.laz", 300)
    )
    def test_truncated_las_is_refused(self, name, cut):
        cloud = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
        cloud.x = cloud.y = cloud.z = np.arange(1000.0)
        path = self.folder / name
        cloud.write(path)
        path.write_bytes(path.read_bytes()[:-cut])  # 34 bytes a point
        with self.assertRaisesRegex(ValueError, f"{name}: "):
            point_clouds.read(path)

    def test_a_missing_coordinate_is_named(self):
        columns = _columns(_points())
        del columns["z"]
        path = self.folder / "a.pcd"
        _write_pcd(path, columns, pypcd4.Encoding.BINARY)
        with self.assertRaisesRegex(ValueError, "a.pcd: .*x, y, z; z missing"):
            point_clouds.read(path)

    @parameterized.parameters(((5, 2),), ((64, 512, 6),), ((7,),))
    def test_arrays_that_are_no_points_are_refused(self, shape):
        np.save(self.folder / "a.npy", np.zeros(shape))
        with self.assertRaisesRegex(ValueError, r"\[N, 3\].*got \("):
            point_clouds.read(self.folder / "a.npy")

    def test_an_array_of_no_points_is_refused(self):
        np.save(self.folder / "a.npy", np.zeros((0, 4)))
        with self.assertRaisesRegex(ValueError, "at least one point"):
            point_clouds.read(self.folder / "a.npy")

    def test_points_that_are_not_finite_are_counted_or_dropped(self):
        points = _points()
        rings = _rings(points).astype(np.uint16)
        points[3, 1], points[7, 3] = np.nan, np.inf
        path = self.folder / "a.pcd"
        _write_pcd(path, _columns(points, ring=rings), pypcd4.Encoding.BINARY)
        with self.assertRaisesRegex(ValueError, "a.pcd: .* 2 of 40 points"):
            point_clouds.read(path)
        scan = point_clouds.read(path, drop_invalid=True)
        points[[3, 7]], rings[[3, 7]] = 0, 0  # as many as the file has
        np.testing.assert_array_equal(scan.points, points)
        np.testing.assert_array_equal(scan.rings, rings)

    def test_map_coordinates_are_refused(self):
        np.save(self.folder / "a.npy", np.array([[451234.0, 5412345, 110]]))
        with self.assertRaisesRegex(ValueError, "map coordinates"):
            point_clouds.read(self.folder / "a.npy")

    def test_points_of_other_widths_are_not_written(self):
        with self.assertRaisesRegex(ValueError, r"got \(5, 3\)"):
            point_clouds.write_bin(self.folder / "a.bin", np.zeros((5, 3)))


class LabelTest(_FolderTest):
    def test_class_and_instance_share_32_bits(self):
        path = self.folder / "000000.label"
        # 252 + 7 * 65536 = 459004; 10; 40 + 65535 * 65536 = 4294901800
        path.write_bytes(np.array([459004, 10, 4294901800], "<u4").tobytes())
        class_ids, instance_ids = point_clouds.read_labels(path, 3)
        self.assertEqual(class_ids.tolist(), [252, 10, 40])
        self.assertEqual(instance_ids.tolist(), [7, 0, 65535])
        self.assertEqual(class_ids.dtype, np.int32)

    def test_writing_and_reading_returns_the_ids(self):
        rng = np.random.default_rng(0)
        path = self.folder / "000000.label"
        ids = rng.integers(0, 65536, (2, 100))
        point_clouds.write_labels(path, *ids)
        np.testing.assert_array_equal(point_clouds.read_labels(path, 100), ids)
        point_clouds.write_labels(path, ids[0])
        found = point_clouds.read_labels(path, 100)
        np.testing.assert_array_equal(found, [ids[0], np.zeros(100)])
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_a_wrong_count_names_both(self):
        path = self.folder / "000000.label"
        point_clouds.write_labels(path, np.zeros(7, int))
        with self.assertRaisesRegex(
            ValueError, "000000.label: expected 8 labels.*got 7"
        ):
            point_clouds.read_labels(path, 8)

    @parameterized.parameters(
        (np.array([65536]), None, "class_ids must lie in 0..65535"),
        (np.array([1]), np.array([-1]), "instance_ids must lie"),
        (np.array([1, 2]), np.array([1]), r"got \(2,\) and \(1,\)"),
    )
    def test_ids_that_do_not_fit_are_refused(self, classes, instances, message):
        with self.assertRaisesRegex(ValueError, message):
            point_clouds.write_labels(
                self.folder / "a.label", classes, instances
            )
        self.assertEmpty(list(self.folder.iterdir()))


if __name__ == "__main__":
    absltest.main()
