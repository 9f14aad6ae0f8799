"""Checkpoints of the authors' code: what is read, left out and refused."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf import tf1_checkpoint
from squeeze_tf.layers import fire
from squeeze_tf.segmentation import crf, models
from tests import shared_files

keras = tf.keras


def tiny_model():
    grid = keras.Input((2, 4, 3))
    settings = fire.Convolutions(batch_norm=True)
    return keras.Model(
        grid,
        fire.convolution(grid, 5, 3, name="fire2_squeeze", settings=settings),
    )


def released_variables():
    """Names and shapes as in the authors' graphs (REPORT of the graphs)."""
    random = np.random.default_rng(0)
    shapes = {
        "kernels": (3, 3, 3, 5),
        "biases": (5,),
        "gamma": (5,),
        "beta": (5,),
        "moving_mean": (5,),
        "moving_var": (5,),
    }
    return {
        f"fire2/squeeze/{leaf}": random.normal(size=shape).astype(np.float32)
        for leaf, shape in shapes.items()
    }


class LoadTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.prefix = str(pathlib.Path(folder.name) / "model.ckpt-7")

    def write(self, values):
        """A checkpoint by name, as the saver of TensorFlow 1 writes it."""
        names = sorted(values)
        tf.raw_ops.SaveV2(
            prefix=self.prefix,
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[values[name] for name in names],
        )

    def test_every_weight_comes_from_its_counterpart(self):
        values = released_variables()
        self.write(values)
        model = tiny_model()
        self.assertEqual(tf1_checkpoint.load(model, self.prefix), [])
        kernel, bias = model.get_layer("fire2_squeeze").get_weights()
        np.testing.assert_array_equal(kernel, values["fire2/squeeze/kernels"])
        np.testing.assert_array_equal(bias, values["fire2/squeeze/biases"])
        norm = model.get_layer("fire2_squeeze_bn")
        for ours, theirs in (
            ("gamma", "gamma"),
            ("beta", "beta"),
            ("moving_mean", "moving_mean"),
            ("moving_variance", "moving_var"),
        ):
            np.testing.assert_array_equal(
                getattr(norm, ours), values[f"fire2/squeeze/{theirs}"]
            )

    def test_what_training_alone_needs_is_left_out_and_named(self):
        values = released_variables()
        extra = {
            "fire2/squeeze/kernels/Momentum": np.zeros((3, 3, 3, 5), "f4"),
            "global_step": np.array(7),
        }
        self.write(values | extra)
        left = tf1_checkpoint.load(tiny_model(), self.prefix)
        self.assertEqual(left, sorted(extra))

    def test_another_model_is_refused_in_one_line_and_nothing_is_set(self):
        values = released_variables()
        lacking = dict(values)
        del lacking["fire2/squeeze/biases"]
        wrong = values | {"fire2/squeeze/gamma": np.zeros(6, np.float32)}
        more = values | {"conv9/kernels": np.zeros(3, np.float32)}
        for name, found, message in (
            ("lacking", lacking, "bias.*not there"),
            ("shape", wrong, r"squeeze/gamma: \[6\], wanted \(5,\)"),
            ("more", more, "conv9/kernels: not in the model"),
        ):
            self.write(found)
            model = tiny_model()
            before = model.get_weights()
            with self.subTest(name), self.assertRaises(ValueError) as caught:
                tf1_checkpoint.load(model, self.prefix)
            self.assertRegex(str(caught.exception), message)
            self.assertIn(self.prefix, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))
            for weight, old in zip(model.get_weights(), before):
                np.testing.assert_array_equal(weight, old)

    def test_a_missing_file_is_named(self):
        with self.assertRaisesRegex(
            FileNotFoundError, "ckpt-7.index is absent"
        ):
            tf1_checkpoint.load(tiny_model(), self.prefix)

    def test_the_released_checkpoint_fits_one_model_alone(self):
        path = shared_files.path("reference/tf1/ckpt/squeezeSeg")
        path = path / "model.ckpt-23000"
        model = models.squeezeseg(crf=crf.RecurrentCRF())
        left = tf1_checkpoint.load(model, path)
        self.assertEqual(
            {name.rsplit("/", 1)[-1] for name in left} - {"Momentum"},
            {"global_step"},
        )
        other = models.squeezeseg_v2(
            input_shape=(4, 16, 5), crf=crf.RecurrentCRF()
        )
        with self.assertRaisesRegex(ValueError, "another model.*differences"):
            tf1_checkpoint.load(other, path)


if __name__ == "__main__":
    absltest.main()
