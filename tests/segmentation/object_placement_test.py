"""Placed objects: rigid, farther away, and seen as a sensor would see them."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import object_placement

VIEWS = {
    "full_turn": spherical.Projection(16, 256, 10.0, -30.0, 180.0, -180.0),
    "front": spherical.Projection(16, 64, 10.0, -30.0, 45.0, -45.0),
    "beams": spherical.Projection(
        5, 256, 20.0, -40.0, 180.0, -180.0, (5.0, 0.0, -4.0, -9.0, -20.0)
    ),
}
CAR, WALL = 3, 5
PER_CAR = 2000
FARTHER = 15.0


def street(view):
    """Two cars of 3 m x 1.5 m before a wall, on the grid.

    No two returns of a car are over 4 m apart, and the cars are. Intensities
    number the points.
    """
    random = np.random.default_rng(0)
    x, y, z = random.uniform(
        (-1.5, -0.75, -1.7), (1.5, 0.75, -0.2), (2 * PER_CAR, 3)
    ).T
    x[:PER_CAR] += 8
    y[:PER_CAR] += 4
    x[PER_CAR:] += 13
    y[PER_CAR:] -= 7
    azimuth, height = np.meshgrid(
        np.linspace(-np.pi, np.pi, 200), np.linspace(-3, 2, 20)
    )
    x = np.append(x, 20 * np.cos(azimuth))
    y = np.append(y, 20 * np.sin(azimuth))
    z = np.append(z, height)
    number = np.arange(len(x))
    found = spherical.project(np.stack([x, y, z, number], axis=-1), view)
    mask = found.point_index >= 0
    labels = np.where(number < 2 * PER_CAR, CAR, WALL)
    return {
        "grid": tf.constant(found.grid),
        "mask": tf.constant(mask),
        "label_ids": tf.constant(
            np.where(mask, labels[found.point_index], 0), tf.int32
        ),
    }


def place(sample, seed, view, class_ids=(CAR,)):
    placed = object_placement.place(
        sample, tf.constant([seed, 7]), class_ids, FARTHER, view
    )
    return {name: value.numpy() for name, value in placed.items()}


def motion(before, after):
    """Turn about the sensor [2, 2] and then shift [2] of points [N, 2]."""
    first, last = np.argmin(before[:, 1]), np.argmax(before[:, 1])
    spans = (before[last] - before[first], after[last] - after[first])
    angle = np.subtract(*(np.arctan2(span[1], span[0]) for span in spans))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    return turn, after[first] - before[first] @ turn


class PlaceTest(parameterized.TestCase):
    @parameterized.parameters(*VIEWS)
    def test_is_what_the_sensor_would_see_of_a_rigid_motion(self, name):
        view = VIEWS[name]
        sample = street(view)
        grid = sample["grid"].numpy()
        cars = grid[sample["label_ids"].numpy() == CAR]
        lengths, chosen = [], []
        for seed in range(40):
            placed = place(sample, seed, view)
            mask = placed["mask"]
            np.testing.assert_array_equal(mask, placed["grid"][..., 4] > 0)
            np.testing.assert_array_equal(placed["label_ids"], CAR * mask)
            after = placed["grid"][mask]
            if len(after) < 4:
                continue  # turned out of the field of view
            is_second = after[0, 3] >= PER_CAR
            car = cars[(cars[:, 3] >= PER_CAR) == is_second]
            order = np.argsort(car[:, 3])
            place_of = np.searchsorted(car[order, 3], after[:, 3])
            before = car[order][place_of]
            np.testing.assert_array_equal(before[:, 2:4], after[:, 2:4])
            turn, shift = motion(before[:, :2], after[:, :2])
            car[:, :2] = car[:, :2] @ turn + shift
            expected = spherical.project(car[:, :4], view).grid
            same = np.isclose(expected, placed["grid"], atol=2e-3).all(axis=-1)
            # Rounding may move a point over the edge of its cell.
            self.assertGreater(np.mean(same[mask]), 0.98)
            self.assertEqual(np.sum(~same[~mask]), 0)
            # Outward: along the line of sight to one of its points.
            sight = before[:, :2] @ turn
            cosine = sight @ shift / np.linalg.norm(sight, axis=-1)
            self.assertAlmostEqual(
                np.max(cosine) / np.linalg.norm(shift), 1, delta=0.02
            )
            lengths.append(np.linalg.norm(shift))
            chosen.append(is_second)
        self.assertGreater(len(lengths), 8)
        self.assertLess(max(lengths), FARTHER)
        self.assertGreater(max(lengths), 0.6 * FARTHER)
        self.assertEqual(set(chosen), {False, True})

    def test_class_that_is_not_there_places_nothing(self):
        view = VIEWS["full_turn"]
        placed = place(street(view), 0, view, class_ids=(1, 2))
        for value in placed.values():
            self.assertFalse(value.any())

    def test_other_classes_are_not_part_of_an_object(self):
        view = VIEWS["full_turn"]
        labels = set()
        for seed in range(20):
            placed = place(street(view), seed, view, class_ids=(CAR, WALL))
            found = set(placed["label_ids"][placed["mask"]])
            self.assertLen(found, 1)
            labels |= found
        self.assertEqual(labels, {CAR, WALL})


if __name__ == "__main__":
    absltest.main()
