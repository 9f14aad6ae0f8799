"""DBSCAN on points whose clusters are plain to see."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.geometry import clustering


def line(x, count, step=0.1):
    """[count, 3] points along y, `step` metres apart."""
    points = np.zeros((count, 3), np.float32)
    points[:, 0], points[:, 1] = x, step * np.arange(count)
    return points


class DbscanTest(parameterized.TestCase):
    def test_two_blobs_and_a_stray_point(self):
        random = np.random.default_rng(0)
        blobs = [random.uniform(-0.2, 0.2, (50, 3)) + [x, 0, 0] for x in (0, 5)]
        points = np.concatenate([blobs[0], [[2.5, 0, 0]], blobs[1]])
        ids = clustering.dbscan(points, radius=0.3, min_points=20)
        self.assertEqual(set(ids[:50]), {0})
        self.assertEqual(ids[50], -1)
        self.assertEqual(set(ids[51:]), {1})

    def test_points_within_the_radius_count_themselves_included(self):
        # Of three points 0.1 apart the middle one has three within 0.15.
        ids = clustering.dbscan(line(0, 3), radius=0.15, min_points=3)
        np.testing.assert_array_equal(ids, [0, 0, 0])
        ids = clustering.dbscan(line(0, 3), radius=0.15, min_points=4)
        np.testing.assert_array_equal(ids, [-1, -1, -1])

    @parameterized.parameters((0.29, 2), (0.31, 1))
    def test_a_gap_of_the_radius_parts_clusters(self, radius, num_clusters):
        points = np.concatenate([line(0, 5), line(0.3, 5)])
        ids = clustering.dbscan(points, radius=radius, min_points=2)
        self.assertLen(set(ids), num_clusters)

    def test_no_points_give_no_clusters(self):
        self.assertEqual(clustering.dbscan(np.zeros((0, 3)), 0.3, 20).size, 0)

    @parameterized.parameters((0, 20), (-1, 20), (0.3, 0))
    def test_arguments_out_of_range_are_refused(self, radius, min_points):
        with self.assertRaisesRegex(ValueError, "must be positive"):
            clustering.dbscan(np.zeros((4, 3)), radius, min_points)


if __name__ == "__main__":
    absltest.main()
