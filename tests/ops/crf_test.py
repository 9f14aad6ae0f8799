"""CRF messages: both implementations against a loop, gradients numerically."""

import contextlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.ops import crf, custom_ops
from tests import scripts

BOTH = (
    ("stock", custom_ops.stock_ops_only),
    ("custom", contextlib.nullcontext),
)
SHAPES = (
    ("thesis", (2, 5, 9, 4), (3, 5)),
    ("whole_vectors", (1, 4, 128, 4), (3, 5)),
    ("many_classes", (1, 6, 20, 7), (3, 5)),
    ("tall", (1, 7, 5, 2), (5, 3)),
    ("wide_image", (1, 37, 70, 4), (3, 5)),
    ("smaller_than_kernel", (1, 1, 2, 3), (5, 7)),
)
CASES = tuple(
    (f"{shape[0]}_{name}", ops, *shape[1:])
    for shape in SHAPES
    for name, ops in BOTH
)


def example(shape, size, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    inputs = {
        "probabilities": random.random(shape).astype(dtype),
        "features": random.normal(size=(*shape[:3], 3)).astype(dtype),
        "mask": random.random(shape[:3]) < 0.7,
    }
    settings = {  # not symmetric, and the centre takes part
        "angular_kernel": random.random((*size, shape[3])).astype(np.float32),
        "bilateral_kernel": random.random((*size, shape[3])).astype(np.float32),
        "theta": random.choice([0.5, 0.75, 1.5], shape[3]),
    }
    return inputs, settings


def alike(size, classes):
    """Symmetric kernels that some, but not all, neighbouring classes share."""
    run = 6 if classes > 4 else 2
    theta = [(0.75, 0.5)[c // run % 2] for c in range(classes)]
    gaussian = crf.angular_gaussian(size, theta)
    return {
        "angular_kernel": gaussian,
        "bilateral_kernel": gaussian,
        "theta": theta,
    }


def matrices(classes, dtype=np.float64):
    random = np.random.default_rng(2)
    return random.normal(size=(2, classes, classes)).astype(dtype)


def loop(
    probabilities, features, mask, angular_kernel, bilateral_kernel, theta
):
    """The equations of crf_message(), cell by cell."""
    batch, height, width, classes = probabilities.shape
    rows, columns = angular_kernel.shape[:2]
    angular = np.zeros(probabilities.shape)
    bilateral = np.zeros(probabilities.shape)
    for b, y, x, c in np.ndindex(batch, height, width, classes):
        for dy in range(-(rows // 2), rows // 2 + 1):
            for dx in range(-(columns // 2), columns // 2 + 1):
                j = (b, y + dy, x + dx)
                if not (0 <= j[1] < height and 0 <= j[2] < width):
                    continue
                place = (dy + rows // 2, dx + columns // 2, c)
                angular[b, y, x, c] += (
                    angular_kernel[place] * (probabilities[j][c])
                )
                if mask[b, y, x] and mask[j]:
                    gap = np.sum((features[b, y, x] - features[j]) ** 2)
                    bilateral[b, y, x, c] += (
                        np.exp(-gap / (2 * theta[c] ** 2))
                        * bilateral_kernel[place]
                        * probabilities[j][c]
                    )
    return angular, bilateral


class CrfMessageTest(parameterized.TestCase):
    @parameterized.named_parameters(*CASES)
    def test_equals_the_equations(self, ops, shape, size):
        inputs, mixed = example(shape, size)
        for settings in (mixed, alike(size, shape[3])):
            expected = loop(**inputs, **settings)
            for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
                given, _ = example(shape, size, dtype)
                with ops():
                    got = crf.crf_message(**given, **settings)
                for have, want in zip(got, expected):
                    np.testing.assert_allclose(
                        have, want, rtol=0, atol=tolerance
                    )

    @parameterized.named_parameters(*BOTH)
    def test_gradients_are_those_of_finite_differences(self, ops):
        inputs, settings = example((2, 3, 6, 5), (3, 5))
        random = np.random.default_rng(1)
        pull = random.normal(size=(2, *inputs["probabilities"].shape))

        @tf.function
        def scalar(probabilities, features):
            with ops():
                angular, bilateral = crf.crf_message(
                    probabilities, features, inputs["mask"], **settings
                )
            return tf.reduce_sum(angular * pull[0] + bilateral * pull[1])

        for got, want in zip(
            *tf.test.compute_gradient(
                scalar,
                [inputs["probabilities"], inputs["features"]],
                delta=1e-5,
            )
        ):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-7)

    @parameterized.named_parameters(
        ("float64", np.float64, 1e-12), ("float32", np.float32, 2e-5)
    )
    def test_gradients_equal_the_twins(self, dtype, tolerance):
        inputs, mixed = example((2, 9, 70, 4), (3, 5), dtype)
        for settings in (mixed, alike((3, 5), 4)):
            self.check_gradients(inputs, settings, tolerance)

    def check_gradients(self, inputs, settings, tolerance):
        gradients = []
        for _, ops in BOTH:
            tensors = [
                tf.constant(inputs["probabilities"]),
                tf.constant(inputs["features"]),
            ]
            with ops(), tf.GradientTape() as tape:
                tape.watch(tensors)
                angular, bilateral = crf.crf_message(
                    *tensors, inputs["mask"], **settings
                )
                value = tf.reduce_sum(angular**2) + tf.reduce_sum(bilateral**3)
            gradients.append(tape.gradient(value, tensors))
        for stock, custom in zip(*gradients):
            np.testing.assert_allclose(
                custom, stock, rtol=tolerance, atol=tolerance * 10
            )

    @parameterized.named_parameters(*BOTH)
    def test_iteration_equals_its_equation(self, ops):
        for shape, size in (((2, 5, 9, 4), (3, 5)), ((1, 18, 40, 6), (3, 3))):
            for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-5)):
                inputs, settings = example(shape, size, dtype)
                scores = (5 * inputs.pop("probabilities") - 2).astype(dtype)
                a, b = matrices(shape[3], dtype)
                with ops():
                    got = crf.crf_iteration(
                        scores, *inputs.values(), a, b, **settings
                    )
                q = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
                angular, bilateral = loop(q, *inputs.values(), **settings)
                want = q + angular @ a + bilateral @ b
                np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
                with ops():
                    got = crf.crf_iteration(
                        scores,
                        *inputs.values(),
                        a,
                        b,
                        add_probabilities=False,
                        **settings,
                    )
                np.testing.assert_allclose(
                    got, want - q, rtol=0, atol=tolerance
                )

    @parameterized.named_parameters(*BOTH)
    def test_gradients_of_an_iteration_are_those_of_differences(self, ops):
        inputs, settings = example((2, 19, 4, 3), (3, 5))  # two blocks of rows
        pull = np.random.default_rng(1).normal(size=(2, 19, 4, 3))

        @tf.function  # thousands of calls
        def scalar(scores, features, a, b):
            with ops():
                refined = crf.crf_iteration(
                    scores, features, inputs["mask"], a, b, **settings
                )
                sent = crf.crf_iteration(
                    scores,
                    features,
                    inputs["mask"],
                    a,
                    b,
                    add_probabilities=False,
                    **settings,
                )
            return tf.reduce_sum(refined * pull + sent * pull**2)

        given = [inputs["probabilities"], inputs["features"], *matrices(3)]
        for got, want in zip(
            *tf.test.compute_gradient(scalar, given, delta=1e-5)
        ):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-7)

    @parameterized.parameters(16, 32)
    def test_instruction_sets_with_smaller_vectors(self, vector_bytes):
        tests = [
            f"CrfMessageTest.{name}"
            for name in dir(self)
            if name.startswith("test_") and "equal" in name
        ]
        ran = scripts.finish(
            scripts.start(
                __file__, *tests, SQUEEZE_TF_MAX_VECTOR_BYTES=str(vector_bytes)
            )
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn(f"Ran {len(tests)} tests", ran.stderr)

    def test_weights_vanish_between_distant_features(self):
        # Halves 1e3 theta apart exchange no bilateral message.
        features = np.zeros((1, 1, 8, 1), np.float32)
        features[:, :, 4:] = 1000.0
        kernel = crf.angular_gaussian((1, 3), [1.0])
        _, bilateral = crf.crf_message(
            np.ones((1, 1, 8, 1), np.float32),
            features,
            np.ones((1, 1, 8), bool),
            angular_kernel=kernel,
            bilateral_kernel=kernel,
            theta=[1.0],
        )
        g = np.exp(-0.5)
        np.testing.assert_allclose(
            bilateral[0, 0, :, 0], [g, 2 * g, 2 * g, g] * 2, rtol=1e-6
        )

    def test_unknown_batch_and_size_are_traced(self):
        inputs, settings = example((2, 5, 9, 4), (3, 5), np.float32)
        spec = tf.TensorSpec((None, None, None, 4))

        @tf.function(input_signature=[spec])
        def run(q):
            return crf.crf_message(
                q,
                tf.constant(inputs["features"]),
                tf.constant(inputs["mask"]),
                **settings,
            )

        self.assertEqual(run(inputs["probabilities"])[0].shape, (2, 5, 9, 4))

    def test_bad_kernels_are_refused(self):
        inputs, settings = example((1, 3, 4, 2), (3, 5))
        for change in (
            {"theta": [1.0]},
            {"angular_kernel": np.ones((2, 5, 2))},
            {"bilateral_kernel": np.ones((3, 5, 3))},
        ):
            with self.assertRaisesRegex(ValueError, "kernels must be"):
                crf.crf_message(**inputs, **(settings | change))

    def test_the_operator_refuses_shapes_that_do_not_fit(self):
        library = custom_ops.library()
        if library is None:
            self.skipTest("the operators are not built")
        inputs, settings = example((1, 3, 4, 2), (3, 5), np.float32)
        good = {
            **inputs,
            "size": [3, 5],
            "angular_kernel": settings["angular_kernel"].ravel().tolist(),
            "bilateral_kernel": settings["bilateral_kernel"].ravel().tolist(),
            "theta": [1.0, 2.0],
        }
        for change in (
            {"mask": np.ones((1, 3, 5), bool)},
            {"features": np.ones((2, 3, 4, 3), np.float32)},
            {"theta": [1.0, 2.0, 3.0]},
            {"theta": [1.0, -2.0]},
            {"size": [3, 4]},
            {"probabilities": np.ones((1, 3, 4, 3), np.float32)},
        ):
            with self.assertRaises(
                (tf.errors.InvalidArgumentError, ValueError)
            ):
                library.squeeze_tf_crf_message(**(good | change))


class AngularGaussianTest(absltest.TestCase):
    def test_equation_and_released_rounding(self):
        # Source of the rounded exponents: the reference's README, -1, -1, -2
        # and -3 over theta^2 for squared distances 1, 2, 4 and 5.
        exact = crf.angular_gaussian((3, 5), [0.9, 0.6])
        floored = crf.angular_gaussian((3, 5), [0.9, 0.6], floor_exponent=True)
        for kernel, exponents in (
            (exact, {1: -0.5, 2: -1, 4: -2, 5: -2.5}),
            (floored, {1: -1, 2: -1, 4: -2, 5: -3}),
        ):
            for dy, dx in np.ndindex(3, 5):
                squared = (dy - 1) ** 2 + (dx - 2) ** 2
                for c, theta in enumerate((0.9, 0.6)):
                    want = 0.0
                    if squared:
                        want = np.exp(exponents[squared] / theta**2)
                    self.assertAlmostEqual(kernel[dy, dx, c], want, delta=1e-6)


if __name__ == "__main__":
    absltest.main()
