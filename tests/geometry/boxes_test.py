import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.geometry import boxes


def overlap(a, b):
    """IoU of two corner boxes, written from its definition."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (
        (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    )


def random_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.uniform(0, 40, (count, 2)), random.uniform(5, 30, (count, 2))],
        axis=1,
    )


def suppressed(corners, ids, threshold, form):
    """Box by box, in the order of the ranks."""
    stays = []
    for i in range(len(corners)):
        rivals = [
            j
            for j in range(i)
            if ids[j] == ids[i] and overlap(corners[i], corners[j]) > threshold
        ]
        if form == "greedy":
            rivals = [j for j in rivals if stays[j]]
        stays.append(not rivals)
    return stays


class BoxesTest(parameterized.TestCase):
    def test_corners_of_a_box_and_back(self):
        box = tf.constant([[10.0, 20.0, 4.0, 6.0]])
        corners = boxes.to_corners(box)
        np.testing.assert_array_equal(corners, [[8, 17, 12, 23]])
        np.testing.assert_array_equal(boxes.from_corners(corners), box)

    def test_iou_equals_the_definition(self):
        some, other = random_boxes(12), random_boxes(9, seed=1)
        expected = [
            [
                overlap(a, b)
                for b in boxes.to_corners(tf.constant(other)).numpy()
            ]
            for a in boxes.to_corners(tf.constant(some)).numpy()
        ]
        np.testing.assert_allclose(
            boxes.iou(tf.constant(some)[:, None], tf.constant(other)[None]),
            expected,
            atol=1e-12,
        )

    def test_boxes_without_area_overlap_nothing(self):
        point = tf.constant([[5.0, 5.0, 0.0, 0.0]])
        self.assertEqual(boxes.iou(point, point).numpy(), [0.0])

    @parameterized.product(
        form=("greedy", "released"),
        threshold=(0.2, 0.4, 0.7),
        seed=(0, 1, 2, 3),
    )
    def test_suppression_equals_the_box_by_box_loop(
        self, form, threshold, seed
    ):
        batch = np.stack([random_boxes(40, seed), random_boxes(40, seed + 9)])
        ids = np.random.default_rng(seed).integers(0, 3, (2, 40))
        stays = tf.function(boxes.non_maximum_suppression)(
            tf.constant(batch),
            tf.constant(ids),
            iou_threshold=threshold,
            form=form,
        )
        corners = boxes.to_corners(tf.constant(batch)).numpy()
        for i in range(2):
            np.testing.assert_array_equal(
                stays[i], suppressed(corners[i], ids[i], threshold, form)
            )

    def test_the_two_forms_differ_on_a_chain(self):
        # Each overlaps its neighbour alone: the second goes, and the third
        # stays only where the second's suppression is heeded.
        chain = tf.constant([[[i * 5.0, 0.0, 15.0, 10.0] for i in range(3)]])
        ids = tf.zeros((1, 3), tf.int32)
        for form, third in (("greedy", True), ("released", False)):
            stays = boxes.non_maximum_suppression(
                chain, ids, iou_threshold=0.4, form=form
            )
            np.testing.assert_array_equal(stays, [[True, False, third]])

    def test_an_unknown_form_is_refused(self):
        with self.assertRaisesRegex(ValueError, "'greedy' or 'released'"):
            boxes.non_maximum_suppression(
                tf.zeros((1, 2, 4)),
                tf.zeros((1, 2), tf.int32),
                iou_threshold=0.5,
                form="soft",
            )


if __name__ == "__main__":
    absltest.main()
