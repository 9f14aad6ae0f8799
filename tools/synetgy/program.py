"""A network as the accelerator's calls and the CPU's steps, Ch. 6 §5.1."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tools.synetgy import workload

MOST_BITS = 8  # of a level, which is one byte
_LOGIT_BITS = 32  # of the classifier's sums


@dataclasses.dataclass(frozen=True)
class Map:
    """What a step reads or makes for one image.

    Args:
      name: of the Keras layer that makes the same.
      shape: without the batch.
      bits: of a level; 0 for floats.
      scale: s that the highest level stands for (Ch. 6 Eq. 12).
    """

    name: str
    shape: tuple[int, ...]
    bits: int = 0
    scale: float = 0.0

    @property
    def values(self) -> int:
        """How many."""
        return int(np.prod(self.shape))


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """What the network does next.

    Args:
      name: of the Keras layer.
      sources: maps that it reads.
      output: map that it makes.
    """

    name: str
    sources: tuple[Map, ...]
    output: Map


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution(Step):
    """One call of the accelerator: 1x1 convolution, ActQuant, pooling, shift.

    Args:
      kernel: [C, N] int8.
      thresholds: [N, L] int32, of ActQuant and the normalisation before it.
      weight_bits: of a weight's level.
      quantised: map behind ActQuant.
      stride: of the convolution.
      pooled: map behind 2x2 max-pooling, if there is one.
      offsets: [N, 2] int of the shift, if there is one.
    """

    kernel: np.ndarray
    thresholds: np.ndarray
    weight_bits: int
    quantised: Map
    stride: int = 1
    pooled: Map | None = None
    offsets: np.ndarray | None = None

    @property
    def call(self) -> workload.Call:
        """For the timing model."""
        height, width, channels = self.sources[0].shape
        return workload.Call(
            self.name,
            height,
            width,
            channels,
            self.kernel.shape[1],
            stride=self.stride,
            pool=2 if self.pooled else 1,
            weight_bits=self.weight_bits,
            activation_bits=self.sources[0].bits,
            output_bits=self.output.bits,
            has_shift=self.offsets is not None,
        )

    @property
    def largest_sum(self) -> int:
        """No sum or part of one has a larger magnitude, for any input."""
        return largest_sum(self.kernel, 2 ** self.sources[0].bits - 1)


@dataclasses.dataclass(frozen=True, eq=False)
class FullyConnected(Step):
    """One call of the accelerator: a 1x1 convolution of one pixel.

    Args:
      kernel: [C, N] int8.
      bias: [N] int32.
      unit: what its sums are multiplied by in the end.
      weight_bits: of a weight's level.
      highest: that an input can be.
    """

    kernel: np.ndarray
    bias: np.ndarray
    unit: float
    weight_bits: int
    highest: int

    @property
    def call(self) -> workload.Call:
        """For the timing model."""
        return workload.Call(
            self.name,
            1,
            1,
            *self.kernel.shape,
            weight_bits=self.weight_bits,
            activation_bits=self.highest.bit_length(),
            output_bits=_LOGIT_BITS,
        )

    @property
    def largest_sum(self) -> int:
        """No sum or part of one has a larger magnitude, for any input."""
        return largest_sum(self.kernel, self.highest, self.bias)


def largest_sum(
    kernel: np.ndarray, highest: int, bias: np.ndarray | int = 0
) -> int:
    """Largest magnitude of a sum of products and of its parts in any order.

    Args:
      kernel: [C, N] int.
      highest: that an input can be; the lowest is 0.
      bias: [N] int that is added.
    """
    weights = kernel.astype(np.int64)
    above = highest * np.maximum(weights, 0).sum(0) + np.maximum(bias, 0)
    below = highest * np.minimum(weights, 0).sum(0) + np.minimum(bias, 0)
    return int(max(above.max(), -below.min()))


@dataclasses.dataclass(frozen=True, eq=False)
class Copy(Step):
    """The CPU's memory copy: concatenation, shuffle or rotation of channels.

    Args:
      order: [C] int, of the sources' channels side by side.
    """

    order: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Split(Step):
    """Some neighbouring channels of a map, read where they lie.

    Args:
      first: channel.
    """

    first: int


@dataclasses.dataclass(frozen=True, eq=False)
class Shift(Step):
    """A shift that no call can take along, so a memory copy of the CPU.

    Args:
      offsets: [C, 2] int.
    """

    offsets: np.ndarray


class MaxPool(Step):
    """2x2 max-pooling that no call can take along, so the CPU does it."""


@dataclasses.dataclass(frozen=True, eq=False)
class PlaceSum(Step):
    """The sums of average pooling, on the CPU.

    Args:
      count: of the places.
    """

    count: int


class ToLevels(Step):
    """Floats on the output's grid become levels, on the CPU."""


