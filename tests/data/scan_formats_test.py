"""Damaged files of every format are refused by name."""

import pathlib
import tempfile
import warnings

import laspy
import numpy as np
import plyfile
import pypcd4
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds


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


def _write(path, points):
    """A file with intensities and, if the format has them, rings."""
    columns = _columns(points, ring=_rings(points).astype(np.uint16))
    kind, _, suffix = path.name.partition(".")
    if suffix == "bin":
        point_clouds.write_bin(path, points)
    elif suffix == "pcd.bin":
        np.pad(points, ((0, 0), (0, 1))).tofile(path)
    elif suffix == "npy":
        np.save(path, points)
    elif suffix == "pcd":
        _write_pcd(path, columns, pypcd4.Encoding(kind))
    elif suffix == "ply":
        vertices = np.rec.fromarrays(columns.values(), names=list(columns))
        element = plyfile.PlyElement.describe(vertices, "vertex")
        plyfile.PlyData([element], text=kind == "text").write(str(path))
    else:
        version, point_format = ("1.4", 6) if kind == "new" else ("1.2", 3)
        header = laspy.LasHeader(point_format=point_format, version=version)
        header.scales = np.full(3, 1e-4)
        cloud = laspy.LasData(header)
        cloud.x, cloud.y, cloud.z = points[:, :3].T.astype(np.float64)
        cloud.write(path)


class DamageTest(_FolderTest):
    @parameterized.parameters(
        "a.bin",
        "a.pcd.bin",
        "a.npy",
        "ascii.pcd",
        "binary.pcd",
        "binary_compressed.pcd",
        "text.ply",
        "binary.ply",
        "old.las",
        "new.las",
        "old.laz",
        "new.laz",
    )
    def test_damaged_files_are_read_or_refused_by_name(self, name):
        path = self.folder / name
        _write(path, _points(30))
        point_clouds.read(path)
        content = path.read_bytes()
        rng = np.random.default_rng(0)
        refused = 0
        for trial in range(150):
            damaged = bytearray(content)
            if trial % 5 == 0:
                del damaged[rng.integers(len(content)) :]
            else:  # half of them in the first bytes, where headers are
                end = min(400, len(content)) if trial % 2 else len(content)
                for place in rng.integers(end, size=rng.integers(1, 3)):
                    damaged[place] = rng.choice([0, 1, 0x80, 0xFF])
            path.write_bytes(damaged)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    scan = point_clouds.read(path)
                except (ValueError, OSError) as error:
                    self.assertStartsWith(str(error), f"{path}: ")
                    refused += 1
                else:
                    self.assertTrue(np.isfinite(scan.points).all())
        self.assertGreater(refused, 15)

    def test_a_zip_is_no_array(self):
        np.savez(self.folder / "a.npz", _points())
        content = (self.folder / "a.npz").read_bytes()
        for damaged in (content, content[:-40]):
            path = self.folder / "a.npy"
            path.write_bytes(damaged)
            with self.assertRaisesRegex(ValueError, "a.npy: not a NumPy array"):
                point_clouds.read(path)

    @parameterized.parameters(b"{'descr': '<f4', ((", b"{'descr': 1 + }")
    def test_a_broken_array_header_is_named(self, header):
        path = self.folder / "a.npy"
        size = len(header).to_bytes(2, "little")
        path.write_bytes(b"\x93NUMPY\x01\x00" + size + header)
        with self.assertRaisesRegex(ValueError, "a.npy: not a NumPy array"):
            point_clouds.read(path)

    def test_a_ply_header_of_other_letters_is_named(self):
        path = self.folder / "binary.ply"
        _write(path, _points())
        path.write_bytes(path.read_bytes().replace(b"float", b"flo\xe4t", 1))
        with self.assertRaisesRegex(ValueError, "binary.ply: PLY not underst"):
            point_clouds.read(path)

    @parameterized.parameters(
        # LAS 1.4 R15 §2.4: bytes of the counts in the header.
        ("old.las", 107, 2**31, "promises 2147483648 points of 34 bytes"),
        ("old.laz", 107, 2**31, "promises 2147483648 points of 34 bytes"),
        ("new.laz", 247, 2**31, "promises 2147483648 points of 30 bytes"),
        ("old.laz", 100, 2**31, "2147483648 records need"),
        ("new.las", 243, 2**31, "2147483648 extended records need"),
    )
    def test_counts_beyond_the_file_are_refused(self, name, at, count, message):
        path = self.folder / name
        _write(path, _points())
        content = bytearray(path.read_bytes())
        content[at : at + 4] = count.to_bytes(4, "little")
        path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, f"{name}: .*{message}"):
            point_clouds.read(path)

    def test_a_chunk_table_beyond_the_file_is_refused(self):
        path = self.folder / "old.laz"
        _write(path, _points())
        content = bytearray(path.read_bytes())
        start = int.from_bytes(content[96:100], "little")
        table = int.from_bytes(content[start : start + 8], "little")
        content[table + 4 : table + 8] = b"\xff" * 4
        path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, "4294967295 chunks"):
            point_clouds.read(path)


if __name__ == "__main__":
    absltest.main()
