"""Fronts and the areas below them, counted cell by cell."""

import numpy as np
from absl.testing import absltest

from squeeze_tf.search import front

COSTS, SCORES = [5, 2, 7, 2, 4, 7], [6, 3, 8, 1, 3, 8]


class FrontTest(absltest.TestCase):
    def test_a_point_is_on_it_if_none_is_better(self):
        goals = np.stack([-np.array(COSTS), np.array(SCORES)], axis=1)
        np.testing.assert_array_equal(  # equal ones are all on it
            front.pareto(goals), [True, True, True, False, False, True]
        )

    def test_random_points_against_all_pairs(self):
        goals = np.random.default_rng(0).random([60, 3]).round(1)
        want = [
            not any(all(b >= a) and any(b > a) for b in goals) for a in goals
        ]
        np.testing.assert_array_equal(front.pareto(goals), want)

    def test_area_is_that_of_the_cells_below_a_point(self):
        # Unit cells of cost [i, i + 1] and score [j, j + 1] up to cost 9 and
        # from score 2.
        want = sum(
            any(c <= i and s >= j + 1 for c, s in zip(COSTS, SCORES))
            for i in range(9)
            for j in range(2, 10)
        )
        self.assertEqual(front.hypervolume(COSTS, SCORES, (9, 2)), want)

    def test_points_beyond_the_corner_add_nothing(self):
        self.assertEqual(front.hypervolume([5], [1], (5, 0)), 0)
        self.assertEqual(front.hypervolume([1], [1], (5, 2)), 0)


if __name__ == "__main__":
    absltest.main()
