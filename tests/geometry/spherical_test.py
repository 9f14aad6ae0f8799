"""Spherical projection against loops, hand-worked cells and real grids."""

import dataclasses
import glob
import math

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import lidar_grids, point_clouds
from squeeze_tf.geometry import laser_rings, spherical
from tests import shared_files

_UNIFORM = spherical.Projection(4, 8, 10.0, -10.0, 40.0, -40.0)
_TURN = spherical.Projection(4, 8, 10.0, -10.0, 180.0, -180.0)
_BEAMS = spherical.Projection(
    3, 8, 10.0, -30.0, 40.0, -40.0, beam_degrees=(5.0, 1.0, -20.0)
)


def _point(zenith_degrees, azimuth_degrees, distance=10.0, intensity=0.5):
    zenith, azimuth = (
        math.radians(zenith_degrees),
        math.radians(azimuth_degrees),
    )
    return [
        distance * math.cos(zenith) * math.cos(azimuth),
        distance * math.cos(zenith) * math.sin(azimuth),
        distance * math.sin(zenith),
        intensity,
    ]


def _random_points(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.array(
        [
            _point(*angles)
            for angles in np.column_stack(
                [
                    rng.uniform(-14, 14, count),
                    rng.uniform(-180, 180, count),
                    rng.uniform(2, 50, count),
                    rng.uniform(0, 1, count),
                ]
            )
        ],
        np.float32,
    )


def _cell_by_loop(point, projection):
    """The cell of a point, from Eq. 1 of Ch. 3 and the field's edges."""
    x, y, z = (float(value) for value in point[:3])
    zenith = math.degrees(math.asin(z / math.sqrt(x * x + y * y + z * z)))
    azimuth = math.degrees(math.atan2(y, x))
    if projection.fold_behind:
        azimuth = math.degrees(math.asin(y / math.sqrt(x * x + y * y)))
    height = projection.up_degrees - projection.down_degrees
    width = projection.left_degrees - projection.right_degrees
    row = math.floor(
        (projection.up_degrees - zenith) / (height / projection.rows)
    )
    if projection.beam_degrees is not None:
        row = min(
            range(projection.rows),
            key=lambda i: abs(projection.beam_degrees[i] - zenith),
        )
        if not projection.down_degrees < zenith <= projection.up_degrees:
            return -1, -1
    column = math.floor(
        (projection.left_degrees - azimuth) / (width / projection.columns)
    )
    if not (0 <= row < projection.rows and 0 <= column < projection.columns):
        return -1, -1
    return row, column


class AnglesTest(absltest.TestCase):
    def test_directions_on_the_axes(self):
        points = np.array([[1, 0, 0], [0, 2, 0], [-1, 0, 0], [0, 0, 3.0]])
        zenith, azimuth = spherical.zenith_azimuth(points)
        np.testing.assert_allclose(zenith, [0, 0, 0, np.pi / 2])
        np.testing.assert_allclose(azimuth[:3], [0, np.pi / 2, np.pi])

    def test_folding_mirrors_points_behind_and_keeps_those_ahead(self):
        points = _random_points(200)
        mirrored = points * [-1, 1, 1, 1]
        _, azimuth = spherical.zenith_azimuth(points)
        _, other = spherical.zenith_azimuth(mirrored)
        _, folded = spherical.zenith_azimuth(points, fold_behind=True)
        expected = np.where(points[:, 0] >= 0, azimuth, other)
        np.testing.assert_allclose(folded, expected, atol=1e-6)
        self.assertGreater(np.sum(points[:, 0] < 0), 50)

    def test_leading_axes_are_kept(self):
        zenith, azimuth = spherical.zenith_azimuth(np.ones((2, 5, 3)))
        self.assertEqual(zenith.shape, (2, 5))
        np.testing.assert_allclose(azimuth, np.pi / 4)
        np.testing.assert_allclose(zenith, math.asin(1 / math.sqrt(3)))

    def test_a_last_axis_of_two_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"got \(4, 2\)"):
            spherical.zenith_azimuth(np.zeros((4, 2)))


