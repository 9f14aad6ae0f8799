"""Steps on a simulated and a real batch against their parts."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import geodesic, train
from squeeze_tf.segmentation import loss

keras = tf.keras
SHAPE = (4, 16, 5)


def network():
    keras.utils.set_random_seed(0)
    grid = keras.Input(SHAPE)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(grid)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    return keras.Model(grid, keras.layers.Conv2D(3, 1)(x))


def batch(seed):
    random = np.random.default_rng(seed)
    grid = random.normal(size=[6, *SHAPE]).astype(np.float32)
    grid[..., 4] = np.abs(grid[..., 4])
    grid[random.random(grid.shape[:3]) < 0.3] = 0
    labels = np.where(grid[..., 4] > 0, grid[..., 0] > 0, loss.IGNORED)
    return grid, labels.astype(np.int32)


def compiled(model, rate=0.0):
    model.compile(
        keras.optimizers.SGD(rate), loss.FocalLoss([1.0, 1.0, 1.0], 2.0)
    )
    return model


class AlignedModelTest(parameterized.TestCase):
    @parameterized.parameters("geodesic", "euclidean")
    def test_a_step_follows_the_gradient_of_equation_2(self, distance):
        (grid, labels), (real, _) = batch(0), batch(1)
        real[..., :3] *= 3
        reference = network()
        focal = loss.FocalLoss([1.0, 1.0, 1.0], 2.0)
        with tf.GradientTape() as tape:
            scores = reference(grid, training=True)
            others = reference(real, training=True)
            covariances = [
                geodesic.covariance(x[mask > 0])
                for x, mask in ((scores, grid[..., 4]), (others, real[..., 4]))
            ]
            apart = geodesic.DISTANCES[distance](*covariances)
            total = focal(labels, scores) + 10 * apart
        gradients = tape.gradient(total, reference.trainable_variables)
        trained = network()
        model = compiled(train.AlignedModel(trained, distance, 10.0), 0.1)
        before = [x.numpy() for x in model.trainable_variables]
        found = model.train_on_batch((grid, real), labels, return_dict=True)
        self.assertAlmostEqual(found["alignment"], float(apart), places=5)
        for x, old, gradient in zip(
            model.trainable_variables, before, gradients, strict=True
        ):
            np.testing.assert_allclose(
                x, old - 0.1 * gradient, rtol=1e-4, atol=1e-5
            )
        # The network inside is the one that learned.
        self.assertIs(trained.layers[1], model.layers[1])

    def test_brings_the_outputs_of_both_domains_together(self):
        (grid, labels), (real, _) = batch(0), batch(1)
        real[..., :3] *= 4

        def trained(weight):
            model = compiled(train.AlignedModel(network(), weight=weight), 0.02)
            for _ in range(40):
                found = model.train_on_batch(
                    (grid, real), labels, return_dict=True
                )
            return found["alignment"]

        self.assertLess(trained(10.0), 0.5 * trained(0.0))

    def test_is_the_network_itself_to_evaluate_and_predict(self):
        grid, labels = batch(0)
        inner = network()
        model = compiled(train.AlignedModel(inner))
        np.testing.assert_array_equal(model(grid), inner(grid))
        self.assertIn("loss", model.evaluate(grid, labels, return_dict=True))

    def test_fits_data_sets_of_pairs(self):
        (grid, labels), (real, _) = batch(0), batch(1)
        pairs = tf.data.Dataset.from_tensors(((grid, real), labels)).repeat(2)
        model = compiled(train.AlignedModel(network()), 0.1)
        history = model.fit(pairs, epochs=2, verbose=0).history
        self.assertEqual(set(history), {"loss", "alignment"})
        self.assertTrue(np.isfinite(history["alignment"]).all())

    def test_bad_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "distance must be one of"):
            train.AlignedModel(network(), "cosine")
        with self.assertRaisesRegex(ValueError, "weight must not be negative"):
            train.AlignedModel(network(), weight=-1.0)


if __name__ == "__main__":
    absltest.main()
