import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import anchors, decode, targets
from squeeze_tf.geometry import boxes as boxes_lib

SHAPES = ((20, 10), (8, 30), (40, 40))
GRID = anchors.grid(SHAPES, (64, 128), (4, 8))


def some_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate(
        [
            random.uniform([0, 0], [128, 64], (count, 2)),
            random.uniform(4, 50, (count, 2)),
        ],
        axis=1,
    ).astype(np.float32)


def assigned(boxes, grid=GRID):
    return targets.assign(
        tf.constant(boxes, tf.float32), tf.constant(grid, tf.float32)
    ).numpy()


def ious(box, grid):
    return boxes_lib.iou(tf.constant(box, tf.float64), tf.constant(grid))


class AssignTest(parameterized.TestCase):
    @parameterized.parameters(*range(6))
    def test_every_object_gets_the_best_free_anchor_in_its_turn(self, seed):
        boxes = some_boxes(30, seed)
        chosen, free = assigned(boxes), np.ones(len(GRID), bool)
        for box, anchor in zip(boxes.astype(np.float64), chosen):
            overlap = ious(box, GRID).numpy()
            self.assertTrue(free[anchor])
            if overlap[free].max() > 0:
                self.assertGreater(overlap[anchor], overlap[free].max() - 2e-5)
            free[anchor] = False

    def test_of_equal_anchors_the_nearest_is_taken(self):
        # Inside the 40 x 40 anchors of several centres, whose IoU is equal.
        box = np.array([[60.0, 30.0, 10.0, 10.0]])
        grid = anchors.grid([(40, 40)], (64, 128), (4, 8))
        overlap = ious(box[0], grid).numpy()
        tied = np.flatnonzero(overlap > overlap.max() - 1e-9)
        self.assertGreater(len(tied), 1)
        distance = np.square(grid[tied, :2] - box[0, :2]).sum(1)
        self.assertEqual(assigned(box, grid)[0], tied[distance.argmin()])

    def test_without_overlap_the_nearest_in_place_and_size_is_taken(self):
        for shape in SHAPES:  # of the last centre's three anchors
            far = np.array([[500.0, 40.0, *shape]], np.float32)
            distance = np.square(GRID - far).sum(1)
            self.assertEqual(assigned(far)[0], distance.argmin())
            np.testing.assert_array_equal(GRID[distance.argmin(), 2:], shape)

    def test_objects_beyond_the_anchors_are_left_out(self):
        grid = GRID[:5]
        boxes = np.tile(grid[2].astype(np.float32), (8, 1))
        chosen = assigned(boxes, grid)
        self.assertEqual(chosen[0], 2)
        self.assertCountEqual(chosen[:5], range(5))
        np.testing.assert_array_equal(chosen[5:], [-1, -1, -1])
        made = targets.make(
            tf.constant(boxes),
            tf.zeros(8, tf.int32),
            tf.constant(grid, tf.float32),
        )
        self.assertEqual(made.shape, (5, 6))

    def test_no_objects_no_anchors(self):
        self.assertEqual(assigned(np.zeros((0, 4))).shape, (0,))

    def test_it_runs_inside_a_data_set(self):
        boxes = some_boxes(5)
        data = tf.data.Dataset.from_tensors(boxes).map(
            lambda b: targets.assign(b, tf.constant(GRID, tf.float32))
        )
        np.testing.assert_array_equal(next(iter(data)), assigned(boxes))


class EncodeTest(absltest.TestCase):
    def test_it_is_equation_3(self):
        delta = targets.encode(
            tf.constant([[30.0, 20.0, 40.0, 10.0]]),
            tf.constant([[20.0, 25.0, 20.0, 20.0]]),
        )
        np.testing.assert_allclose(
            delta, [[0.5, -0.25, np.log(2), -np.log(2)]], rtol=1e-6
        )

    def test_decoding_gives_the_boxes_back(self):
        boxes = tf.constant(some_boxes(20), tf.float64)
        near = tf.constant(GRID[:20])
        delta = targets.encode(boxes, near)
        delta = tf.where(delta[:, 2:] < 1, delta[:, 2:], 1.0)  # the bent part
        delta = tf.concat([targets.encode(boxes, near)[:, :2], delta], 1)
        decoded = decode.decode(delta, near)
        kept = tf.reduce_all(delta[:, 2:] < 1, 1)
        np.testing.assert_allclose(decoded[kept], boxes[kept], rtol=1e-12)


class MakeTest(absltest.TestCase):
    def test_a_target_holds_anchor_class_and_box(self):
        box = tf.constant(GRID[7:8], tf.float32)
        made = targets.make(
            box, tf.constant([2]), tf.constant(GRID, tf.float32)
        )
        np.testing.assert_allclose(made, [[7, 2, *GRID[7]]], rtol=1e-6)


if __name__ == "__main__":
    absltest.main()
