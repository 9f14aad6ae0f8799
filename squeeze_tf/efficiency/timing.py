"""Latency and throughput of a network, Ch. 1 §3.1."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

keras = tf.keras


@dataclasses.dataclass(frozen=True)
class Latency:
    """Seconds of one call.

    Args:
      mean: of all repeats.
      p10: percentile: one call in ten is faster.
      p50: the median.
      p90: one call in ten is slower.
      p99: one call in a hundred is slower.
      repeats: how many calls were measured.
    """

    mean: float
    p10: float
    p50: float
    p90: float
    p99: float
    repeats: int


@dataclasses.dataclass(frozen=True)
class Throughput:
    """Inputs that a network takes in a second when they come in batches."""

    batch_size: int
    frames_per_second: float
    latency: Latency


def latency(
    function: Callable[[], object],
    *,
    warmup: int = 10,
    repeats: int = 100,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Times single calls, each to the end of its work on every device.

    Source: Ch. 1 §3.1, "the interval between the start and end of the
    computation of a neural network".

    Args:
      function: what to time.
      warmup: calls that do not count: tracing, autotuning, caches.
      repeats: calls that do.
      clock: seconds; only differences count.

    Raises:
      ValueError: fewer than one repeat.
    """
    if repeats < 1 or warmup < 0:
        raise ValueError(
            "repeats must be at least 1 and warmup not negative; got "
            f"{repeats} and {warmup}"
        )
    for _ in range(warmup):
        function()
    tf.test.experimental.sync_devices()
    times = np.empty(repeats)
    for index in range(repeats):
        start = clock()
        function()
        tf.test.experimental.sync_devices()
        times[index] = clock() - start
    p10, p50, p90, p99 = np.percentile(times, (10, 50, 90, 99)).tolist()
    return Latency(float(times.mean()), p10, p50, p90, p99, repeats)


def throughput(
    make_call: Callable[[int], Callable[[], object]],
    batch_sizes: Iterable[int],
    *,
    warmup: int = 10,
    repeats: int = 100,
) -> Iterator[Throughput]:
    """Throughput of one batch size after the other, Ch. 1 §3.1.

    Args:
      make_call: batch size to what latency() times, for instance
        functools.partial(model_call, model).
      batch_sizes: B.
      warmup: as of latency().
      repeats: as of latency().
    """
    for batch_size in batch_sizes:
        found = latency(make_call(batch_size), warmup=warmup, repeats=repeats)
        yield Throughput(batch_size, batch_size / found.mean, found)


def model_call(model: keras.Model, batch_size: int) -> Callable[[], object]:
    """A call of the model at inference on random inputs, as a graph.

    Args:
      model: with inputs of fixed shape but for the batch.
      batch_size: B.
    """
    inputs = [
        tf.cast(tf.random.normal((batch_size, *x.shape[1:])), x.dtype)
        for x in model.inputs
    ]
    run = tf.function(lambda *tensors: model(list(tensors), training=False))
    return lambda: run(*inputs)
