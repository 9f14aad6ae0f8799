"""The sums behind Ch. 2 Tables 4 and 6, as the authors' code counts them.

The rules were found from the totals of their SqueezeDet, SqueezeDet+, VGG16-
and ResNet50-ConvDet, SqueezeSeg and SqueezeSegV2; tests compare all six.
"""

import math
from collections.abc import Iterable

import tensorflow as tf

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.efficiency import workload

keras = tf.keras

_WEIGHTED = workload.AT_OUTPUT | workload.AT_INPUT


def activation_counter(calls: Iterable[graph_lib.Call]) -> int:
    """Values of one input, "activation memory footprint" of Tables 4 and 6.

    The model's input and the output of every convolution, dense layer and
    pooling, added up over the network: not what must be kept at one time,
    which footprint.footprint() is. Concatenations, sums, products and
    normalisation do not count, so a fire module has its squeeze and its two
    expand layers. The tables print 4 bytes a value in units of 2^20 bytes.

    Their code takes three channels of the input, also where a LiDAR grid has
    five.
    """
    counted = _WEIGHTED | workload.POOLING | {keras.layers.InputLayer}
    return sum(
        math.prod(call.outputs[0].shape[1:])
        for call in calls
        if type(call.layer) in counted
    )


def flop_counter(calls: Iterable[graph_lib.Call]) -> int:
    """Operations on one input, "FLOPs" of Ch. 2 Tables 4 and 6.

    Two for each MAC, one for each output's bias and two for its ReLU, of
    convolutions and dense layers. So these FLOPs are twice Ch. 1's, which
    uses the word for MACs. A bias counts where normalisation follows in its
    place, a ReLU where it follows the normalisation. A transposed convolution
    counts at its outputs, its MACs times the stride.
    """
    calls = list(calls)
    makers = {value: call for call in calls for value in call.outputs}
    flops = 0
    for call in calls:
        batch, *shape = call.outputs[0].shape
        outputs = math.prod(shape)
        if type(call.layer) in _WEIGHTED:
            places = workload.positions(call.layer, (batch, *shape)) // batch
            weights = workload.kernel_weights(call.layer)
            flops += 2 * places * weights + outputs
        if _is_relu(call.layer) and _follows_weights(call, makers):
            flops += 2 * outputs
    return flops


def _is_relu(layer: keras.layers.Layer) -> bool:
    activation = getattr(layer, "activation", None)
    named = getattr(activation, "__name__", "") == "relu"
    return named or type(layer) is keras.layers.ReLU


def _follows_weights(
    call: graph_lib.Call, makers: dict[graph_lib.Value, graph_lib.Call]
) -> bool:
    """Whether an activation sees sums, normalised or not."""
    if type(call.layer) in _WEIGHTED:
        return True
    source = makers[call.inputs[0]]
    if type(source.layer) is keras.layers.BatchNormalization:
        source = makers[source.inputs[0]]
    return type(source.layer) in _WEIGHTED
