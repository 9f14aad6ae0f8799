"""stylize as it is called: learning, resuming, repainting, refusing."""

import contextlib
import dataclasses
import json
import pathlib
import runpy
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from experiments import style_run
from squeeze_tf import training
from squeeze_tf.shift_applications import (
    images,
    style_config,
    style_transfer,
    vgg_features,
)
from tests import scripts


def record(workdir):
    lines = (workdir / "record.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def read_only(model, batches, **_):
    """In the place of training.fit, which takes its time to be traced."""
    return list(batches(0))


@contextlib.contextmanager
def small():
    """One residual module and a narrow VGG16, which are traced sooner."""
    blocks = tuple((i, count, 8) for i, count in ((1, 1), (2, 1), (3, 1)))
    with (
        mock.patch.object(style_transfer, "_NUM_RESIDUAL", 1),
        mock.patch.object(vgg_features, "_BLOCKS", blocks),
    ):
        yield


def small_script():
    """stylize, as called, with the small network."""
    with small():
        runpy.run_module("experiments.stylize", run_name="__main__")


SCRIPT = (
    "-c",
    "from tests import style_scripts_test as t; t.small_script()",
)


class StyleScriptsTest(absltest.TestCase):
    """One short run on noise, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enterClassContext(small())
        tf.config.run_functions_eagerly(True)  # tracing takes longer
        cls.addClassCleanup(tf.config.run_functions_eagerly, False)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.content = cls.folder / "content"
        cls.content.mkdir()
        random = np.random.default_rng(0)
        for i, size in enumerate(((40, 50), (33, 35), (50, 41))):
            image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
            images.write(cls.content / f"{i}.png", image)
        cls.style = cls.folder / "style.jpg"
        images.write(cls.style, image[::-1] // 2)
        cls.config = dataclasses.replace(
            style_config.STYLE_CONFIGS["smoke"],
            style=str(cls.style),
            content=str(cls.content),
            vgg_weights="random",
            image_size=16,
            style_size=16,
            epochs=6,
        )
        cls.workdir = cls.folder / "run"
        style_run.train(cls.config, cls.workdir, verbose=0)

    def assert_refused(self, message, error=ValueError, **changes):
        workdir = self.folder / "refused"
        config = dataclasses.replace(self.config, **changes)
        with self.assertRaisesRegex(error, message):
            style_run.train(config, workdir, verbose=0)
        self.assertFalse(workdir.exists())

    def test_the_record_has_the_terms_of_the_loss(self):
        lines = record(self.workdir)
        self.assertLen(lines, 6)
        for line in lines:
            terms = ("content_loss", "style_loss", "variation_loss")
            total = sum(line[term] for term in terms)
            np.testing.assert_allclose(total, line["loss"], rtol=1e-4)

    def test_a_killed_run_started_again_gives_the_same_record(self):
        workdir = self.folder / "killed"
        scripts.killed(
            workdir,
            *SCRIPT,
            *("--config=smoke", "--vgg_weights=random", "--set=epochs=6"),
            *("--set=image_size=16", "--set=style_size=16"),
            *(f"--style={self.style}", f"--content={self.content}"),
            f"--workdir={workdir}",
        )
        with self.assertRaisesRegex(ValueError, "style_weight is"):
            other = dataclasses.replace(self.config, style_weight=1.0)
            style_run.train(other, workdir, verbose=0)
        style_run.train(self.config, workdir, verbose=0)
        for line, wanted in zip(
            record(workdir), record(self.workdir), strict=True
        ):
            for name, value in wanted.items():
                np.testing.assert_allclose(line[name], value, rtol=1e-2)

    def test_a_folder_is_repainted(self):
        output = self.folder / "painted"
        done = scripts.python(
            *SCRIPT,
            f"--workdir={self.workdir}",
            f"--input={self.content}",
            f"--output={output}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 repainted", done.stdout)
        names = sorted(path.name for path in output.iterdir())
        self.assertEqual(names, ["0.png", "1.png", "2.png"])
        for name in names:
            source = images.read(self.content / name)
            self.assertEqual(images.read(output / name).shape, source.shape)
        # The last has sides of 50 and 41: below and right of it, its mirror.
        source = images.read(self.content / "2.png")
        whole = np.pad(source, [(0, 2), (0, 3), (0, 0)], "symmetric")
        model = style_transfer.style_transformer(input_shape=(52, 44, 3))
        model.set_weights(training.load_model(self.workdir).get_weights())
        made = model(whole[None].astype(np.float32))[0, :50, :41]
        np.testing.assert_allclose(
            images.read(output / "2.png"), np.clip(made, 0, 255), atol=1
        )

    def test_a_picture_is_repainted(self):
        target = self.folder / "one.jpg"
        count = style_run.apply(self.workdir, self.content / "1.png", target)
        self.assertEqual(count, 1)
        self.assertEqual(images.read(target).shape, (33, 35, 3))
        self.assertFalse(list(self.folder.glob("*.tmp")))

    def test_what_cannot_be_repainted_is_refused(self):
        one = self.content / "1.png"
        for source, target, message in (
            (self.folder / "no", self.folder / "a.png", "no: no such file"),
            (one, self.folder / "a.gif", "a.gif: expected a name that ends"),
            (one, one, "original's place"),
            (self.content, self.content, "original's place"),
        ):
            with self.assertRaisesRegex((ValueError, OSError), message):
                style_run.apply(self.workdir, source, target)
        twins = self.folder / "twins"
        twins.mkdir()
        with self.assertRaisesRegex(ValueError, "twins: expected images"):
            style_run.apply(self.workdir, twins, self.folder / "a")
        for suffix in (".png", ".jpg"):
            images.write(twins / f"a{suffix}", np.zeros((9, 9, 3), np.uint8))
        with self.assertRaisesRegex(ValueError, "of different names"):
            style_run.apply(self.workdir, twins, self.folder / "a")
        (twins / "a.jpg").write_bytes(b"no picture")
        with self.assertRaisesRegex(ValueError, "a.jpg: not a whole image"):
            style_run.apply(
                self.workdir, twins / "a.jpg", self.folder / "a.png"
            )
        self.assertFalse((self.folder / "a.png").exists())
        with self.assertRaisesRegex(FileNotFoundError, "config.json"):
            style_run.apply(twins, one, self.folder / "a.png")

    def test_what_cannot_be_learned_from_is_refused(self):
        self.assert_refused("--style is not given", style="")
        self.assert_refused("--content is not given", content="")
        self.assert_refused("style transfer needs the Imag", vgg_weights="")
        self.assert_refused(
            "no.pkl: no such file", FileNotFoundError, vgg_weights="no.pkl"
        )
        self.assert_refused(
            "no.png: no such file", FileNotFoundError, style="no.png"
        )
        empty = self.folder / "empty"
        empty.mkdir()
        self.assert_refused("empty: expected images", content=str(empty))
        self.assert_refused("form must be one of", form="fast")

    def test_a_damaged_content_image_is_named(self):
        damaged = self.folder / "damaged"
        damaged.mkdir()
        whole = (self.content / "0.png").read_bytes()
        (damaged / "bad.png").write_bytes(whole[:900])
        config = dataclasses.replace(self.config, content=str(damaged))
        reading = mock.patch.object(training, "fit", read_only)
        message = "bad.png: not a whole image"
        with reading, self.assertRaisesRegex(ValueError, message):
            style_run.train(config, self.folder / "broken", verbose=0)


if __name__ == "__main__":
    absltest.main()
