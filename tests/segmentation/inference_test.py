"""Every point gets a label: from its cell, its neighbours or class 0."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import inference
from tests import shared_files

keras = tf.keras

VIEW = spherical.Projection(4, 16, 10.0, -10.0, 45.0, -45.0)


def by_intensity(shape=(4, 16), num_classes=4):
    """A model whose label is the intensity times 10, and 3 where empty."""

    def scores(x):
        tenths = tf.cast(x[..., 3] * 10 + 0.5, tf.int32)
        return tf.one_hot(tf.where(x[..., 4] > 0, tenths, 3), num_classes)

    grid = keras.Input((*shape, 5))
    return keras.Model(grid, keras.layers.Lambda(scores)(grid))


def at(row, column, distance):
    """x, y, z of the middle of a cell."""
    zenith = np.radians(10 - (row + 0.5) * 5)
    azimuth = np.radians(45 - (column + 0.5) * 90 / 16)
    return distance * np.array(
        [
            np.cos(zenith) * np.cos(azimuth),
            np.cos(zenith) * np.sin(azimuth),
            np.sin(zenith),
        ]
    )


def scan(*points):
    """Of (row, column, distance, class)."""
    values = [[*at(r, c, d), label / 10] for r, c, d, label in points]
    return point_clouds.Scan(np.array(values, np.float32))


class SegmenterTest(parameterized.TestCase):
    def test_points_take_the_labels_of_their_cells(self):
        segmenter = inference.Segmenter(by_intensity(), VIEW)
        found = segmenter(
            scan((0, 3, 8, 1), (1, 7, 9, 2), (3, 15, 20, 3), (2, 0, 5, 0))
        )
        np.testing.assert_array_equal(found.class_ids, [1, 2, 3, 0])
        self.assertEqual(found.class_ids.dtype, np.int32)
        self.assertEqual(found.grid_ids[0, 3], 1)
        self.assertEqual(found.grid_ids[3, 15], 3)
        # Cells without a return are class 0, whatever the model says.
        self.assertEqual(np.count_nonzero(found.grid_ids), 3)
        self.assertEqual(found.grid.shape, (4, 16, 5))
        self.assertEqual(
            set(found.milliseconds),
            {"projection", "network", "back projection"},
        )

    def test_points_of_one_cell_share_its_label_where_no_better_is_near(self):
        segmenter = inference.Segmenter(by_intensity(), VIEW)
        # The nearest of three wins the cell; 10.5 m is within a metre of it,
        # 30 m is of no cell nearby and takes the cell's label as well.
        found = segmenter(scan((1, 5, 10.5, 2), (1, 5, 10, 1), (1, 5, 30, 3)))
        np.testing.assert_array_equal(found.class_ids, [1, 1, 1])

    def test_a_hidden_point_takes_the_label_of_cells_at_its_range(self):
        segmenter = inference.Segmenter(by_intensity(), VIEW)
        # A pole at 5 m before a wall at 20 m whose other cells are seen.
        found = segmenter(
            scan((1, 5, 5, 1), (1, 5, 20, 2), (1, 4, 20, 2), (1, 6, 20, 2))
        )
        np.testing.assert_array_equal(found.class_ids, [1, 2, 2, 2])

    def test_points_outside_the_view_are_class_0(self):
        segmenter = inference.Segmenter(by_intensity(), VIEW)
        points = scan((1, 5, 10, 1), (1, 5, 10, 2)).points
        points[1, :3] = [-10, 0, 0]
        found = segmenter(point_clouds.Scan(points))
        np.testing.assert_array_equal(found.class_ids, [1, 0])

    def test_ignored_classes_are_never_given(self):
        segmenter = inference.Segmenter(by_intensity(), VIEW, (0, 2))
        found = segmenter(scan((0, 1, 8, 1), (1, 4, 9, 2), (2, 9, 9, 0)))
        self.assertEqual(found.class_ids[0], 1)
        self.assertNotIn(found.class_ids[1], (0, 2))
        self.assertNotIn(found.class_ids[2], (0, 2))

    def test_a_projection_of_another_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"\(4, 8\), the .*\(4, 16\)"):
            inference.Segmenter(by_intensity((4, 8)), VIEW)

    def test_every_point_of_a_real_scan_is_labelled(self):
        path = shared_files.path("data/kitti_object/training/velodyne")
        found = point_clouds.read(path / "000000.bin")
        view = spherical.PROJECTIONS["hdl64e_front"]
        segmenter = inference.Segmenter(by_intensity((64, 512), 12), view)
        got = segmenter(found)
        self.assertLen(got.class_ids, len(found.points))
        azimuth = np.arctan2(found.points[:, 1], found.points[:, 0])
        behind = np.abs(azimuth) > np.radians(45.5)
        self.assertFalse(got.class_ids[behind].any())
        inside = np.abs(azimuth) < np.radians(44.5)
        expected = np.floor(found.points[inside, 3] * 10 + 0.5)
        self.assertGreater(np.mean(got.class_ids[inside] == expected), 0.85)


class ProjectTest(parameterized.TestCase):
    def test_rings_of_the_file_decide_the_rows(self):
        points = scan((0, 3, 8, 1), (1, 7, 9, 2)).points
        rings = np.array([2, 3], np.int32)
        projected = inference.project(point_clouds.Scan(points, rings), VIEW)
        np.testing.assert_array_equal(projected.rows, rings)

    def test_rings_beyond_the_rows_give_way_to_angles(self):
        points = scan((0, 3, 8, 1), (1, 7, 9, 2)).points
        rings = np.array([2, 4], np.int32)
        projected = inference.project(point_clouds.Scan(points, rings), VIEW)
        np.testing.assert_array_equal(projected.rows, [0, 1])

    @parameterized.parameters(
        ("hdl64e_front", "hdl64e_front", True),
        ("hdl32e", "hdl32e", True),
        ("vlp16", "hdl64e_front", False),
        ("vlp16", "hdl32e", False),
        ("hdl32e", "hdl64e_front", False),
        ("hdl64e_front", "semantic_kitti_1024", False),
    )
    def test_rings_count_where_they_are_those_of_the_projection(
        self, sensor, view, are_used
    ):
        beams = spherical.PROJECTIONS[sensor].beam_degrees
        rings = np.repeat(np.arange(len(beams), dtype=np.int32), 40)
        # A tenth of the points of each laser are off by a degree.
        offset = np.where(np.arange(len(rings)) % 10 == 0, 1.0, 0.0)
        zenith = np.radians(np.repeat(beams, 40) + offset)
        azimuth = np.radians(np.tile(np.linspace(40, -40, 40), len(beams)))
        points = np.zeros((len(rings), 4), np.float32)
        points[:, 0] = 10 * np.cos(zenith) * np.cos(azimuth)
        points[:, 1] = 10 * np.cos(zenith) * np.sin(azimuth)
        points[:, 2] = 10 * np.sin(zenith)
        projection = spherical.PROJECTIONS[view]
        found = point_clouds.Scan(points, rings)
        rows = inference.project(found, projection).rows
        by_angle, _ = spherical.cells(points, projection)
        np.testing.assert_array_equal(rows, rings if are_used else by_angle)
        self.assertTrue((by_angle != rings).any())

    def test_rings_of_few_points_are_not_judged(self):
        points = scan((0, 3, 8, 1), (1, 7, 9, 2)).points
        view = spherical.PROJECTIONS["vlp16"]
        rings = np.array([14, 15], np.int32)
        projected = inference.project(point_clouds.Scan(points, rings), view)
        np.testing.assert_array_equal(projected.rows, rings)

    def test_a_file_in_the_order_of_its_lasers_needs_no_rings(self):
        # KITTI's frames list the 64 lasers from the top; by angle, rows mix.
        path = shared_files.path("data/kitti_object/training/velodyne")
        found = point_clouds.read(path / "000001.bin")
        view = spherical.PROJECTIONS["hdl64e_2048"]
        rows = inference.project(found, view).rows
        inside = rows[rows >= 0]
        self.assertTrue((np.diff(inside) >= 0).all())
        self.assertEqual(set(inside), set(range(64)))


if __name__ == "__main__":
    absltest.main()
