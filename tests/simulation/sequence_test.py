"""Frames in time."""

import dataclasses
import unittest

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.simulation import (
    config,
    raycast,
    scene,
    sensors,
    sequence,
    world,
)

MOVING = dataclasses.replace(config.CONFIGS["tiny"], frames_per_sequence=6)


class FrameTest(unittest.TestCase):
    def test_frames_of_a_sequence_share_tracks_and_sizes(self):
        frames = [sequence.frame(MOVING, 2, index) for index in range(12)]
        self.assertEqual(
            [frame.sequence for frame in frames], [0] * 6 + [1] * 6
        )
        sizes = {}
        for frame in frames[:6]:
            for track, class_id, box in zip(
                frame.world.box_tracks,
                frame.world.box_classes,
                frame.world.boxes,
            ):
                known = sizes.setdefault(int(track), (class_id, *box[3:6]))
                self.assertEqual(known, (class_id, *box[3:6]))
        first, last = frames[0].world, frames[5].world
        self.assertGreater(
            len(np.intersect1d(first.box_tracks, last.box_tracks)), 5
        )
        self.assertFalse(
            np.array_equal(
                frames[6].world.boxes[:, 3:6], frames[5].world.boxes[:, 3:6]
            )
        )

    def test_standing_things_come_closer_by_the_way_driven(self):
        settings = dataclasses.replace(MOVING, max_curvature=0.0, num_parked=20)
        frames = [sequence.frame(settings, 1, index) for index in (0, 5)]
        drawn = scene.build(settings, [1, 0])
        parked = {a.track_id for a in drawn.actors if a.speed == 0}
        places = [
            {
                int(track): box[:2]
                for track, box in zip(frame.world.box_tracks, frame.world.boxes)
                if int(track) in parked
            }
            for frame in frames
        ]
        shared = places[0].keys() & places[1].keys()
        self.assertGreater(len(shared), 3)
        for track in shared:
            # 8 m/s for half a second.
            np.testing.assert_allclose(
                places[0][track] - places[1][track], [4.0, 0.0], atol=1e-6
            )

    def test_a_frame_does_not_depend_on_the_frames_before(self):
        sequence.frame(MOVING, 3, 0)
        one = sequence.frame(MOVING, 3, 8)
        sequence._scene.cache_clear()
        two = sequence.frame(MOVING, 3, 8)
        np.testing.assert_array_equal(one.scan.points, two.scan.points)
        np.testing.assert_array_equal(one.scan.class_ids, two.scan.class_ids)
        other = sequence.frame(MOVING, 4, 8)
        self.assertFalse(np.array_equal(one.scan.points, other.scan.points))

    def test_every_preset_sees_an_empty_street_and_nobody_in_it(self):
        nobody = {
            name: 0
            for name in (
                "num_traffic", "num_parked", "num_pedestrians",
                "num_cyclists", "num_trees", "num_poles", "num_greens",
                "building_share", "wall_share", "crossing_share", "dropout",
            )
        }  # fmt: skip
        for name, sensor in sensors.LIDARS.items():
            settings = dataclasses.replace(MOVING, sensor=name, **nobody)
            scan = sequence.frame(settings, 0, 0).scan
            down = np.array(sensor.beam_degrees)[scan.rows] < 0
            self.assertGreater(down.sum(), 0.9 * len(down))
            self.assertTrue((scan.instance_ids == 0).all())
            self.assertLessEqual(set(scan.class_ids), {40, 48, 72})
            azimuth = np.degrees(
                np.arctan2(scan.points[:, 1], scan.points[:, 0])
            )
            # Flat ground fills the field from edge to edge.
            self.assertGreater(azimuth.max(), sensor.left_degrees - 2)
            self.assertLess(azimuth.min(), sensor.right_degrees + 2)

    def test_bad_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "negative; got -1"):
            sequence.frame(MOVING, 0, -1)
        unknown = dataclasses.replace(MOVING, sensor="sonar")
        with self.assertRaisesRegex(ValueError, "vlp16.*got 'sonar'"):
            sequence.frame(unknown, 0, 0)


class VisibleTest(parameterized.TestCase):
    @parameterized.parameters((0.0, 0.0), (0.4, 0.0), (0.2, 4.0))
    def test_shares_equal_those_of_objects_cast_one_by_one(
        self, height, travel
    ):
        sensor = sensors.LIDARS["tiny"]
        heights = tuple(np.linspace(height, 0, sensor.rows))
        sensor = dataclasses.replace(
            sensor, beam_heights=heights, travel=travel
        )
        drawn = scene.build(config.CONFIGS["street_front"], 4)
        posed = world.assemble(drawn, 0.0, sensor)
        caster = raycast.Caster(posed.vertices, posed.faces)
        shares = sequence.visible_shares(posed, caster, sensor)
        rays, starts = sensors.rays(sensor), sensors.origins(sensor)
        faces = caster.first_hits(rays, starts).faces
        owner = posed.box_index[posed.objects[faces]]
        owner[faces < 0] = -1
        for box in range(len(posed.boxes)):
            vertices, own = world.box_vertices(posed, box)
            hits = (owner == box).sum()
            if not hits:
                self.assertEqual(shares[box], 0)
                continue
            alone = raycast.Caster(vertices, own).first_hits(rays, starts)
            total = (alone.faces >= 0).sum()
            self.assertAlmostEqual(
                shares[box], min(hits / total, 1), delta=1.01 / total
            )
        self.assertTrue((shares > 0.99).any())
        self.assertTrue(((shares > 0) & (shares < 0.8)).any())


if __name__ == "__main__":
    absltest.main()
