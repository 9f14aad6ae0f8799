"""Dropout noise on hand-made grids and on planes."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.adaptation import dropout_noise
from squeeze_tf.data import lidar_grids
from tests import shared_files


def wall(distance=10.0, rows=8, columns=40):
    """Returns [H, W, 5] of a plane x = distance, seen from the origin."""
    azimuth = np.linspace(0.6, -0.6, columns)
    zenith = np.linspace(0.1, -0.1, rows)
    zenith, azimuth = np.meshgrid(zenith, azimuth, indexing="ij")
    x = np.full_like(zenith, distance)
    y, z = x * np.tan(azimuth), x / np.cos(azimuth) * np.tan(zenith)
    distances = np.sqrt(x**2 + y**2 + z**2)
    return np.stack([x, y, z, x, distances], -1).astype(np.float32)


def sample(grid):
    return {
        "grid": tf.constant(grid),
        "mask": tf.constant(grid[..., 4] > 0),
        "label_ids": tf.ones(grid.shape[:2], tf.int32),
    }


class FrequencyMapTest(absltest.TestCase):
    def test_is_the_share_of_scans_without_a_return(self):
        masks = np.array([[[1, 1, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 1]]], bool)
        np.testing.assert_array_equal(
            dropout_noise.frequency_map(masks), [[0, 0.5, 1], [1, 0, 0.5]]
        )

    def test_needs_a_scan(self):
        with self.assertRaisesRegex(ValueError, "at least one scan"):
            dropout_noise.frequency_map([])

    def test_smoothed_is_the_mean_of_the_window(self):
        x = np.array([[0.0, 3, 6, 0, 0]])
        np.testing.assert_allclose(
            dropout_noise.smoothed(x, 3), [[1.5, 3, 3, 2, 0]]
        )
        np.testing.assert_allclose(
            dropout_noise.smoothed(x, 3, full_turn=True), [[1, 3, 3, 2, 0]]
        )
        np.testing.assert_array_equal(dropout_noise.smoothed(x, 1), x)


class RatesToAddTest(absltest.TestCase):
    def test_together_with_what_is_missing_they_give_the_real_share(self):
        real = np.array([0.5, 0.2, 0.9, 1.0, 0.3])
        simulated = np.array([0.0, 0.1, 0.9, 0.2, 0.6])
        rates = dropout_noise.rates_to_add(real, simulated)
        missing = 1 - (1 - simulated) * (1 - rates)
        np.testing.assert_allclose(missing, np.maximum(real, simulated))

    def test_where_simulation_has_nothing_nothing_is_dropped(self):
        self.assertEqual(dropout_noise.rates_to_add([1.0], [1.0]), [0])


class InjectTest(absltest.TestCase):
    def test_loses_as_many_as_the_rates_say_and_zeroes_them(self):
        grid = np.ones([100, 200, 5], np.float32)
        rates = np.zeros([100, 200], np.float32)
        rates[:, 100:] = 0.3
        rates[:10] = 1
        got = dropout_noise.inject(sample(grid), rates, [1, 2])
        mask = got["mask"].numpy()
        self.assertFalse(mask[:10].any())
        self.assertTrue(mask[10:, :100].all())
        # 9,000 draws: five standard deviations are 0.024.
        self.assertAlmostEqual(mask[10:, 100:].mean(), 0.7, delta=0.024)
        np.testing.assert_array_equal(
            got["grid"], np.where(mask[..., np.newaxis], grid, 0)
        )
        np.testing.assert_array_equal(got["label_ids"], mask)

    def test_is_the_same_for_the_same_seed_and_brings_nothing_back(self):
        given = sample(wall())
        given["mask"] = given["mask"] & (given["grid"][..., 1] > 0)
        a, b = (
            dropout_noise.inject(given, tf.fill([8, 40], 0.5), [3, 4])["mask"]
            for _ in range(2)
        )
        np.testing.assert_array_equal(a, b)
        self.assertFalse((a.numpy() & ~given["mask"].numpy()).any())


class SurfaceTest(absltest.TestCase):
    def test_bridges_small_holes_of_a_wall_by_its_points(self):
        whole = wall()
        grid = whole.copy()
        grid[2, 5] = grid[3, 7:10] = 0
        points, known = dropout_noise.surface(tf.constant(grid))
        self.assertTrue(known.numpy().all())
        # Between two points of a plane lies a point of it.
        np.testing.assert_allclose(points, whole[..., :3], atol=0.05)
        np.testing.assert_allclose(points[..., 0], 10, rtol=1e-5)

    def test_leaves_wide_holes_borders_and_edges_of_objects(self):
        grid = wall()
        grid[0, 10:20] = 0  # wider than it may be
        grid[1, :2] = 0  # at the border
        grid[2, 8] = 0  # between near and far
        grid[2, :8] *= 0.5
        _, known = dropout_noise.surface(tf.constant(grid))
        np.testing.assert_array_equal(known, grid[..., 4] > 0)


class IncidenceTest(absltest.TestCase):
    def test_on_a_wall_is_the_cosine_of_the_rays_angle(self):
        grid = wall()
        points, known = dropout_noise.surface(tf.constant(grid))
        cosine, found = dropout_noise.cosine_of_incidence(points, known)
        self.assertTrue(found.numpy().all())
        np.testing.assert_allclose(cosine, 10 / grid[..., 4], rtol=1e-4)

    def test_alone_a_return_has_none(self):
        grid = np.zeros([5, 5, 5], np.float32)
        grid[2, 2] = [10, 0, 0, 0, 10]
        points, known = dropout_noise.surface(tf.constant(grid))
        cosine, found = dropout_noise.cosine_of_incidence(points, known)
        self.assertFalse(found.numpy().any())
        self.assertEqual(cosine.numpy().max(), 0)


class ConditionalRatesTest(absltest.TestCase):
    def test_finds_the_share_of_holes_by_range(self):
        random = np.random.default_rng(0)
        grids = []
        for distance, share in ((10.5, 0.1), (24.0, 0.4)) * 8:
            grid = wall(distance)
            grid[random.random(grid.shape[:2]) < share] = 0
            grids.append(grid)
        rates = dropout_noise.conditional_rates(grids)
        by_range = (rates.missing * rates.surfaces).sum(1) / np.maximum(
            rates.surfaces.sum(1), 1
        )
        near, far = 2, 4  # 10 to 15 m and 20 to 30 m
        # Holes at the border or too wide are not bridged: a little too few.
        self.assertAlmostEqual(by_range[near], 0.1, delta=0.02)
        self.assertAlmostEqual(by_range[far], 0.4, delta=0.05)
        self.assertEqual(rates.surfaces[[0, 1, 5, 6, 7]].sum(), 0)

    def test_rates_of_cells_are_looked_up(self):
        rates = np.zeros(
            [
                len(dropout_noise.RANGE_EDGES) - 1,
                len(dropout_noise.COSINE_EDGES),
            ],
            np.float32,
        )
        rates[2, 5] = 0.25  # 10 to 15 m, cosine above 0.7
        got = dropout_noise.rates_of_cells(tf.constant(wall(10.5)), rates)
        np.testing.assert_array_equal(got, np.full([8, 40], 0.25))

    def test_on_real_scans_far_surfaces_miss_more(self):
        paths = lidar_grids.find(
            shared_files.path("data/grids/semantic_kitti/train")
        )
        grids = [lidar_grids.read(path)[..., :5] for path in paths[:4]]
        rates = dropout_noise.conditional_rates(grids)
        missing = rates.missing * rates.surfaces
        by_range = missing.sum(axis=1) / rates.surfaces.sum(axis=1)
        self.assertGreater(by_range[7], 2 * by_range[3])  # 60 m, 15 to 20 m


if __name__ == "__main__":
    absltest.main()
