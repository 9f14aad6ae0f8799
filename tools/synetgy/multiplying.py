"""Reads the layers that multiply: quantised convolutions and the classifier."""

import numpy as np
import tensorflow as tf

from squeeze_tf.classification import integer
from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.layers import quantization
from tools.synetgy import moving, program, walk

keras = tf.keras

_EXACT = 2**24  # whole numbers up to here are float32, as the model's sums


def convolution(state: walk.Walk, call: graph_lib.Call) -> None:
    """A call of the accelerator, with normalisation and ActQuant behind it.

    The thresholds are found by asking these layers (classification.integer).

    Raises:
      ValueError: its kernel, its bits or what reads it is not as needed.
    """
    layer, bits = call.layer, call.layer.bits
    source = _source(state, call)
    if isinstance(layer, quantization.QuantShiftConv2D):
        name = f"{call.name}_shift"
        source = moving.shifted(state, call, source, name)
    after = _after(state, call)
    activation = after[-1].layer
    kernel = _kernel(state, call, 2**bits.inputs - 1)
    thresholds, signs = integer.thresholds(
        [x.layer for x in after],
        activation.bits,
        activation.scale,
        bits.unit(),
        kernel,
        bits.inputs,
    )
    (value,) = after[-1].outputs
    output = program.Map(
        after[-1].name, value.shape[1:], activation.bits, activation.scale
    )
    step = program.Convolution(
        call.name,
        (source,),
        output,
        kernel=_int8(state, call, kernel * signs),
        thresholds=thresholds,
        weight_bits=bits.weights,
        quantised=output,
        stride=int(np.ravel(layer.strides)[0]),
    )
    state.done |= {x.name for x in after}
    state.add(step, value)


def _source(state: walk.Walk, call: graph_lib.Call) -> program.Map:
    """What a convolution reads, if it is of the right kind."""
    bits, source = call.layer.bits, state.maps[call.inputs[0]]
    if bits.inputs > program.MOST_BITS:
        state.refuse(
            call, f"reads {bits.inputs} bits; at most {program.MOST_BITS} fit"
        )
    if not source.bits:
        return state.add_levels(source, call.name, bits.inputs, bits.scale)
    if (source.bits, source.scale) != (bits.inputs, bits.scale):
        state.refuse(
            call,
            f"expects {bits.inputs} bits of scale {bits.scale:g} and gets "
            f"{source.bits} of {source.scale:g} from {source.name}",
        )
    return source


def _after(state: walk.Walk, call: graph_lib.Call) -> list[graph_lib.Call]:
    """ActQuant, or normalisation and ActQuant, which alone read a call."""
    found, last = [], call
    for kinds in (
        keras.layers.BatchNormalization | quantization.ActQuant,
        quantization.ActQuant,
    ):
        readers = state.readers[last.outputs[0]]
        if (
            state.uses[last.outputs[0]] != 1
            or not readers
            or not isinstance(readers[0].layer, kinds)
        ):
            names = ", ".join(map(walk.name_of, readers)) or "none"
            state.refuse(
                call,
                "must be read by one ActQuant, or by BatchNormalization and "
                f"then ActQuant; readers of {last.name}: {names}",
            )
        last = readers[0]
        found.append(last)
        if isinstance(last.layer, quantization.ActQuant):
            break
    if last.layer.bits > program.MOST_BITS:
        state.refuse(
            last,
            f"writes {last.layer.bits} bits; at most {program.MOST_BITS} fit",
        )
    return found


def ends_in_levels(state: walk.Walk, call: graph_lib.Call) -> bool:
    """Whether a quantised dense layer alone reads this average pooling."""
    (value,) = call.outputs
    readers = state.readers[value]
    return (
        len(value.shape) == 2
        and state.uses[value] == len(readers) == 1
        and isinstance(readers[0].layer, quantization.QuantDense)
        and readers[0].layer.bits.are_levels
    )


def classifier(state: walk.Walk, call: graph_lib.Call) -> None:
    """Average pooling as a sum, and the dense layer that reads it.

    Raises:
      ValueError: the dense layer expects other means, or its weights do not
        fit.
    """
    pooled = state.maps[call.inputs[0]]
    (dense,) = state.readers[call.outputs[0]]
    layer, bits = dense.layer, dense.layer.bits
    count = pooled.values // pooled.shape[-1]
    if (layer.count, bits.inputs, bits.scale) != (
        count,
        pooled.bits,
        pooled.scale,
    ):
        state.refuse(
            dense,
            f"expects means of {layer.count} activations of {bits.inputs} bits "
            f"and scale {bits.scale:g}, and gets means of {count} of "
            f"{pooled.bits} and {pooled.scale:g}",
        )
    sums = program.Map(call.name, (pooled.shape[-1],))
    state.add(
        program.PlaceSum(call.name, (pooled,), sums, count), call.outputs[0]
    )
    highest = count * (2**bits.inputs - 1)
    unit = bits.unit(count)
    bias = np.rint(layer.bias.numpy() / np.float32(unit)).astype(np.int64)
    step = program.FullyConnected(
        dense.name,
        (sums,),
        program.Map(dense.name, (layer.units,)),
        kernel=_kernel(state, dense, highest, bias).astype(np.int8),
        bias=bias.astype(np.int32),
        unit=unit,
        weight_bits=bits.weights,
        highest=highest,
    )
    state.done.add(dense.name)
    state.add(step, dense.outputs[0])


def _kernel(
    state: walk.Walk,
    call: graph_lib.Call,
    highest: int,
    bias: np.ndarray | int = 0,
) -> np.ndarray:
    """[C, N] int64 levels, with which the model's own sums are exact."""
    layer = call.layer
    kernel = layer.bits.multiplied(tf.convert_to_tensor(layer.kernel)).numpy()
    kernel = np.rint(kernel).astype(np.int64)
    if kernel.ndim == 4:
        strides = np.ravel(layer.strides).tolist()
        groups = getattr(layer, "groups", 1)
        if kernel.shape[:2] != (1, 1) or len(set(strides)) > 1 or groups > 1:
            state.refuse(
                call,
                f"has a kernel of {kernel.shape[0]}x{kernel.shape[1]}, strides "
                f"{strides} and {groups} groups",
            )
        kernel = kernel[0, 0]
    _int8(state, call, kernel)
    largest = program.largest_sum(kernel, highest, bias)
    if largest >= _EXACT:
        state.refuse(
            call,
            f"has sums up to {largest}; only below {_EXACT} are those of the "
            "model exact: use fewer bits or channels",
        )
    return kernel


def _int8(
    state: walk.Walk, call: graph_lib.Call, kernel: np.ndarray
) -> np.ndarray:
    if kernel.min() < -128 or kernel.max() > 127:
        state.refuse(
            call,
            f"has weights of {kernel.min()} to {kernel.max()}, outside -128 to "
            "127: use fewer bits",
        )
    return kernel.astype(np.int8)
