"""Architectures drawn from a distribution."""

import collections

import numpy as np
from absl.testing import absltest

from squeeze_tf.search import sample
from tests.search import spaces

P = np.array([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0], [0.3, 0.4, 0.3]])


class SampleTest(absltest.TestCase):
    def test_the_most_probable_has_the_likeliest_block_of_each_layer(self):
        self.assertEqual(
            sample.most_probable(spaces.small(), P), ("3", "1", "1")
        )

    def test_draws_are_different_and_the_same_for_a_seed(self):
        found = sample.draw(spaces.small(), P, 10, seed=1)
        self.assertLen(set(found), 10)
        self.assertEqual(found, sample.draw(spaces.small(), P, 10, seed=1))
        self.assertNotEqual(found, sample.draw(spaces.small(), P, 10, seed=2))
        for architecture in found:
            spaces.small().check(architecture)

    def test_first_draws_follow_the_distribution(self):
        count = collections.Counter(
            sample.draw(spaces.small(), P, 1, seed=i)[0][0] for i in range(2000)
        )
        share = np.array([count[kind] / 2000 for kind in ("skip", "1", "3")])
        # Five standard deviations of a share of 2,000 draws.
        np.testing.assert_array_less(
            np.abs(share - P[0]), 5 * np.sqrt(P[0] * (1 - P[0]) / 2000)
        )

    def test_a_certain_distribution_gives_one(self):
        certain = np.eye(3)[[2, 0, 1]]
        self.assertEqual(
            sample.draw(spaces.small(), certain, 5, seed=0), [("3", "1", "1")]
        )

    def test_without_preference_all_candidates_are_equal(self):
        np.testing.assert_allclose(
            sample.uniform(spaces.small()),
            [[1 / 3] * 3, [0.5, 0.5, 0], [1 / 3] * 3],
        )

    def test_other_architectures_have_other_names(self):
        found = sample.draw(spaces.small(), P, 18, seed=0)
        self.assertLen({sample.digest(x) for x in found}, len(found))


if __name__ == "__main__":
    absltest.main()
