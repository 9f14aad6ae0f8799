"""The spaces of mixed precision, Ch. 7 §4-5: bits of each residual block."""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.classification import ends, precision, precision_resnet
from squeeze_tf.efficiency import workload
from squeeze_tf.layers import quantization, shift_modules
from squeeze_tf.search import space as space_lib

CIFAR_KINDS = ("0", "1", "2", "3", "4", "8", "32")  # Ch. 7 §5.1
# Ch. 7 §5.2: of the search for small networks, and for little computation.
IMAGENET_SIZE_KINDS = ("1", "2", "4", "8", "32")
IMAGENET_COMPUTE_KINDS = ("w1a4", "w2a4", "w3a3", "w4a4", "w8a8", "w32a32")

_MEASURES = {
    "size": ("parameters", precision.size_cost),
    "compute": ("macs", precision.compute_cost),
}


def precision_space(
    *,
    depth: int = 20,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    widths: Sequence[int] = (),
    kinds: Sequence[str] = CIFAR_KINDS,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
) -> space_lib.Space:
    """The blocks of a ResNet; network() of bits is precision_resnet() of them.

    Source: Ch. 7 §5.1: all layers in one block have the same precision. A block
    that changes the shape cannot be skipped, so "0" is none of its candidates.

    Args:
      depth: of precision_resnet.precision_resnet().
      input_shape: of the image; H, W, C.
      num_classes: how many.
      widths: channels of each group; the usual ones if empty.
      kinds: candidates of a block, see precision.parse().
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: as of precision_resnet().
      momentum: likewise.

    Raises:
      ValueError: an argument is not as described.
    """
    precisions = [precision.parse(kind) for kind in kinds]
    if len(set(kinds)) < len(kinds) or not any(precisions):
        raise ValueError(
            f'kinds must differ, at least one not be "0"; got {list(kinds)}'
        )
    settings = shift_modules.Settings(weight_decay, momentum)
    layers = precision_resnet.searched_layers(depth, widths)
    shrinking = tuple(kind for kind, bits in zip(kinds, precisions) if bits)

    def block(x: tf.Tensor, layer: int, kind: str, name: str) -> tf.Tensor:
        filters, strides = layers[layer]
        return precision_resnet.block(
            x,
            kind,
            filters,
            strides=strides,
            name=name,
            settings=settings,
            preactivation=precision_resnet.is_preactivated(depth),
        )

    return space_lib.Space(
        "precision_resnet",
        tuple(tuple(kinds) if s == 1 else shrinking for _, s in layers),
        lambda: precision_resnet.first(
            depth, input_shape, widths, mean, std, settings
        ),
        block,
        lambda x: precision_resnet.last(x, depth, num_classes, settings),
    )


def costs(space: space_lib.Space, measure: str) -> list[np.ndarray]:
    """What each candidate's weights take, Ch. 7 Eqs. 13 and 14.

    Args:
      space: of precision_space().
      measure: "size", #PARAM x weight-bit in bits, or "compute", #FLOP x
        weight-bit x act-bit, #FLOP being MACs.

    Returns:
      [K] float for each layer, in the order of its K candidates.
    """
    field, cost = _MEASURES[measure]
    return [
        np.array([cost([kind], [amount]) for kind in kinds], float)
        for kinds, amount in zip(space.candidates, _amounts(space, field))
    ]


def full_cost(space: space_lib.Space, measure: str) -> float:
    """costs() with 32 bits throughout, which compression rates refer to."""
    field, cost = _MEASURES[measure]
    return float(cost(["32"] * space.num_layers, _amounts(space, field)))


def _amounts(space: space_lib.Space, field: str) -> list[int]:
    """What a layer's quantised convolutions have of a field of Workload."""
    found = {}  # all candidates between two shapes have the same
    for layer, kinds in enumerate(space.candidates):
        shapes = space.shapes[layer : layer + 2]
        if shapes not in found:
            kind = next(kind for kind in kinds if precision.parse(kind))
            model = space_lib.block_model(space, layer, kind)
            found[shapes] = sum(
                getattr(load, field)
                for load in workload.workloads(model)
                if load.kind == quantization.QuantConv2D.__name__
            )
    return [found[x] for x in itertools.pairwise(space.shapes)]
