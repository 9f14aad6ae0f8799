"""quantize: two steps on digits, continued, and what it refuses."""

import dataclasses
import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from experiments import classification_run, quantization_run
from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import packed_weights
from tests import scripts


def tiny():
    return dataclasses.replace(
        classification_config.CONFIGS["digits_diracdeltanet"],
        stem=(8, 8),
        stage_channels=(16,),
        stage_blocks=(2,),
        last=32,
        batch_size=600,
        epochs=1,
        decay_epochs=(),
    )


class QuantizeTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tf.config.run_functions_eagerly(True)  # tracing takes longer
        cls.addClassCleanup(tf.config.run_functions_eagerly, False)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_two_steps_to_whole_numbers(self):
        classification_run.train(tiny(), self.folder / "full", verbose=0)
        arguments = {
            "output": self.folder / "quantized",
            "end_bits": 5,
            "settings": ["epochs=1"],
            "verbose": 0,
        }
        first = quantization_run.run(
            self.folder / "full", bits="8/8", **arguments
        )
        self.assertEqual(
            [step["name"] for step in first["steps"]], ["full", "w8a8"]
        )
        # 8-bit weights are odd levels of -255 to 255: no whole bytes.
        self.assertIn("must be -128 to 127", first["integer"]["refused"])
        record = self.folder / "quantized" / "w8a8" / "record.jsonl"
        before = record.read_text()
        found = quantization_run.run(
            self.folder / "full", bits="8/8,4/3", **arguments
        )
        self.assertEqual(record.read_text(), before)  # it was done
        names = [step["name"] for step in found["steps"]]
        self.assertEqual(names, ["full", "w8a8", "w4a3"])
        written = json.loads(
            (self.folder / "quantized" / "quantization.json").read_text()
        )
        self.assertEqual(written, json.loads(json.dumps(found)))
        self.assertEqual(found["integer"]["equal_images"], 597)
        config = classification_run.read_run(self.folder / "quantized" / "w4a3")
        self.assertEqual(
            (config.weight_bits, config.activation_bits, config.end_bits),
            (4, 3, 5),
        )
        whole = packed_weights.load(self.folder / "quantized" / "integer.npz")
        model = classification_run.load(self.folder / "quantized" / "w4a3")
        image = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1))
        image = image.astype(np.float32)
        np.testing.assert_array_equal(
            whole(image), model(image, training=False)
        )

    def test_other_networks_and_paths_are_refused(self):
        smoke = dataclasses.replace(
            classification_config.CONFIGS["smoke"], epochs=1
        )
        classification_run.prepare_workdir(smoke, self.folder, tuple("0123"))
        for flag, message in (
            ("--bits=4/4", "holds a shift_resnet; only a diracdeltanet"),
            ("--bits=four", "bits must be pairs such as"),
        ):
            done = scripts.script("quantize", f"--workdir={self.folder}", flag)
            self.assertEqual(done.returncode, 1)
            self.assertNotIn("Traceback", done.stderr)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    absltest.main()
