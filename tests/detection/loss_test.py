import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import anchors, loss, targets

SIZE, GRID = (64, 128), (2, 3)
SHAPES = [(30, 20), (10, 40)]
ANCHORS = anchors.grid(SHAPES, SIZE, GRID)
C = 3


def batch(seed=0, num_objects=(2, 1), num_classes=C):
    """Targets padded to the longest, and a random output."""
    random = np.random.default_rng(seed)
    count = max((*num_objects, 1))
    y_true = np.full((len(num_objects), count, 6), targets.PADDING, np.float32)
    for row, number in zip(y_true, num_objects):
        ids = random.permutation(len(ANCHORS))[:number]
        row[:number, 0] = ids
        row[:number, 1] = random.integers(0, num_classes, number)
        row[:number, 2:] = ANCHORS[ids] * random.uniform(0.8, 1.2, (number, 4))
    channels = len(SHAPES) * (num_classes + 5)
    output = random.normal(size=(len(num_objects), *GRID, channels))
    return tf.constant(y_true), tf.constant(output, tf.float32)


def make(num_classes=C, **kwargs):
    return loss.DetectionLoss(
        anchors=ANCHORS, num_classes=num_classes, image_size=SIZE, **kwargs
    )


def anchor_values(output, image, anchor, num_classes=C):
    """Probabilities, confidence and deltas of one anchor."""
    k = len(SHAPES)
    cell, shape = divmod(anchor, k)
    v = output[image].numpy().reshape(-1, output.shape[-1])[cell]
    logits = v[num_classes * shape : num_classes * (shape + 1)]
    p = np.exp(logits - logits.max())
    start = k * num_classes
    confidence = 1 / (1 + np.exp(-v[start + shape]))
    deltas = v[start + k + 4 * shape : start + k + 4 * shape + 4]
    return p / p.sum(), confidence, deltas


def iou(a, b):
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    shared = np.maximum(high - low, 0).prod()
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def decoded(deltas, anchor):
    sides = np.where(deltas[2:] > 1, np.e * deltas[2:], np.exp(deltas[2:]))
    centre, sides = anchor[:2] + anchor[2:] * deltas[:2], anchor[2:] * sides
    limit = np.array(SIZE[::-1])
    low = np.clip(centre - sides / 2, 0, limit)
    high = np.clip(centre + sides / 2, 0, limit)
    return np.concatenate([(low + high) / 2, high - low])


def equation_2(y_true, output, form):
    """The terms, anchor by anchor."""
    B, A = len(y_true), len(ANCHORS)
    N = int((y_true[..., 0].numpy() >= 0).sum())
    box = conf = background = cls = 0.0
    for b in range(B):
        assigned = {int(t[0]): t for t in y_true[b].numpy() if t[0] >= 0}
        for a, anchor in enumerate(ANCHORS):
            p, gamma, delta = anchor_values(output, b, a)
            if a not in assigned:
                background += gamma**2
                continue
            truth = assigned[a][2:]
            wanted = np.concatenate(
                [
                    (truth[:2] - anchor[:2]) / anchor[2:],
                    np.log(truth[2:] / anchor[2:]),
                ]
            )
            box += ((delta - wanted) ** 2).sum()
            conf += (gamma - iou(decoded(delta, anchor), truth)) ** 2
            label = int(assigned[a][1])
            cls -= np.log(p[label])
            if form == "released":
                cls -= np.log(1 - np.delete(p, label)).sum()
    if form == "thesis":
        confidence = 75 / N * conf + 100 / (B * A - N) * background
    else:
        confidence = (75 / N * conf + 100 / (A - N) * background) / B
    return {
        "class_loss": cls / N,
        "confidence_loss": confidence,
        "box_loss": 5 / N * box,
    }


