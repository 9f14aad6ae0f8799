"""Coordinates of the road and the sheet of ground."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.simulation import materials, raycast, road


def street(**changes):
    settings = {
        "half_width": 6.75,
        "lane_width": 3.25,
        "num_lanes": 1,
        "sidewalk_width": 2.8,
        "slope": 0.02,
        "bank": (0.05, -0.02),
        "phases": (0.3, 1.2, 2.0),
        "crossing": 30.0,
    }
    return road.Road(**(settings | changes))


class RoadTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.006, -0.006)
    def test_road_coordinates_go_there_and_back(self, curvature):
        shape = street(curvature=curvature)
        rng = np.random.default_rng(0)
        s, t = rng.uniform(-60, 90, 200), rng.uniform(-30, 30, 200)
        places, _ = road.to_world(shape, s, t)
        back_s, back_t = road.to_road(shape, places[:, 0], places[:, 1])
        np.testing.assert_allclose(back_s, s, atol=1e-8)
        np.testing.assert_allclose(back_t, t, atol=1e-8)

    @parameterized.parameters(0.004, -0.004)
    def test_centre_line_has_the_given_curvature_and_heading(self, curvature):
        shape = street(curvature=curvature)
        s = np.linspace(0, 80, 801)
        places, heading = road.to_world(shape, s, 0.0)
        steps = np.diff(places[:, :2], axis=0)
        np.testing.assert_allclose(np.hypot(*steps.T), 0.1, rtol=1e-4)
        angles = np.arctan2(steps[:, 1], steps[:, 0])
        np.testing.assert_allclose(
            angles, (heading[1:] + heading[:-1]) / 2, atol=1e-6
        )
        np.testing.assert_allclose(np.diff(heading) / 0.1, curvature)

    def test_sidewalk_lies_a_kerb_above_the_road_but_not_at_a_crossing(self):
        shape = street()
        for s, expected in ((0.0, road.KERB_HEIGHT), (30.0, 0.0)):
            inside, outside = road.height(shape, s, np.array([6.74, 6.76]))
            self.assertAlmostEqual(outside - inside, expected, places=3)

    def test_sheet_follows_the_height_and_is_paved_in_order(self):
        shape = street(curvature=0.004)
        mesh = road.ground_mesh(shape)
        s, t = road.to_road(shape, mesh.vertices[:, 0], mesh.vertices[:, 1])
        np.testing.assert_allclose(
            mesh.vertices[:, 2], road.height(shape, s, t), atol=2e-2
        )
        rng = np.random.default_rng(1)
        s, t = rng.uniform(-50, 20, 400), rng.uniform(-20, 20, 400)
        places, _ = road.to_world(shape, s, t)
        origins = (places + [0, 0, 50.0]).astype(np.float32)
        down = np.tile(np.float32([0, 0, -1]), (400, 1))
        caster = raycast.Caster(mesh.vertices, mesh.faces)
        hits = caster.first_hits(down, origins)
        names = np.array(materials.NAMES)[mesh.materials[hits.faces]]
        distance = np.abs(t)
        np.testing.assert_array_equal(names[distance < 6.6], "asphalt")
        np.testing.assert_array_equal(
            names[(distance > 6.9) & (distance < 9.4)], "concrete"
        )
        np.testing.assert_array_equal(names[distance > 9.7], "grass")

    def test_paint_covers_dashes_of_a_third_and_solid_edges(self):
        shape = street(crossing=None)
        s = np.arange(0, 90, 0.01)
        self.assertAlmostEqual(
            road.is_marking(shape, s, np.zeros_like(s)).mean(), 3 / 9, 3
        )
        edge = np.full_like(s, -3.25)
        self.assertTrue(road.is_marking(shape, s, edge).all())
        self.assertFalse(road.is_marking(shape, s, edge + 0.5).any())


if __name__ == "__main__":
    absltest.main()