class CellsTest(parameterized.TestCase):
    def test_cells_worked_by_hand(self):
        # Rows of 5 degrees from +10, columns of 10 degrees from +40.
        points = np.array(
            [
                _point(9.9, 39.9),  # upper left corner
                _point(-9.9, -39.9),  # lower right corner
                _point(0.1, 0.1),  # just above and left of the centre
                _point(-0.1, -0.1),  # just below and right of it
                _point(10.1, 0),  # above
                _point(0, 40.1),  # left
                _point(0, 180),  # behind
                [0, 0, 0, 0],  # no return
            ]
        )
        rows, columns = spherical.cells(points, _UNIFORM)
        self.assertEqual(rows.tolist(), [0, 3, 1, 2, -1, -1, -1, -1])
        self.assertEqual(columns.tolist(), [0, 7, 3, 4, -1, -1, -1, -1])
        self.assertEqual(rows.dtype, np.int32)

    def test_beams_take_the_nearest(self):
        points = np.array(
            [_point(z, 0) for z in (9, 3.1, 2.9, -9.4, -9.6, -29, -31)]
        )
        rows, _ = spherical.cells(points, _BEAMS)
        self.assertEqual(rows.tolist(), [0, 0, 1, 1, 2, 2, -1])

    @parameterized.named_parameters(
        ("uniform", _UNIFORM),
        ("turn", _TURN),
        ("beams", _BEAMS),
        ("folded", dataclasses.replace(_UNIFORM, fold_behind=True)),
        ("front", spherical.PROJECTIONS["hdl64e_front"]),
        ("hdl32e", spherical.PROJECTIONS["hdl32e"]),
    )
    def test_equals_a_loop_over_points(self, projection):
        points = _random_points(500)
        expected = np.array([_cell_by_loop(p, projection) for p in points])
        actual = np.stack(spherical.cells(points, projection), axis=1)
        np.testing.assert_array_equal(actual, expected)
        self.assertGreater(np.sum(expected[:, 0] >= 0), 50)

    def test_rings_give_the_row(self):
        points = np.array([_point(-5, 0), _point(9, 0), _point(0, 90)])
        rows, columns = spherical.cells(points, _UNIFORM, np.array([3, 0, 1]))
        self.assertEqual(rows.tolist(), [3, 0, -1])
        self.assertEqual(columns.tolist(), [4, 4, -1])

    def test_straight_back_is_at_the_edge_of_a_full_turn(self):
        points = np.array([[-1, 0.0, 0], [-1, -0.0, 0], [-1, -1e-30, 0]])
        _, columns = spherical.cells(points, _TURN)
        self.assertTrue(set(columns) <= {0, 7})

    def test_a_field_behind_the_sensor_is_possible(self):
        behind = dataclasses.replace(
            _UNIFORM, left_degrees=220.0, right_degrees=140.0
        )
        points = np.array([_point(0, 141), _point(0, -141), _point(0, 0)])
        _, columns = spherical.cells(points, behind)
        self.assertEqual(columns.tolist(), [7, 0, -1])

    @parameterized.parameters(
        (np.array([0, 4]), "0..3, one per row; got 0..4"),
        (np.array([-1, 0]), "got -1..0"),
        (np.array([0]), r"rings must be \[2\]"),
    )
    def test_rings_that_do_not_fit_are_refused(self, rings, message):
        with self.assertRaisesRegex(ValueError, message):
            spherical.cells(np.ones((2, 3)), _UNIFORM, rings)


class ProjectionTest(parameterized.TestCase):
    @parameterized.parameters(
        {"up_degrees": -11.0},
        {"left_degrees": 400.0},
        {"columns": 0},
        {"beam_degrees": (1.0, 2.0, 3.0, 4.0)},
        {"beam_degrees": (1.0,)},
    )
    def test_impossible_projections_are_refused(self, **change):
        with self.assertRaises(ValueError):
            dataclasses.replace(_UNIFORM, **change)

    def test_presets_follow_the_thesis_and_the_manuals(self):
        front = spherical.PROJECTIONS["hdl64e_front"]
        self.assertEqual((front.rows, front.columns), (64, 512))  # Ch. 3 §3.1
        self.assertEqual(front.left_degrees - front.right_degrees, 90)
        beams = spherical.PROJECTIONS["hdl32e"].beam_degrees
        np.testing.assert_allclose(beams[0], 10.67, atol=0.005)
        np.testing.assert_allclose(beams[-1], -30.67, atol=0.005)
        np.testing.assert_allclose(np.diff(beams), -4 / 3)
        beams = spherical.PROJECTIONS["vlp16"].beam_degrees
        self.assertEqual((beams[0], beams[-1], len(beams)), (15, -15, 16))
        for projection in spherical.PROJECTIONS.values():
            beams = projection.beam_degrees or (0,)
            self.assertLess(beams[0], projection.up_degrees)
            self.assertGreater(beams[-1], projection.down_degrees)

    def test_published_grids_of_semantic_kitti_have_even_rows(self):
        grid = lidar_grids.read(
            shared_files.path("data/grids/semantic_kitti/train/0.npz")
        )
        mask = grid[..., 4] > 0
        rows, columns = spherical.cells(
            grid[mask][:, :3], spherical.PROJECTIONS["semantic_kitti_1024"]
        )
        at = np.nonzero(mask)
        self.assertGreater(np.mean(rows == at[0]), 0.99)
        self.assertGreater(np.mean(columns == at[1]), 0.99)


