"""A step of a super net beside the sum of what is in it, both in one run.

    python -m tools.benchmark_supernet [--config=digits] [--threads=2]

"Super net" is forward and backward through soft gates to all weights and
logits. "Its blocks" is the same of every candidate and of both ends by
themselves, each for an input and a gradient that are given, in one call. The
goal, 1.2 times at most, is this project's. "One network" is the forward pass
of a network that is drawn: one block a layer.
"""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import flags

from experiments import search_problems
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config
from squeeze_tf.search import gumbel, sample, supernet

_CONFIG = flags.DEFINE_enum(
    "config", "digits", sorted(search_config.FBNET), "Which space."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_THREADS = flags.DEFINE_integer("threads", 2, "Of TensorFlow's operators.")
_ROUNDS = flags.DEFINE_integer("rounds", 20, "How often each side's turn is.")


def main(_: list[str]) -> None:
    """Times both and prints the ratios."""
    tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
    config = config_lib.override(search_config.FBNET[_CONFIG.value], _SET.value)
    problem = search_problems.fbnet(config, 10)
    network = supernet.SuperNet(problem.space)
    counts = [len(kinds) for kinds in problem.space.candidates]
    gate = gumbel.GumbelGate(counts)
    drawn = sample.draw(
        problem.space, sample.uniform(problem.space), 1, config.seed
    )
    alone = network.subnetwork(drawn[0])
    image = _random((config.batch_size, *network.first.input_shape[1:]), 255.0)
    gates = tf.constant(gate(1.0, tf.constant([0, 1], tf.int64)))
    times = _times(
        {
            "super net, forward and backward": _step(network, gate, image),
            "its blocks, forward and backward": _blocks(
                network, config.batch_size
            ),
            "super net, forward": _graph(lambda: network(image, gates)),
            "one network, forward": _graph(lambda: alone(image)),
        }
    )
    for name, milliseconds in times.items():
        print(f"{name:36}{milliseconds:10.1f} ms")
    whole, parts, soft, hard = times.values()
    print(f"super net over its blocks: {whole / parts:.2f} (goal: 1.2 at most)")
    print(f"one network over the super net, forward: {hard / soft:.2f}")


def _step(
    network: supernet.SuperNet, gate: gumbel.GumbelGate, image: tf.Tensor
) -> Callable[[], object]:
    """Gradients of a loss to all weights and logits."""

    def run() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            gates = gate(1.0, tf.constant([0, 1], tf.int64))
            logits = network(image, gates, training=True)
            loss = tf.reduce_sum(logits)
        return tape.gradient(
            loss, [*network.trainable_weights, *gate.trainable_weights]
        )

    network(image, gate(1.0, tf.constant([0, 1], tf.int64)))
    return _graph(run)


def _blocks(
    network: supernet.SuperNet, batch_size: int
) -> Callable[[], object]:
    """The same of each block, to its weights and its input."""
    models = [
        *(block for blocks in network.blocks for block in blocks),
        *(network.first, network.last),
    ]
    models = [model for model in models if model.layers[1:]]  # not identities
    inputs = [_random((batch_size, *x.input_shape[1:]), 1.0) for x in models]
    outputs = [_random((batch_size, *x.output_shape[1:]), 1.0) for x in models]

    def run() -> list[list[tf.Tensor]]:
        found = []
        for model, x, gradient in zip(models, inputs, outputs):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = model(x, training=True)
            wanted = [x, *model.trainable_weights]
            found.append(tape.gradient(y, wanted, gradient))
        return found

    return _graph(run)


def _graph(function: Callable[[], object]) -> Callable[[], object]:
    return tf.function(function, autograph=False)


def _random(shape: tuple[int, ...], top: float) -> tf.Tensor:
    random = np.random.default_rng(0)
    return tf.constant(random.uniform(0, top, shape), tf.float32)


def _times(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median of interleaved runs of each side, in milliseconds."""
    times = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(_ROUNDS.value):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.median(x)) for name, x in times.items()}


if __name__ == "__main__":
    command_line.run(main)
