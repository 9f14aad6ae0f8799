"""The running average of weights, alone and through fit() and load_model()."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf import training, weight_average


def model():
    network = tf.keras.Sequential(
        [tf.keras.Input((3,)), tf.keras.layers.Dense(2)]
    )
    network.compile("sgd", "mse")
    return network


class WeightAverageTest(absltest.TestCase):
    def test_equals_the_recursion(self):
        network = model()
        kernel = network.weights[0]
        mean = weight_average.WeightAverage(network, 0.6)
        expected = kernel.numpy()
        for step in range(1, 6):
            kernel.assign(kernel + step)
            mean.on_train_batch_end(step)
            m = min(0.6, 1 - 1 / step)  # the plain mean at first
            expected = m * expected + (1 - m) * kernel.numpy()
        np.testing.assert_allclose(mean.averages[0], expected, rtol=1e-5)
        before = kernel.numpy()
        mean.swap()
        np.testing.assert_allclose(kernel, expected, rtol=1e-5)
        mean.swap()
        np.testing.assert_array_equal(kernel, before)

    def test_fit_leaves_it_and_load_model_finds_it(self):
        random = np.random.default_rng(0)
        data = tf.data.Dataset.from_tensors(
            (random.normal(size=(8, 3)), random.normal(size=(8, 2)))
        )
        with tempfile.TemporaryDirectory() as folder:
            network = model()
            training.save_architecture(network, folder)
            record = training.fit(
                network,
                lambda epoch: data.repeat(4),
                epochs=2,
                workdir=pathlib.Path(folder),
                validation=data,
                average=0.9,
                verbose=0,
            )
            loaded = training.load_model(folder)
        for kept, read in zip(network.weights, loaded.weights):
            np.testing.assert_array_equal(kept, read)
        loss = network.evaluate(data, verbose=0)
        self.assertAlmostEqual(record[-1]["val_loss"], loss, places=5)

    def test_bad_momentum_is_refused(self):
        with self.assertRaisesRegex(ValueError, "momentum"):
            weight_average.WeightAverage(model(), 1.0)


if __name__ == "__main__":
    absltest.main()
