"""Reads the layers that move or compare levels: pooling, shift, reordering."""

import dataclasses

import numpy as np

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.ops import shift_offsets
from tools.synetgy import operators, program, walk


def max_pooling(state: walk.Walk, call: graph_lib.Call) -> None:
    """Joins the call before it, or is a step of its own.

    Raises:
      ValueError: windows are not 2x2, or they overlap or reach beyond the map.
    """
    layer, (value,), (made,) = call.layer, call.inputs, call.outputs
    source = state.maps[value]
    rows, columns = source.shape[:2]
    pads = layer.padding != "valid" and (rows % 2 or columns % 2)
    if (
        tuple(layer.pool_size) != (2, 2)
        or tuple(layer.strides) != (2, 2)
        or pads
        or min(rows, columns) < 2
    ):
        state.refuse(
            call,
            f"pools {layer.pool_size} with strides {layer.strides} and padding "
            f"{layer.padding} of {rows}x{columns} pixels",
        )
    output = dataclasses.replace(source, name=call.name, shape=made.shape[1:])
    maker = state.maker(value)
    if (
        isinstance(maker, program.Convolution)
        and maker.pooled is None
        and maker.offsets is None
    ):
        state.extend(maker, output, pooled=output)
        state.maps[made] = output
    else:
        state.add(program.MaxPool(call.name, (source,), output), made)


def shift_alone(state: walk.Walk, call: graph_lib.Call) -> None:
    """A Shift layer; see shifted()."""
    source = state.maps[call.inputs[0]]
    state.maps[call.outputs[0]] = shifted(state, call, source, call.name)


def shifted(
    state: walk.Walk, call: graph_lib.Call, source: program.Map, name: str
) -> program.Map:
    """A map moved as a layer says, by the call before it if that can.

    Args:
      state: of the walk.
      call: whose layer has the shift's settings.
      source: what it moves.
      name: of the result.
    """
    layer = call.layer
    offsets = shift_offsets.CONVENTIONS[layer.convention](
        source.shape[-1], layer.kernel_size, layer.dilation_rate
    )
    if not offsets.any():
        return source
    output = dataclasses.replace(source, name=name)
    maker = state.maker(call.inputs[0])
    if (
        isinstance(maker, program.Convolution)
        and maker.offsets is None
        and np.abs(offsets).sum(axis=1).max() == 1  # Ch. 6 §4.2
    ):
        state.extend(maker, output, offsets=offsets)
    else:
        state.steps.append(program.Shift(name, (source,), output, offsets))
    return output


def split(state: walk.Walk, call: graph_lib.Call) -> None:
    """Parts of a map, which lie where it lies."""
    source, first = state.maps[call.inputs[0]], 0
    for index, value in enumerate(call.outputs):
        output = dataclasses.replace(
            source, name=f"{call.name}[{index}]", shape=value.shape[1:]
        )
        step = program.Split(output.name, (source,), output, first)
        state.add(step, value)
        first += output.shape[-1]


def concatenation(state: walk.Walk, call: graph_lib.Call) -> None:
    """A copy of maps side by side.

    Raises:
      ValueError: the axis is not that of the channels, or the levels stand for
        different values.
    """
    maps = [state.maps[value] for value in call.inputs]
    axis, rank = call.layer.axis, len(call.outputs[0].shape)
    if axis not in (-1, rank - 1):
        state.refuse(call, f"joins axis {axis}, not that of the channels")
    kinds = sorted({(x.bits, x.scale) for x in maps})
    if len(kinds) > 1:
        state.refuse(
            call,
            "needs inputs of the same bits and scale (Ch. 6 Eq. 12); got "
            f"{kinds}",
        )
    channels = sum(x.shape[-1] for x in maps)
    _copy(state, call, tuple(maps), np.arange(channels))


def rotation(state: walk.Walk, call: graph_lib.Call) -> None:
    """A circular shift of the channels, within the copy before it if any."""
    channels = call.inputs[0].shape[-1]
    _reorder(state, call, operators.rotation(channels, call.layer.parts))


def shuffle(state: walk.Walk, call: graph_lib.Call) -> None:
    """Channels of the groups in turn, within the copy before it if any."""
    channels = call.inputs[0].shape[-1]
    _reorder(state, call, operators.interleaving(channels, call.layer.groups))


def _reorder(state: walk.Walk, call: graph_lib.Call, order: np.ndarray) -> None:
    source, maker = state.maps[call.inputs[0]], state.maker(call.inputs[0])
    if isinstance(maker, program.Copy):
        output = dataclasses.replace(source, name=call.name)
        state.extend(maker, output, order=maker.order[order])
        state.maps[call.outputs[0]] = output
    else:
        _copy(state, call, (source,), order)


def _copy(
    state: walk.Walk,
    call: graph_lib.Call,
    maps: tuple[program.Map, ...],
    order: np.ndarray,
) -> None:
    (value,) = call.outputs
    output = dataclasses.replace(maps[0], name=call.name, shape=value.shape[1:])
    state.add(program.Copy(call.name, maps, output, order), value)
