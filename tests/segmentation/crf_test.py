"""RecurrentCRF against mean-field iterations written from the equations."""

import contextlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.ops import custom_ops
from squeeze_tf.segmentation import crf

BOTH = (
    ("stock", custom_ops.stock_ops_only),
    ("custom", contextlib.nullcontext),
)
FORMS = tuple(
    (f"{form}_{name}", form, ops) for form in crf.FORMS for name, ops in BOTH
)


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def mean_field(scores, features, mask, form, theta, angular, bilateral):
    """Three iterations on one map, neighbour by neighbour (Eq. 3, Fig. 5)."""
    height, width, classes = scores.shape
    released = form == "released"
    sign = 1 if released else -1
    potts = sign * (1 - np.eye(classes))
    x = scores
    for _ in range(3):
        q = softmax(x)
        a, b = np.zeros_like(q), np.zeros_like(q)
        for i in np.ndindex(height, width):
            near, like = np.zeros(classes), np.zeros(classes)
            for dy, dx in np.ndindex(3, 5):
                j = (i[0] + dy - 1, i[1] + dx - 2)
                if i == j or not (0 <= j[0] < height and 0 <= j[1] < width):
                    continue
                squared = (dy - 1) ** 2 + (dx - 2) ** 2
                exponent = -squared / 2
                if released:
                    exponent = np.floor(exponent)
                a[i] += np.exp(exponent / angular**2) * q[j]
                g = np.exp(exponent / bilateral**2)
                near += g * q[j]
                if mask[i] and mask[j]:
                    gap = np.sum((features[i] - features[j]) ** 2)
                    w = np.exp(-gap / (2 * theta**2))
                    like += w * (1 if released else g) * q[j]
            b[i] = like * near if released else like
        unary = scores if form == "mean_field" else q
        x = unary + a @ (0.02 * potts) + b @ (0.1 * potts)
    return x


class Counted:
    """A number that counts the products with what messages are made of."""

    products = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        Counted.products += 1
        return Counted(self.value * getattr(other, "value", other))

    def __add__(self, other):
        return Counted(self.value + getattr(other, "value", other))

    __radd__ = __add__


