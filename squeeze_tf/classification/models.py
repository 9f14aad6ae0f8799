"""All classifiers by their names; MODELS."""

import functools
from collections.abc import Callable

import tensorflow as tf

from squeeze_tf.classification import (
    diracdeltanet,
    fbnet,
    fbnet_architectures,
    precision_resnet,
    resnet50,
    shift_resnet,
    shiftnet,
    shufflenet_v2,
)

keras = tf.keras

MODELS: dict[str, Callable[..., keras.Model]] = {
    "resnet": shift_resnet.resnet,
    "shift_resnet": shift_resnet.shift_resnet,
    "dw_resnet": shift_resnet.dw_resnet,
    "resnet50": resnet50.resnet50,
    "shift_resnet50": resnet50.shift_resnet50,
    "shiftnet_a": functools.partial(shiftnet.shiftnet, variant="a"),
    "shiftnet_b": functools.partial(shiftnet.shiftnet, variant="b"),
    "shiftnet_c": functools.partial(shiftnet.shiftnet, variant="c"),
    "shufflenet_v2": shufflenet_v2.shufflenet_v2,
    "diracdeltanet": diracdeltanet.diracdeltanet,
    "fbnet": fbnet.fbnet,
    **{
        name: functools.partial(
            fbnet.fbnet,
            blocks=name,
            input_shape=(found.input_size, found.input_size, 3),
            width=found.width,
            last_filters=found.last_filters,
        )
        for name, found in fbnet_architectures.ARCHITECTURES.items()
    },
    "precision_resnet": precision_resnet.precision_resnet,
}
# Arguments of a model besides those that all have, which are input_shape,
# num_classes, mean, std, weight_decay, momentum and name.
OPTIONS: dict[str, tuple[str, ...]] = {
    "resnet": ("depth", "reduction", "rule"),
    "shift_resnet": ("depth", "expansion", "form"),
    "dw_resnet": ("depth", "reduction"),
    "resnet50": ("reduction",),
    "shift_resnet50": ("reduction", "expansion"),
    "shufflenet_v2": ("width",),
    "diracdeltanet": (
        *("weight_bits", "activation_bits", "end_bits", "weight_form"),
        *("stem", "stage_channels", "stage_blocks", "block_kinds"),
        *("last", "stem_pools"),
    ),
    "fbnet": ("blocks", "width", "last_filters"),
    "precision_resnet": ("depth", "bits", "widths"),
}
