"""Focal loss against Eq. 1 of Ch. 5, cross-entropy and two replicas."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.segmentation import loss
from tests import scripts

keras = tf.keras

WEIGHTS = (0.5, 1.0, 3.0)


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
        np.testing.assert_array_equal(again(*example()), focal(*example()))

    def test_negative_gamma_is_refused(self):
        with self.assertRaisesRegex(ValueError, "negative; got -1"):
            loss.FocalLoss(WEIGHTS, gamma=-1)


def train_one_step(strategy):
    """Loss and weights of a model after one batch whose halves differ."""
    labels, scores = example(batch=4)
    labels[2:, 1:] = loss.IGNORED
    assert (labels[:2] >= 0).sum() != (labels[2:] >= 0).sum()
    with strategy.scope():
        grid = keras.Input((3, 4, 3))
        layer = keras.layers.Conv2D(3, 1, kernel_initializer="ones")
        model = keras.Model(grid, layer(grid))
        model.compile(keras.optimizers.SGD(0.1), loss=loss.FocalLoss(WEIGHTS))
    data = tf.data.Dataset.from_tensors((scores, labels))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    history = model.fit(data.with_options(options), verbose=0)
    ones = np.ones((3, 3), np.float32)
    whole = equation(labels, scores @ ones, 2.0)
    return whole, history.history["loss"][0], model.get_weights()


def compare_replicas():
    """Runs in a process of its own, since devices are split at the start."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    names = [d.name for d in tf.config.list_logical_devices("CPU")]
    whole, value, weights = train_one_step(tf.distribute.get_strategy())
    mirrored = tf.distribute.MirroredStrategy(names)
    assert mirrored.num_replicas_in_sync == 2
    _, split_value, split_weights = train_one_step(mirrored)
    np.testing.assert_allclose(value, whole, rtol=1e-5)
    np.testing.assert_allclose(split_value, whole, rtol=1e-5)
    for one, other in zip(weights, split_weights):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


class TwoReplicasTest(absltest.TestCase):
    def test_a_split_batch_gives_loss_and_gradient_of_the_whole(self):
        done = scripts.python(
            "-c",
            "from tests.segmentation import loss_test;"
            "loss_test.compare_replicas()",
        )
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    absltest.main()
