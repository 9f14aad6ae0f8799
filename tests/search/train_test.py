"""Alternating search: who is trained, what it prefers, exact resume."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf import training
from squeeze_tf.search import cost as cost_lib
from squeeze_tf.search import gumbel, supernet, train
from tests import scripts
from tests.search import spaces

COSTS = ((2.0, 20.0, 50.0), (20.0, 50.0), (2.0, 20.0, 50.0))
ALL_EQUAL = 10 + 24 + 35 + 24  # cost where no candidate is preferred
_RANDOM = np.random.default_rng(0)
IMAGES = _RANDOM.uniform(0, 255, [24, 6, 6, 1]).astype(np.float32)
LABELS = np.eye(3, dtype=np.float32)[_RANDOM.integers(3, size=24)]


def batches(epoch=0, phase="weights"):
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)


def made(beta=0.0, rate=0.1):
    training.set_seed(0)
    small = spaces.small()
    network = supernet.SuperNet(small)
    gate = gumbel.GumbelGate([len(x) for x in small.candidates])
    alpha = cost_lib.scale(ALL_EQUAL, beta)
    cost = train.Cost(COSTS, 10.0, alpha, beta)
    models = {
        phase: train.SearchModel(network, gate, cost, phase)
        for phase in train.PHASES
    }
    models["weights"].compile(tf.keras.optimizers.SGD(0.01, momentum=0.9))
    models["architecture"].compile(tf.keras.optimizers.Adam(rate))
    return models


def searched(models, workdir, epochs=3, given=batches):
    return train.search(
        models,
        given,
        epochs=epochs,
        warmup_epochs=1,
        temperature=lambda epoch: 5.0 * 0.9**epoch,
        seed=0,
        workdir=workdir,
        verbose=0,
    )


def step_of_twins(path, strategy=None):
    """Writes all weights after a step of each phase on images given twice."""
    twins = tf.data.Dataset.from_tensors(
        (np.tile(IMAGES[:4], [2, 1, 1, 1]), np.tile(LABELS[:4], [2, 1]))
    )
    with (strategy or tf.distribute.get_strategy()).scope():
        models = made(beta=0.6)
    for model in models.values():
        model.fit(train.control(twins, 1.0, (0, 0)), verbose=0)
    network, gate = models["weights"].network, models["weights"].gate
    values = [x.numpy() for x in (*network.trainable_weights, gate.logits)]
    np.savez(path, *values)


def step_on_two_devices(path):
    """One of the twins on each; then a search whose last image is left over."""
    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    step_of_twins(path, strategy)
    with strategy.scope():
        models = made()
    with tempfile.TemporaryDirectory() as workdir:
        record, trajectory = searched(
            models,
            workdir,
            given=lambda *_: batches().unbatch().take(9).batch(8),
        )
    assert all(np.isfinite(list(line.values())).all() for line in record)
    assert trajectory[2].std() > 0


class PhaseTest(absltest.TestCase):
    def test_each_phase_changes_its_own_variables_alone(self):
        for phase in train.PHASES:
            models = made()
            models["weights"].network(IMAGES, tf.fill([3, 3], 0.3))
            network, gate = models[phase].network, models[phase].gate
            before = [x.numpy() for x in network.trainable_weights]
            models[phase].fit(
                train.control(batches(), 1.0, (0, 0)), epochs=1, verbose=0
            )
            changed = [
                np.any(a != b.numpy())
                for a, b in zip(before, network.trainable_weights)
            ]
            self.assertEqual(any(changed), phase == "weights")
            moved = np.any(gate.logits.numpy() != 0)
            self.assertEqual(moved, phase == "architecture")

    def test_two_devices_with_the_same_images_do_the_step_of_one(self):
        with tempfile.TemporaryDirectory() as folder:
            one, two = (pathlib.Path(folder) / f"{x}.npz" for x in "12")
            step_of_twins(one)
            done = scripts.python(
                "-c",
                "from tests.search import train_test;"
                f"train_test.step_on_two_devices({str(two)!r})",
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            with np.load(one) as want, np.load(two) as found:
                self.assertEqual(list(found), list(want))
                for name in want:
                    np.testing.assert_allclose(
                        found[name], want[name], rtol=1e-4, atol=1e-6
                    )

    def test_the_loss_is_that_of_eq_18_for_the_gates_of_the_seed(self):
        models = made(beta=0.6)
        model = models["architecture"]
        data = next(iter(train.control(batches(), 2.0, (3, 4))))
        seed = tf.constant([3, 4 * 2**32], tf.int64)
        gates = model.gate(2.0, seed)
        logits = model.network(data[0][0], gates, training=True).numpy()
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        cross_entropy = -(data[1].numpy() * log_p).sum(-1).mean()
        padded = np.array([COSTS[0], [*COSTS[1], 0], COSTS[2]])
        latency = 10 + (gates.numpy() * padded).sum()
        alpha = np.log(ALL_EQUAL) ** -0.6
        want = cross_entropy * alpha * np.log(latency) ** 0.6
        found = model.train_step(data)
        self.assertAlmostEqual(float(found["loss"]), want, places=4)
        self.assertAlmostEqual(float(found["cost"]), latency, places=3)


class SearchTest(absltest.TestCase):
    def test_a_heavy_cost_leaves_the_cheapest_candidates(self):
        models = made(beta=8.0, rate=0.5)
        with tempfile.TemporaryDirectory() as workdir:
            record, trajectory = searched(models, workdir, epochs=9)
        np.testing.assert_array_equal(trajectory[-1].argmax(-1), 0)
        self.assertEqual(trajectory.shape, (9, 3, 3))
        np.testing.assert_allclose(trajectory.sum(-1), 1, rtol=1e-5)
        np.testing.assert_array_equal(trajectory[:, 1, 2], 0)
        costs = [line["expected_cost"] for line in record]
        self.assertLess(costs[-1], 0.7 * costs[0])
        self.assertLess(record[-1]["gate_entropy"], record[0]["gate_entropy"])
        own = [record[-1][f"gate_entropy/{layer}"] for layer in (1, 2, 3)]
        self.assertAlmostEqual(np.mean(own), record[-1]["gate_entropy"], 5)

    def test_the_architecture_waits_for_the_warm_up(self):
        with tempfile.TemporaryDirectory() as workdir:
            record, trajectory = searched(made(), workdir)
        self.assertNotIn("architecture_loss", record[0])
        self.assertIn("architecture_loss", record[1])
        even = np.array([[1 / 3] * 3, [0.5, 0.5, 0], [1 / 3] * 3])
        np.testing.assert_allclose(trajectory[0], even, rtol=1e-6)
        self.assertAlmostEqual(record[2]["temperature"], 5.0 * 0.81)

    def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(self):
        class Stop(Exception):
            pass

        def stopping(epoch, phase):
            if (epoch, phase) == (2, "architecture"):
                raise Stop
            return batches()

        with tempfile.TemporaryDirectory() as workdir:
            whole = made()
            want, _ = searched(whole, workdir)
        with tempfile.TemporaryDirectory() as workdir:
            with self.assertRaises(Stop):
                searched(made(), workdir, given=stopping)
            again = made()
            again["weights"].network.trainable_weights[0].assign_add(
                tf.ones([1, 1, 1, spaces.WIDTH])  # as another process would be
            )
            found, trajectory = searched(again, workdir)
        for line in (*found, *want):
            self.assertGreater(line.pop("processor_seconds"), 0)
        self.assertEqual(found, want)
        for a, b in zip(
            again["weights"].network.weights, whole["weights"].network.weights
        ):
            np.testing.assert_array_equal(a, b)
        self.assertGreater(trajectory[1].std(), 0)


class ControlTest(absltest.TestCase):
    def test_every_batch_has_a_seed_of_its_own_and_one_temperature(self):
        found = [x for (_, x), _ in train.control(batches(), 0.7, (1, 2))]
        seeds = np.stack([x["seed"] for x in found])
        self.assertEqual(seeds.shape, (3, 8, 2))
        np.testing.assert_array_equal(seeds, seeds[:, :1].repeat(8, 1))
        self.assertLen(np.unique(seeds[:, 0], axis=0), 3)
        for x in found:
            np.testing.assert_allclose(x["temperature"], np.full(8, 0.7))


if __name__ == "__main__":
    absltest.main()
