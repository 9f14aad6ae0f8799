"""Peak and bandwidth of this machine, by two short measurements."""

import os
import pathlib
import time
from collections.abc import Callable

import tensorflow as tf

from squeeze_tf.efficiency import machine as machine_lib

_CACHES = "/sys/devices/system/cpu/cpu0/cache"
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def measure(
    *,
    matrix_size: int | None = None,
    vector_bytes: int = 2**28,
    seconds: float = 1.0,
    on_chip_bytes: int | None = None,
) -> machine_lib.Machine:
    """The machine that TensorFlow runs on here.

    Ours. The peak is that of a product of two square float32 matrices, the
    bandwidth that of y += x over large vectors, which reads two and writes
    one; both are the best of several runs, since a busy machine is slower
    than it can be. Library, type and number of threads are the networks'.

    Args:
      matrix_size: height and width; 8192 on a GPU and 2048 without.
      vector_bytes: of x and of y; more than the caches hold.
      seconds: to repeat each measurement for.
      on_chip_bytes: of the machine; if None, the CPU's largest cache, or 0
        where it is not known or a GPU is used.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    size = matrix_size or (8192 if has_gpu else 2048)
    a = tf.random.normal((size, size))
    x = tf.zeros(vector_bytes // 4)
    y = tf.Variable(x)
    if on_chip_bytes is None:
        on_chip_bytes = 0 if has_gpu else largest_cache()
    product = _fastest(lambda: tf.linalg.matmul(a, a), seconds)
    stream = _fastest(lambda: y.assign_add(x, read_value=False), seconds)
    return machine_lib.Machine(
        name="measured here",
        peak_macs_per_second=size**3 / product,
        bandwidth_bytes_per_second=3 * vector_bytes / stream,
        on_chip_bytes=on_chip_bytes,
    )


def largest_cache(folder: str | os.PathLike = _CACHES) -> int:
    """Bytes of the first processor's largest cache; 0 if Linux does not say."""
    sizes = [0]
    for path in pathlib.Path(folder).glob("index*/size"):
        text = path.read_text().strip()
        unit = _UNITS.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KMG")) * unit)
    return max(sizes)


def _fastest(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest of many runs, the first not counted."""
    run()
    tf.test.experimental.sync_devices()
    best, end = float("inf"), time.monotonic() + seconds
    while best == float("inf") or time.monotonic() < end:
        start = time.perf_counter()
        run()
        tf.test.experimental.sync_devices()
        best = min(best, time.perf_counter() - start)
    return best
