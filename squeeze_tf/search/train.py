"""Alternating epochs of weights and architecture, Ch. 7 §3.4, Algorithm 3."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf import training
from squeeze_tf.search import cost as cost_lib
from squeeze_tf.search import gumbel, supernet

keras = tf.keras
PHASES = ("weights", "architecture")
# ((image, control), probabilities of the classes), see control().
Batch = tuple[tuple[tf.Tensor, dict[str, tf.Tensor]], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a search pays for, Ch. 7 Eqs. 12, 15 and 18.

    Args:
      of_blocks: of each candidate of each layer.
      fixed: of what is not searched.
      alpha: of cost.cost_aware_loss().
      beta: likewise.
    """

    of_blocks: Sequence[Sequence[float]]
    fixed: float
    alpha: float
    beta: float

    def expected(self, gates: tf.Tensor) -> tf.Tensor:
        """Of gates or probabilities [L, K], [] float32."""
        costs = np.array(supernet.padded(self.of_blocks), np.float32)
        return cost_lib.expected_cost(gates, costs) + self.fixed


class SearchModel(keras.Model):
    """A super net with one sample of its gates for each batch.

    Source: Ch. 7 §3.3. It is fitted with batches of control(). Two of them, one
    for each of PHASES, share a super net and its gates.

    Args:
      network: the super net.
      gate: of its layers.
      cost: of an architecture.
      phase: what is trained, "weights" or "architecture".
    """

    def __init__(
        self,
        network: supernet.SuperNet,
        gate: gumbel.GumbelGate,
        cost: Cost,
        phase: str,
    ) -> None:
        super().__init__(name=phase)
        self.network, self.gate, self.cost = network, gate, cost
        self._means = {
            key: keras.metrics.Mean(name=key)
            for key in ("loss", "cross_entropy", "cost")
        }
        self._top1 = keras.metrics.CategoricalAccuracy(name="top1")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Of an epoch: loss, cross-entropy, cost of the samples, accuracy."""
        return [*self._means.values(), self._top1]

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        """Those that this phase changes."""
        part = self.network if self.name == "weights" else self.gate
        return part.trainable_weights

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """The loss of Eq. 12 or 18 on one batch."""
        (image, control_), labels = data
        with tf.GradientTape() as tape:
            # Equal in all lines; a batch may be split over devices.
            gates = self.gate(control_["temperature"][0], control_["seed"][0])
            logits = self.network(image, gates, training=True)
            entropies = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
            cross_entropy = tf.reduce_mean(entropies)
            cost = self.cost.expected(gates)
            loss = cost_lib.cost_aware_loss(
                cross_entropy, cost, self.cost.alpha, self.cost.beta
            )
            if self.network.losses:
                loss += tf.add_n(self.network.losses)
            # The gradients of several replicas are added up.
            replicas = self.distribute_strategy.num_replicas_in_sync
            shared = loss / replicas
        self.optimizer.minimize(shared, self.trainable_weights, tape=tape)
        values = {"loss": loss, "cross_entropy": cross_entropy, "cost": cost}
        for key, value in values.items():
            self._means[key].update_state(value)
        self._top1.update_state(labels, logits)
        return {metric.name: metric.result() for metric in self.metrics}


def control(
    batches: tf.data.Dataset, temperature: float, seed: Sequence[int]
) -> tf.data.Dataset:
    """Batches with what their gates are drawn by.

    Args:
      batches: (image [B, H, W, C], labels [B, num_classes]).
      temperature: τ.
      seed: two numbers; with the number of the batch they give its seed.

    Returns:
      ((image, {"temperature": [B] float32, "seed": [B, 2] int64}), labels).
    """
    first, second = seed

    def add(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> Batch:
        image, labels = batch
        count = tf.shape(image)[0]
        own = tf.stack([tf.constant(first, tf.int64), second * 2**32 + step])
        drawn = {
            "temperature": tf.fill([count], np.float32(temperature)),
            "seed": tf.tile(own[tf.newaxis], [count, 1]),
        }
        return (image, drawn), labels

    return batches.enumerate().map(lambda step, *batch: add(step, batch[0]))


def search(
    models: dict[str, SearchModel],
    batches: Callable[[int, str], tf.data.Dataset],
    *,
    epochs: int,
    warmup_epochs: int,
    temperature: Callable[[int], float],
    seed: int,
    workdir: str,
    verbose: str | int = "auto",
) -> tuple[list[dict[str, float]], np.ndarray]:
    """Algorithm 3 up to the sampling; goes on from the last whole epoch.

    Args:
      models: one for each of PHASES, compiled.
      batches: epoch and phase to its batches, a pure function.
      epochs: how many in all.
      warmup_epochs: the first ones, that train weights alone.
      temperature: of an epoch.
      seed: of the gates.
      workdir: as of training.fit().
      verbose: likewise.

    Returns:
      The record of training.fit(), with keys that begin with the phase, and the
      probabilities after each epoch [epochs, L, K] float32.

    Raises:
      ValueError: as training.fit().
    """
    gate = models["weights"].gate
    probabilities = gate.probabilities()
    trajectory = tf.Variable(
        tf.zeros([epochs, *probabilities.shape]), trainable=False
    )
    strategy = models["weights"].distribute_strategy
    with strategy.scope():
        for model in models.values():
            model.optimizer.build(model.trainable_weights)

    def run_epoch(epoch: int) -> dict[str, float]:
        start = time.process_time()
        line = {"temperature": temperature(epoch)}
        for number, phase in enumerate(PHASES):
            if phase == "architecture" and epoch < warmup_epochs:
                continue
            found = models[phase].fit(
                control(
                    _shared(batches(epoch, phase), strategy),
                    line["temperature"],
                    (seed, 2 * epoch + number),
                ),
                initial_epoch=epoch,
                epochs=epoch + 1,
                verbose=verbose,
            )
            line |= {
                f"{phase}_{name}": float(values[-1])
                for name, values in found.history.items()
            }
        now = gate.probabilities()
        trajectory.scatter_nd_update([[epoch]], now[tf.newaxis])
        line["gate_entropy"] = float(gumbel.entropy(now))
        for layer in np.flatnonzero(np.count_nonzero(now, -1) > 1):
            own = gumbel.entropy(now[layer : layer + 1])
            line[f"gate_entropy/{layer + 1}"] = float(own)
        line["expected_cost"] = float(models["weights"].cost.expected(now))
        line["processor_seconds"] = time.process_time() - start
        return line

    record = training.run_epochs(
        models["weights"],
        run_epoch,
        epochs=epochs,
        workdir=workdir,
        kept={
            "architecture": models["architecture"],
            "trajectory": trajectory,
        },
    )
    return record, trajectory.numpy()


def _shared(
    batches: tf.data.Dataset, strategy: tf.distribute.Strategy
) -> tf.data.Dataset:
    """Without a batch of which a replica would get nothing."""
    count = strategy.num_replicas_in_sync
    if count == 1:
        return batches

    def is_enough(image: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        size = tf.shape(image)[0]
        return size > (count - 1) * -(-size // count)

    return batches.filter(is_enough)