def count_products(cells, classes, features, size, iterations, sums):
    """MACs of mean-field inference where every cell has all neighbours.

    `sums` are the weighted sums over neighbours of each iteration.
    """
    Counted.products = 0
    offsets = [
        (dy, dx)
        for dy, dx in np.ndindex(*size)
        if (dy, dx) != (size[0] // 2, size[1] // 2)
    ]
    for _ in range(cells):
        for _ in offsets:  # |f_i - f_j|², and from it the weights w
            sum(Counted(0.1) * Counted(0.1) for _ in range(features))
        for _ in range(iterations):
            q = [[Counted(0.5)] * classes for _ in offsets]
            for _ in range(sums):
                for c in range(classes):
                    sum(Counted(0.2) * near[c] for near in q)
            for _ in ("angular", "bilateral"):
                for _ in range(classes):  # a row of the matrix
                    sum(Counted(0.3) * Counted(0.4) for _ in range(classes))
    return Counted.products


class RecurrentCRFTest(parameterized.TestCase):
    @parameterized.named_parameters(*FORMS)
    def test_equals_mean_field_iterations(self, form, ops):
        random = np.random.default_rng(0)
        scores = random.normal(size=(4, 7, 3))
        features = random.normal(size=(4, 7, 5))
        mask = random.random((4, 7)) < 0.8
        layer = crf.RecurrentCRF(
            form=form,
            angular_theta=0.9,
            bilateral_angular_theta=1.2,
            bilateral_theta=0.8,
        )
        with ops():
            got = layer(
                [
                    tf.constant(scores[None], tf.float32),
                    tf.constant(features[None], tf.float32),
                    tf.constant(mask[None, ..., None], tf.float32),
                ]
            )
        want = mean_field(scores, features[..., :3], mask, form, 0.8, 0.9, 1.2)
        np.testing.assert_allclose(got[0], want, atol=1e-5)

    def test_zero_compatibility_leaves_the_softmax(self):
        layer = crf.RecurrentCRF(
            num_iterations=1,
            angular_compatibility=0.0,
            bilateral_compatibility=0.0,
        )
        scores = tf.random.stateless_normal((1, 4, 6, 3), [0, 0])
        got = layer([scores, tf.zeros((1, 4, 6, 3)), tf.ones((1, 4, 6, 1))])
        np.testing.assert_allclose(got, tf.nn.softmax(scores), rtol=1e-6)

    def test_thesis_form_pulls_an_outlier_to_its_neighbours(self):
        # One cell mildly prefers class 1 on a surface of class 0.
        scores = np.zeros((1, 5, 9, 2), np.float32)
        scores[..., 0] = 2.0
        scores[0, 2, 4] = [0.0, 0.2]
        layer = crf.RecurrentCRF(bilateral_compatibility=0.5)
        refined = layer([scores, np.zeros((1, 5, 9, 3)), np.ones((1, 5, 9, 1))])
        self.assertGreater(refined[0, 2, 4, 0], refined[0, 2, 4, 1])

    def test_is_rebuilt_from_its_config(self):
        layer = crf.RecurrentCRF(
            angular_theta=(0.9, 0.6),
            bilateral_theta=(0.01, 0.02),
            num_iterations=2,
            size=(5, 3),
            form="released",
            bilateral_compatibility=0.3,
        )
        again = crf.RecurrentCRF.from_config(layer.get_config())
        self.assertEqual(again.get_config(), layer.get_config())
        inputs = [
            tf.random.stateless_normal((1, 6, 6, 2), [1, 2]),
            tf.random.stateless_normal((1, 6, 6, 3), [1, 3]),
            tf.ones((1, 6, 6, 1)),
        ]
        np.testing.assert_array_equal(layer(inputs), again(inputs))

    @parameterized.parameters(*crf.FORMS)
    def test_trains_under_xla_as_without(self, form):
        losses = []
        for jit_compile in (False, True):
            scores = tf.keras.Input((4, 6, 3))
            x = crf.RecurrentCRF(form=form)(
                [scores, scores, tf.keras.layers.Lambda(tf.ones_like)(scores)]
            )
            model = tf.keras.Model(scores, x)
            model.compile("sgd", "mse", jit_compile=jit_compile)
            history = model.fit(
                np.random.default_rng(0).normal(size=(2, 4, 6, 3)),
                np.zeros((2, 4, 6, 3)),
                epochs=2,
                verbose=0,
            )
            losses.append(history.history["loss"])
        self.assertLess(*losses[0][::-1])
        np.testing.assert_allclose(*losses, rtol=1e-5)

    @parameterized.parameters(
        {"form": "thesis", "sums": 2},
        {"form": "mean_field", "sums": 2, "num_iterations": 5},
        {"form": "released", "sums": 2, "size": (3, 3)},
        {"form": "released", "sums": 3, "bilateral_angular_theta": 1.2},
        {"form": "thesis", "sums": 2, "num_features": 1},
        {"form": "thesis", "sums": 2, "num_features": 9},
    )
    def test_workload_counts_the_products(self, sums, **arguments):
        shapes = [(2, 4, 3, 5), (2, 4, 3, 6), (2, 4, 3, 1)]
        layer = crf.RecurrentCRF(**arguments)
        layer.build([tf.TensorShape(shape) for shape in shapes])
        want = count_products(
            cells=2 * 4 * 3,
            classes=5,
            features=min(arguments.get("num_features", 3), 6),
            size=arguments.get("size", (3, 5)),
            iterations=arguments.get("num_iterations", 3),
            sums=sums,
        )
        self.assertEqual(layer.workload(shapes, shapes[0]), {"macs": want})

    def test_bad_arguments_are_refused(self):
        for arguments in (
            {"form": "other"},
            {"size": (2, 5)},
            {"num_iterations": 0},
        ):
            with self.assertRaises(ValueError):
                crf.RecurrentCRF(**arguments)
        layer = crf.RecurrentCRF(angular_theta=(1.0, 2.0, 3.0))
        with self.assertRaisesRegex(ValueError, "angular_theta must hold"):
            layer([tf.ones((1, 3, 5, 2))] * 2 + [tf.ones((1, 3, 5, 1))])


if __name__ == "__main__":
    absltest.main()
