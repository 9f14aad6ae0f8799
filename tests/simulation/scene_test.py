"""Street scenes: drawn by seed, peopled, nothing inside anything else."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized
from scipy.spatial import transform

from squeeze_tf.geometry import oriented_boxes
from squeeze_tf.simulation import actors, config, raycast, scene, sensors, world

MOVING = dataclasses.replace(
    config.CONFIGS["street_front"], frames_per_sequence=40
)


def world_boxes(drawn: scene.Scene, time: float) -> np.ndarray:
    """[N, 7] boxes in world coordinates."""
    positions, yaws = scene.poses(drawn, time)
    sizes = np.array([actor.size for actor in drawn.actors])
    return np.concatenate([positions, sizes, yaws[:, None]], 1)


def overlaps(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two rectangles [4, 2] overlap, by separating axes."""
    for rectangle in (one, other):
        for edge in rectangle[[1, 2]] - rectangle[[0, 1]]:
            a, b = one @ edge, other @ edge
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


class SceneTest(parameterized.TestCase):
    @parameterized.product(
        name=["street_front", "highway"], time=[0.0, 2.0, 3.9]
    )
    def test_no_two_actors_interpenetrate_at_any_time(self, name, time):
        settings = dataclasses.replace(
            config.CONFIGS[name], frames_per_sequence=40
        )
        for seed in range(5):
            drawn = scene.build(settings, seed)
            boxes = world_boxes(drawn, time)
            ego, yaw = scene.ego_pose(drawn, time)
            boxes = np.concatenate([boxes, [[*ego, 4.5, 1.8, 1.5, yaw]]])
            corners = oriented_boxes.corners(boxes)[:, :4, :2]
            for i in range(len(boxes)):
                gap = np.hypot(*(boxes[i + 1 :, :2] - boxes[i, :2]).T)
                for j in i + 1 + np.flatnonzero(gap < 7):
                    self.assertFalse(
                        overlaps(corners[i], corners[j]), (seed, i, j)
                    )

    def test_separating_axes_tell_touching_from_overlapping(self):
        square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
        self.assertTrue(overlaps(square, square + [1.9, 1.9]))
        self.assertFalse(overlaps(square, square + [2.1, 0]))
        diamond = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], float)
        self.assertFalse(overlaps(square, diamond + [2.8, 2.8]))

    def test_a_seed_gives_one_scene_and_another_seed_another(self):
        drawn = scene.build(MOVING, 3)
        again = scene.build(MOVING, 3)
        self.assertEqual(drawn.actors, again.actors)
        self.assertEqual(drawn.road, again.road)
        np.testing.assert_array_equal(
            [piece.position for piece in drawn.pieces],
            [piece.position for piece in again.pieces],
        )
        self.assertNotEqual(drawn.actors, scene.build(MOVING, 4).actors)

    def test_about_forty_actors_of_all_kinds_with_unique_tracks(self):
        counts, kinds = [], []
        for seed in range(20):
            drawn = scene.build(config.CONFIGS["street_front"], seed).actors
            counts.append(len(drawn))
            kinds += [actor.class_name for actor in drawn]
            tracks = [actor.track_id for actor in drawn]
            self.assertEqual(len(set(tracks)), len(tracks))
            self.assertGreater(min(tracks), 0)
        self.assertTrue(32 < np.mean(counts) < 48)
        self.assertEqual(set(kinds), {"car", "van", "person", "bicyclist"})
        self.assertGreater(kinds.count("car"), kinds.count("van"))

    def test_people_keep_off_the_lanes_and_vehicles_off_the_sidewalks(self):
        for seed in range(10):
            drawn = scene.build(MOVING, seed)
            lanes = drawn.road.num_lanes * drawn.road.lane_width
            for actor in drawn.actors:
                distance = abs(actor.t)
                reach = actor.size[1] / 2
                if actor.class_name == "person":
                    self.assertGreater(distance, drawn.road.half_width)
                elif actor.class_name == "bicyclist":
                    self.assertGreater(distance - reach, lanes)
                elif abs(np.sin(actor.turn)) < 0.5:
                    self.assertLess(
                        distance + reach, drawn.road.half_width + 0.1
                    )

    def test_right_hand_traffic_and_speed_along_the_heading(self):
        drawn = scene.build(MOVING, 1)
        starts, yaws = scene.poses(drawn, 0.0)
        ends, _ = scene.poses(drawn, 0.5)
        num_moving = 0
        for actor, start, end, yaw in zip(drawn.actors, starts, ends, yaws):
            way = (end - start)[:2]
            self.assertAlmostEqual(np.hypot(*way), 0.5 * actor.speed, delta=0.2)
            heading = np.array([np.cos(yaw), np.sin(yaw)])
            self.assertGreaterEqual(way @ heading, 0.99 * np.hypot(*way))
            if actor.class_name in ("car", "van") and actor.speed:
                num_moving += 1
                self.assertEqual(actor.t < 0, way[0] > 0)
        self.assertGreater(num_moving, 2)

    def test_feet_and_wheels_stand_on_the_ground(self):
        drawn = scene.build(MOVING, 2)
        for actor in drawn.actors:
            mesh = actors.mesh(actor, 0.7)
            self.assertAlmostEqual(float(mesh.bounds[0, 2]), 0, delta=0.02)


class WorldTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 4.0, -4.0)
    def test_culling_takes_away_nothing_that_rays_could_hit(self, pitch):
        sensor = dataclasses.replace(
            sensors.LIDARS["tiny"], pitch_degrees=pitch
        )
        drawn = scene.build(config.CONFIGS["street_front"], 5)
        seen = world.assemble(drawn, 0.0, sensor)
        full = world.assemble(drawn, 0.0, sensor, whole=True)
        self.assertLess(len(seen.faces), 0.8 * len(full.faces))
        rays = sensors.rays(sensor)
        hits = [
            raycast.Caster(w.vertices, w.faces).first_hits(rays)
            for w in (seen, full)
        ]
        near = hits[1].distances < sensor.max_range
        self.assertGreater(near.mean(), 0.5)
        np.testing.assert_array_equal(
            hits[0].distances[near], hits[1].distances[near]
        )
        for w, hit in zip((seen, full), hits):
            hit.faces[:] = w.track_ids[w.objects[hit.faces]]
        np.testing.assert_array_equal(hits[0].faces[near], hits[1].faces[near])

    def test_boxes_enclose_the_triangles_of_their_actors(self):
        drawn = scene.build(config.CONFIGS["street_front"], 6)
        posed = world.assemble(drawn, 0.0, sensors.LIDARS["hdl64e"], whole=True)
        larger = posed.boxes + [0, 0, 0, 0.05, 0.05, 0.05, 0]
        for box in range(len(posed.boxes)):
            vertices, faces = world.box_vertices(posed, box)
            self.assertGreater(len(faces), 100)
            inside = oriented_boxes.contains(larger[box : box + 1], vertices)
            self.assertTrue(inside.all())
            extent = np.ptp(vertices[:, 2])
            self.assertGreater(extent, 0.9 * posed.boxes[box, 5])

    def test_ground_under_the_sensor_is_its_height_below(self):
        sensor = sensors.LIDARS["hdl64e"]
        for time in (0.0, 3.0):
            posed = world.assemble(scene.build(MOVING, 7), time, sensor)
            ground = posed.vertices[np.unique(posed.faces[posed.objects == 0])]
            near = np.argsort(np.hypot(ground[:, 0], ground[:, 1]))[:6]
            self.assertAlmostEqual(
                ground[near, 2].mean(), -sensor.height, delta=0.1
            )

    def test_a_sensor_with_its_nose_up_sees_the_road_ahead_lower(self):
        drawn = scene.build(config.CONFIGS["street_front"], 8)
        level, pitched = (
            world.assemble(
                drawn,
                0.0,
                dataclasses.replace(sensors.LIDARS["hdl64e"], pitch_degrees=x),
                whole=True,
            )
            for x in (0.0, 5.0)
        )
        # Axes forward, left, up: nose up is a negative turn about y.
        turn = transform.Rotation.from_euler("y", -5.0, degrees=True)
        for name in ("vertices", "boxes"):
            want, got = getattr(level, name), getattr(pitched, name)
            bonnet = 8 if name == "vertices" else 0
            outside = slice(0, len(want) - bonnet)
            np.testing.assert_allclose(
                turn.apply(got[outside, :3]), want[outside, :3], atol=1e-4
            )
            np.testing.assert_array_equal(
                got[len(want) - bonnet :, :3], want[len(want) - bonnet :, :3]
            )
        np.testing.assert_allclose(turn.apply(pitched.sun), level.sun)
        points = level.vertices[:100]
        np.testing.assert_allclose(
            world.to_world(pitched, turn.inv().apply(points)),
            world.to_world(level, points),
            atol=1e-4,
        )
        ahead = pitched.vertices[pitched.faces[pitched.objects == 0]].mean(1)
        ahead = ahead[(ahead[:, 0] > 5) & (np.abs(ahead[:, 1]) < 3)]
        self.assertLess(ahead[:, 2].mean(), -1.9)


if __name__ == "__main__":
    absltest.main()
