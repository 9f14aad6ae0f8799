"""Reads a quantised Keras model as a program of the accelerator, Ch. 6 §5.1."""

from collections.abc import Callable

import tensorflow as tf

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.layers import channels, quantization, shift
from tools.synetgy import moving, multiplying, program, walk

keras = tf.keras

# Who reads a layer all of whose inputs are levels.
_OF_LEVELS: dict[type, Callable[[walk.Walk, graph_lib.Call], None]] = {
    keras.layers.MaxPooling2D: moving.max_pooling,
    keras.layers.Concatenate: moving.concatenation,
    shift.Shift: moving.shift_alone,
    channels.ChannelSplit: moving.split,
    channels.ChannelShuffle: moving.shuffle,
    channels.ChannelRotation: moving.rotation,
}
_CONVOLUTIONS = quantization.QuantConv2D | quantization.QuantShiftConv2D


def read(model: keras.Model) -> program.Program:
    """The program that computes what a model does, bit for bit.

    A call takes along the max-pooling and the shift that follow its
    convolution, if nothing else reads what lies between and the shift moves by
    the four directions of Ch. 6 §4.2 alone.

    Args:
      model: functional, of one image and one output; of layers that
        walk.SUPPORTED names.

    Raises:
      ValueError: a layer is not supported: the first one, with its class and
        what is.
    """
    graph = graph_lib.trace(model)
    inputs = [
        x for x in graph.calls if isinstance(x.layer, keras.layers.InputLayer)
    ]
    if len(inputs) != 1 or len(graph.outputs) != 1:
        raise ValueError(
            f"model {model.name} must have one input and one output; got "
            f"{len(inputs)} and {len(graph.outputs)}"
        )
    if not any(map(_is_quantised, graph.calls)):
        raise ValueError(_nothing_quantised(model, graph))
    state = walk.Walk(graph)
    for call in graph.calls:
        _read_call(state, call)
    output = state.maps[graph.outputs[0]]
    return program.Program(
        model.name,
        state.maps[inputs[0].outputs[0]],
        program.ordered(state.steps, output),
        output,
    )


def _read_call(state: walk.Walk, call: graph_lib.Call) -> None:
    """Adds the steps of one call."""
    layer = call.layer
    if call.name in state.done:
        return None
    if isinstance(layer, keras.layers.InputLayer):
        (value,) = call.outputs
        state.maps[value] = program.Map(call.name, value.shape[1:])
        return None
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        state.refuse(call, f"is {layer.data_format}, not channels_last")
    if _is_quantised(call):
        return multiplying.convolution(state, call)
    if not all(state.maps[value].bits for value in call.inputs):
        return _full_precision(state, call)
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        if multiplying.ends_in_levels(state, call):
            return multiplying.classifier(state, call)
        return _full_precision(state, call)
    if type(layer) not in _OF_LEVELS:
        bits, why = getattr(layer, "bits", None), "cannot be run with levels"
        if isinstance(bits, quantization.Bits):
            why += f", as it has {bits.weights}-bit weights"
        state.refuse(call, why)
    return _OF_LEVELS[type(layer)](state, call)


def _is_quantised(call: graph_lib.Call) -> bool:
    """Whether a call is a convolution of levels."""
    layer = call.layer
    return isinstance(layer, _CONVOLUTIONS) and layer.bits.are_levels


def _full_precision(state: walk.Walk, call: graph_lib.Call) -> None:
    """The layer itself; what a quantising ActQuant writes becomes levels."""
    if len(call.outputs) != 1:
        state.refuse(call, "has several outputs in full precision")
    layer, (value,) = call.layer, call.outputs
    sources = tuple(state.maps[x] for x in call.inputs)
    is_pooling = isinstance(layer, keras.layers.GlobalAveragePooling2D)
    output = program.Map(call.name, value.shape[1:])
    step = program.FullPrecision(
        call.name,
        sources,
        output,
        layer,
        pooled_values=sources[0].values if is_pooling else 0,
    )
    state.add(step, value)
    if (
        isinstance(layer, quantization.ActQuant)
        and layer.bits <= program.MOST_BITS
    ):
        state.maps[value] = state.add_levels(
            output, call.name, layer.bits, layer.scale
        )


def _nothing_quantised(model: keras.Model, graph: graph_lib.Graph) -> str:
    """Names the first layer with weights to multiply."""
    found = (x for x in graph.calls if hasattr(x.layer, "kernel"))
    first = walk.name_of(next(found, graph.calls[-1]))
    return (
        f"model {model.name} has no quantised convolution for the accelerator; "
        f"layer {first} is the first in full precision; supported: "
        f"{walk.SUPPORTED}"
    )