@dataclasses.dataclass(frozen=True, eq=False)
class FullPrecision(Step):
    """A Keras layer in floating point, on the CPU.

    Args:
      layer: Keras layer, called without training.
      pooled_values: that it reads, if it is average-pooling.
    """

    layer: object
    pooled_values: int = 0


AcceleratorCall = Convolution | FullyConnected


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """All steps of a network for one image, in their order.

    Args:
      name: of the network.
      image: what it reads.
      steps: each after those that make its sources.
      output: what it yields.
    """

    name: str
    image: Map
    steps: tuple[Step, ...]
    output: Map

    @property
    def calls(self) -> list[AcceleratorCall]:
        """What runs on the accelerator."""
        return [x for x in self.steps if isinstance(x, AcceleratorCall)]

    @property
    def frame(self) -> workload.Frame:
        """What the timing model counts.

        A copy belongs to the call before it, or else to the first one.
        """
        calls: list[workload.Call] = []
        copied, pooled = [0], 0
        for step in self.steps:
            if isinstance(step, AcceleratorCall):
                copied += [0] if calls else []
                calls.append(step.call)
            elif isinstance(step, Copy | Shift):
                copied[-1] += step.output.values
            elif isinstance(step, PlaceSum):
                pooled += step.sources[0].values
            elif isinstance(step, FullPrecision):
                pooled += step.pooled_values
        calls = [
            dataclasses.replace(call, shuffled_values=values)
            for call, values in zip(calls, copied)
        ]
        return workload.Frame(self.name, tuple(calls), pooled)

    @property
    def uncounted(self) -> list[Step]:
        """Steps that the timing model has no constant for."""
        kinds = MaxPool | FullPrecision | ToLevels
        return [
            step
            for step in self.steps
            if isinstance(step, kinds) and not getattr(step, "pooled_values", 0)
        ]


def check_accumulators(program: Program, bits: int) -> None:
    """Refuses a network whose sums could leave the accumulators.

    Args:
      program: the network.
      bits: of an accumulator, two's complement; 0 where unknown.

    Raises:
      ValueError: a call's sums need more; it is named.
    """
    for step in program.calls:
        needed = step.largest_sum.bit_length() + 1
        if bits and needed > bits:
            raise ValueError(
                f"layer {step.name} needs accumulators of {needed} bits for "
                f"sums up to {step.largest_sum}; the device's have {bits}"
            )


def ordered(steps: Sequence[Step], output: Map) -> tuple[Step, ...]:
    """The steps that `output` needs, a branch finished before the next.

    Ours: sources are made in their order and only when they are read, so few
    maps wait in memory.
    """
    makers = {step.output: step for step in steps}
    found: dict[Map, Step] = {}
    waiting = [output]
    while waiting:
        step = makers.get(waiting[-1])
        missing = [
            x
            for x in (step.sources if step else ())
            if x in makers and x not in found
        ]
        if missing:
            waiting += missing[::-1]
            continue
        waiting.pop()
        if step:
            found.setdefault(step.output, step)
    return tuple(found.values())
