"""Progressive domain calibration on models of several kinds."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import calibration
from squeeze_tf.segmentation import models

keras = tf.keras


def functional():
    """Two branches that join, a layer used twice, a model in the model."""
    x = keras.Input([6, 8, 3])
    first = keras.layers.Conv2D(5, 3, padding="same")(x)
    first = keras.layers.BatchNormalization(name="first")(first)
    shared = keras.layers.BatchNormalization(name="shared")
    a = shared(keras.layers.Conv2D(4, 1, activation="relu")(first))
    b = shared(keras.layers.Conv2D(4, 3, padding="same")(first))
    inside = keras.Sequential(
        [
            keras.Input([6, 8, 4]),
            keras.layers.Conv2D(3, 1),
            keras.layers.BatchNormalization(name="inner"),
        ],
        name="inside",
    )
    y = inside(keras.layers.Add(name="sum")([a, b]))
    y = keras.layers.Conv2D(2, 1)(y)
    return keras.Model(x, keras.layers.BatchNormalization(name="last")(y))


class Subclassed(keras.Model):
    """Not functional."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(5)
        self.norms = [
            keras.layers.BatchNormalization(name=f"norm{i}") for i in range(2)
        ]

    def call(self, x, training=False):
        x = self.norms[0](self.dense(x), training=training)
        return self.norms[1](x**2, training=training)


def batches(seed, shift=3.0):
    x = np.random.default_rng(seed).normal(shift, 2, [20, 6, 8, 3])
    return tf.data.Dataset.from_tensor_slices(x.astype(np.float32)).batch(8)


