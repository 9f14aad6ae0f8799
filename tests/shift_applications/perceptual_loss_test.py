"""The loss of style and content, term by term in NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.shift_applications import perceptual_loss, vgg_features

keras = tf.keras


def gram(features):
    """G_cd = Σ_hw F_hwc F_hwd / (H W C), with loops over the channels."""
    rows, columns, channels = features.shape
    matrix = np.zeros((channels, channels))
    for c in range(channels):
        for d in range(channels):
            total = (features[..., c] * features[..., d]).sum()
            matrix[c, d] = total / (rows * columns * channels)
    return matrix


def image(seed, size=(16, 16)):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (*size, 3)).astype(np.float32)


class TermsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keras.utils.set_random_seed(0)
        cls.features = vgg_features.vgg16_features()

    def test_gram_matrix_is_its_formula(self):
        x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
        found = perceptual_loss.gram(tf.constant(x)).numpy()
        for ours, features in zip(found, x, strict=True):
            np.testing.assert_allclose(ours, gram(features), atol=1e-12)

    def test_gram_matrix_forgets_where_things_are(self):
        x = np.random.default_rng(0).normal(size=(1, 4, 4, 3))
        moved = np.roll(x, (1, 2), (1, 2))
        np.testing.assert_allclose(
            perceptual_loss.gram(tf.constant(x)),
            perceptual_loss.gram(tf.constant(moved)),
            atol=1e-12,
        )

    def test_total_variation_is_that_of_neighbours(self):
        x = np.array([[0.0, 1.0], [3.0, 3.0], [3.0, 5.0]])[None, :, :, None]
        # Down: 3, 2, 0, 2 squared, mean 17 / 4; right: 1, 0, 2, mean 5 / 3.
        self.assertAlmostEqual(
            float(perceptual_loss.total_variation(tf.constant(x))),
            17 / 4 + 5 / 3,
        )

    def test_terms_are_those_of_the_features(self):
        style, contents = image(0, (24, 20)), np.stack([image(1), image(2)])
        made = np.stack([image(3), image(4)])
        loss = perceptual_loss.PerceptualLoss(
            self.features,
            tf.constant(style),
            content_weight=3.0,
            style_weight=5.0,
            variation_weight=7.0,
        )
        terms = loss.terms(tf.constant(contents), tf.constant(made))
        maps = {
            name: [x.numpy() for x in self.features(batch)]
            for name, batch in (
                ("style", style[None]),
                ("contents", contents),
                ("made", made),
            )
        }
        content = ((maps["made"][1] - maps["contents"][1]) ** 2).mean()
        total = 0.0
        for level in range(4):
            target = maps["style"][level][0]
            flat = target.reshape(-1, target.shape[-1])
            wanted = flat.T @ flat / flat.size
            error = []
            for features in maps["made"][level]:
                flat = features.reshape(-1, features.shape[-1])
                error.append((flat.T @ flat / flat.size - wanted) ** 2)
            total += np.mean(error)
        self.assertEqual(tuple(terms), perceptual_loss.TERMS)
        np.testing.assert_allclose(
            terms["content_loss"], 3 * content, rtol=1e-4
        )
        np.testing.assert_allclose(terms["style_loss"], 5 * total, rtol=1e-3)
        shades = made / 255
        variation = sum(
            np.mean(np.diff(shades, axis=axis) ** 2) for axis in (1, 2)
        )
        np.testing.assert_allclose(
            terms["variation_loss"], 7 * variation, rtol=1e-4
        )
        np.testing.assert_allclose(
            loss(contents, made), sum(map(float, terms.values())), rtol=1e-5
        )

    def test_a_picture_of_its_own_style_and_content_costs_nothing(self):
        picture = image(0)
        loss = perceptual_loss.PerceptualLoss(
            self.features, tf.constant(picture)
        )
        terms = loss.terms(picture[None], tf.constant(picture[None]))
        for term in terms.values():
            self.assertAlmostEqual(float(term), 0.0, places=3)

    def test_the_weights_are_the_thesis_s(self):
        # Ch. 6 §3.4.
        self.assertEqual(perceptual_loss.CONTENT_WEIGHT, 1e5)
        self.assertEqual(perceptual_loss.STYLE_WEIGHTS, (1e10, 5e10, 1e11))

    def test_its_gradient_brings_a_picture_nearer(self):
        loss = perceptual_loss.PerceptualLoss(
            self.features, tf.constant(image(0))
        )
        content = tf.constant(image(1)[None])
        picture = tf.Variable(image(2)[None])
        optimizer = keras.optimizers.Adam(5.0)
        costs = []
        for _ in range(8):
            with tf.GradientTape() as tape:
                cost = loss(content, picture)
            (gradient,) = tape.gradient(cost, [picture])
            optimizer.apply_gradients([(gradient, picture)])
            costs.append(float(cost))
        self.assertLess(costs[-1], 0.7 * costs[0])

    def test_metrics_are_the_means_of_the_terms(self):
        loss = perceptual_loss.PerceptualLoss(
            self.features, tf.constant(image(0))
        )
        metric = perceptual_loss.LossTerm(loss, "style_loss")
        batches = [
            tf.constant(np.stack([image(seed) for seed in seeds]))
            for seeds in ((1, 2, 3), (4,))
        ]
        values = []
        for batch in batches:
            metric.update_state(batch, batch)
            values.append(float(loss.terms(batch, batch)["style_loss"]))
        expected = (3 * values[0] + values[1]) / 4
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)

    def test_a_style_without_colours_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"style must be \[H, W, 3\]"):
            perceptual_loss.PerceptualLoss(self.features, tf.zeros((8, 8, 1)))


if __name__ == "__main__":
    absltest.main()
