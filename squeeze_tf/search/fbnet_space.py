"""The space of the FBNets, Ch. 7 §6.1, Tables 5-6."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends, fbnet
from squeeze_tf.layers import shift_modules
from squeeze_tf.search import space as space_lib


def fbnet_space(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    last_filters: int = 1984,
    kinds: Sequence[str] = tuple(fbnet.BLOCKS),
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 1e-4,
    momentum: float = 0.9,
) -> space_lib.Space:
    """22 layers of 9 candidates each; network() of one is classification.fbnet.

    Args:
      input_shape: of the image; H, W, C.
      num_classes: how many.
      width: of the channels, see fbnet.scaled().
      last_filters: of the last 1x1 convolution.
      kinds: keys of fbnet.BLOCKS that each layer may be.
      mean: of each channel of the image.
      std: likewise.
      weight_decay: as of fbnet.fbnet().
      momentum: likewise.

    Raises:
      ValueError: an argument is not as described.
    """
    fbnet.check_kinds("kinds", kinds)
    if len(set(kinds)) < max(len(kinds), 1):
        raise ValueError(f"kinds must differ, at least one; got {list(kinds)}")
    settings = shift_modules.Settings(weight_decay, momentum)
    layers = fbnet.searched_layers(width)

    def block(x: tf.Tensor, layer: int, kind: str, name: str) -> tf.Tensor:
        filters, strides = layers[layer]
        return fbnet.block(
            x, kind, filters, strides=strides, name=name, settings=settings
        )

    return space_lib.Space(
        "fbnet",
        (tuple(kinds),) * len(layers),
        lambda: fbnet.first(input_shape, width, mean, std, settings),
        block,
        lambda x: fbnet.last(x, last_filters, num_classes, settings),
        (space_lib.FIRST, f"{space_lib.LAST}{last_filters}"),
    )