class DetectionLossTest(parameterized.TestCase):
    @parameterized.product(form=loss.FORMS, seed=(0, 1, 2))
    def test_terms_are_those_of_equation_2(self, form, seed):
        y_true, output = batch(seed)
        terms = make(form=form).terms(y_true, output)
        expected = equation_2(y_true, output, form)
        self.assertEqual(set(terms), set(loss.TERMS))
        for name, value in expected.items():
            np.testing.assert_allclose(terms[name], value, rtol=1e-5)
        np.testing.assert_allclose(
            make(form=form)(y_true, output), sum(expected.values()), rtol=1e-5
        )

    def test_one_image_has_one_confidence_loss_in_both_forms(self):
        y_true, output = batch(num_objects=(3,))
        thesis, released = (
            make(form=form).terms(y_true, output)["confidence_loss"]
            for form in loss.FORMS
        )
        np.testing.assert_allclose(thesis, released, rtol=1e-6)

    @parameterized.product(
        form=loss.FORMS, objects=((0, 0), (2, 0)), num_classes=(1, 3)
    )
    def test_no_objects_and_one_class_give_finite_gradients(
        self, form, objects, num_classes
    ):
        y_true, output = batch(num_objects=objects, num_classes=num_classes)
        output = tf.Variable(output)
        with tf.GradientTape() as tape:
            total = make(num_classes, form=form)(y_true, output)
        gradient = tape.gradient(total, output).numpy()
        self.assertTrue(np.isfinite(gradient).all())
        self.assertGreater(np.abs(gradient).max(), 0)
        if num_classes == 1:
            terms = make(1, form=form).terms(y_true, output)
            np.testing.assert_allclose(terms["class_loss"], 0, atol=1e-6)

    def test_padding_changes_nothing(self):
        y_true, output = batch()
        longer = tf.pad(
            y_true, [[0, 0], [0, 4], [0, 0]], constant_values=targets.PADDING
        )
        np.testing.assert_allclose(
            make()(longer, output), make()(y_true, output), rtol=1e-6
        )

    def test_the_overlap_is_a_constant_for_the_gradient(self):
        # Only the box term moves the deltas.
        y_true, output = batch()
        output = tf.Variable(output)
        with tf.GradientTape() as tape:
            total = make(box_weight=0.0)(y_true, output)
        gradient = tape.gradient(total, output).numpy()
        start = len(SHAPES) * (C + 1)
        np.testing.assert_array_equal(gradient[..., start:], 0)
        self.assertGreater(np.abs(gradient[..., :start]).max(), 0)

    def test_gradient_equals_differences(self):
        # Of everything but the overlap, which is held fixed: no box decodes
        # here, since object_weight is 0.
        y_true, output = batch()
        instance = make(object_weight=0.0)
        analytic, numeric = tf.test.compute_gradient(
            lambda x: instance(y_true, x), [output], delta=1e-2
        )
        np.testing.assert_allclose(analytic[0], numeric[0], atol=2e-2)

    def test_it_is_rebuilt_from_its_config(self):
        first = make(form="released", box_weight=2.0, inclusive=True)
        again = loss.DetectionLoss.from_config(first.get_config())
        y_true, output = batch()
        self.assertEqual(
            float(again(y_true, output)), float(first(y_true, output))
        )

    def test_an_unknown_form_is_refused(self):
        with self.assertRaisesRegex(ValueError, "form must be one of"):
            make(form="yolo")


class LossTermTest(absltest.TestCase):
    def test_it_is_the_mean_over_batches_by_their_size(self):
        instance = make()
        term = loss.LossTerm(instance, "box_loss")
        total = 0.0
        for seed, objects in enumerate(((2, 1, 3), (1,), (2, 2))):
            y_true, output = batch(seed, objects)
            term.update_state(y_true, output)
            value = float(instance.terms(y_true, output)["box_loss"])
            total += value * len(objects)
        np.testing.assert_allclose(term.result(), total / 6, rtol=1e-6)


if __name__ == "__main__":
    absltest.main()
