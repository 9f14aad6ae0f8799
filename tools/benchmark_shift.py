"""Rows of benchmark_operators: the fused shift beside its native alternatives.

The best native form is the fastest of those that give the same result: a
depthwise convolution with one-hot kernels, and a pad with slices and a
concatenation, each with a 1x1 convolution behind it, as a graph and under XLA.
Channels move in groups, which suits slices best; the operator is also shown for
the interleaved convention.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import (
    integer_conv,
    shift_conv,
    shift_offsets,
)

_NATIVE = ("depthwise", "depthwise, XLA", "slices", "slices, XLA")


@dataclasses.dataclass(frozen=True)
class Shape:
    """A shift of K x K and the 1x1 convolution that reads it."""

    height: int
    width: int
    channels: int
    filters: int
    strides: int = 1
    kernel_size: int = 3

    def __str__(self) -> str:
        """Compact, for the first column."""
        return (
            f"{self.height}x{self.width}x{self.channels}->{self.filters}"
            f"{f' /{self.strides}' if self.strides > 1 else ''}"
            f"{f' K{self.kernel_size}' if self.kernel_size > 3 else ''}"
        )


# Layers of ShiftNet, DiracDeltaNet (first row to the fourth) and ShiftResNet20
# with E 3, 6 and 9 on CIFAR (fifth to ninth).
SHAPES = (
    Shape(56, 56, 64, 64),
    Shape(28, 28, 128, 128),
    Shape(14, 14, 256, 256),
    Shape(7, 7, 512, 512),
    Shape(32, 32, 48, 16),
    Shape(32, 32, 96, 16),
    Shape(32, 32, 144, 16),
    Shape(16, 16, 192, 32),
    Shape(8, 8, 384, 64),
    Shape(56, 56, 64, 128, strides=2),
    Shape(28, 28, 128, 128, kernel_size=5),
    Shape(56, 56, 64, 64, kernel_size=5),
)

Layer = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How it is measured.

    Args:
      batch: images.
      rounds: how often each side's turn is.
      burst: calls of a side in its turn, which keeps its caches warm.
      chain: layers in one call, each with an input and weights of its own,
        which leaves little of the share of the call itself.
      gradients: forward and backward.
    """

    batch: int = 1
    rounds: int = 20
    burst: int = 1
    chain: int = 1
    gradients: bool = False


