import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import augmentation

FILL = (10.0, 20.0, 30.0)


def picture():
    """[40, 60, 3] with a bright patch, and the patch's box."""
    image = np.random.default_rng(0).integers(0, 60, (40, 60, 3))
    image[10:22, 20:36] = 255
    return tf.constant(image, tf.uint8), tf.constant([[28.0, 16.0, 16.0, 12.0]])


def patch(image):
    """Box of the bright patch."""
    rows, columns = np.nonzero(np.asarray(image).min(-1) > 200)
    low = np.array([columns.min(), rows.min()])
    high = np.array([columns.max(), rows.max()]) + 1
    return [[*((low + high) / 2), *(high - low)]]


class AugmentationTest(parameterized.TestCase):
    @parameterized.product(dy=(-7, 0, 5), dx=(-9, 0, 12))
    def test_boxes_drift_with_the_image(self, dy, dx):
        image, boxes = picture()
        moved, shifted = augmentation.drift(image, boxes, dy, dx, FILL)
        self.assertEqual(moved.shape, (40 - dy, 60 - dx, 3))
        np.testing.assert_array_equal(patch(moved), shifted)
        if dy < 0:
            np.testing.assert_array_equal(
                moved[:-dy], np.broadcast_to(FILL, (-dy, 60 - dx, 3))
            )

    def test_mirrored_boxes_lie_on_the_mirrored_image(self):
        image, boxes = picture()
        mirrored, moved = augmentation.mirror(image, boxes)
        np.testing.assert_array_equal(patch(mirrored), moved)
        again, back = augmentation.mirror(mirrored, moved)
        np.testing.assert_array_equal(again, image)
        np.testing.assert_array_equal(back, boxes)

    def test_drawn_changes_keep_objects_whole_and_in_place(self):
        settings = augmentation.Augmentation(drift_x=30, drift_y=30, flip=True)
        sizes, flips = set(), 0
        for seed in range(60):
            image, boxes = picture()
            changed, moved = augmentation.augment(
                image, boxes, tf.constant([seed, 1]), settings, FILL
            )
            np.testing.assert_array_equal(patch(changed), moved)
            np.testing.assert_array_equal(moved[:, 2:], boxes[:, 2:])
            sizes.add(changed.shape[1])
            flips += int(moved[0, 0] != 28 + changed.shape[1] - 60)
        self.assertContainsSubset(sizes, range(60 - 20, 60 + 31))
        self.assertGreater(len(sizes), 20)
        self.assertBetween(flips, 15, 45)

    def test_objects_at_the_edge_keep_the_image_from_being_cropped(self):
        settings = augmentation.Augmentation(drift_x=30, drift_y=30)
        image, _ = picture()
        boxes = tf.constant([[2.0, 3.0, 10.0, 10.0]])  # beyond both edges
        for seed in range(20):
            changed, _ = augmentation.augment(
                image, boxes, tf.constant([seed, 1]), settings, FILL
            )
            self.assertGreaterEqual(changed.shape[0], 40)
            self.assertGreaterEqual(changed.shape[1], 60)

    def test_small_images_without_objects_are_never_cropped_to_nothing(self):
        settings = augmentation.Augmentation(drift_x=150, drift_y=100)
        image, _ = picture()
        for seed in range(40):
            changed, _ = augmentation.augment(
                image, tf.zeros((0, 4)), tf.constant([seed, 1]), settings, FILL
            )
            self.assertGreaterEqual(changed.shape[0], 20)
            self.assertGreaterEqual(changed.shape[1], 30)

    def test_hue_and_brightness_change(self):
        grey = tf.fill((4, 4, 3), 100.0)
        red = tf.constant(np.full((4, 4, 3), (150.0, 50.0, 50.0)), tf.float32)
        levels, spreads = set(), set()
        for seed in range(10):
            key = tf.constant([seed, 0])
            changed = augmentation.change_colour(grey, key, 0.5).numpy()
            levels.add(round(float(changed.mean())))
            pixel = augmentation.change_colour(red, key, 0.5).numpy()[0, 0]
            spreads.add(round(float(pixel[1] - pixel[2])))
        self.assertGreater(len(levels), 5)  # brightness alone changes grey
        self.assertGreater(len(spreads), 5)  # hue alone parts green and blue

    def test_images_without_objects_drift_as_far_as_allowed(self):
        settings = augmentation.Augmentation(drift_x=30)
        image, _ = picture()
        widths = [
            augmentation.augment(
                image, tf.zeros((0, 4)), tf.constant([s, 0]), settings, FILL
            )[0].shape[1]
            for s in range(100)
        ]
        self.assertBetween(min(widths), 30, 34)
        self.assertBetween(max(widths), 86, 90)

    def test_the_same_seed_draws_the_same(self):
        settings = augmentation.Augmentation(30, 20, True, 0.4)
        one, two = (
            augmentation.augment(
                *picture(), tf.constant([3, 4]), settings, FILL
            )[0]
            for _ in range(2)
        )
        np.testing.assert_array_equal(one, two)

    def test_the_default_changes_nothing(self):
        image, boxes = picture()
        same, kept = augmentation.augment(
            image, boxes, tf.constant([1, 2]), augmentation.Augmentation(), FILL
        )
        np.testing.assert_array_equal(same, image)
        np.testing.assert_array_equal(kept, boxes)

    def test_colours_change_within_their_range(self):
        image = tf.cast(picture()[0], tf.float32)
        changed = [
            augmentation.change_colour(image, tf.constant([s, 0]), 0.5)
            for s in range(20)
        ]
        means = [float(tf.reduce_mean(c)) for c in changed]
        base = float(tf.reduce_mean(image))
        self.assertGreater(np.std(means), 0.05 * base)
        for c in changed:
            self.assertGreaterEqual(float(tf.reduce_min(c)), 0)
            self.assertLessEqual(float(tf.reduce_max(c)), 255)
        np.testing.assert_allclose(
            augmentation.change_colour(image, tf.constant([1, 2]), 1e-6),
            image,
            atol=1e-2,
        )


if __name__ == "__main__":
    absltest.main()
