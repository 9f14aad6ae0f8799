"""Vehicles: sizes of real ones, closed surfaces, windows above wheels."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.simulation import materials, shapes, vehicles
from tests.simulation import shapes_test

# Smallest and largest length, width (no mirrors) and height in metres: from
# a VW up! or Mini to a Ford Ranger, and from a Citroen Berlingo to a long,
# high Sprinter, by their makers' data sheets.
CAR_RANGE = ((3.4, 5.3), (1.5, 2.0), (1.3, 1.95))
TWO_ROWS = ("sedan", "hatchback", "suv", "estate", "off_roader", "mpv")
VAN_RANGE = ((4.4, 6.1), (1.75, 2.15), (1.8, 2.9))


class VehicleTest(parameterized.TestCase):
    @parameterized.parameters(*vehicles.STYLES)
    def test_size_is_that_of_real_ones(self, style):
        ranges = CAR_RANGE if style in vehicles.CAR_STYLES else VAN_RANGE
        for variant in range(vehicles.NUM_VARIANTS):
            low, high = vehicles.vehicle(style, variant).bounds
            for size, (least, most) in zip(high - low, ranges):
                self.assertBetween(float(size), least, most)
            np.testing.assert_allclose(low[:2], -high[:2], atol=1e-5)
            self.assertAlmostEqual(float(low[2]), 0.0, places=5)

    @parameterized.product(style=list(vehicles.STYLES), coarse=[False, True])
    def test_surface_is_closed_and_fills_a_car_like_share(self, style, coarse):
        mesh = vehicles.vehicle(style, 0, coarse)
        self.assertEqual(shapes_test.unmatched_edges(mesh), 0)
        share = shapes.volume(mesh) / np.prod(mesh.bounds[1] - mesh.bounds[0])
        # A cuboid would fill 1; with hood, cabin and arches it is less.
        self.assertBetween(share, 0.45, 0.95)

    @parameterized.parameters(*vehicles.STYLES)
    def test_far_and_near_meshes_have_one_box(self, style):
        near = vehicles.vehicle(style, 1)
        far = vehicles.vehicle(style, 1, coarse=True)
        np.testing.assert_allclose(near.bounds, far.bounds, atol=1e-5)
        self.assertLess(len(far.faces), 0.85 * len(near.faces))

    @parameterized.parameters("sedan", "hatchback", "off_roader", "van")
    def test_windows_lie_above_wheels_and_hood_is_lower_than_roof(self, style):
        mesh = vehicles.vehicle(style, 2)
        centres = mesh.vertices[mesh.faces].mean(1)
        glass = centres[mesh.materials == materials.INDEX["glass"]]
        rubber = centres[mesh.materials == materials.INDEX["rubber"]]
        self.assertGreater(glass[:, 2].min(), rubber[:, 2].max())
        length, _, height = mesh.bounds[1] - mesh.bounds[0]
        hood = mesh.vertices[:, 0] > 0.5 * length - 0.05 * length
        self.assertLess(mesh.vertices[hood, 2].max(), 0.7 * height)

    @parameterized.parameters(*vehicles.STYLES)
    def test_seats_are_within_the_body(self, style):
        mesh = vehicles.vehicle(style, 3)
        inner = mesh.vertices[-8 * (1 + (style in TWO_ROWS)) :]
        body = mesh.vertices[: -len(inner)]
        for x, y, z in inner:
            near = body[np.abs(body[:, 0] - x) < 0.45]
            self.assertLess(z, near[:, 2].max())
            self.assertLess(abs(y), np.abs(near[:, 1]).max())

    def test_unknown_style_is_refused(self):
        with self.assertRaisesRegex(ValueError, "sedan.*got 'tank'"):
            vehicles.vehicle("tank", 0)


if __name__ == "__main__":
    absltest.main()
