"""Gaps between sets of hand-made scans whose differences are known."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from squeeze_tf.adaptation import domain_gap
from squeeze_tf.simulation import config as simulation_config

UNIT = domain_gap.Quantity(np.linspace(-10, 10, 2001))
CLASSES = domain_gap.Quantity(None)


def street(height=1.73, pitch_degrees=0.0, rows=32, columns=128, wall=30.0):
    """[H, W, 5] of a level road that ends at a wall across it.

    The sensor's ray d hits the road of a world whose vertical is turned: the
    height of a point of it is sin(pitch) x + cos(pitch) z = -height.
    """
    pitch = np.radians(pitch_degrees)
    zenith = np.radians(np.linspace(3, -25, rows))[:, np.newaxis]
    azimuth = np.radians(np.linspace(44, -44, columns))
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
    intensity = np.linspace(0.2, 0.6, rows * columns).reshape(rows, columns, 1)
    parts = [rays * distance, intensity, distance]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def samples(*grids, label_ids=0):
    for grid in grids:
        ids = np.full(grid.shape[:2], label_ids, np.int32)
        yield {"grid": grid, "label_ids": np.where(grid[..., 4] > 0, ids, 0)}


def described(*grids, **settings):
    return domain_gap.describe(samples(*grids, **settings))


def with_holes(grid, share, seed=0):
    lost = np.random.default_rng(seed).random(grid.shape[:2]) < share
    return np.where(lost[..., np.newaxis], 0, grid)


class DistanceTest(parameterized.TestCase):
    @parameterized.parameters((0.2, "SMALL"), (0.8, "LARGE"))
    def test_thresholds_are_cohens_effects(self, shift, name):
        edges = UNIT.edges
        a, b = (np.diff(stats.norm.cdf(edges - x)) for x in (0, shift))
        found = domain_gap.distance(a[np.newaxis], b[np.newaxis], UNIT)
        self.assertAlmostEqual(found, getattr(domain_gap, name), delta=0.002)

    def test_is_what_the_formula_says(self):
        random = np.random.default_rng(0)
        x, y = random.integers(0, 200, 50), random.integers(50, 250, 80)
        a, b = (np.bincount(values, minlength=2000) for values in (x, y))
        values = UNIT.values
        x, y = values[x], values[y]
        between = np.abs(x[:, np.newaxis] - y).mean()
        among = sum(np.abs(v[:, np.newaxis] - v).mean() for v in (x, y))
        expected = stats.wasserstein_distance(x, y) / (
            2 * (2 * between + among) / 4
        )
        for first, second in ((a, b), (b, a)):
            found = domain_gap.distance(first[None], second[None], UNIT)
            self.assertAlmostEqual(found, expected, places=6)

    def test_of_classes_counts_those_that_are_others(self):
        a, b = np.array([[6, 2, 2]]), np.array([[2, 2, 6]])
        # 0.4 of the cells differ; of the mixture 0.4, 0.2, 0.4, two differ
        # with probability 1 - 0.16 - 0.04 - 0.16 = 0.64.
        found = domain_gap.distance(a, b, CLASSES)
        self.assertAlmostEqual(found, 0.4 / (2 * 0.64))

    def test_reaches_from_0_to_1(self):
        a, b = np.array([[5, 0, 0]]), np.array([[0, 7, 0]])
        self.assertEqual(domain_gap.distance(a, 3 * a, CLASSES), 0)
        self.assertAlmostEqual(domain_gap.distance(a, b, CLASSES), 1)
        steps = domain_gap.Quantity(np.array([0.0, 1, 2, 3]))
        self.assertAlmostEqual(domain_gap.distance(a, b, steps), 1)
        coarse = dataclasses.replace(steps, least_spread=4.0)
        self.assertAlmostEqual(domain_gap.distance(a, b, coarse), 1 / 4)
        self.assertTrue(np.isnan(domain_gap.distance(a, 0 * a, steps)))

    def test_of_groups_is_the_share_of_means(self):
        # One row alike, one in which all and none are missing.
        a, b = np.array([[9, 1], [10, 0]]), np.array([[9, 1], [0, 10]])
        two = domain_gap.Quantity(np.array([-0.5, 0.5, 1.5]))
        expected = ((0 + 1) / 2) / (2 * (2 * 0.1 * 0.9 + 2 * 0.5 * 0.5) / 2)
        self.assertAlmostEqual(domain_gap.distance(a, b, two), expected)


class DescribeTest(absltest.TestCase):
    def test_counts_what_is_there(self):
        grid = street()
        grid[3, 10] = grid[3, 40:60] = 0  # bridged, and too wide
        grid[4:, :, 3] = 0.31
        found = described(grid, grid)
        self.assertEqual(found.counts["missing"].shape, (2, 32, 2))
        np.testing.assert_array_equal(found.counts["missing"][0, 3], [107, 21])
        np.testing.assert_array_equal(found.counts["holes"][1, 3], [107, 1])
        self.assertEqual(found.counts["missing"][..., 1].sum(), 42)
        self.assertAlmostEqual(found.intensity_by_row[5], 0.31, places=6)
        median = np.median(grid[20, :, 4])
        self.assertAlmostEqual(found.range_by_row[20], median, places=5)
        # Ranges of 30 m and more, in intervals of half a metre.
        far = (grid[..., 4] >= 30).sum()
        self.assertEqual(found.counts["range"][0, 0, 60:].sum(), far)
        returns = (grid[..., 4] > 0).sum()
        for name in ("range", "intensity", "height", "classes"):
            self.assertEqual(found.counts[name].sum(), 2 * returns)
        np.testing.assert_allclose(found.sensor_height, 1.73, atol=1e-4)
        self.assertFalse(found.is_labelled)

    def test_holds_class_sizes_of_labelled_scans(self):
        grid = street()
        label_ids = np.zeros(grid.shape[:2], np.int32)
        label_ids[5, :8] = 1
        label_ids[6, :2] = 3
        labelled = [{"grid": grid, "label_ids": label_ids}]
        found = domain_gap.describe([*labelled, *samples(grid)])
        self.assertTrue(found.is_labelled)
        np.testing.assert_array_equal(
            found.counts["classes"].sum(axis=(0, 1)), [2 * 4096 - 10, 8, 0, 2]
        )
        self.assertAlmostEqual(found.shares("classes")[0, 1], 8 / 8192)

    def test_intensities_beyond_1_are_told_apart(self):
        grids = [street(), street()]
        for grid, factor in zip(grids, (100, 200)):
            grid[..., 3] *= factor
        a, b = (described(grid) for grid in grids)
        (gap,) = (g for g in domain_gap.compare(a, b) if g.name == "intensity")
        # Of the middle of its interval, 5 % wide.
        self.assertAlmostEqual(gap.a, 40, delta=1)
        self.assertAlmostEqual(gap.b, 80, delta=2)
        self.assertGreater(gap.distance, domain_gap.LARGE)

    def test_a_row_without_returns_has_no_median(self):
        grid = street()
        grid[0] = 0
        found = described(grid)
        self.assertTrue(math.isnan(found.range_by_row[0]))
        self.assertFalse(np.isnan(found.range_by_row[1:]).any())

    def test_refuses_no_scans_and_different_rows(self):
        with self.assertRaisesRegex(ValueError, "at least one scan"):
            domain_gap.describe([])
        with self.assertRaisesRegex(ValueError, "same number of rows"):
            described(street(), street(rows=16))
        with self.assertRaisesRegex(ValueError, r"same rows; got \[32, 16\]"):
            domain_gap.compare(described(street()), described(street(rows=16)))


class CompareTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.grids = [with_holes(street(), 0.05, seed) for seed in range(4)]
        self.a = described(*self.grids)

    def distances(self, *grids):
        """By name, and the advice."""
        gaps = domain_gap.compare(self.a, described(*grids))
        self.assertEqual(
            gaps, sorted(gaps, key=lambda gap: gap.distance, reverse=True)
        )
        return {g.name: g.distance for g in gaps}, domain_gap.advice(gaps)

    def test_equal_sets_have_no_gap(self):
        distances, advice = self.distances(*self.grids)
        self.assertLen(distances, len(domain_gap.QUANTITIES) - 1)
        self.assertEqual(set(distances.values()), {0.0})
        self.assertEqual(
            advice, ["no gap of 0.09 or more: the sets look alike"]
        )

    def test_other_intensities_ask_for_rendering(self):
        dark = [grid * [1, 1, 1, 0.3, 1] for grid in self.grids]
        distances, advice = self.distances(*dark)
        self.assertEqual(next(iter(distances)), "intensity")
        others = [d for name, d in distances.items() if name != "intensity"]
        self.assertEqual(max(others), 0)
        self.assertRegex(advice[0], r"^intensity: large gap 0\.\d\d: lir$")
        self.assertEqual(advice[-1].split(": ")[1], "gca, pdc")
        self.assertLen(advice, 2)

    def test_more_holes_ask_for_noise_and_context(self):
        holed = [with_holes(street(), 0.3, seed) for seed in range(4)]
        distances, advice = self.distances(*holed)
        self.assertEqual(set(list(distances)[:2]), {"missing", "holes"})
        for line in advice[:2]:
            self.assertIn(": noise, cam, simulation: ", line)
        self.assertLen(advice, 3)
        # Noise cannot give returns back.
        gaps = domain_gap.compare(described(*holed), self.a)
        advice = domain_gap.advice(gaps)
        self.assertIn("cam", advice[0])
        self.assertNotIn("noise", " ".join(advice))

    def test_another_mount_asks_for_the_simulators_settings(self):
        raised = [with_holes(street(2.3), 0.05, seed) for seed in range(4)]
        distances, advice = self.distances(*raised)
        # 0.57 m apart, over at least 0.5 m: a constant each, which is 1.
        self.assertAlmostEqual(distances["sensor_height"], 1, delta=0.01)
        self.assertLess(distances["sensor_pitch"], 0.01)
        self.assertEqual(distances["intensity"], 0)
        line = next(x for x in advice if x.startswith("sensor_height"))
        self.assertEndsWith(line, "simulation: sensor_height")
        tilted = [street(1.73, 1.0), street(1.73, 1.0)]
        distances, _ = self.distances(*tilted)
        self.assertAlmostEqual(distances["sensor_pitch"], 1 / 2, delta=0.05)

    def test_classes_are_compared_if_both_have_labels(self):
        cars = described(*self.grids, label_ids=1)
        other = described(*self.grids, label_ids=2)
        gaps = domain_gap.compare(cars, other)
        self.assertEqual(gaps[0].name, "classes")
        self.assertEqual((gaps[0].distance, gaps[0].a, gaps[0].b), (1, 1, 1))
        self.assertIn("num_pedestrians", domain_gap.advice(gaps)[0])
        names = {gap.name for gap in domain_gap.compare(self.a, cars)}
        self.assertNotIn("classes", names)

    def test_what_halves_of_a_set_have_as_well_asks_for_nothing(self):
        dark = [grid * [1, 1, 1, 0.3, 1] for grid in self.grids]
        mixed = described(*self.grids, *dark)
        gaps = domain_gap.compare(mixed, described(*dark))
        self.assertEqual(gaps[0].name, "intensity")
        self.assertGreater(gaps[0].within, gaps[0].distance)
        self.assertIn("none; halves", domain_gap.advice(gaps)[0])
        one = domain_gap.compare(self.a, described(dark[0]))[0]
        self.assertEqual(one.name, "intensity")
        self.assertLess(one.within, 0.01)


class AdviceTest(absltest.TestCase):
    def test_names_settings_that_the_simulator_has(self):
        fields = dataclasses.fields(simulation_config.SimulationConfig)
        names = {field.name for field in fields}
        for quantity in domain_gap.QUANTITIES.values():
            self.assertContainsSubset(quantity.fields, names)

    def test_least_spreads_are_what_their_comment_says(self):
        for name, difference in (
            *(("missing", 0.01), ("holes", 0.01), ("classes", 0.01)),
            *(("sensor_height", 0.05), ("sensor_pitch", 0.2)),
        ):
            spread = domain_gap.QUANTITIES[name].least_spread
            self.assertAlmostEqual(difference / spread, 0.1)


if __name__ == "__main__":
    absltest.main()
