"""Self-training: pseudo-labels, mixtures and the teacher."""

from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import self_training
from squeeze_tf.segmentation import loss

keras = tf.keras
SHAPE = (4, 16, 5)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    grid = keras.Input(SHAPE)
    x = keras.layers.Conv2D(8, 1, activation="relu")(grid)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    return keras.Model(grid, keras.layers.Conv2D(3, 1)(x))


def batch(seed, size=6):
    random = np.random.default_rng(seed)
    grid = random.normal(size=[size, *SHAPE]).astype(np.float32)
    grid[..., 4] = 1 + np.abs(grid[..., 4])
    grid[random.random(grid.shape[:3]) < 0.3] = 0
    labels = random.integers(0, 3, grid.shape[:3])
    return grid, np.where(grid[..., 4] > 0, labels, loss.IGNORED)


def compiled(model, rate):
    model.compile(keras.optimizers.SGD(rate), loss.FocalLoss([1.0] * 3))
    return model


class PseudoLabelsTest(absltest.TestCase):
    def test_are_given_where_the_teacher_is_sure_of_a_return(self):
        grid = np.ones([1, 1, 4, 5], np.float32)
        grid[0, 0, 3] = 0
        probabilities = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
        scores = np.log(np.array(probabilities, np.float32))[None, None]
        got = self_training.pseudo_labels(scores, grid, 0.75, 0.0)
        np.testing.assert_array_equal(got, [[[0, 1, -1, -1]]])

    def test_are_given_to_the_surest_half_sure_ones_of_each_class(self):
        random = np.random.default_rng(0)
        scores = random.normal(size=[2, 8, 9, 3]).astype(np.float32)
        grid = np.ones([2, 8, 9, 5], np.float32)
        grid[random.random([2, 8, 9]) < 0.2] = 0
        p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        ids, top, has_return = p.argmax(-1), p.max(-1), grid[..., 4] > 0
        want = np.full(ids.shape, loss.IGNORED)
        for class_id in range(3):
            own = np.flatnonzero(((ids == class_id) & has_return).ravel())
            surest = own[np.argsort(-top.ravel()[own])[: int(0.7 * len(own))]]
            surest = surest[top.ravel()[surest] >= 0.5]
            want.ravel()[surest] = class_id
        sure = (top >= 0.8) & has_return
        want[sure] = ids[sure]
        got = self_training.pseudo_labels(scores, grid, 0.8, 0.7)
        np.testing.assert_array_equal(got, want)
        self.assertGreater((want >= 0).sum(), sure.sum())
        half = (top >= 0.5) & has_return
        self.assertLess((want >= 0).sum(), half.sum())

    def test_of_no_return_of_a_class_there_is_none(self):
        scores = np.zeros([1, 1, 2, 3], np.float32)
        got = self_training.pseudo_labels(
            scores, np.zeros([1, 1, 2, 5], np.float32), 0.1, 1.0
        )
        np.testing.assert_array_equal(got, [[[-1, -1]]])


class HeldBackTest(parameterized.TestCase):
    @parameterized.parameters(
        # Shares of the known are .9, .08 and .02.
        ((90, 8, 2), (0, 0, 0)),
        ((84, 12, 4), (0, 0, 0)),
        ((50, 40, 10), (0, np.log(0.16 / 0.4), np.log(0.04 / 0.1))),
    )
    def test_brings_a_class_down_to_twice_its_share(self, guessed, want):
        got = self_training.held_back(
            tf.constant([900.0, 80, 20]), tf.cast(guessed, tf.float32), 2.0
        )
        np.testing.assert_allclose(got, want, rtol=1e-5)

    def test_without_a_guess_nothing_is_held_back(self):
        got = self_training.held_back(tf.ones(3), tf.zeros(3), 1.0)
        np.testing.assert_array_equal(got, np.zeros(3))

    def test_what_simulated_scans_never_hold_is_never_guessed(self):
        got = self_training.held_back(
            tf.constant([1.0, 0]), tf.constant([1.0, 1]), 1.0
        )
        self.assertLess(got[1], -80)


class MixedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.into, self.other = (
            {name: np.array(x) for name, x in sample.items()}
            for sample in (
                self_training._sample(*batch(0, 40)),
                self_training._sample(*batch(1, 40)),
            )
        )
        self.got = self.mixed()
        other = self.other["grid"]
        self.changed = (self.got["grid"] == other).all(axis=-1)
        self.changed &= other[..., 4] > 0

    def mixed(self):
        got = self_training.mixed(self.into, self.other, 3, [1, 2])
        return {name: x.numpy() for name, x in got.items()}

    def test_cells_are_of_one_scan_or_the_other_with_its_label(self):
        for name in ("grid", "label_ids", "mask"):
            want = np.where(
                self.changed.reshape(
                    self.changed.shape + (1,) * (name == "grid")
                ),
                self.other[name],
                self.into[name],
            )
            np.testing.assert_array_equal(self.got[name], want)

    def test_whole_classes_are_taken_or_not_and_never_the_background(self):
        ids = self.other["label_ids"]
        near = self.other["grid"][..., 4] < self.into["grid"][..., 4]
        self.assertFalse((self.changed & (ids < 1)).any())
        taken = np.zeros([40, 3], bool)
        for scan in range(40):
            for class_id in (1, 2):
                cells = (ids[scan] == class_id) & near[scan]
                share = self.changed[scan][cells].mean()
                self.assertIn(share, (0, 1))
                taken[scan, class_id] = share == 1
        # 80 even odds: five standard deviations are 0.28.
        self.assertAlmostEqual(taken[:, 1:].mean(), 0.5, delta=0.28)
        self.assertTrue((taken[:, 1] != taken[:, 2]).any())

    def test_is_the_same_for_the_same_seed(self):
        np.testing.assert_array_equal(self.mixed()["grid"], self.got["grid"])


class SelfTrainingModelTest(parameterized.TestCase):
    def test_the_teacher_is_the_running_average_of_the_student(self):
        (grid, labels), (real, _) = batch(0), batch(1)
        inner = network()
        model = compiled(
            self_training.SelfTrainingModel(inner, 0.0, momentum=0.9), 0.1
        )
        want = inner.get_weights()
        for _ in range(3):
            model.train_on_batch((grid, real), labels)
            want = [
                0.9 * mean + 0.1 * now
                for mean, now in zip(want, inner.get_weights(), strict=True)
            ]
        for got, mean in zip(model.teacher.get_weights(), want, strict=True):
            np.testing.assert_allclose(got, mean, rtol=1e-5, atol=1e-6)

    def test_learns_and_counts_what_is_labelled(self):
        (grid, labels), (real, _) = batch(0), batch(1)
        model = compiled(self_training.SelfTrainingModel(network(), 0.0), 0.1)
        first = model.train_on_batch((grid, real), labels, return_dict=True)
        self.assertAlmostEqual(first["labelled"], 1, places=5)
        for _ in range(30):
            last = model.train_on_batch((grid, real), labels, return_dict=True)
        self.assertLess(last["loss"], first["loss"])
        for share in (0.0, 0.25):
            sure = self_training.SelfTrainingModel(network(), 1.0, share)
            found = compiled(sure, 0.1).train_on_batch(
                (grid, real), labels, return_dict=True
            )
            self.assertLessEqual(found["labelled"], share)
            self.assertEqual(found["labelled"] > 0, share > 0)

    def test_a_class_guessed_too_often_loses_its_labels(self):
        (grid, labels), (real, _) = batch(0), batch(1)
        inner = network()
        guessed = np.argmax(inner(real), axis=-1)[real[..., 4] > 0]
        counts = np.bincount(guessed, minlength=3)
        self.assertGreater(np.sort(counts)[1], 0)
        often = counts.argmax()
        labels[labels == often] = counts.argmin()
        model = compiled(self_training.SelfTrainingModel(inner, 0.0), 0.1)
        with mock.patch.object(
            self_training, "mixed", wraps=self_training.mixed
        ) as mixed:
            model.run_eagerly = True
            model.train_on_batch((grid, real), labels)
        learnt = np.array(mixed.call_args_list[0].args[1]["label_ids"])
        self.assertNotIn(often, learnt)
        self.assertGreater((learnt >= 0).sum(), 0)

    def test_the_same_seed_gives_the_same_steps(self):
        (grid, labels), (real, _) = batch(0), batch(1)

        def weights(seed):
            model = self_training.SelfTrainingModel(network(), 0.3, seed=seed)
            compiled(model, 0.1).train_on_batch((grid, real), labels)
            return np.concatenate([x.ravel() for x in model.get_weights()])

        np.testing.assert_array_equal(weights(1), weights(1))
        self.assertTrue(np.any(weights(1) != weights(2)))

    def test_only_the_student_is_trained_and_predicts(self):
        inner = network()
        model = self_training.SelfTrainingModel(inner)
        self.assertLen(model.trainable_variables, len(inner.trainable_weights))
        grid, _ = batch(0)
        np.testing.assert_array_equal(model(grid), inner(grid))

    @parameterized.parameters(
        {"confidence": 1.5}, {"momentum": -0.1}, {"share": 2.0}
    )
    def test_bad_arguments_are_refused(self, **arguments):
        with self.assertRaisesRegex(ValueError, "must lie in 0..1"):
            self_training.SelfTrainingModel(network(), **arguments)

    def test_an_excess_of_nothing_is_refused(self):
        with self.assertRaisesRegex(ValueError, "excess must be positive"):
            self_training.SelfTrainingModel(network(), excess=0.0)


if __name__ == "__main__":
    absltest.main()
