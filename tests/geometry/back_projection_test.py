"""Labels back to points: round trips, hand-worked votes and a loop."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import back_projection, spherical
from tests import shared_files

_TURN = spherical.Projection(8, 16, 20.0, -20.0, 180.0, -180.0)
_FRONT = spherical.Projection(8, 16, 20.0, -20.0, 45.0, -45.0)


def _points(count, seed=0):
    rng = np.random.default_rng(seed)
    azimuth = rng.uniform(-np.pi, np.pi, count)
    level = rng.uniform(3, 9, count)
    return np.stack(
        [
            level * np.cos(azimuth),
            level * np.sin(azimuth),
            rng.uniform(-1, 1, count),
            rng.random(count),
        ],
        axis=1,
    ).astype(np.float32)


def _at(row_column_ranges):
    """One point per (row, column, range) at the centre of _FRONT's cells."""
    points = []
    for row, column, distance in row_column_ranges:
        zenith = np.radians(20 - (row + 0.5) * 5)
        azimuth = np.radians(45 - (column + 0.5) * 90 / 16)
        points.append(
            [
                distance * np.cos(zenith) * np.cos(azimuth),
                distance * np.cos(zenith) * np.sin(azimuth),
                distance * np.sin(zenith),
                0.0,
            ]
        )
    return np.array(points, np.float32)


def _vote_by_loop(labels, projected, row, column, distance, k, limit):
    """RangeNet++'s vote (§III-D) on range only, one point."""
    num_rows, num_columns = projected.point_index.shape
    candidates = []
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            y, x = row + dy, column + dx
            if projected.is_full_turn:
                x %= num_columns
            if not (0 <= y < num_rows and 0 <= x < num_columns):
                continue
            if projected.point_index[y, x] < 0:
                continue
            gap = abs(projected.grid[y, x, 4] - distance)
            if gap <= limit:
                candidates.append((gap, labels[y, x]))
    candidates = sorted(candidates)[:k]
    if not candidates:
        return labels[row, column]
    counts = {}
    for _, label in candidates:
        counts[label] = counts.get(label, 0) + 1
    top = max(counts.values())
    return next(label for _, label in candidates if counts[label] == top)


class BackProjectTest(parameterized.TestCase):
    def test_owners_get_their_cells_label(self):
        points = _points(500)
        projected = spherical.project(points, _TURN)
        labels = np.arange(8 * 16).reshape(8, 16)
        found = back_projection.back_project(labels, points, projected)
        taken = projected.point_index >= 0
        np.testing.assert_array_equal(
            found[projected.point_index[taken]], labels[taken]
        )

    @parameterized.named_parameters(("turn", _TURN), ("front", _FRONT))
    def test_hidden_points_get_the_vote_of_a_loop(self, projection):
        points = _points(900)
        projected = spherical.project(points, projection)
        labels = np.random.default_rng(1).integers(0, 3, (8, 16))
        found = back_projection.back_project(
            labels, points, projected, max_distance=0.3
        )
        hidden = set(np.flatnonzero(projected.rows >= 0)) - set(
            projected.point_index.ravel()
        )
        self.assertGreater(len(hidden), 100)
        for index in hidden:
            expected = _vote_by_loop(
                labels,
                projected,
                projected.rows[index],
                projected.columns[index],
                np.linalg.norm(points[index, :3]),
                5,
                0.3,
            )
            self.assertEqual(found[index], expected)

    def test_a_wall_behind_a_pole_stays_a_wall(self):
        # A pole (label 1) at 5 m hides a wall (label 2) at 9 m, which is
        # seen in the cells beside the pole.
        around = [(row, column, 9.0) for row in (3, 4, 5) for column in (6, 8)]
        points = _at([(4, 7, 5.0), (4, 7, 9.0), *around])
        projected = spherical.project(points, _FRONT)
        labels = np.zeros((8, 16), int)
        labels[4, 7] = 1
        for row, column, _ in around:
            labels[row, column] = 2
        found = back_projection.back_project(labels, points, projected)
        self.assertEqual(found.tolist(), [1] + [2] * 7)

    def test_a_point_far_from_all_cells_takes_its_own_cells_label(self):
        points = _at([(4, 7, 5.0), (4, 7, 30.0)])
        projected = spherical.project(points, _FRONT)
        found = back_projection.back_project(
            np.full((8, 16), 3), points, projected
        )
        self.assertEqual(found.tolist(), [3, 3])

    def test_points_outside_get_the_callers_label(self):
        points = np.array([[-5, 0, 0, 0], [5, 0, 0, 0]], np.float32)
        projected = spherical.project(points, _FRONT)
        ones = np.ones((8, 16), np.int32)
        found = back_projection.back_project(ones, points, projected)
        self.assertEqual(found.tolist(), [0, 1])
        found = back_projection.back_project(
            ones, points, projected, outside=-7
        )
        self.assertEqual(found.tolist(), [-7, 1])
        self.assertEqual(found.dtype, np.int32)

    def test_windows_of_a_full_turn_reach_over_the_seam(self):
        # As the pole and the wall, but the pole stands straight behind.
        points = []
        for column, distance in ((0, 5.0), (0, 9.0), (15, 9.0)):
            azimuth = np.radians(180 - (column + 0.5) * 360 / 16)
            points.append(
                [distance * np.cos(azimuth), distance * np.sin(azimuth), 0, 0]
            )
        points = np.array(points, np.float32)
        labels = np.zeros((8, 16), int)
        labels[4, 0], labels[4, 15] = 1, 2
        found = back_projection.back_project(
            labels, points, spherical.project(points, _TURN)
        )
        self.assertEqual(found.tolist(), [1, 2, 2])

    @parameterized.parameters(
        ({"grid_values": np.zeros((8, 15), int)}, r"shape \(8, 16\)"),
        ({"grid_values": np.zeros((8, 16))}, "int labels"),
        ({"points": np.zeros((3, 4))}, "the 2 that were projected; got 3"),
        ({"neighbours": 26}, "neighbours in 1..window²; got 5 and 26"),
    )
    def test_arguments_that_do_not_fit_are_refused(self, change, message):
        points = np.ones((2, 4), np.float32)
        arguments = {
            "grid_values": np.zeros((8, 16), int),
            "points": points,
            "projected": spherical.project(points, _FRONT),
            **change,
        }
        with self.assertRaisesRegex(ValueError, message):
            back_projection.back_project(**arguments)


class RecordedTest(absltest.TestCase):
    def test_range_bands_survive_a_coarse_grid(self):
        """Labels that follow the range must come back to hidden points."""
        path = shared_files.path(
            "data/kitti_object/training/velodyne/000001.bin"
        )
        points = point_clouds.read(path).points
        bands = (np.linalg.norm(points[:, :3], axis=1) / 4).astype(int)
        projected = spherical.project(
            points, spherical.PROJECTIONS["hdl64e_1024"]
        )
        labels = np.where(
            projected.point_index >= 0, bands[projected.point_index], 99
        )
        found = back_projection.back_project(labels, points, projected)
        hidden = np.setdiff1d(
            np.flatnonzero(projected.rows >= 0), projected.point_index
        )
        self.assertGreater(len(hidden), 50_000)  # half the columns of a turn
        by_cell = labels[projected.rows[hidden], projected.columns[hidden]]
        wrong = np.mean(found[hidden] != bands[hidden])
        self.assertLess(wrong, 0.05)
        self.assertLess(wrong, 0.7 * np.mean(by_cell != bands[hidden]))


if __name__ == "__main__":
    absltest.main()
