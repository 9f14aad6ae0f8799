"""Exports of classifiers, face embedders and style networks."""

import dataclasses
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from experiments import (
    classification_export,
    classification_run,
    faces_export,
    faces_run,
    kept_config,
    style_export,
    style_run,
)
from squeeze_tf import training
from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import shiftnet
from squeeze_tf.data import synthetic, synthetic_faces
from squeeze_tf.shift_applications import (
    face,
    face_config,
    images,
    parity,
    style_config,
    style_transfer,
)

keras = tf.keras
# Two modules, which have all kinds of layers that ShiftNet-C has.
SMALL = {"c": (((3, 16, (1, 1), (1, 1)),), 16, "convolve")}


class Base(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workdir, self.exports = self.folder / "run", self.folder / "made"
        keras.utils.set_random_seed(0)

    def image(self, *shape):
        random = np.random.default_rng(0)
        return random.uniform(0, 255, shape).astype(np.float32)

    def made(self, image):
        """What a SavedModel and a TFLite file make of an image."""
        path = str(self.exports / "saved_model")
        serve = tf.saved_model.load(path).signatures["serving_default"]
        path = str(self.exports / "float32.tflite")
        lite = tf.lite.Interpreter(path).get_signature_runner()
        return serve(image=tf.constant(image)), lite(image=image)

    def assert_refused(self, run, formats):
        """By the bounds of these networks; nothing stays but the report."""
        never = dict.fromkeys(formats, 1.1)
        refused = self.folder / "refused"
        with mock.patch.dict(parity.MIN_AGREEMENT, never):
            with self.assertRaisesRegex(ValueError, "below 110.0000%"):
                run(self.workdir, refused, None, formats, 1)
        self.assertEqual([p.name for p in refused.iterdir()], ["parity.json"])


class ClassifierTest(Base):
    def test_logits_are_those_of_the_quantised_network(self):
        config = dataclasses.replace(
            classification_config.CONFIGS["digits_diracdeltanet"],
            dataset="folders",
            channels=3,
            stem=(8, 16),
            stage_channels=(16,),
            stage_blocks=(2,),
            last=16,
            weight_bits=4,
            activation_bits=4,
            train_data=str(synthetic.write_class_folders(self.folder / "data")),
        )
        model = classification_run.build(config, 3)
        names = ("ant", "bee", "cat")
        classification_run.prepare_workdir(config, self.workdir, names)
        training.save_model(model, self.workdir)
        found = classification_export.run(
            self.workdir,
            self.exports,
            formats=["saved_model", "float32"],
            num_images=6,
        )
        self.assertEqual([report.agreement for report in found], [1, 1])
        image = self.image(1, 8, 8, 3)
        for made in self.made(image):
            self.assertEqual(set(made), {"scores"})
            np.testing.assert_allclose(made["scores"], model(image), atol=1e-5)
        kept = json.loads((self.exports / "parity.json").read_text())
        self.assertEqual(kept[0]["path"], "saved_model")
        with self.assertRaisesRegex(ValueError, "formats must be of"):
            classification_export.run(self.workdir, self.exports, None, [])
        with self.assertRaisesRegex(FileNotFoundError, "absent"):
            classification_export.run(self.workdir, self.exports, "absent")


class FacesTest(Base):
    def test_embeddings_are_those_of_the_embedder(self):
        faces = synthetic_faces.write(
            self.folder / "faces",
            num_identities=2,
            images_per_identity=2,
            size=32,
            seed=0,
            pairs_per_fold=1,
        )
        config = dataclasses.replace(
            face_config.FACE_CONFIGS["smoke"],
            drawn_identities=0,
            train_data=str(faces),
            image_size=32,
        )
        with mock.patch.dict(shiftnet.VARIANTS, SMALL):
            model = faces_run.build(config, 2)
        kept_config.keep(config, self.workdir)
        embedder = face.embedder_of(model)
        training.save_model(embedder, self.workdir / faces_run.EMBEDDER)
        kinds = ["saved_model", "float32", "int8"]
        found = faces_export.run(self.workdir, self.exports, None, kinds)
        self.assertEqual([report.kind for report in found], kinds)
        image = self.image(1, 32, 32, 3)
        for made in self.made(image):
            self.assertEqual(set(made), {"embedding"})
            np.testing.assert_allclose(
                made["embedding"], embedder(image), atol=1e-5
            )
        self.assert_refused(faces_export.run, ["saved_model"])


class StyleTest(Base):
    def test_pictures_are_the_network_s_cut_to_their_range(self):
        content = self.folder / "content"
        content.mkdir()
        for i in range(2):
            images.write(content / f"{i}.png", np.uint8(self.image(20, 24, 3)))
        config = dataclasses.replace(
            style_config.STYLE_CONFIGS["smoke"],
            content=str(content),
            image_size=16,
        )
        with mock.patch.object(style_transfer, "_NUM_RESIDUAL", 1):
            model = style_run.build(config)
        kernel, bias = model.get_layer("deconv3").get_weights()
        model.get_layer("deconv3").set_weights([120 * kernel, bias + 128])
        kept_config.keep(config, self.workdir)
        training.save_model(model, self.workdir)
        kinds = ["saved_model", "float32", "int8"]
        found = style_export.run(self.workdir, self.exports, None, kinds)
        self.assertEqual([report.kind for report in found], kinds)
        image = self.image(1, 16, 16, 3)
        raw = model(image).numpy()
        self.assertLess(raw.min(), 0)  # so that cutting matters
        self.assertGreater(raw.max(), 255)
        for made in self.made(image):
            self.assertEqual(set(made), {"picture"})
            np.testing.assert_allclose(
                made["picture"], np.clip(raw, 0, 255), atol=0.05
            )
        self.assert_refused(style_export.run, ["saved_model"])


if __name__ == "__main__":
    absltest.main()