class ProjectTest(parameterized.TestCase):
    @parameterized.named_parameters(("uniform", _UNIFORM), ("turn", _TURN))
    def test_the_nearest_point_owns_the_cell(self, projection):
        points = _random_points(600)
        projected = spherical.project(points, projection)
        best = {}
        for index, point in enumerate(points):
            cell = _cell_by_loop(point, projection)
            distance = np.linalg.norm(point[:3])
            if cell[0] >= 0 and distance < best.get(cell, (np.inf,))[0]:
                best[cell] = (distance, index)
        expected = np.full((4, 8), -1)
        for cell, (_, index) in best.items():
            expected[cell] = index
        np.testing.assert_array_equal(projected.point_index, expected)
        self.assertLess(len(best), np.sum(projected.rows >= 0))

    def test_the_grid_holds_the_owners_values_and_zeros(self):
        points = np.array(
            [_point(1, 1, 10, 0.3), _point(1.1, 1.1, 5, 0.7)], np.float32
        )
        projected = spherical.project(points, _UNIFORM)
        np.testing.assert_array_equal(projected.grid[1, 3, :4], points[1])
        np.testing.assert_allclose(projected.grid[1, 3, 4], 5, rtol=1e-6)
        self.assertEqual(np.count_nonzero(projected.grid.any(axis=-1)), 1)
        self.assertEqual(np.sum(projected.point_index >= 0), 1)
        self.assertEqual(projected.grid.dtype, np.float32)
        self.assertEqual(projected.rows.tolist(), [1, 1])

    def test_the_order_of_the_points_does_not_matter(self):
        points = _random_points(300)
        order = np.random.default_rng(3).permutation(300)
        np.testing.assert_array_equal(
            spherical.project(points, _TURN).grid,
            spherical.project(points[order], _TURN).grid,
        )

    def test_the_first_of_equal_points_owns_the_cell(self):
        points = np.array([_point(1, 1)] * 5)
        projected = spherical.project(points, _UNIFORM)
        self.assertEqual(projected.point_index[1, 3], 0)

    def test_no_points_give_an_empty_grid(self):
        projected = spherical.project(np.zeros((0, 4)), _UNIFORM)
        self.assertFalse(projected.grid.any())
        self.assertTrue(np.all(projected.point_index == -1))

    def test_points_without_intensity_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"got \(7, 3\)"):
            spherical.project(np.zeros((7, 3)), _UNIFORM)


class RecordedTest(absltest.TestCase):
    def test_published_grids_return_to_their_own_cells_by_ring(self):
        """SqueezeSeg's samples: rows are lasers, columns 90 / 512 degrees."""
        folder = shared_files.path("data/grids/kitti_front/val")
        front = spherical.PROJECTIONS["hdl64e_front"]
        for path in sorted(glob.glob(f"{folder}/*.npy")):
            grid = np.load(path).astype(np.float32)
            rows, columns = np.nonzero(grid[..., 4] > 0)
            points = grid[rows, columns, :4]
            _, found = spherical.cells(points, front, rows)
            gaps = np.abs(found - columns)[found >= 0]
            self.assertGreater(np.mean(gaps == 0), 0.98)
            self.assertGreater(np.mean(found >= 0), 0.99)

    def test_published_grids_lie_in_our_rows_by_angle(self):
        folder = shared_files.path("data/grids/kitti_front/val")
        front = spherical.PROJECTIONS["hdl64e_front"]
        uniform = dataclasses.replace(
            front, beam_degrees=None, up_degrees=2.0, down_degrees=-24.9
        )
        for path in sorted(glob.glob(f"{folder}/*.npy")):
            grid = np.load(path).astype(np.float32)
            rows, columns = np.nonzero(grid[..., 4] > 0)
            points = grid[rows, columns, :4]
            by_beams, _ = spherical.cells(points, front)
            by_height, _ = spherical.cells(points, uniform)
            self.assertGreater(np.mean(by_beams == rows), 0.7)
            self.assertGreater(np.mean(np.abs(by_beams - rows) <= 1), 0.97)
            self.assertLess(np.mean(by_height == rows), 0.3)

    def test_real_scans_lie_within_the_field_and_fill_the_front(self):
        folder = shared_files.path("data/kitti_object/training/velodyne")
        for path in sorted(folder.glob("*.bin")):
            points = point_clouds.read(path).points
            turn = spherical.PROJECTIONS["hdl64e_2048"]
            rows, _ = spherical.cells(points, turn)
            self.assertGreater(np.mean(rows >= 0), 0.999)
            rings = laser_rings.from_scan_order(points, 64)
            front = spherical.PROJECTIONS["hdl64e_front"]
            filled = spherical.project(points, front, rings).point_index >= 0
            # The published grids are filled to 86 or 87 %.
            self.assertGreater(np.mean(filled), 0.75)


if __name__ == "__main__":
    absltest.main()
