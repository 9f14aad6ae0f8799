"""The centre loss against NumPy loops, over steps and restarts."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf import training
from squeeze_tf.shift_applications import center_loss

keras = tf.keras


def steps(count=5, num_classes=4, size=3):
    """Batches in which some classes come twice and some not at all."""
    random = np.random.default_rng(0)
    return [
        (
            random.normal(size=(6, size)).astype(np.float32),
            random.integers(0, num_classes - 1, 6).astype(np.int32),
        )
        for _ in range(count)
    ]


def looped(centers, features, class_ids, rate):
    """Loss of Eq. 2 over m, and the centres after Eq. 4, with plain loops."""
    loss = 0.0
    for x, j in zip(features, class_ids):
        loss += sum((x - centers[j]) ** 2) / 2
    moved = centers.copy()
    for j in range(len(centers)):
        total, n = np.zeros(centers.shape[1]), 0
        for x, label in zip(features, class_ids):
            if label == j:
                total += centers[j] - x
                n += 1
        moved[j] -= rate * total / (1 + n)
    return loss / len(features), moved


def model(rate=0.5, weight=0.3):
    x, y = keras.Input((3,)), keras.Input((), dtype="int32")
    z = center_loss.CenterLoss(4, weight=weight, rate=rate, name="center_loss")(
        [x, y]
    )
    return keras.Model([x, y], z)


class CenterLossTest(absltest.TestCase):
    def test_loss_and_centres_are_those_of_loops_over_steps(self):
        layer = center_loss.CenterLoss(4, weight=0.3, rate=0.7)
        layer.build([(None, 3), (None,)])
        centers = np.zeros((4, 3))
        for features, class_ids in steps():
            expected, moved = looped(centers, features, class_ids, 0.7)
            with tf.GradientTape() as tape:
                x = tf.Variable(features)
                y = layer([x, tf.constant(class_ids)], training=True)
                (loss,) = layer.losses
            np.testing.assert_array_equal(y, features)
            self.assertAlmostEqual(float(loss), 0.3 * expected, places=5)
            gradient = tape.gradient(loss, x)  # Eq. 3, of the mean
            np.testing.assert_allclose(
                gradient, 0.3 * (features - centers[class_ids]) / 6, atol=1e-6
            )
            centers = moved
            np.testing.assert_allclose(layer.centers, centers, atol=1e-5)
        np.testing.assert_array_equal(layer.centers[3], np.zeros(3))

    def test_centres_stay_where_nothing_is_trained(self):
        layer = center_loss.CenterLoss(4)
        layer.build([(None, 3), (None,)])
        features, class_ids = steps()[0]
        layer([features, class_ids])
        layer([features, class_ids], training=False)
        np.testing.assert_array_equal(layer.centers, np.zeros((4, 3)))
        self.assertEmpty(layer.trainable_weights)

    def test_fit_adds_the_loss_and_moves_the_centres(self):
        made = model()
        made.compile(keras.optimizers.SGD(0.0), loss=None)
        batches = steps()
        centers, losses = np.zeros((4, 3)), []
        for features, class_ids in batches:
            loss, centers = looped(centers, features, class_ids, 0.5)
            losses.append(loss)
        data = tf.data.Dataset.from_generator(
            lambda: (((x, y),) for x, y in batches),
            output_signature=(
                (
                    tf.TensorSpec((None, 3), tf.float32),
                    tf.TensorSpec((None,), tf.int32),
                ),
            ),
        )
        history = made.fit(data, verbose=0).history
        np.testing.assert_allclose(
            history["loss"], [0.3 * np.mean(losses)], rtol=1e-5
        )
        np.testing.assert_allclose(
            history["center_loss"], [np.mean(losses)], rtol=1e-5
        )
        np.testing.assert_allclose(
            made.get_layer("center_loss").centers, centers, atol=1e-5
        )

    def test_centres_are_saved_with_the_model(self):
        made = model()
        layer = made.get_layer("center_loss")
        centers = np.random.default_rng(0).normal(size=(4, 3))
        layer.centers.assign(centers)
        with tempfile.TemporaryDirectory() as folder:
            training.save_model(made, pathlib.Path(folder))
            again = training.load_model(folder).get_layer("center_loss")
        np.testing.assert_array_equal(again.centers, layer.centers)
        self.assertEqual(again.get_config(), layer.get_config())
        self.assertEqual((again.weight, again.rate), (0.3, 0.5))

    def test_other_arguments_are_refused(self):
        for arguments in ((0,), (4, -1.0), (4, 0.1, 1.5)):
            names = ("num_classes", "weight", "rate")
            with self.assertRaisesRegex(ValueError, "rate in 0..1; got"):
                center_loss.CenterLoss(**dict(zip(names, arguments)))


if __name__ == "__main__":
    absltest.main()
