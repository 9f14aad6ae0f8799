"""Times the operators against their best alternatives, both in one run.

    python -m tools.benchmark_operators [--threads=1] [--rounds=60] [--burst=1]
        [--parts=shift] [--batch=1] [--chain=1] [--gradients]

Calls are interleaved and the 10th percentile of each side is compared, so that
other work on the machine moves all alike. With --burst=20 each side is called
so often in a row, which keeps its caches warm. "Empty call" is TensorFlow's
own share of a call; --chain=8 puts so many shifts into one. Goals, where
stated, are this project's.
"""

import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import app, flags

from experiments import segmentation_run
from squeeze_tf.data import label_maps, lidar_grids
from squeeze_tf.ops import crf as crf_ops
from squeeze_tf.ops import custom_ops
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.segmentation import crf, inputs, loss, models
from squeeze_tf.simulation import config as simulation_config
from squeeze_tf.simulation import sequence
from tools import benchmark_shift

_THREADS = flags.DEFINE_integer("threads", 1, "Of TensorFlow's operators.")
_ROUNDS = flags.DEFINE_integer("rounds", 60, "How often each side's turn is.")
_BURST = flags.DEFINE_integer("burst", 1, "Calls of a side in its turn.")
_PARTS = ("simulator", "messages", "networks", "pipeline", "shift")
_ONLY = flags.DEFINE_multi_enum("parts", list(_PARTS), _PARTS, "What to time.")
_BATCH = flags.DEFINE_integer("batch", 1, "Images of a shift.")
_CHAINED = flags.DEFINE_integer("chain", 1, "Shifts in one call.")
_GRADIENTS = flags.DEFINE_bool("gradients", False, "Shifts backward, too.")
_CHAIN = 8  # messages in one call, so that the call itself hardly counts


def percentile(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """10th percentile of interleaved runs of each side, in milliseconds."""
    times = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(_ROUNDS.value):
        for name, run in sides.items():
            for _ in range(_BURST.value):
                start = time.perf_counter()
                run()
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.percentile(t, 10)) for name, t in times.items()}


def report(title: str, times: dict[str, float], ours: str) -> None:
    """Prints every side and its ratio to ours."""
    print(f"\n{title}")
    for name, value in times.items():
        print(f"  {name:44}{value:9.3f} ms{value / times[ours]:8.2f} x")


