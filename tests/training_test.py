"""Exact resume after SIGKILL, the record, schedules, other models."""

import json
import pathlib
import signal
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import training
from tests import scripts

keras = tf.keras


def tiny_model(units=4):
    """With dropout and batch statistics, so that every state counts."""
    training.set_seed(3)
    x = inputs = keras.Input((3,))
    x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile(
        training.optimizer(
            "adamw",
            learning_rate=0.02,
            total_steps=12,
            warmup_steps=3,
            weight_decay=0.01,
            clip_norm=1.0,
        ),
        loss="mse",
        metrics=["mae"],
    )
    return model


def batches(epoch):
    """Four batches of 8."""
    x = np.random.default_rng(epoch).normal(size=(32, 3)).astype(np.float32)
    y = x.sum(axis=1, keepdims=True)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def train_until_killed(workdir):
    """Dies of SIGKILL in the second batch of the second epoch."""
    import os

    def deadly(epoch):
        if epoch < 1:
            return batches(epoch)

        def steps():
            for step, batch in enumerate(batches(epoch)):
                if step == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield batch

        spec = batches(epoch).element_spec
        return tf.data.Dataset.from_generator(steps, output_signature=spec)

    training.fit(tiny_model(), deadly, epochs=3, workdir=workdir, verbose=0)


def train_on_two_devices(folder):
    """Three epochs at once, and in two parts."""
    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name, epochs in (("whole", 3), ("parts", 2), ("parts", 3)):
        with strategy.scope():
            model = tiny_model()
        training.fit(
            model,
            batches,
            epochs=epochs,
            workdir=pathlib.Path(folder) / name,
            verbose=0,
        )


class FolderTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def fit(self, name, epochs=3, model=None, **kwargs):
        """Trains in a sub-folder; the record and the weights."""
        model = model or tiny_model()
        record = training.fit(
            model,
            batches,
            epochs=epochs,
            workdir=self.folder / name,
            verbose=0,
            **kwargs,
        )
        return record, model.get_weights()