def sides(shape: Shape, settings: Settings) -> dict[str, Callable[[], object]]:
    """What is compared on one shape, ready to be called."""
    interleaved = shift_offsets.interleaved(shape.channels, shape.kernel_size)
    grouped = shift_offsets.contiguous(shape.channels, shape.kernel_size)

    def operator(offsets: np.ndarray) -> Layer:
        return lambda x, kernel: shift_conv.shift_conv2d(
            x, kernel, offsets, strides=shape.strides
        )

    def convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        kernel = kernel[tf.newaxis, tf.newaxis]
        return tf.nn.conv2d(x, kernel, shape.strides, "SAME")

    def depthwise(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolution(shift_conv.shift(x, grouped), kernel)

    def slices(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolution(sliced(x, grouped), kernel)

    made = {
        "operator": _call(shape, settings, operator(grouped)),
        "interleaved": _call(shape, settings, operator(interleaved)),
        "depthwise": _call(shape, settings, depthwise),
        "slices": _call(shape, settings, slices),
        "slices, XLA": _call(shape, settings, slices, xla=True),
        "1x1 alone": _call(shape, settings, convolution),
    }
    if settings.chain == 1:  # it takes long
        made["depthwise, XLA"] = _call(shape, settings, depthwise, xla=True)
    return made


def sliced(x: tf.Tensor, offsets: np.ndarray) -> tf.Tensor:
    """Shift of groups of channels by pad, slices and concatenation."""
    reach = np.abs(offsets).max()
    height, width = x.shape[1:3]
    padded = tf.pad(x, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    starts = [0, *np.flatnonzero(np.diff(offsets, axis=0).any(axis=1)) + 1]
    groups = []
    for first, end in zip(starts, [*starts[1:], len(offsets)]):
        y, x = reach + offsets[first]
        groups.append(padded[:, y : y + height, x : x + width, first:end])
    return tf.concat(groups, axis=-1)


def integer_sides(
    shape: Shape, settings: Settings
) -> dict[str, Callable[[], object]]:
    """Sums of 8-bit numbers, and their levels, against float32."""
    offsets = shift_offsets.cardinal(shape.channels)
    if shape.kernel_size != 3:
        offsets = shift_offsets.interleaved(shape.channels, shape.kernel_size)
    random = np.random.default_rng(0)
    inputs = [
        (
            tf.constant(
                random.integers(0, 16, _map(shape, settings)), tf.uint8
            ),
            tf.constant(
                random.integers(-15, 16, (shape.channels, shape.filters)),
                tf.int8,
            ),
        )
        for _ in range(settings.chain)
    ]
    limits = np.sort(random.normal(size=(shape.filters, 15)) * 500, axis=1)
    limits = tf.constant(limits, tf.int32)
    floats = [
        (tf.cast(x, tf.float32), tf.cast(k, tf.float32)) for x, k in inputs
    ]

    def whole(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return integer_conv.integer_shift_conv2d(
            x, kernel, offsets, strides=shape.strides
        )

    def levels(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return integer_conv.integer_shift_conv2d(
            x, kernel, offsets, thresholds=limits, strides=shape.strides
        )

    def real(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return shift_conv.shift_conv2d(
            x, kernel, offsets, strides=shape.strides
        )

    return {
        "operator": _traced(whole, inputs),
        "with 15 thresholds": _traced(levels, inputs),
        "float32": _traced(real, floats),
    }


def _map(shape: Shape, settings: Settings) -> tuple[int, ...]:
    return (settings.batch, shape.height, shape.width, shape.channels)


def _call(
    shape: Shape, settings: Settings, layer: Layer, xla: bool = False
) -> Callable:
    random = np.random.default_rng(0)
    inputs = [
        (
            tf.constant(random.normal(size=_map(shape, settings)), tf.float32),
            tf.constant(
                random.normal(size=(shape.channels, shape.filters)), tf.float32
            ),
        )
        for _ in range(settings.chain)
    ]
    return _traced(
        with_gradients(layer) if settings.gradients else layer, inputs, xla
    )


def with_gradients(layer: Layer) -> Callable:
    """The layer's result and, for a given gradient of it, both gradients."""

    def both(x: tf.Tensor, kernel: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = layer(x, kernel)
        pull = tf.constant(
            np.random.default_rng(1).normal(size=y.shape), tf.float32
        )
        return [y, *tape.gradient(y, [x, kernel], output_gradients=pull)]

    return both


def _traced(
    layer: Callable, inputs: list[tuple[tf.Tensor, ...]], xla: bool = False
) -> Callable[[], object]:
    # Captured, not passed: handing over 16 arguments takes 100 us, a layer of a
    # network has them in the graph.
    return tf.function(
        lambda: [layer(*each) for each in inputs], jit_compile=xla
    ).get_concrete_function()


def percentiles(
    calls: dict[str, Callable[[], object]], settings: Settings
) -> dict[str, float]:
    """10th percentile of each side's runs, in microseconds.

    The order is drawn anew each round: who comes after a slow side finds the
    caches empty.
    """
    random = np.random.default_rng(0)
    times = {name: [] for name in calls}
    for _ in range(2):
        for run in calls.values():
            run()
    for _ in range(settings.rounds):
        for name in random.permutation(list(calls)):
            for _ in range(settings.burst):
                start = time.perf_counter()
                calls[name]()
                times[name].append(1e6 * (time.perf_counter() - start))
    return {name: float(np.percentile(t, 10)) for name, t in times.items()}


def run(settings: Settings) -> None:
    """Float32 against native forms, then 8 bits against float32."""
    direction = "forward and backward" if settings.gradients else "forward"
    title = f"{direction}, {dataclasses.asdict(settings)}"
    print(f"\nshift_conv2d, {title}")
    _rows(settings, sides)
    if not settings.gradients:
        print(f"\ninteger_shift_conv2d, {title}")
        _rows(settings, integer_sides)


def _rows(settings: Settings, sides_of: Callable) -> None:
    """Prints each shape and the geometric means."""
    means: dict[str, list[float]] = {}
    for shape in SHAPES:
        times = percentiles(sides_of(shape, settings), settings)
        ours = times.pop("operator")
        ratios = {name: time / ours for name, time in times.items()}
        native = [ratios[name] for name in _NATIVE if name in ratios]
        if native:
            ratios = {"best native": min(native)} | ratios
        for name, ratio in ratios.items():
            means.setdefault(name, []).append(ratio)
        print(
            f"{shape!s:24}{ours:9.0f} us  "
            + "  ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        )
    for name, ratios in means.items():
        mean = np.exp(np.mean(np.log(ratios)))
        print(
            f"{name:20} geometric mean {mean:.2f} x ({min(ratios):.2f} to "
            f"{max(ratios):.2f})"
        )
