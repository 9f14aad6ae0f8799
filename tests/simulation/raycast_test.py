"""Rays against planes, boxes and labelled worlds."""

import dataclasses
import unittest

import numpy as np
from absl.testing import absltest

from squeeze_tf.geometry import laser_lines, oriented_boxes
from squeeze_tf.simulation import (
    config,
    materials,
    raycast,
    scene,
    sensors,
    shapes,
    world,
)

QUIET = dataclasses.replace(config.CONFIGS["tiny"], hood=False)


def built(seed=0, settings=QUIET):
    drawn = scene.build(settings, seed)
    posed = world.assemble(drawn, 0.0, sensors.LIDARS["tiny"])
    return posed, raycast.Caster(posed.vertices, posed.faces)


def slab_distance(low, high, origins, directions):
    """Distance to an axis-aligned box by the slab method, inf if missed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = (low - origins) / directions
        other = (high - origins) / directions
    near = np.minimum(one, other).max(1)
    far = np.maximum(one, other).min(1)
    return np.where((near <= far) & (far > 0), near, np.inf)


class CasterTest(unittest.TestCase):
    def test_hits_of_a_box_agree_with_the_slab_method(self):
        rng = np.random.default_rng(0)
        mesh = shapes.box((4.0, 2.0, 1.5), (12.0, 1.0, 0.5), "stone")
        low, high = mesh.bounds.astype(float)
        origins = rng.uniform(-2, 2, (3000, 3)).astype(np.float32)
        targets = rng.uniform([8, -2, -2], [16, 4, 3], (3000, 3))
        directions = (targets - origins).astype(np.float32)
        hits = raycast.Caster(mesh.vertices, mesh.faces).first_hits(
            directions, origins
        )
        expected = slab_distance(low, high, origins, directions)
        found = np.where(hits.faces >= 0, hits.distances, np.inf)
        agree = np.isclose(found, expected, rtol=1e-4)
        # Rays through an edge may round to either side.
        self.assertGreater(agree.mean(), 0.999)
        self.assertTrue(0.1 < np.isfinite(expected).mean() < 0.9)

    def test_hits_of_a_slanted_plane_agree_with_its_equation(self):
        normal = np.array([-0.6, 0.0, 0.8])
        corners = np.array(
            [[0, -99, 0], [80, -99, 60], [80, 99, 60], [0, 99, 0]]
        ) + [0, 0, -5.0]
        caster = raycast.Caster(corners, np.array([[0, 1, 2], [0, 2, 3]]))
        rng = np.random.default_rng(1)
        directions = rng.uniform([1, -1, -0.5], [1, 1, 0.4], (500, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        hits = caster.first_hits(directions)
        expected = (normal @ [0, 0, -5.0]) / (directions @ normal)
        np.testing.assert_allclose(hits.distances, expected, rtol=2e-4)
        np.testing.assert_allclose(
            hits.cosines, -directions @ normal, atol=1e-4
        )
        np.testing.assert_allclose(
            hits.normals, np.tile(normal, (500, 1)), atol=1e-4
        )

    def test_blocked_is_the_same_as_hit(self):
        rng = np.random.default_rng(2)
        mesh = shapes.ellipsoid((1, 1, 1), (5, 0, 0), "stone")
        caster = raycast.Caster(mesh.vertices, mesh.faces)
        directions = rng.normal([1, 0, 0], 0.3, (500, 3)).astype(np.float32)
        hits = caster.first_hits(directions)
        blocked = caster.is_blocked(directions, np.zeros_like(directions))
        np.testing.assert_array_equal(blocked, hits.faces >= 0)
        self.assertTrue(0.05 < blocked.mean() < 0.95)

    def test_wrong_shapes_are_refused(self):
        mesh = shapes.box((1, 1, 1), (0, 0, 0), "stone")
        caster = raycast.Caster(mesh.vertices, mesh.faces)
        with self.assertRaisesRegex(ValueError, r"\[R, 3\]; got \(4, 2\)"):
            caster.first_hits(np.zeros((4, 2)))
        with self.assertRaisesRegex(ValueError, "origins"):
            caster.first_hits(np.ones((4, 3)), np.zeros((3, 3)))


class ScanTest(unittest.TestCase):
    def test_points_of_objects_lie_in_their_boxes_and_no_others(self):
        num_points = 0
        for seed in range(6):
            posed, caster = built(seed)
            found = raycast.scan(
                posed, caster, sensors.LIDARS["tiny"],
                np.random.default_rng(seed),
            )  # fmt: skip
            # The ground's waves tilt what boxes keep upright.
            larger = posed.boxes + [0, 0, 0, 0.04, 0.04, 0.04, 0]
            inside = oriented_boxes.contains(larger, found.points)
            own = np.flatnonzero(found.box_index >= 0)
            num_points += len(own)
            self.assertTrue(inside[found.box_index[own], own].all())
            np.testing.assert_array_equal(
                found.class_ids[own], posed.box_classes[found.box_index[own]]
            )
            np.testing.assert_array_equal(
                found.instance_ids[own],
                posed.box_tracks[found.box_index[own]],
            )
            others = found.box_index < 0
            self.assertTrue((found.instance_ids[others] == 0).all())
            upper = posed.boxes * [1, 1, 1, 0.9, 0.9, 0.5, 1]
            wrong = oriented_boxes.contains(upper, found.points[others])
            self.assertEqual(wrong.sum(), 0)
        self.assertGreater(num_points, 500)

    def test_each_ray_gives_its_cell_and_direction(self):
        posed, caster = built()
        sensor = sensors.LIDARS["tiny"]
        found = raycast.scan(posed, caster, sensor, np.random.default_rng(0))
        points = found.points[:, :3].astype(float)
        zenith = np.degrees(
            np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
        )
        np.testing.assert_allclose(
            zenith, np.array(sensor.beam_degrees)[found.rows], atol=1e-3
        )
        azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
        cell = np.floor((45.0 - azimuth) / (90.0 / sensor.columns))
        np.testing.assert_array_equal(cell, found.columns)
        self.assertTrue((np.diff(found.rays) > 0).all())

    def test_lasers_start_where_they_sit(self):
        beams = sensors.LIDARS["tiny"].beam_degrees
        sensor = dataclasses.replace(
            sensors.LIDARS["tiny"],
            beam_heights=tuple(np.linspace(0.3, -0.1, len(beams))),
        )
        settings = dataclasses.replace(QUIET, num_parked=12)
        posed, caster = built(settings=settings)
        found = raycast.scan(
            posed, caster, sensor, np.random.default_rng(0), detection=True
        )
        self.assertIn(materials.INDEX["glass"], posed.materials)
        points = found.points[:, :3].astype(float)
        lines = laser_lines.fit(points, found.rows, sensor.rows)
        known = ~np.isnan(lines[:, 0])
        self.assertGreater(known.sum(), 5)
        for column, truth in enumerate((beams, sensor.beam_heights)):
            np.testing.assert_allclose(
                lines[known, column], np.array(truth)[known], atol=5e-3
            )

    def test_untwisted_points_lie_where_the_moving_sensor_saw_them(self):
        settings = dataclasses.replace(QUIET, num_parked=12)
        posed, caster = built(settings=settings)
        sensor = dataclasses.replace(sensors.LIDARS["tiny"], travel=8.0)
        for through_panes in (True, False):
            found = raycast.scan(
                posed, caster, sensor, np.random.default_rng(0),
                detection=through_panes,
            )  # fmt: skip
            degrees = 45 - (found.columns + 0.5) * 90 / sensor.columns
            seen_from = np.zeros_like(found.points[:, :3])
            seen_from[:, 0] = -8.0 * degrees / 360
            rays = found.points[:, :3] - seen_from
            azimuth = np.degrees(np.arctan2(rays[:, 1], rays[:, 0]))
            np.testing.assert_allclose(azimuth, degrees, atol=1e-3)
            # Each lies on a surface, which the ray meets 5 cm after this.
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
            before = found.points[:, :3] - 0.05 * rays
            hits = caster.first_hits(rays, before)
            np.testing.assert_allclose(hits.distances, 0.05, atol=2e-3)

    def test_range_noise_has_the_given_spread_and_no_bias(self):
        posed, caster = built()
        sensor = sensors.LIDARS["tiny"]
        clean = raycast.scan(posed, caster, sensor, np.random.default_rng(0))
        differences = []
        for seed in range(10):
            noisy = raycast.scan(
                posed, caster, sensor, np.random.default_rng(seed),
                range_sigma=0.05,
            )  # fmt: skip
            _, a, b = np.intersect1d(
                clean.rays, noisy.rays, return_indices=True
            )
            differences.append(
                np.linalg.norm(noisy.points[b, :3], axis=1)
                - np.linalg.norm(clean.points[a, :3], axis=1)
            )
        error = np.concatenate(differences)
        # Standard errors for over 10,000 draws.
        self.assertGreater(len(error), 10_000)
        self.assertAlmostEqual(error.mean(), 0.0, delta=0.0025)
        self.assertAlmostEqual(error.std(), 0.05, delta=0.002)

    def test_dropout_loses_the_given_share(self):
        posed, caster = built()
        sensor = sensors.LIDARS["tiny"]
        rng = np.random.default_rng(3)
        full = len(raycast.scan(posed, caster, sensor, rng).rays)
        kept = [
            len(raycast.scan(posed, caster, sensor, rng, dropout=0.2).rays)
            for _ in range(20)
        ]
        self.assertAlmostEqual(np.mean(kept) / full, 0.8, delta=0.01)

    def test_returns_stay_between_the_sensors_limits(self):
        posed, caster = built()
        sensor = dataclasses.replace(
            sensors.LIDARS["tiny"], min_range=6.0, max_range=20.0
        )
        found = raycast.scan(posed, caster, sensor, np.random.default_rng(0))
        ranges = np.linalg.norm(found.points[:, :3], axis=1)
        self.assertTrue(5.999 <= ranges.min() and ranges.max() <= 20.001)

    def test_own_bonnet_hides_the_lowest_rays_ahead_only(self):
        with_hood, caster = built(0, dataclasses.replace(QUIET, hood=True))
        sensor = sensors.LIDARS["tiny"]
        found = raycast.scan(
            with_hood, caster, sensor, np.random.default_rng(0)
        )
        lowest = found.columns[found.rows == sensor.rows - 1]
        self.assertNotIn(sensor.columns // 2, lowest)
        self.assertIn(1, lowest)
        self.assertNotIn(0, found.class_ids)


class PanesTest(unittest.TestCase):
    def test_rays_at_windows_are_lost_or_meet_what_is_behind(self):
        street = config.CONFIGS["street_front"]
        sensor = sensors.LIDARS["hdl64e"]
        beyond, at_glass, lost = (dict.fromkeys(range(6), 0) for _ in range(3))
        for seed in range(8):
            posed = world.assemble(scene.build(street, seed), 0.0, sensor)
            caster = raycast.Caster(posed.vertices, posed.faces)
            first = caster.first_hits(sensors.rays(sensor))
            found = raycast.scan(
                posed, caster, sensor, np.random.default_rng(0), detection=True
            )
            ranges = np.zeros(len(first.faces))
            ranges[found.rays] = np.linalg.norm(found.points[:, :3], axis=1)
            glass = posed.materials[first.faces] == materials.INDEX["glass"]
            glass &= (first.faces >= 0) & (first.distances < 25)
            tracks = posed.track_ids[posed.objects[first.faces]]
            for kind in range(6):
                own = np.flatnonzero(glass & (tracks % 6 == kind))
                behind = ranges[own] - first.distances[own]
                beyond[kind] += (behind > 0.01).sum()
                at_glass[kind] += (np.abs(behind) < 0.01).sum()
                lost[kind] += (ranges[own] == 0).sum()
        total = {k: beyond[k] + at_glass[k] + lost[k] for k in range(6)}
        self.assertGreater(min(total.values()), 100)
        for kind in (0, 2, 3, 5):  # from inside nothing comes back
            self.assertEqual(beyond[kind], 0)
        for kind in (1, 4):
            self.assertGreater(beyond[kind], 0.3 * total[kind])
        self.assertGreater(lost[0], 0.85 * total[0])
        self.assertGreater(at_glass[3], 3 * at_glass[0])

    def test_without_detection_glass_is_a_surface(self):
        posed, caster = built(3)
        sensor = sensors.LIDARS["tiny"]
        first = caster.first_hits(sensors.rays(sensor))
        found = raycast.scan(posed, caster, sensor, np.random.default_rng(0))
        np.testing.assert_allclose(
            np.linalg.norm(found.points[:, :3], axis=1),
            first.distances[found.rays],
            rtol=1e-5,
        )


class EchoTest(unittest.TestCase):
    def test_intensity_follows_reflectivity_and_cosine(self):
        posed, _ = built()
        names = np.array(materials.NAMES)[posed.materials]
        grass = np.flatnonzero(names == "grass")[:3]
        share = raycast.returned_share(
            posed, grass, np.zeros((3, 3)), np.array([1.0, 0.5, 0.0])
        )
        whole = materials.MATERIALS["grass"].reflectivity
        np.testing.assert_allclose(share, [whole, whole / 2, 0], rtol=1e-6)

    def test_dark_paint_mirrors_more_of_what_comes_aslant(self):
        posed, _ = built()
        names = np.array(materials.NAMES)[posed.materials]
        faces = np.flatnonzero(names == "paint")
        tints = posed.tints[posed.objects[faces]].mean(1)
        ends = faces[[np.argmin(tints), np.argmax(tints)]]
        self.assertLess(*np.sort(tints)[[0, -1]])
        straight, aslant = (
            raycast.returned_share(
                posed, ends, np.zeros((2, 3)), np.full(2, cosine)
            )
            for cosine in (1.0, 0.3)
        )
        kept = aslant / straight  # of the darkest and the lightest
        self.assertLess(kept[0], 0.8 * kept[1])

    def test_written_intensity_of_matt_surfaces_follows_range_alone(self):
        whole = 0.4
        cosines = np.array([1.0, 0.5, 0.05, 0.05])
        written = raycast.written_intensity(
            whole * cosines, cosines, np.array([1.0, 10.0, 10.0, 50.0])
        )
        np.testing.assert_allclose(
            written / written[0], [1, 1, 1, 0.5], rtol=2e-3
        )
        self.assertLess(written[0], whole)
        unseen = raycast.written_intensity(np.zeros(1), np.zeros(1), np.ones(1))
        np.testing.assert_array_equal(unseen, 0.0)

    def test_intensity_noise_has_the_given_spread_within_the_unit(self):
        posed, caster = built()
        clean, noisy = (
            raycast.scan(
                posed, caster, sensors.LIDARS["tiny"],
                np.random.default_rng(0), intensity_sigma=sigma,
            ).points
            for sigma in (0.0, 0.05)
        )  # fmt: skip
        np.testing.assert_array_equal(noisy[:, :3], clean[:, :3])
        error = (noisy - clean)[clean[:, 3] > 0.2, 3]  # where none is cut
        self.assertGreater(len(error), 300)
        self.assertAlmostEqual(error.std(), 0.05, delta=0.006)
        self.assertTrue(((noisy[:, 3] >= 0) & (noisy[:, 3] <= 1)).all())

    def test_asphalt_is_lost_beyond_fifty_metres(self):
        height, reflectivity = 1.73, materials.MATERIALS["asphalt"].reflectivity
        ranges = np.array([30.0, 40.0, 65.0])
        chance = raycast.detection_probability(
            reflectivity * height / ranges / ranges**2
        )
        # As KITTI scans: see raycast's comment.
        self.assertGreater(chance[0], 0.97)
        self.assertGreater(chance[1], 0.8)
        self.assertLess(chance[2], 0.1)

    def test_detection_falls_from_one_to_zero_with_power(self):
        power = np.logspace(-9, -2, 50)
        chance = raycast.detection_probability(power)
        self.assertTrue((np.diff(chance) >= 0).all())
        self.assertLess(chance[0], 0.01)
        self.assertGreater(chance[-1], 0.99)


if __name__ == "__main__":
    absltest.main()