class ResumeTest(FolderTestCase):
    def assert_same_run(self, one, other):
        self.assertEqual(one[0], other[0])
        for weight, expected in zip(one[1], other[1], strict=True):
            np.testing.assert_array_equal(weight, expected)

    def test_a_run_killed_in_an_epoch_goes_on_as_if_it_had_not_been(self):
        whole = self.fit("whole")
        done = scripts.python(
            "-c",
            "from tests import training_test;"
            f"training_test.train_until_killed({str(self.folder / 'cut')!r})",
        )
        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        lines = (self.folder / "cut" / "record.jsonl").read_text().splitlines()
        self.assertLen(lines, 1)
        # Bit by bit: the same machine, so no rounding may differ.
        self.assert_same_run(self.fit("cut"), whole)

    def test_a_kill_between_record_and_checkpoint_repeats_the_epoch(self):
        whole = self.fit("whole")
        self.fit("cut", epochs=1)
        record = self.folder / "cut" / "record.jsonl"
        with record.open("a") as file:
            file.write(json.dumps({"epoch": 1, "loss": 99.0}) + "\n")
        self.assert_same_run(self.fit("cut"), whole)

    def test_more_epochs_later_equal_all_at_once(self):
        whole = self.fit("whole")
        self.fit("parts", epochs=2)
        self.assert_same_run(self.fit("parts"), whole)
        self.assert_same_run(self.fit("parts"), whole)  # nothing left to do

    def test_the_running_average_goes_on_where_it_stopped(self):
        whole = self.fit("whole", average=0.9)
        self.fit("parts", epochs=1, average=0.9)
        self.assert_same_run(self.fit("parts", average=0.9), whole)

    def test_a_run_on_two_devices_goes_on_where_it_stopped(self):
        done = scripts.python(
            "-c",
            "from tests import training_test;"
            f"training_test.train_on_two_devices({str(self.folder)!r})",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        whole, parts = (
            [json.loads(line) for line in path.read_text().splitlines()]
            for path in (
                self.folder / "whole" / "record.jsonl",
                self.folder / "parts" / "record.jsonl",
            )
        )
        self.assertLen(whole, 3)
        for line, expected in zip(parts, whole, strict=True):
            for name, value in expected.items():  # sums of two devices
                self.assertAlmostEqual(line[name], value, delta=1e-5)

    def test_dropout_differs_between_epochs(self):
        # Otherwise the tests above could not notice a lost random state.
        model = tiny_model()
        x = np.random.default_rng(0).normal(size=(8, 3))
        first, second = (model(x, training=True).numpy() for _ in range(2))
        self.assertFalse(np.array_equal(first, second))


class FitTest(FolderTestCase):
    def test_record_lines_are_what_fit_returns_and_keras_computes(self):
        record, _ = self.fit("run", epochs=2, validation=batches(7))
        lines = (self.folder / "run" / "record.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line) for line in lines], record)
        self.assertEqual([line["epoch"] for line in record], [0, 1])
        names = {"epoch", "loss", "mae", "val_loss", "val_mae"}
        self.assertEqual(set(record[0]), names)
        trained = tiny_model()
        model = training_model(self.folder / "run", trained)
        loss, mae = model.evaluate(batches(7), verbose=0)
        self.assertAlmostEqual(record[1]["val_loss"], loss, places=6)
        self.assertAlmostEqual(record[1]["val_mae"], mae, places=6)
        points = list((self.folder / "run" / "tensorboard").iterdir())
        self.assertLen(points, 1)
        self.assertEqual([p.name for p in self.folder.glob("run/*.tmp")], [])

    def test_a_trained_model_is_loaded_without_its_code(self):
        model = tiny_model()
        self.fit("run", epochs=1, model=model)
        training.save_architecture(model, self.folder / "run")
        loaded = training.load_model(self.folder / "run")
        x = np.random.default_rng(0).normal(size=(5, 3))
        np.testing.assert_array_equal(loaded(x), model(x))

    def test_nothing_trained_is_said_in_one_line(self):
        with self.assertRaisesRegex(
            FileNotFoundError, "model.json: no trained"
        ):
            training.load_model(self.folder)
        training.save_architecture(tiny_model(), self.folder)
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint; train"):
            training.load_model(self.folder)

    def test_damaged_files_of_a_run_are_named(self):
        training.save_model(tiny_model(), self.folder)
        (data,) = (self.folder / "checkpoints").glob("*.data-*")
        whole = data.read_bytes()
        data.write_bytes(whole[: len(whole) // 2])
        with self.assertRaisesRegex(ValueError, "ckpt-1.*(damaged|another)"):
            training.load_model(self.folder)
        (self.folder / "model.json").write_text("{")
        with self.assertRaisesRegex(ValueError, "model.json: not JSON"):
            training.load_model(self.folder)

    def test_the_checkpoint_of_another_model_is_refused_in_one_line(self):
        self.fit("run", epochs=1)
        with self.assertRaises(ValueError) as caught:
            self.fit("run", model=tiny_model(units=5))
        message = str(caught.exception)
        self.assertRegex(message, "checkpoint .*ckpt-1 .*another model")
        self.assertNotIn("\n", message)
        training.save_architecture(tiny_model(units=5), self.folder / "run")
        with self.assertRaisesRegex(ValueError, "another model"):
            training.load_model(self.folder / "run")

    def test_a_loss_that_is_not_finite_stops_the_run_without_a_checkpoint(self):
        def poisoned(epoch):
            scale = np.nan if epoch == 1 else 1.0
            return batches(epoch).map(lambda x, y: (x, y * scale))

        with self.assertRaisesRegex(FloatingPointError, "epoch 1: not finite"):
            training.fit(
                tiny_model(), poisoned, epochs=3, workdir=self.folder, verbose=0
            )
        latest = tf.train.latest_checkpoint(str(self.folder / "checkpoints"))
        self.assertEndsWith(latest, "ckpt-1")
        self.assertLen(
            (self.folder / "record.jsonl").read_text().splitlines(), 1
        )

    def test_a_file_in_the_way_of_the_workdir_is_an_error(self):
        (self.folder / "run").write_text("in the way")
        with self.assertRaisesRegex(OSError, "run"):
            self.fit("run")


def training_model(workdir, model):
    """`model` with the weights of the last checkpoint in `workdir`."""
    latest = tf.train.latest_checkpoint(str(workdir / "checkpoints"))
    tf.train.Checkpoint(model=model).restore(latest).expect_partial()
    return model


class OptimizerTest(parameterized.TestCase):
    def rates(self, steps, **kwargs):
        made = training.optimizer(
            "momentum", learning_rate=0.4, total_steps=110, **kwargs
        )
        rate = made._learning_rate
        return [float(rate(step)) for step in steps]

    def test_cosine_falls_from_the_top_to_0(self):
        # 0.4 (1 + cos(π t / T)) / 2 with T = 110.
        steps = [0, 11, 55, 110, 200]
        expected = [0.2 * (1 + np.cos(np.pi * min(t / 110, 1))) for t in steps]
        np.testing.assert_allclose(self.rates(steps), expected, atol=1e-7)

    def test_warm_up_is_linear_and_the_cosine_fills_the_rest(self):
        steps = [0, 5, 10, 60, 110]
        expected = [0.0, 0.2, 0.4, 0.2, 0.0]  # 60 is halfway from 10 to 110
        np.testing.assert_allclose(
            self.rates(steps, warmup_steps=10), expected, atol=1e-7
        )

    def test_steps_halve_the_rate_as_the_released_schedule(self):
        got = self.rates(
            [0, 9_999, 10_000, 19_999, 20_000, 50_000], schedule="steps"
        )
        expected = [0.4, 0.4, 0.2, 0.2, 0.1, 0.4 / 2**5]
        np.testing.assert_allclose(got, expected, rtol=1e-6)

    def test_momentum_is_that_of_the_released_code(self):
        # v = 0.9 v + g, w -= rate v: 1 - 0.1 - 0.19 with a gradient of 1.
        weight = tf.Variable(1.0)
        made = training.optimizer(
            "momentum", learning_rate=0.1, total_steps=1, schedule="constant"
        )
        for _ in range(2):
            made.apply_gradients([(tf.constant(1.0), weight)])
        self.assertAlmostEqual(float(weight), 0.71, places=6)

    def test_each_gradient_is_clipped_by_its_own_norm(self):
        small, large = tf.Variable([1.0]), tf.Variable([3.0, 4.0])
        made = training.optimizer(
            "momentum",
            learning_rate=1.0,
            total_steps=1,
            schedule="constant",
            clip_norm=1.0,
        )
        gradients = [tf.constant([0.5]), tf.constant([30.0, 40.0])]
        made.apply_gradients(zip(gradients, [small, large]))
        np.testing.assert_allclose(small, [0.5], rtol=1e-6)
        np.testing.assert_allclose(large, [3 - 0.6, 4 - 0.8], rtol=1e-6)

    def test_adamw_shrinks_weights_apart_from_the_gradient(self):
        weight = tf.Variable(2.0)
        made = training.optimizer(
            "adamw",
            learning_rate=0.1,
            total_steps=1,
            schedule="constant",
            weight_decay=0.5,
        )
        made.apply_gradients([(tf.constant(0.0), weight)])
        self.assertAlmostEqual(float(weight), 2.0 * (1 - 0.1 * 0.5), places=6)

    @parameterized.parameters(
        ("sgd", "cosine", "optimizer must be"),
        ("adam", "linear", "schedule must be"),
    )
    def test_unknown_names_are_refused(self, name, schedule, message):
        with self.assertRaisesRegex(ValueError, message):
            training.optimizer(
                name, learning_rate=1.0, total_steps=1, schedule=schedule
            )


if __name__ == "__main__":
    absltest.main()
