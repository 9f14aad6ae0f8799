"""The layers of a Keras model as a list of Workload, Ch. 1 §2.

Convolutions and dense layers use every weight of their kernels once at each
position of their output; transposed convolutions, once at each position of
their input. Taps that fall beyond the border count like all others, as in the
thesis's formulas. What a separable convolution keeps between its two steps is
neither input nor output.

A layer of one's own is counted if it has a method

    def workload(
        self,
        input_shapes: list[tuple[int, ...]],
        output_shape: tuple[int, ...],
    ) -> dict[str, object]

of the shapes of all its inputs and of its first output, batch included, that
returns fields of metrics.Workload: `macs` it must, and whichever of `kind`,
`parameters`, `input_values`, `output_values`, `weight_bits`, `activation_bits`
and `moves_data` differ from what the layer's class, weights and tensors say.
Such a method comes before the rules of this module. What neither the method
nor the rules know is listed with `is_counted=False`.
"""

import math
from collections.abc import Iterable

import tensorflow as tf

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.efficiency import metrics

keras = tf.keras

AT_OUTPUT = frozenset(
    getattr(keras.layers, name)
    for name in (
        *("Conv1D", "Conv2D", "Conv3D"),
        *("DepthwiseConv1D", "DepthwiseConv2D"),
        *("SeparableConv1D", "SeparableConv2D"),
        "Dense",
    )
)
AT_INPUT = frozenset(
    getattr(keras.layers, f"Conv{rank}DTranspose") for rank in (1, 2, 3)
)
POOLING = frozenset(
    getattr(keras.layers, f"{which}Pooling{rank}D")
    for which in ("Max", "Average", "GlobalMax", "GlobalAverage")
    for rank in (1, 2, 3)
)
# At inference their output is their input under another name.
VIEWS = frozenset(
    getattr(keras.layers, name)
    for name in (
        *("InputLayer", "Reshape", "Flatten", "ActivityRegularization"),
        *("Dropout", "SpatialDropout1D", "SpatialDropout2D"),
        *("SpatialDropout3D", "GaussianDropout", "GaussianNoise"),
    )
)
FREE = (
    POOLING
    | VIEWS
    | {
        getattr(keras.layers, name)
        for name in (
            *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
            *("BatchNormalization", "LayerNormalization"),
            *("GroupNormalization", "UnitNormalization", "Normalization"),
            "Rescaling",
            *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
            *("Concatenate", "Permute", "RepeatVector"),
            *("UpSampling1D", "UpSampling2D", "UpSampling3D"),
            *("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
            *("Cropping1D", "Cropping2D", "Cropping3D"),
        )
    }
)
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
_OWN_FIELDS = {
    *("kind", "macs", "parameters", "input_values", "output_values"),
    *("weight_bits", "activation_bits", "moves_data"),
}


def workloads(
    model: keras.Model, batch_size: int = 1
) -> list[metrics.Workload]:
    """What every call of a layer costs, in the order in which they run.

    Ours: Ch. 1's formulas, one by one, for the layers Keras has.

    Args:
      model: functional or a built sequential model, see graph.trace().
      batch_size: B.

    Returns:
      One for each call; the second call of a shared layer has its MACs and
      activations again and marks its parameters as shared.

    Raises:
      ValueError: as graph.trace(), or a layer's own method returns fields that
        there are not, or no `macs`.
    """
    return of_calls(graph_lib.trace(model, batch_size).calls)


def of_calls(calls: Iterable[graph_lib.Call]) -> list[metrics.Workload]:
    """The same of the calls of graph.trace()."""
    seen: set[int] = set()
    found = []
    for call in calls:
        weights = {id(x): math.prod(x.shape) for x in call.layer.weights}
        shared = sum(size for key, size in weights.items() if key in seen)
        seen |= set(weights)
        found.append(_workload(call, shared))
    return found


def kernel_weights(layer: keras.layers.Layer) -> int:
    """How many weights are used at each position; 0 without a kernel."""
    found = (getattr(layer, name, None) for name in _KERNELS)
    return sum(
        math.prod(kernel.shape) for kernel in found if kernel is not None
    )


def positions(layer: keras.layers.Layer, shape: tuple[int, ...]) -> int:
    """Places of a map [batch, ..., channels]: all axes but the channels."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return math.prod(shape) // shape[1 if first else -1]


def _workload(call: graph_lib.Call, shared: int) -> metrics.Workload:
    layer, weights = call.layer, call.layer.weights
    (output, *_) = call.outputs
    fields = {
        "kind": type(layer).__name__,
        "parameters": sum(math.prod(x.shape) for x in weights),
        "input_values": sum(math.prod(x.shape) for x in set(call.inputs)),
        "output_values": sum(math.prod(x.shape) for x in call.outputs),
        "activation_bits": output.bits,
        "moves_data": type(layer) not in VIEWS,
    }
    if weights:
        fields["weight_bits"] = 8 * tf.as_dtype(weights[0].dtype).size
    own = _own(call) if hasattr(layer, "workload") else _stock(call)
    return metrics.Workload(
        name=call.name,
        shared_parameters=shared,
        is_counted=own is not None,
        input_shapes=tuple(x.shape for x in call.inputs),
        output_shape=output.shape,
        **fields | (own or {"macs": 0}),
    )


def _own(call: graph_lib.Call) -> dict[str, object]:
    """What the layer says of itself."""
    shapes = [x.shape for x in call.inputs]
    said = call.layer.workload(shapes, call.outputs[0].shape)
    if not {"macs"} <= set(said) <= _OWN_FIELDS:
        raise ValueError(
            f"workload() of layer {call.name} must return macs and may return "
            f"{sorted(_OWN_FIELDS - {'macs'})}; got {sorted(said)}"
        )
    return said


def _stock(call: graph_lib.Call) -> dict[str, int] | None:
    """MACs of Keras's own layers, None where they are unknown.

    Classes count, not their heirs, whose call() may do anything.
    """
    kind = type(call.layer)
    if kind in FREE:
        return {"macs": 0}
    if kind in AT_OUTPUT:
        places = positions(call.layer, call.outputs[0].shape)
    elif kind in AT_INPUT:
        places = positions(call.layer, call.inputs[0].shape)
    else:
        return None
    return {"macs": places * kernel_weights(call.layer)}
