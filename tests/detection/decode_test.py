import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import anchors, decode

SIZE, GRID = (64, 128), (4, 8)
ANCHORS = anchors.grid([(20, 10), (8, 30)], SIZE, GRID)
NUM_CLASSES = 3


def some_output(seed=0, batch=2):
    return tf.constant(
        np.random.default_rng(seed).normal(size=(batch, *GRID, 2 * 8)),
        tf.float32,
    )


def layer(**kwargs):
    return decode.Detections(
        anchors=ANCHORS, num_classes=NUM_CLASSES, image_size=SIZE, **kwargs
    )


def by_hand(output):
    """Score, class and box of every anchor, channel by channel."""
    found = []
    for i, j, k in np.ndindex(*GRID, 2):
        v = output[i, j].numpy().astype(np.float64)
        logits = v[3 * k : 3 * k + 3]
        p = np.exp(logits) / np.exp(logits).sum()
        confidence = 1 / (1 + np.exp(-v[6 + k]))
        dx, dy, dw, dh = v[8 + 4 * k : 12 + 4 * k]
        x, y, w, h = ANCHORS[(i * GRID[1] + j) * 2 + k]
        sides = [
            s * (np.exp(d) if d < 1 else np.e * d)
            for s, d in ((w, dw), (h, dh))
        ]
        x, y = x + w * dx, y + h * dy
        x0, x1 = np.clip([x - sides[0] / 2, x + sides[0] / 2], 0, SIZE[1])
        y0, y1 = np.clip([y - sides[1] / 2, y + sides[1] / 2], 0, SIZE[0])
        box = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
        found.append((p.max() * confidence, p.argmax(), box))
    return sorted(found, key=lambda f: -f[0])


class DecodeTest(parameterized.TestCase):
    def test_it_is_equation_1(self):
        box = decode.decode(
            tf.constant([[0.5, -0.25, np.log(2), -np.log(2)]], tf.float64),
            tf.constant([[20.0, 25.0, 20.0, 20.0]], tf.float64),
        )
        np.testing.assert_allclose(box, [[30, 20, 40, 10]], rtol=1e-12)

    def test_the_exponential_goes_on_smoothly_and_cannot_overflow(self):
        anchor = tf.constant([[0.0, 0.0, 1.0, 1.0]])
        x = tf.Variable([[0.0, 0.0, 1.0, 500.0]])
        with tf.GradientTape() as tape:
            sides = decode.decode(x, anchor)[:, 2:]
            total = tf.reduce_sum(sides)
        np.testing.assert_allclose(sides, [[np.e, 500 * np.e]], rtol=1e-6)
        np.testing.assert_allclose(
            tape.gradient(total, x)[0, 2:], [np.e, np.e], rtol=1e-6
        )

    def test_clipped_boxes_stay_in_the_image(self):
        inside = decode.clip(
            tf.constant([[5.0, 60.0, 20.0, 20.0], [64.0, 32.0, 10.0, 10.0]]),
            SIZE,
        )
        np.testing.assert_allclose(
            inside, [[7.5, 57, 15, 14], [64, 32, 10, 10]]
        )

    def test_inclusive_corners_count_the_last_pixel(self):
        # 0 .. 15 and 50 .. 63 are 16 and 14 pixels.
        inside = decode.clip(
            tf.constant([[5.0, 60.0, 20.0, 20.0]]), SIZE, inclusive=True
        )
        np.testing.assert_allclose(inside, [[8, 57, 16, 14]])

    @parameterized.parameters(5, 64, 1000)
    def test_the_best_are_kept_in_their_order(self, count):
        output = some_output()
        found = layer(max_detections=count, suppression="none")(output)
        for i in range(2):
            expected = by_hand(output[i])[:count]
            np.testing.assert_allclose(
                found["scores"][i],
                [f[0] if min(f[2][2:]) > 0 else 0 for f in expected],
                rtol=1e-5,
            )
            np.testing.assert_array_equal(
                found["class_ids"][i], [f[1] for f in expected]
            )
            np.testing.assert_allclose(
                found["boxes"][i], [f[2] for f in expected], atol=1e-4
            )

    def test_suppressed_boxes_have_score_0_and_the_rest_is_as_before(self):
        output = some_output()
        all_scores = layer(suppression="none")(output)["scores"].numpy()
        scores = layer(iou_threshold=0.1)(output)["scores"].numpy()
        gone = scores == 0
        self.assertBetween(gone.mean(), 0.1, 0.9)
        np.testing.assert_array_equal(scores[~gone], all_scores[~gone])

    def test_it_is_rebuilt_from_its_config(self):
        first = layer(max_detections=7, suppression="released", inclusive=True)
        again = decode.Detections.from_config(first.get_config())
        output = some_output()
        for name, value in first(output).items():
            np.testing.assert_array_equal(again(output)[name], value)


if __name__ == "__main__":
    absltest.main()