def messages() -> None:
    """crf_message and RecurrentCRF on 64 x 512, 4 classes, 3 x 5, batch 1.

    "Forward and backward" is the result and, for a given gradient of it, that
    of q: nothing else is in the graph. XLA and the graph optimiser compute the
    weights of a chain once for all its messages, the operator each time.
    """
    random = np.random.default_rng(0)
    q = tf.constant(random.random((1, 64, 512, 4)), tf.float32)
    features = tf.constant(random.normal(size=(1, 64, 512, 3)), tf.float32)
    mask = tf.constant(random.random((1, 64, 512)) < 0.87)
    gradients = [tf.constant(random.normal(size=q.shape), tf.float32)] * 2
    kernel = crf_ops.angular_gaussian((3, 5), crf.KITTI_ANGULAR_THETA)
    layer = crf.RecurrentCRF()

    def message(q: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return crf_ops.crf_message(
            q,
            features,
            mask,
            angular_kernel=kernel,
            bilateral_kernel=kernel,
            theta=crf.KITTI_BILATERAL_THETA,
        )

    def chain(q: tf.Tensor) -> list[tf.Tensor]:
        for _ in range(_CHAIN):
            q = 0.1 * sum(message(q))
        return [q]

    def refine(q: tf.Tensor) -> list[tf.Tensor]:
        valid = tf.cast(mask, tf.float32)[..., tf.newaxis]
        return [layer([q, features, valid])]

    def with_gradient(function: Callable) -> Callable:
        def both(q: tf.Tensor) -> tuple[object, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(q)
                result = function(q)
            given = gradients[: len(result)]
            return result, tape.gradient(result, q, output_gradients=given)

        return both

    for title, function in (
        ("1 message", message),
        (f"{_CHAIN} messages", chain),
        ("RecurrentCRF, 3 iterations", refine),
    ):
        _compare(f"{title}, forward", function, q)
        _compare(f"{title}, forward and backward", with_gradient(function), q)


def _compare(title: str, function: Callable, q: tf.Tensor) -> None:
    """The operator against its twin, as a graph and under XLA."""
    sides = {"operator": _call(tf.function(function), q)}
    with custom_ops.stock_ops_only():
        sides["stock twin, tf.function"] = _call(tf.function(function), q)
        sides["stock twin, XLA (best native)"] = _call(
            tf.function(function, jit_compile=True), q
        )
    sides["empty call"] = _call(tf.function(lambda x: x[0, 0, 0]), q)
    report(title, percentile(sides), "operator")


def networks() -> None:
    """SqueezeSegV2 forward at batch 1, with and without the CRF."""
    grid = tf.constant(
        np.random.default_rng(0).random((1, 64, 512, 5)), tf.float32
    )
    sides = {}
    for name, layer in (
        ("without CRF (plain Keras graph)", None),
        ("with CRF", crf.RecurrentCRF()),
    ):
        model = models.squeezeseg_v2(crf=layer)
        run = tf.function(lambda x, model=model: model(x, training=False))
        sides[name] = _call(run, grid)
    report(
        "SqueezeSegV2 forward; goal: with CRF at most 1.15 x without",
        percentile(sides),
        "without CRF (plain Keras graph)",
    )


def pipeline() -> None:
    """Scans per second of the input pipeline and of a training step.

    The scans are .npy files that are read anew each time, all of 64 x 512.
    """
    config = segmentation_config.CONFIGS["demo"]
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        for index in range(128):
            grid = random.random((64, 512, 6)).astype(np.float32)
            grid[..., 5] = random.integers(0, 4, grid.shape[:2])
            lidar_grids.write(f"{folder}/{index:03d}.npy", grid)
        samples = inputs.samples(
            "grids",
            folder,
            label_map=label_maps.load("kitti_grids"),
            projection=config.projection,
        )
        batches = inputs.training_batches(
            samples,
            batch_size=config.batch_size,
            augmentation=segmentation_run.changes(config),
            seed=0,
            epoch=0,
        )
        _compare_with_training(batches, config)


def _compare_with_training(
    batches: tf.data.Dataset, config: segmentation_config.SegmentationConfig
) -> None:
    model = models.squeezeseg_v2(crf=crf.RecurrentCRF())
    model.compile("adam", loss.FocalLoss([1.0] * 4))
    batch = next(iter(batches))
    for _ in range(2):
        model.train_on_batch(*batch)
    start = time.perf_counter()
    for _ in range(5):
        model.train_on_batch(*batch)
    eaten = 5 * config.batch_size / (time.perf_counter() - start)
    start = time.perf_counter()
    num_batches = sum(1 for _ in batches)
    fed = num_batches * config.batch_size / (time.perf_counter() - start)
    print(
        f"\nInput pipeline {fed:.0f} scans per second, a training step eats "
        f"{eaten:.1f}: {fed / eaten:.1f} x; goal 3 x"
    )


def simulator() -> None:
    """Labelled 64 x 512 scans per second of one process, camera off."""
    config = simulation_config.CONFIGS["street_front"]
    num_scans = 40
    for index in range(60):  # bodies of people and cars are kept once made
        sequence.frame(config, 0, num_scans + index, False)
    start, cpu = time.perf_counter(), time.process_time()
    for index in range(num_scans):
        sequence.frame(config, 0, index, False)
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    print(
        f"\nSimulator: {num_scans / wall:.1f} scans per second, "
        f"{num_scans / cpu:.1f} per second of processor; goal 20"
    )


def shifts() -> None:
    """The fused shift on layers of Ch. 6's networks."""
    benchmark_shift.run(
        benchmark_shift.Settings(
            batch=_BATCH.value,
            rounds=max(_ROUNDS.value // 3, 1),
            burst=_BURST.value,
            chain=_CHAINED.value,
            gradients=_GRADIENTS.value,
        )
    )


def _call(function: Callable, x: tf.Tensor) -> Callable[[], object]:
    function = function.get_concrete_function(tf.TensorSpec(x.shape, x.dtype))
    return lambda: function(x)


def main(_: list[str]) -> None:
    """Runs all."""
    tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
    tf.config.threading.set_inter_op_parallelism_threads(_THREADS.value)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{_THREADS.value} thread(s), load average {load}")
    for part in _ONLY.value:
        {
            "simulator": simulator,
            "messages": messages,
            "networks": networks,
            "pipeline": pipeline,
            "shift": shifts,
        }[part]()


if __name__ == "__main__":
    app.run(main)
