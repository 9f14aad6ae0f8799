"""Compares the fused shift on a GPU with its twin, and times both.

    python -m tools.check_gpu_operators

Needs a GPU and a library that was built with CUDA (setup.py finds nvcc). Prints
the largest difference of the result and of all gradients, as a share of the
largest value, and milliseconds of both; fails above 1e-4.
"""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import app

from squeeze_tf.ops import custom_ops, shift_conv, shift_offsets

_BOUND = 1e-4  # of the largest value; sums of float32 in another order
# H, W, C, filters, strides, kernel size: networks' shapes, then odd ones.
_SHAPES = (
    (56, 56, 64, 64, 1, 3),
    (28, 28, 128, 128, 1, 3),
    (14, 14, 256, 256, 1, 3),
    (7, 7, 512, 512, 1, 3),
    (32, 32, 96, 16, 1, 3),
    (56, 56, 64, 128, 2, 3),
    (28, 28, 128, 128, 1, 5),
    (13, 5, 70, 33, 2, 7),
    (3, 31, 9, 1, 3, 3),
)


def main(_: list[str]) -> None:
    """Checks all shapes."""
    if not tf.config.list_physical_devices("GPU"):
        raise SystemExit("TensorFlow sees no GPU")
    if not custom_ops.has_gpu_kernels():
        raise SystemExit("the library is absent or was built without CUDA")
    # The twin's products in full float32, as the operator's are.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    worst = max(_check(*shape) for shape in _SHAPES)
    print(f"largest difference {worst:.1e}, bound {_BOUND:.0e}")
    if worst > _BOUND:
        raise SystemExit("the operator differs from its twin")


def _check(
    height: int,
    width: int,
    channels: int,
    filters: int,
    strides: int,
    kernel_size: int,
) -> float:
    random = np.random.default_rng(0)
    offsets = shift_offsets.interleaved(channels, kernel_size)
    x = tf.constant(random.normal(size=(8, height, width, channels)), "float32")
    kernel = tf.constant(random.normal(size=(channels, filters)), "float32")
    bias = tf.constant(random.normal(size=filters), "float32")

    def run(
        x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
    ) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, bias])
            y = shift_conv.shift_conv2d(
                x, kernel, offsets, bias=bias, strides=strides, relu=True
            )
        pull = tf.random.stateless_normal(tf.shape(y), (1, 2))
        return [y, *tape.gradient(y, [x, kernel, bias], pull)]

    ours, ours_ms = _timed(tf.function(run), x, kernel, bias)
    with custom_ops.stock_ops_only():
        twins, twins_ms = _timed(tf.function(run), x, kernel, bias)
    worst = max(
        float(tf.reduce_max(tf.abs(a - b)) / tf.reduce_max(tf.abs(b)))
        for a, b in zip(ours, twins)
    )
    print(
        f"8 x {height} x {width} x {channels} -> {filters}, stride {strides}, "
        f"K {kernel_size}: {worst:.1e}, operator {ours_ms:.3f} ms, twin "
        f"{twins_ms:.3f} ms, {twins_ms / ours_ms:.2f} x"
    )
    return worst


def _timed(
    function: Callable, *inputs: tf.Tensor
) -> tuple[list[tf.Tensor], float]:
    """The result, and the median of 30 calls in milliseconds."""
    times = []
    for _ in range(33):
        start = time.perf_counter()
        result = function(*inputs)
        result[-1].numpy()  # waits for the GPU
        times.append(1e3 * (time.perf_counter() - start))
    return result, float(np.median(times[3:]))


if __name__ == "__main__":
    app.run(main)
