"""The bootstrap where its distribution is known, and on a reference set."""

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, bootstrap
from tests.detection import kitti_sets

CAR = average_precision.KITTI_CLASSES[:1]
EASY = average_precision.KITTI[:1]
BOX = (0.0, 0.0, 100.0, 60.0)
FAR = (500.0, 0.0, 600.0, 60.0)


def image(*found):
    """A car at BOX, with boxes of (corners, score)."""
    truth = image_labels.make(["Car"], [BOX])
    return truth, image_labels.make(
        ["car"] * len(found),
        np.reshape([corners for corners, _ in found], (-1, 4)),
        scores=[score for _, score in found],
    )


class BootstrapTest(parameterized.TestCase):
    def test_equal_images_leave_no_width(self):
        truth, found = zip(*[image((BOX, 0.8), (FAR, 0.9))] * 50)
        result = bootstrap.bootstrap(truth, found, CAR, EASY, num_resamples=9)
        self.assertEqual(result.samples.shape, (9, 1))
        np.testing.assert_array_equal(result.samples, 0.5)
        np.testing.assert_array_equal(result.interval(), [[0.5, 0.5]])

    def test_two_images_have_three_resamples(self):
        # Image A is right, B is wrong with a higher score and misses its car.
        # 41 points: AA finds two of two, 2/41; AB has one threshold with tp
        # and fp 1, (1/2)/41; BB has none, 0; drawn 1 : 2 : 1.
        truth, found = zip(image((BOX, 0.5)), image((FAR, 0.7)))
        result = bootstrap.bootstrap(
            truth, found, CAR, EASY, points=41, num_resamples=4000
        )
        self.assertAlmostEqual(result.estimates[0], 0.5 / 41)
        values, counts = np.unique(result.samples.round(9), return_counts=True)
        np.testing.assert_allclose(values, [0, 0.5 / 41, 2 / 41], atol=1e-8)
        np.testing.assert_allclose(  # four standard deviations
            counts / 4000, [0.25, 0.5, 0.25], atol=4 * 0.5 / 4000**0.5
        )
        np.testing.assert_allclose(result.interval(0.2), [[0.5 / 41] * 2])
        np.testing.assert_allclose(result.interval(0.9), [[0, 2 / 41]])
        np.testing.assert_allclose(
            result.mean_interval(0.9), result.interval(0.9)[0]
        )

    def test_interval_of_a_set_contains_its_precision(self):
        data = kitti_sets.load("seed606")
        result = bootstrap.bootstrap(data.truth, data.found)
        curves = average_precision.evaluate(data.truth, data.found)
        np.testing.assert_array_equal(
            result.estimates, [curve.average_precision() for curve in curves]
        )
        low, high = result.interval().T
        self.assertTrue((low < result.estimates).all())
        self.assertTrue((result.estimates < high).all())
        wide_low, wide_high = result.interval(0.99).T
        self.assertTrue(((wide_low <= low) & (high <= wide_high)).all())
        low, high = result.mean_interval()
        self.assertTrue(low < result.estimates.mean() < high)
        widths = np.diff(result.interval(), axis=1)
        self.assertLess(high - low, widths.mean())  # errors average out

    def test_width_falls_with_the_root_of_the_number_of_images(self):
        # Precision of 100 and 1600 images of which every second is right.
        widths = []
        for count in (100, 1600):
            images = [image((BOX, 0.5)), image((FAR, 0.5))] * (count // 2)
            result = bootstrap.bootstrap(
                *zip(*images), CAR, EASY, points=41, num_resamples=400
            )
            widths.append(np.diff(result.interval())[0, 0])
        self.assertBetween(widths[0] / widths[1], 3.2, 4.8)

    def test_the_seed_decides(self):
        data = kitti_sets.load("seed101")
        first, again, other = (
            bootstrap.bootstrap(
                data.truth, data.found, CAR, EASY, num_resamples=3, seed=seed
            ).samples
            for seed in (5, 5, 6)
        )
        np.testing.assert_array_equal(first, again)
        self.assertFalse((first == other).any())

    def test_wrong_arguments_are_refused(self):
        truth, found = zip(image((BOX, 0.5)))
        with self.assertRaisesRegex(ValueError, "positive; got 0"):
            bootstrap.bootstrap(truth, found, num_resamples=0)
        with self.assertRaisesRegex(ValueError, "points.*got 10"):
            bootstrap.bootstrap(truth, found, points=10)
        result = bootstrap.bootstrap(truth, found, num_resamples=1)
        with self.assertRaisesRegex(ValueError, "between 0 and 1; got 95"):
            result.interval(95)


if __name__ == "__main__":
    absltest.main()
