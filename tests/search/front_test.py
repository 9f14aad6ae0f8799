"""Fronts and the areas below them, counted cell by cell."""

import numpy as np
from absl.testing import absltest

from squeeze_tf.search import front

COSTS, SCORES = [5, 2, 7, 2, 4, 7], [6, 3, 8, 1, 3, 8]


class FrontTest(absltest.TestCase):
    def test_a_point_is_on_it_if_none_is_better(self):
        np.testing.assert_array_equal(
            front.pareto(COSTS, SCORES), [True, True, True, False, False, False]
        )

    def test_random_points_against_all_pairs(self):
        random = np.random.default_rng(0)
        costs, scores = random.random([2, 60]).round(1)
        want = [
            not any(
                (costs[j], -scores[j], j) != (costs[i], -scores[i], i)
                and costs[j] <= costs[i]
                and scores[j] >= scores[i]
                and (costs[j] < costs[i] or scores[j] > scores[i] or j < i)
                for j in range(60)
            )
            for i in range(60)
        ]
        np.testing.assert_array_equal(front.pareto(costs, scores), want)

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