def inputs_of_norms(model, data):
    """What reaches each normalisation of a functional model, by its name."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for node in range(2 if layer.name == "shared" else 1):
                sub = keras.Model(model.input, layer.get_input_at(node))
                values = np.concatenate([sub(x) for x in data])
                found.setdefault(layer.name, []).append(values)
    joined = keras.Model(model.input, model.get_layer("sum").output)
    convolution = model.get_layer("inside").layers[0]
    found["inner"] = [convolution(joined(x)) for x in data]
    return {name: np.concatenate(values) for name, values in found.items()}


class CalibrateTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    def test_outputs_have_mean_0_and_variance_1_on_the_calibration_set(self):
        model, data = functional(), batches(0)
        report = calibration.calibrate(model, data, verbose=False)
        layers = {x.name: x for x in calibration.normalizations(model)}
        for name, x in inputs_of_norms(model, data).items():
            layer = layers[name]
            y = np.concatenate(
                [layer(x[i : i + 8]) for i in range(0, len(x), 8)]
            )
            np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-3)
            variance = x.var((0, 1, 2))
            np.testing.assert_allclose(
                y.var((0, 1, 2)),
                variance / (variance + layer.epsilon),
                atol=1e-3,
            )
        self.assertEqual(
            [shift.name for shift in report.after],
            ["first", "shared", "inner", "last"],
        )
        for shift in report.after:
            self.assertLess(shift.mean, 1e-3)
            self.assertAlmostEqual(shift.deviation, 1, delta=1e-3)
        self.assertGreater(max(shift.mean for shift in report.before), 0.5)
        self.assertTrue(report.kept)

    def test_equals_one_layer_at_a_time(self):
        model, data = functional(), batches(0)
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        calibration.calibrate(model, data, verbose=False)
        layers = {x.name: x for x in calibration.normalizations(copy)}
        for name in ("first", "shared", "inner", "last"):
            x = inputs_of_norms(copy, data)[name]
            layers[name].moving_mean.assign(x.mean((0, 1, 2)))
            layers[name].moving_variance.assign(x.var((0, 1, 2)))
        for got, want in zip(model.get_weights(), copy.get_weights()):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)

    def test_nothing_but_the_statistics_changes(self):
        model = functional()
        before = [x.numpy() for x in model.trainable_weights]
        calibration.calibrate(model, batches(0), verbose=False)
        for x, want in zip(model.trainable_weights, before, strict=True):
            np.testing.assert_array_equal(x, want)

    def test_takes_normalisations_within_other_layers(self):
        source = keras.Input([6, 4])
        x = keras.layers.TimeDistributed(keras.layers.BatchNormalization())(
            source
        )
        x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
        model = keras.Model(source, keras.layers.BatchNormalization()(x))
        x = np.random.default_rng(0).normal(2, 3, [50, 6, 4])
        x = x.astype(np.float32)
        data = tf.data.Dataset.from_tensor_slices(x).batch(25)
        report = calibration.calibrate(model, data, verbose=False)
        self.assertLen(report.after, 2)
        y = model(x).numpy()
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(y.var(0), 1, atol=5e-3)

    def test_takes_models_that_are_not_functional(self):
        model = Subclassed()
        x = np.random.default_rng(0).normal(2, 3, [50, 4]).astype(np.float32)
        data = tf.data.Dataset.from_tensor_slices(x).batch(50)
        model(x)
        calibration.calibrate(model, data, verbose=False)
        y = model(x).numpy()
        variance = model.norms[1].moving_variance.numpy()
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(
            y.var(0), variance / (variance + 1e-3), atol=1e-3
        )

    def test_calibrates_squeezesegv2_on_its_returns(self):
        model = models.squeezeseg_v2(input_shape=(16, 32, 5))
        grids = np.random.default_rng(0).normal(size=[6, 16, 32, 5])
        data = tf.data.Dataset.from_tensor_slices(
            grids.astype(np.float32)
        ).batch(3)
        report = calibration.calibrate(model, data, verbose=False)
        self.assertLen(report.after, len(calibration.normalizations(model)))
        for shift in report.after:
            self.assertLess(shift.mean, 1e-3, shift.name)

    def test_statistics_come_back_when_the_entropy_rises(self):
        model = functional()
        # The last layer's outputs are the scores: made small they say little.
        model.get_layer("last").moving_variance.assign([1e-6, 1e-6])
        before = model.get_weights()
        report = calibration.calibrate(
            model, batches(0), held_out=batches(1), verbose=False
        )
        self.assertGreater(report.entropy_after, report.entropy_before)
        self.assertFalse(report.kept)
        for got, want in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, want)
        self.assertIn("old statistics", calibration.format_report(report))

    def test_statistics_stay_when_the_entropy_falls(self):
        model = functional()
        model.get_layer("last").moving_variance.assign([1e6, 1e6])
        report = calibration.calibrate(
            model, batches(0), held_out=batches(1), verbose=False
        )
        self.assertLess(report.entropy_after, report.entropy_before)
        self.assertTrue(report.kept)
        text = calibration.format_report(report)
        self.assertIn("stay", text)
        self.assertLen(text.splitlines(), 1 + 4 + 2)

    def test_an_error_on_the_way_leaves_the_model_as_it_was(self):
        model = functional()
        before = model.get_weights()
        broken = batches(0).concatenate(
            tf.data.Dataset.from_tensor_slices(
                np.zeros([1, 6, 8, 3], np.float32)
            )
            .map(lambda x: tf.debugging.check_numerics(x / 0, "broken"))
            .batch(1)
        )
        with self.assertRaises(tf.errors.InvalidArgumentError):
            calibration.calibrate(model, broken, verbose=False)
        for got, want in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, want)
        self.assertNotIn("call", vars(model.get_layer("first")))

    @parameterized.parameters(
        (
            lambda: keras.Sequential([keras.Input([2]), keras.layers.Dense(2)]),
            5,
        ),
        (functional, 0),
    )
    def test_says_what_is_missing(self, make, count):
        with self.assertRaisesRegex(
            ValueError, "no batch normalisation|no inputs"
        ):
            calibration.calibrate(make(), batches(0).take(count), verbose=False)


class MeanEntropyTest(absltest.TestCase):
    def test_counts_what_the_mask_lets_through(self):
        model = keras.Sequential([keras.Input([4, 3]), keras.layers.ReLU()])
        x = np.zeros([2, 4, 3], np.float32)
        x[0, 0] = [50, 0, 0]  # certain
        data = tf.data.Dataset.from_tensor_slices(x).batch(2)
        self.assertAlmostEqual(
            calibration.mean_entropy(model, data), np.log(3) * 7 / 8, places=5
        )
        got = calibration.mean_entropy(model, data, lambda x: x[..., 0] > 0)
        self.assertAlmostEqual(got, 0, places=5)


if __name__ == "__main__":
    absltest.main()
