import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.detection import anchors


def three_groups(count=200, seed=0):
    """Sizes around (20, 10), (60, 30) and (15, 80)."""
    random = np.random.default_rng(seed)
    centres = np.array([[20, 10], [60, 30], [15, 80]])
    return np.concatenate(
        [c * random.uniform(0.9, 1.1, (count, 2)) for c in centres]
    )


class GridTest(absltest.TestCase):
    def test_centres_divide_the_image_evenly(self):
        grid = anchors.grid([(5, 6), (7, 8)], (40, 60), (3, 5))
        self.assertEqual(grid.shape, (3 * 5 * 2, 4))
        # Row 1, column 2, second shape: x = 3 * 60 / 6, y = 2 * 40 / 4.
        np.testing.assert_allclose(grid[(1 * 5 + 2) * 2 + 1], [30, 20, 7, 8])


class ClusterTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_it_finds_the_groups(self, seed):
        found = anchors.cluster(three_groups(seed=seed), 3, seed=seed)
        np.testing.assert_allclose(
            found, [[20, 10], [15, 80], [60, 30]], rtol=0.03
        )

    def test_each_shape_is_the_mean_of_the_sizes_it_fits_best(self):
        sizes = np.random.default_rng(3).uniform(5, 90, (500, 2))
        found = anchors.cluster(sizes, 6)
        low = np.minimum(sizes[:, None], found).prod(-1)
        iou = low / (sizes.prod(-1)[:, None] + found.prod(-1) - low)
        nearest = iou.argmax(1)
        for k, shape in enumerate(found):
            np.testing.assert_allclose(
                sizes[nearest == k].mean(0), shape, rtol=1e-12
            )

    def test_more_anchors_fit_better(self):
        sizes = np.random.default_rng(3).uniform(5, 90, (300, 2))
        fits = [
            anchors.shape_iou(sizes, anchors.cluster(sizes, k)).max(1).mean()
            for k in (1, 2, 4, 8, 16)
        ]
        self.assertEqual(fits, sorted(fits))

    def test_the_same_seed_gives_the_same_shapes(self):
        sizes = np.random.default_rng(3).uniform(5, 90, (300, 2))
        first, again = (anchors.cluster(sizes, 5, seed=4) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_too_few_objects_and_empty_ones_are_refused(self):
        with self.assertRaisesRegex(ValueError, "got 1 of them"):
            anchors.cluster(np.ones((10, 2)), 3)
        with self.assertRaisesRegex(ValueError, "must be positive"):
            anchors.cluster(np.array([[3.0, 0.0]]), 1)


class CoverageTest(absltest.TestCase):
    def test_a_hand_made_case(self):
        grid = anchors.grid([(10, 10)], (40, 40), (3, 3))  # at 10, 20, 30
        images = [
            np.array(
                [
                    [10.0, 10, 10, 10],  # an anchor itself
                    [10.0, 10, 20, 10],  # IoU 1/2 with the same anchor
                    [30.0, 30, 5, 5],  # inside one: 25 / 100
                ]
            ),
            np.zeros((0, 4)),
            np.array([[20.0, 20, 10, 10]]),
        ]
        found = anchors.coverage(images, grid)
        self.assertEqual(found.num_objects, 4)
        self.assertAlmostEqual(found.mean_iou, (1 + 0.5 + 0.25 + 1) / 4)
        self.assertAlmostEqual(found.mean_shape_iou, found.mean_iou)
        self.assertAlmostEqual(found.share_below_half, 1 / 4)
        self.assertAlmostEqual(found.share_sharing, 2 / 4)

    def test_without_objects_it_says_so(self):
        with self.assertRaisesRegex(ValueError, "no objects"):
            anchors.coverage([np.zeros((0, 4))], np.ones((1, 4)))


class ProposeTest(absltest.TestCase):
    def test_it_stops_where_more_anchors_gain_little(self):
        fits = {1: 0.4, 3: 0.6, 5: 0.65, 9: 0.655}
        self.assertEqual(anchors.propose(fits, 0.01), 5)
        self.assertEqual(anchors.propose(fits, 0.1), 3)
        self.assertEqual(anchors.propose(fits, 0.001), 9)


if __name__ == "__main__":
    absltest.main()
