"""Images: registered with the scan, lit by the sun, the same each time."""

import unittest

import numpy as np
from absl.testing import absltest

from squeeze_tf.geometry import calibration
from squeeze_tf.simulation import (
    camera,
    config,
    materials,
    raycast,
    scene,
    sensors,
    sequence,
    world,
)

CAMERA = sensors.scaled(sensors.KITTI_CAMERA, 0.5)


def rendered(seed):
    drawn = scene.build(config.CONFIGS["tiny"], seed)
    posed = world.assemble(drawn, 0.0, sensors.LIDARS["tiny"], whole=True)
    caster = raycast.Caster(posed.vertices, posed.faces)
    return posed, caster, camera.render(posed, caster, CAMERA)


class CameraTest(unittest.TestCase):
    def test_points_of_the_scan_fall_on_pixels_of_their_object(self):
        same, num_objects = [], 0
        for seed in range(3):
            posed, caster, picture = rendered(seed)
            found = raycast.scan(
                posed, caster, sensors.LIDARS["tiny"],
                np.random.default_rng(0),
            )  # fmt: skip
            pixels, depth = calibration.lidar_to_image(
                sensors.camera_calibration(CAMERA), found.points[:, :3]
            )
            columns, rows = np.round(pixels).astype(int).T
            inside = (columns >= 0) & (columns < CAMERA.width)
            inside &= (rows >= 0) & (rows < CAMERA.height) & (depth > 0)
            at = rows[inside], columns[inside]
            same.append(
                (picture.class_ids[at] == found.class_ids[inside])
                & (picture.instance_ids[at] == found.instance_ids[inside])
            )
            num_objects += (found.instance_ids[inside] > 0).sum()
            agree = np.abs(picture.depth[at] / depth[inside] - 1) < 0.1
            self.assertGreater(agree.mean(), 0.95)
        self.assertGreater(np.concatenate(same).mean(), 0.95)
        self.assertGreater(num_objects, 100)

    def test_sky_is_above_road_below_and_both_look_like_it(self):
        _, _, picture = rendered(1)
        sky = picture.class_ids == 0
        road = picture.class_ids == materials.CLASS_IDS["road"]
        rows = np.arange(CAMERA.height)[:, None] + np.zeros_like(sky)
        self.assertLess(rows[sky].mean(), rows[road].mean())
        self.assertTrue((picture.depth[sky] == 0).all())
        self.assertTrue((picture.depth[~sky] > 0).all())
        blue = picture.rgb[sky].astype(float).mean(0)
        self.assertGreater(blue[2], blue[0])
        grey = np.median(picture.rgb[road].astype(float), 0)
        self.assertLess(np.ptp(grey), 25)

    def test_depth_of_flat_road_follows_from_the_height(self):
        _, _, picture = rendered(2)
        road = picture.class_ids == materials.CLASS_IDS["road"]
        rows, columns = np.nonzero(road)
        below = (rows - CAMERA.centre_y) / CAMERA.focal
        near = (picture.depth[rows, columns] < 12) & (below > 0.1)
        height = (picture.depth[rows, columns] * below)[near]
        # Slope, waves and camber move the ground by some decimetres.
        self.assertAlmostEqual(np.median(height), 1.73, delta=0.4)

    def test_surfaces_turned_from_the_sun_are_darker(self):
        posed, caster, _ = rendered(1)
        up, down = np.float32([[0, 0, 1]]), np.float32([[0, 0, -1]])
        above = np.float32([[0, 0, 300]])  # Nothing casts a shadow there.
        bright = camera.light(posed, caster, above, up)
        dark = camera.light(posed, caster, above, down)
        self.assertGreater(bright.min(), 1.5 * dark.max())

    def test_shadows_lie_on_the_ground_below_cars(self):
        posed, caster, _ = rendered(1)
        box = int(np.argmax(posed.boxes[:, 3]))
        x, y, z, _, _, height, _ = posed.boxes[box]
        points = np.float32(
            [[x, y, z - height / 2 + 0.02], [x, y, z + height / 2 + 50.0]]
        )
        light = camera.light(posed, caster, points, np.float32([[0, 0, 1]] * 2))
        self.assertGreater(light[1].min(), 1.4 * light[0].max())

    def test_the_same_frame_gives_the_same_image_and_scan(self):
        settings = config.CONFIGS["tiny"]
        one = sequence.frame(settings, 5, 1, camera=True)
        two = sequence.frame(settings, 5, 1, camera=True)
        without = sequence.frame(settings, 5, 1, camera=False)
        np.testing.assert_array_equal(one.picture.rgb, two.picture.rgb)
        np.testing.assert_array_equal(one.scan.points, two.scan.points)
        np.testing.assert_array_equal(one.scan.points, without.scan.points)
        self.assertIsNone(without.picture)


if __name__ == "__main__":
    absltest.main()
