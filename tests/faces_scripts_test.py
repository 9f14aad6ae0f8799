"""train_faces as it is called: what it writes, resumes and refuses."""

import dataclasses
import json
import pathlib
import runpy
import shutil
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from experiments import faces_run
from squeeze_tf import training
from squeeze_tf.classification import shiftnet
from squeeze_tf.data import face_pairs, synthetic_faces
from squeeze_tf.shift_applications import (
    face_config,
    images,
    verification,
)
from tests import scripts

SMOKE = face_config.FACE_CONFIGS["smoke"]
# Two modules in the place of ShiftNet-C, which takes its time to be traced.
SMALL = {"c": (((3, 16, (1, 1), (1, 1)),), 16, "convolve")}


def record(workdir):
    lines = (workdir / "record.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def centers(workdir):
    """Those of the newest checkpoint."""
    path = tf.train.latest_checkpoint(str(workdir / "checkpoints"))
    (name,) = (
        name
        for name, shape in tf.train.list_variables(path)
        if name.startswith("model/") and "/centers/" in name
    )
    return tf.train.load_variable(path, name)


def read_only(model, batches, **_):
    """In the place of training.fit, which takes its time to be traced."""
    return list(batches(0))


def small_script():
    """train_faces, as called, with the small network."""
    with mock.patch.dict(shiftnet.VARIANTS, SMALL):
        runpy.run_module("experiments.train_faces", run_name="__main__")


class FacesScriptsTest(absltest.TestCase):
    """One short run on drawn faces, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        small = mock.patch.dict(shiftnet.VARIANTS, SMALL)
        cls.enterClassContext(small)
        tf.config.run_functions_eagerly(True)  # tracing takes longer
        cls.addClassCleanup(tf.config.run_functions_eagerly, False)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.workdir = cls.folder / "run"
        cls.config = dataclasses.replace(SMOKE, epochs=6)
        cls.found = faces_run.run(cls.config, cls.workdir, verbose=0)
        cls.faces = synthetic_faces.write(
            cls.folder / "faces",
            num_identities=5,
            images_per_identity=4,
            size=64,
            seed=7,
            pairs_per_fold=1,
        )

    def own(self, **changes):
        """Settings for the faces of this test instead of drawn ones."""
        own = {"drawn_identities": 0, "train_data": str(self.faces)}
        return dataclasses.replace(SMOKE, **(own | changes))

    def assert_refused(self, config, message, error=ValueError):
        workdir = self.folder / "refused"
        with self.assertRaisesRegex(error, message):
            faces_run.run(config, workdir, verbose=0)
        self.assertFalse((workdir / "checkpoints").exists())

    def test_a_run_leaves_an_embedder_its_scores_and_their_picture(self):
        lines = record(self.workdir)
        self.assertLen(lines, 6)
        self.assertIn("center_loss", lines[0])
        written = json.loads((self.workdir / "evaluation.json").read_text())
        self.assertEqual(written, json.loads(json.dumps(self.found)))
        self.assertEqual(written["num_pairs"], 600)
        picture = images.read(self.workdir / "roc.png")
        self.assertGreater((picture.min(-1) < 200).sum(), 500)
        # The scores are those of the embedder, pair by pair.
        embedder = training.load_model(self.workdir / "embedder")
        folder = self.workdir / "drawn" / "test"
        pairs = face_pairs.read(folder / "pairs.txt", folder)
        seen = {}
        for path in {*pairs.first, *pairs.second}:
            image = images.read(path)[None].astype(np.float32)
            seen[path] = embedder(image).numpy()[0]
        distances = [
            np.sum((seen[a] - seen[b]) ** 2)
            for a, b in zip(pairs.first, pairs.second)
        ]
        area = verification.roc(np.array(distances), pairs.is_same).area()
        self.assertAlmostEqual(written["area"], area, places=2)

    def test_a_killed_run_started_again_gives_the_same_record(self):
        workdir = self.folder / "killed"
        printed = scripts.killed(
            workdir,
            "-c",
            "from tests import faces_scripts_test as t; t.small_script()",
            *("--config=smoke", "--set=epochs=6", f"--workdir={workdir}"),
        )
        self.assertIn("drawings of made-up persons", printed)
        with self.assertRaisesRegex(ValueError, "of another run"):
            faces_run.run(SMOKE, workdir, verbose=0)
        faces_run.run(self.config, workdir, verbose=0)
        for line, wanted in zip(
            record(workdir), record(self.workdir), strict=True
        ):
            for name, value in wanted.items():
                np.testing.assert_allclose(line[name], value, rtol=1e-3)
        kept, expected = (centers(folder) for folder in (workdir, self.workdir))
        np.testing.assert_allclose(kept, expected, rtol=1e-2, atol=1e-3)
        self.assertGreater(np.abs(kept).max(), 0)

    def test_random_pairs_are_of_persons_that_did_not_train(self):
        config = self.own(
            num_identities=2, test_data=str(self.faces), num_pairs=20
        )
        trained = faces_run.training_identities(config)
        pairs = faces_run.test_pairs(config, trained)
        self.assertLen(pairs, 20)
        names = {path.parent.name for path in (*pairs.first, *pairs.second)}
        self.assertLen(trained, 2)
        self.assertFalse(names & {identity.name for identity in trained})
        self.assertIsNone(faces_run.test_pairs(self.own(), trained))

    def test_what_cannot_train_is_refused(self):
        self.assert_refused(
            self.own(train_data=str(self.folder / "no")),
            "no: no such folder of faces",
            FileNotFoundError,
        )
        one = self.folder / "one"
        shutil.copytree(self.faces / "person7_0000", one / "person7_0000")
        self.assert_refused(self.own(train_data=str(one)), "2 or more .* got 1")
        (one / "nobody").mkdir()
        self.assert_refused(
            self.own(train_data=str(one)), "nobody: expected images"
        )
        self.assert_refused(
            self.own(train_data="", test_data=str(self.faces)),
            "train_data is not given",
        )

    def test_what_cannot_be_tested_is_refused_before_training(self):
        faces = str(self.faces)
        self.assert_refused(
            self.own(test_data=faces, pairs=faces + "/no.txt"),
            "no.txt: no such list of pairs",
            FileNotFoundError,
        )
        listed = (self.faces / "pairs.txt").read_text().splitlines()
        listed[2] = "person7_0000\t1\tperson7_0009\t1"
        path = self.folder / "pairs.txt"
        path.write_text("\n".join(listed))
        self.assert_refused(
            self.own(test_data=faces, pairs=str(path)),
            "pairs.txt:3: expected .*person7_0009_0001",
            FileNotFoundError,
        )
        self.assert_refused(
            self.own(test_data=faces, num_pairs=20),
            "faces, without the persons that train: .*num_pairs=N",
        )

    def test_a_damaged_image_is_named(self):
        broken = self.folder / "broken"
        shutil.copytree(self.faces, broken)
        path = broken / "person7_0001" / "person7_0001_0002.png"
        path.write_bytes(path.read_bytes()[:900])
        reading = mock.patch.object(training, "fit", read_only)
        message = "person7_0001_0002.png: not a whole image"
        with reading, self.assertRaisesRegex(ValueError, message):
            faces_run.run(
                self.own(train_data=str(broken), epochs=1),
                self.folder / "damaged",
                verbose=0,
            )


if __name__ == "__main__":
    absltest.main()
