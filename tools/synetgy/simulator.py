"""Runs a program on images, one call after the other, with whole numbers."""

import dataclasses
import functools
from collections import Counter

import numpy as np

from tools.synetgy import operators, program


@dataclasses.dataclass(frozen=True)
class Run:
    """What came out of a run.

    Args:
      output: [B, ...] float32, as the model's.
      maps: every map by its name, [B, ...]: levels uint8, sums int32, floats
        float32; empty unless asked for.
    """

    output: np.ndarray
    maps: dict[str, np.ndarray]


Maps = dict[program.Map, np.ndarray]


def run(
    network: program.Program,
    images: np.ndarray,
    *,
    keep_maps: bool = False,
    accumulator_bits: int = 32,
) -> Run:
    """The network's output for images.

    Args:
      network: its steps.
      images: [B, H, W, C] float, as the model takes them.
      keep_maps: whether to return all maps in between; the results of pooling
        and shift inside a call are among them, as if it had stopped there.
      accumulator_bits: of the accelerator, at most 32.

    Raises:
      ValueError: images have another shape, a sum does not fit its
        accumulator, or a value that should be on a grid of levels is not.
    """
    images = np.asarray(images, np.float32)
    if images.shape[1:] != network.image.shape:
        raise ValueError(
            f"images must be [B, {', '.join(map(str, network.image.shape))}]; "
            f"got {images.shape}"
        )
    kept: dict[str, np.ndarray] = {}
    found: Maps = {network.image: images}
    left = Counter(x for step in network.steps for x in step.sources)
    left[network.output] += 1
    for step in network.steps:
        made = _run_step(
            step, [found[x] for x in step.sources], accumulator_bits
        )
        found[step.output] = made[step.output]
        if keep_maps:
            kept |= {x.name: values for x, values in made.items()}
        for source in step.sources:
            left[source] -= 1
            if not left[source]:
                found.pop(source, None)
    return Run(_floats(network.output, found[network.output]), kept)


def _floats(kind: program.Map, values: np.ndarray) -> np.ndarray:
    if not kind.bits:
        return values
    return operators.from_levels(values, kind.bits, kind.scale)


@functools.singledispatch
def _run_step(
    step: program.Step, sources: list[np.ndarray], accumulator_bits: int
) -> Maps:
    """The maps that a step makes."""
    raise NotImplementedError(type(step).__name__)


@_run_step.register
def _(step: program.Convolution, sources: list, accumulator_bits: int) -> Maps:
    sums = operators.convolve(
        sources[0],
        step.kernel,
        stride=step.stride,
        accumulator_bits=accumulator_bits,
    )
    x = operators.act_quant(sums, step.thresholds)
    made = {step.quantised: x}
    if step.pooled:
        made[step.pooled] = x = operators.max_pool(x)
    if step.offsets is not None:
        made[step.output] = operators.shift(x, step.offsets)
    return made


@_run_step.register
def _(
    step: program.FullyConnected, sources: list, accumulator_bits: int
) -> Maps:
    sums = operators.fully_connected(
        sources[0], step.kernel, step.bias, accumulator_bits=accumulator_bits
    )
    return {step.output: sums.astype(np.float32) * np.float32(step.unit)}


@_run_step.register
def _(step: program.Copy, sources: list, accumulator_bits: int) -> Maps:
    return {step.output: operators.copy_channels(sources, step.order)}


@_run_step.register
def _(step: program.Split, sources: list, accumulator_bits: int) -> Maps:
    end = step.first + step.output.shape[-1]
    return {step.output: sources[0][..., step.first : end]}


@_run_step.register
def _(step: program.Shift, sources: list, accumulator_bits: int) -> Maps:
    return {step.output: operators.shift(sources[0], step.offsets)}


@_run_step.register
def _(step: program.MaxPool, sources: list, accumulator_bits: int) -> Maps:
    return {step.output: operators.max_pool(sources[0])}


@_run_step.register
def _(step: program.PlaceSum, sources: list, accumulator_bits: int) -> Maps:
    return {step.output: operators.sum_places(sources[0])}


@_run_step.register
def _(step: program.ToLevels, sources: list, accumulator_bits: int) -> Maps:
    output = step.output
    levels = operators.to_levels(
        sources[0], output.bits, output.scale, step.sources[0].name
    )
    return {output: levels}


@_run_step.register
def _(
    step: program.FullPrecision, sources: list, accumulator_bits: int
) -> Maps:
    floats = [_floats(x, values) for x, values in zip(step.sources, sources)]
    made = step.layer(floats[0] if len(floats) == 1 else floats, training=False)
    return {step.output: np.asarray(made)}
