"""ShiftFaceNet: its trunk, its embeddings, what trains it."""

import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf import training
from squeeze_tf.classification import shiftnet
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.shift_applications import face
from tests import shared_files

keras = tf.keras
SHAPE = (64, 64, 3)


def images(count=2, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (count, *SHAPE)).astype(np.float32)


# Two modules in the place of ShiftNet-C's twelve.
SMALL = {"c": (((3, 16, (1, 1), (1, 1)),), 16, "convolve")}


class TrunkTest(absltest.TestCase):
    def test_trunk_is_shiftnet_c(self):
        path = shared_files.path("reference/architectures/architectures.json")
        found = json.loads(path.read_text())["models"]["ShiftNet-C"]
        model = face.shift_facenet(input_shape=(224, 224, 3))
        kernels = sum(
            int(np.prod(w.shape))
            for w in model.trainable_weights
            if "kernel" in w.name
        )
        # 256 x 128 of the embedding stand where 256 x 1000 classified.
        classifier, embedding = 256 * 1000, 256 * 128
        self.assertEqual(
            kernels,
            found["params"]["conv_fc_weights"] - classifier + embedding,
        )
        total = metrics.total(workload.workloads(model))
        self.assertEqual(total.macs, found["macs"] - classifier + embedding)
        # The 0.78 million of Ch. 6 §3.3 are those of the classifier.
        self.assertEqual(int(kernels / 1e4 + 0.5) / 100, 0.55)


class FaceTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        self.enterContext(mock.patch.dict(shiftnet.VARIANTS, SMALL))

    def test_embeddings_have_length_1_and_the_size_asked_for(self):
        model = face.shift_facenet(input_shape=SHAPE, embedding_size=7)
        y = model(images(3)).numpy()
        self.assertEqual(y.shape, (3, 7))
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, atol=1e-5)
        features = keras.Model(model.input, model.get_layer("features").output)(
            images(3)
        ).numpy()
        np.testing.assert_allclose(
            y,
            features / np.linalg.norm(features, axis=1, keepdims=True),
            atol=1e-5,
        )

    def test_classifier_shares_the_embedder_s_layers(self):
        embedder = face.shift_facenet(input_shape=SHAPE, weight_decay=0.0)
        model = face.classifier(embedder, 3, weight_decay=0.0)
        x, class_ids = images(6), np.array([0, 1, 2, 0, 1, 2], np.int32)
        model.compile(
            keras.optimizers.Adam(1e-2),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,  # tracing takes longer
        )
        before = embedder(x).numpy()
        losses = [
            model.train_on_batch([x, class_ids], class_ids)[0] for _ in range(6)
        ]
        self.assertLess(losses[-1], 0.7 * losses[0])
        self.assertGreater(np.abs(embedder(x) - before).max(), 1e-3)
        with tempfile.TemporaryDirectory() as folder:
            training.save_model(model, pathlib.Path(folder))
            again = face.embedder_of(training.load_model(folder))
        np.testing.assert_allclose(again(x), embedder(x), atol=1e-6)

    def test_loss_is_softmax_and_weighted_centres(self):
        embedder = face.shift_facenet(input_shape=SHAPE, weight_decay=0.0)
        model = face.classifier(
            embedder, 3, center_weight=0.1, weight_decay=0.0
        )
        model.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        x, class_ids = images(2), np.array([2, 0], np.int32)
        loss, _ = model.test_on_batch([x, class_ids], class_ids)
        features = keras.Model(
            embedder.input, embedder.get_layer("features").output
        )(x).numpy()
        kernel, bias = model.get_layer("fc").get_weights()
        logits = features @ kernel + bias
        softmax = np.log(np.exp(logits).sum(1)) - logits[[0, 1], class_ids]
        centres = (features**2).sum(1) / 2  # the centres start at zero
        np.testing.assert_allclose(
            loss, softmax.mean() + 0.1 * centres.mean(), rtol=1e-4
        )

    def test_other_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "embedding_size must be 1"):
            face.shift_facenet(input_shape=SHAPE, embedding_size=0)
        embedder = face.shift_facenet(input_shape=SHAPE)
        with self.assertRaisesRegex(ValueError, "num_classes must be 2"):
            face.classifier(embedder, 1)


if __name__ == "__main__":
    absltest.main()
