"""Latency tables of the accelerator for a search, Ch. 6 §5, Ch. 7 §6.2."""

import dataclasses

import tensorflow as tf

from squeeze_tf.layers import quantization
from squeeze_tf.search import latency_table as table_lib
from squeeze_tf.search import operator_benchmark
from squeeze_tf.search import space as space_lib
from tools.synetgy import front_end, hardware, timing

keras = tf.keras

ENGINE = "synetgy"


def latency_table(
    space: space_lib.Space, device: hardware.Device, batch: int = 1
) -> table_lib.LatencyTable:
    """What a space's operators take on the accelerator.

    Ours. An operator is read by the front end as in a network, behind levels as
    its neighbours write them. All parts of timing.time_frame() add up, so the
    entries of a network's operators are together what it gives for the whole;
    batch_overhead_us is part of the first operator's. Steps that it has no
    constant for take nothing here either, see program.Program.uncounted.

    Args:
      space: of networks that the front end can read.
      device: that runs them.
      batch: images; microseconds are of all of them.

    Returns:
      A table whose entries have equal percentiles and no repeats.

    Raises:
      ValueError: the accelerator cannot run a layer: says which, and what it
        can. Or `batch` is not positive.
    """
    first, _ = space_lib.ends(space)
    stem, _ = space_lib.end_models(space)
    overhead = device.batch_overhead_us
    found = {first.key: overhead + _microseconds(stem, device, batch)}
    for key, make in operator_benchmark.operator_models(space).items():
        if key != first.key:
            model = _behind_levels(stem, make())
            found[key] = _microseconds(model, device, batch)
    return table_lib.LatencyTable(
        device.name,
        dataclasses.asdict(device),
        ENGINE,
        None,
        batch,
        {
            key: table_lib.Entry(**dict.fromkeys(table_lib.STATISTICS, value))
            for key, value in found.items()
        },
    )


def _microseconds(
    model: keras.Model, device: hardware.Device, batch: int
) -> float:
    """Of a part of a network, without what is once for the batch."""
    timed = timing.time_frame(front_end.read(model).frame, device, batch)
    return timed.latency_us - timed.batch_overhead_us


def _behind_levels(stem: keras.Model, model: keras.Model) -> keras.Model:
    """An operator that reads such levels as the stem ends in (Ch. 6 Eq. 12)."""
    activations = [
        layer
        for layer in stem.layers
        if isinstance(layer, quantization.ActQuant)
    ]
    levels = quantization.ActQuant.from_config(
        activations[-1].get_config() | {"name": "levels"}
    )
    x = keras.Input(model.input_shape[1:], name="input")
    return keras.Model(x, model(levels(x)), name=model.name)
