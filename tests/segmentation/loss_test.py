"""Focal loss against Eq. 1 of Ch. 5, cross-entropy and two replicas."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.segmentation import loss

keras = tf.keras

WEIGHTS = (0.5, 1.0, 3.0)


def setUpModule():
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 2,
        )
    except RuntimeError:  # another module of this process came first
        pass


def example(seed=0, batch=2):
    """Labels, a third of them IGNORED, and scores."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, (batch, 3, 4)).astype(np.int32)
    labels[random.random(labels.shape) < 0.35] = loss.IGNORED
    scores = random.normal(size=(batch, 3, 4, 3)).astype(np.float32) * 3
    return labels, scores


def equation(labels, scores, gamma):
    """Ch. 5 §3.2, Eq. 1, cell by cell."""
    total, count = 0.0, 0
    for cell in np.ndindex(labels.shape):
        if labels[cell] == loss.IGNORED:
            continue
        e = np.exp(scores[cell].astype(np.float64))
        p_t = e[labels[cell]] / e.sum()
        total += WEIGHTS[labels[cell]] * -((1 - p_t) ** gamma) * np.log(p_t)
        count += 1
    return total / max(count, 1)


class FocalLossTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.5, 1.0, 2.0, 5.0)
    def test_equals_the_equation(self, gamma):
        labels, scores = example()
        np.testing.assert_allclose(
            loss.FocalLoss(WEIGHTS, gamma)(labels, scores),
            equation(labels, scores, gamma),
            rtol=1e-5,
        )

    def test_gamma_0_is_the_weighted_masked_cross_entropy(self):
        labels, scores = example()
        valid = labels != loss.IGNORED
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels[valid], scores[valid]
        )
        expected = np.mean(each * np.take(WEIGHTS, labels[valid]))
        got = loss.FocalLoss(WEIGHTS, gamma=0.0, scale=15.0)(labels, scores)
        np.testing.assert_allclose(got, 15 * expected, rtol=1e-6)

    @parameterized.parameters(0.0, 0.5, 1.0, 2.0)
    def test_ignored_cells_have_no_part(self, gamma):
        labels, scores = example()
        ignored = labels == loss.IGNORED
        focal = loss.FocalLoss(WEIGHTS, gamma)
        other = np.where(ignored[..., None], 7 * scores[::-1] + 1, scores)
        self.assertEqual(
            float(focal(labels, scores)), float(focal(labels, other))
        )
        x = tf.constant(scores)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = focal(labels, x)
        gradient = tape.gradient(value, x).numpy()
        self.assertEqual(np.abs(gradient[ignored]).max(), 0)
        self.assertGreater(np.abs(gradient[~ignored]).min(), 0)

    @parameterized.parameters(0.0, 0.5, 1.0, 2.0)
    def test_saturated_scores_give_finite_gradients(self, gamma):
        scores = [[[[1e4, 0, 0], [0, 1e4, 0], [0, 0, 0], [-1e4, 0, 1e4]]]]
        x = tf.constant(scores)
        labels = np.array([[[0, 0, loss.IGNORED, 2]]])
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss.FocalLoss(WEIGHTS, gamma)(labels, x)
        gradient = tape.gradient(value, x).numpy()
        self.assertTrue(np.isfinite(gradient).all(), gradient)
        # The one wrong cell of three: 0.5 * 1e4, and a slope of 0.5.
        np.testing.assert_allclose(value, 5e3 / 3)
        np.testing.assert_allclose(
            gradient[0, 0, 1], [-0.5 / 3, 0.5 / 3, 0], rtol=1e-6
        )

    @parameterized.parameters(0.5, 1.0, 2.0)
    def test_gradient_is_that_of_the_equation(self, gamma):
        labels, scores = example(batch=1)
        x = tf.constant(scores)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss.FocalLoss(WEIGHTS, gamma)(labels, x)
        gradient = tape.gradient(value, x).numpy()
        for cell in ((0, 0, 0, 0), (0, 1, 2, 1), (0, 2, 3, 2)):
            up, down = scores.astype(np.float64), scores.astype(np.float64)
            up[cell] += 1e-5
            down[cell] -= 1e-5
            slope = equation(labels, up, gamma) - equation(labels, down, gamma)
            np.testing.assert_allclose(
                gradient[cell], slope / 2e-5, rtol=1e-4, atol=1e-7
            )

    def test_a_batch_without_labels_costs_nothing(self):
        labels, scores = example()
        labels[:] = loss.IGNORED
        self.assertEqual(float(loss.FocalLoss(WEIGHTS)(labels, scores)), 0)

    def test_half_precision_scores_are_taken_in_single(self):
        labels, scores = example()
        got = loss.FocalLoss(WEIGHTS)(labels, tf.cast(scores, tf.float16))
        self.assertEqual(got.dtype, tf.float32)
        np.testing.assert_allclose(got, equation(labels, scores, 2), rtol=1e-2)

    def test_is_rebuilt_from_its_config(self):
        focal = loss.FocalLoss(WEIGHTS, 1.5, 3.0)
        again = keras.losses.deserialize(keras.losses.serialize(focal))
        self.assertEqual(again.get_config(), focal.get_config())
        np.testing.assert_array_equal(
            again(*example()), focal(*example())
        )

    def test_negative_gamma_is_refused(self):
        with self.assertRaisesRegex(ValueError, "negative; got -1"):
            loss.FocalLoss(WEIGHTS, gamma=-1)


class TwoReplicasTest(absltest.TestCase):
    def test_a_split_batch_gives_loss_and_gradient_of_the_whole(self):
        labels, scores = example(batch=4)
        labels[2:, 1:] = loss.IGNORED  # the halves hold unequal counts
        self.assertNotEqual((labels[:2] >= 0).sum(), (labels[2:] >= 0).sum())

        def trained(strategy):
            with strategy.scope():
                grid = keras.Input((3, 4, 3))
                layer = keras.layers.Conv2D(3, 1, kernel_initializer="ones")
                model = keras.Model(grid, layer(grid))
                model.compile(
                    keras.optimizers.SGD(0.1), loss=loss.FocalLoss(WEIGHTS)
                )
            data = tf.data.Dataset.from_tensors((scores, labels))
            options = tf.data.Options()
            options.experimental_distribute.auto_shard_policy = (
                tf.data.experimental.AutoShardPolicy.DATA
            )
            history = model.fit(data.with_options(options), verbose=0)
            return history.history["loss"][0], model.get_weights()

        devices = tf.config.list_logical_devices("CPU")
        if len(devices) < 2:
            self.skipTest("TensorFlow started before this module was loaded")
        value, weights = trained(tf.distribute.get_strategy())
        ones = tf.ones((1, 1, 3, 3))
        whole = equation(labels, tf.nn.conv2d(scores, ones, 1, "SAME").numpy(), 2)
        np.testing.assert_allclose(value, whole, rtol=1e-5)
        mirrored = tf.distribute.MirroredStrategy([d.name for d in devices[:2]])
        other_value, other_weights = trained(mirrored)
        np.testing.assert_allclose(other_value, value, rtol=1e-5)
        for one, other in zip(weights, other_weights):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


if __name__ == "__main__":
    absltest.main()
