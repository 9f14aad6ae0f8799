"""Solids: closed, right side out, of the volume that geometry says."""

import unittest

import numpy as np
from absl.testing import absltest

from squeeze_tf.simulation import shapes


def unmatched_edges(mesh: shapes.Mesh) -> int:
    """Directed edges without a partner in the other direction.

    Vertices at one place count as one. A closed, consistently turned surface
    has none.
    """
    keys = np.round(mesh.vertices.astype(np.float64), 5)
    _, ids = np.unique(keys, axis=0, return_inverse=True)
    faces = ids.reshape(-1)[mesh.faces]
    flat = (
        (faces[:, 0] == faces[:, 1])
        | (faces[:, 1] == faces[:, 2])
        | (faces[:, 2] == faces[:, 0])
    )
    balance = {}
    for a, b, c in faces[~flat].tolist():
        for edge in ((a, b), (b, c), (c, a)):
            key = (min(edge), max(edge))
            step = 1 if edge == key else -1
            balance[key] = balance.get(key, 0) + step
    return sum(count != 0 for count in balance.values())


class ShapesTest(unittest.TestCase):
    def test_box_has_the_volume_of_its_sides(self):
        mesh = shapes.box((2.0, 3.0, 0.5), (5.0, -1.0, 2.0), "stone")
        self.assertEqual(unmatched_edges(mesh), 0)
        self.assertAlmostEqual(shapes.volume(mesh), 3.0, places=4)
        np.testing.assert_allclose(
            mesh.bounds, [[4, -2.5, 1.75], [6, 0.5, 2.25]]
        )

    def test_loft_between_squares_is_a_frustum(self):
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
        rings = [
            np.column_stack([size * square, np.full(4, height)])
            for size, height in ((1.0, 0.0), (0.5, 3.0))
        ]
        mesh = shapes.loft(np.array(rings), "stone")
        self.assertEqual(unmatched_edges(mesh), 0)
        # h (A + a + sqrt(A a)) / 3 with A = 4, a = 1, h = 3.
        self.assertAlmostEqual(shapes.volume(mesh), 7.0, places=4)

    def test_fine_tube_and_ellipsoid_approach_the_round_bodies(self):
        path = np.array([[1.0, 2, 3], [1, 2, 5]])
        tube = shapes.tube(path, (0.5, 0.5), "post", sides=64)
        self.assertEqual(unmatched_edges(tube), 0)
        self.assertAlmostEqual(
            shapes.volume(tube) / (np.pi * 0.25 * 2), 1.0, delta=0.01
        )
        ball = shapes.ellipsoid((1, 2, 3), (4, 5, 6), "skin", 40, 64)
        self.assertEqual(unmatched_edges(ball), 0)
        self.assertAlmostEqual(
            shapes.volume(ball) / (4 / 3 * np.pi * 6), 1.0, delta=0.02
        )

    def test_ring_is_a_closed_torus(self):
        mesh = shapes.ring((0, 0, 1), 0.5, 0.05, "rubber", sides=64)
        self.assertEqual(unmatched_edges(mesh), 0)
        # Pappus: area of the square section (2 d²) times the way of its
        # centre, 2 pi (r - d).
        expected = 2 * 0.05**2 * 2 * np.pi * 0.45
        self.assertAlmostEqual(shapes.volume(mesh) / expected, 1.0, delta=0.01)

    def test_limbs_and_wheels_are_closed(self):
        for mesh in (
            shapes.limb((0, 0, 0), (1, 2, 3), (0.2, 0.1), "cloth"),
            shapes.limb((0, 0, 0), (0, 0, 1), (0.2, 0.1), "cloth", 4, False),
            shapes.wheel((0, 0, 0.3), 0.3, 0.2),
        ):
            self.assertEqual(unmatched_edges(mesh), 0)
            self.assertGreater(shapes.volume(mesh), 0)

    def test_moving_keeps_the_volume_and_turns_from_x_to_y(self):
        mesh = shapes.box((4.0, 2.0, 1.0), (1.0, 0.0, 0.0), "stone")
        turned = shapes.moved(mesh, (0, 0, 0), np.pi / 2, 2.0)
        self.assertAlmostEqual(shapes.volume(turned), 64.0, places=3)
        np.testing.assert_allclose(
            turned.bounds, [[-2, -2, -1], [2, 6, 1]], atol=1e-5
        )

    def test_merging_keeps_all_triangles_and_materials(self):
        parts = [
            shapes.box((1, 1, 1), (0, 0, 0), "stone"),
            shapes.box((1, 1, 1), (3, 0, 0), "wood"),
        ]
        merged = shapes.merge(parts)
        expected = np.concatenate([p.vertices[p.faces] for p in parts])
        np.testing.assert_array_equal(merged.vertices[merged.faces], expected)
        self.assertEqual(len(np.unique(merged.materials)), 2)


if __name__ == "__main__":
    absltest.main()
