"""People: human sizes, closed bodies, limbs that move."""

import unittest

import numpy as np
from absl.testing import absltest

from squeeze_tf.simulation import people, shapes
from tests.simulation import shapes_test


class PeopleTest(unittest.TestCase):
    def test_statures_are_human_and_feet_touch_the_ground(self):
        for variant in range(people.NUM_VARIANTS):
            mesh = people.pedestrian(variant, -1)
            self.assertTrue(1.2 < mesh.bounds[1, 2] < 2.0)
            self.assertAlmostEqual(float(mesh.bounds[0, 2]), 0.0, places=5)

    def test_body_is_closed_and_has_the_volume_of_a_person(self):
        for coarse in (False, True):
            for mesh in (
                people.pedestrian(0, 1, coarse),
                people.cyclist(0, 1, coarse),
            ):
                self.assertEqual(shapes_test.unmatched_edges(mesh), 0)
        # 1.76 m weigh 60 to 90 kg at the density of water; limbs overlap at
        # the joints, where they count twice.
        body = people.pedestrian(0, -1)
        self.assertTrue(0.05 < shapes.volume(body) < 0.11)

    def test_legs_cross_over_the_cycle(self):
        feet = []
        for phase in range(people.NUM_PHASES):
            vertices = people.pedestrian(0, phase).vertices
            low = vertices[vertices[:, 2] < 0.5]
            left = low[low[:, 1] > 0, 0].mean()
            right = low[low[:, 1] < 0, 0].mean()
            feet.append(left - right)
        self.assertGreater(max(feet), 0.25)
        self.assertLess(min(feet), -0.25)
        half = people.NUM_PHASES // 2
        np.testing.assert_allclose(feet, -np.roll(feet, half), atol=0.02)

    def test_size_holds_every_pose(self):
        for variant in range(people.NUM_VARIANTS):
            for cycling, build in (
                (False, people.pedestrian),
                (True, people.cyclist),
            ):
                size = np.array(people.size(variant, cycling))
                for phase in range(people.NUM_PHASES):
                    for coarse in (False, True):
                        low, high = build(variant, phase, coarse).bounds
                        extent = np.maximum(-low, high)[:2]
                        self.assertTrue((extent <= size[:2] / 2 + 0.02).all())
                        self.assertLess(high[2], size[2] + 0.02)

    def test_cyclist_is_as_long_as_a_bicycle(self):
        low, high = people.cyclist(0, 0).bounds
        self.assertTrue(1.6 < high[0] - low[0] < 1.95)
        self.assertTrue(1.4 < high[2] < 2.0)


if __name__ == "__main__":
    absltest.main()
