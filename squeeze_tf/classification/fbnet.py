"""FBNet: candidate blocks by name and the networks of them, Ch. 7 §6-7."""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends, fbnet_architectures
from squeeze_tf.layers import channels, shift_modules

keras = tf.keras


@dataclasses.dataclass(frozen=True)
class Block:
    """1x1, depthwise K x K and 1x1 convolution, Ch. 7 Fig. 6.

    Args:
      kernel_size: K.
      expansion: channels between the 1x1 convolutions, in those of the input.
      groups: of both 1x1 convolutions, 1 or 2.
      depthwise: how many depthwise convolutions follow each other.
    """

    kernel_size: int
    expansion: int
    groups: int = 1
    depthwise: int = 1


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of Ch. 7 Table 5; f, n and s are its columns.

    Args:
      kind: of operator; "TBS", to be searched, is any of BLOCKS.
      filters: f, output channels.
      repeats: n, how many layers.
      strides: s, of the first of them.
    """

    kind: str
    filters: int | None
    repeats: int
    strides: int | None


# Ch. 7 Table 6: the candidates of the search.
BLOCKS: dict[str, Block | None] = {
    "k3_e1": Block(3, 1),
    "k3_e1_g2": Block(3, 1, groups=2),
    "k3_e3": Block(3, 3),
    "k3_e6": Block(3, 6),
    "k5_e1": Block(5, 1),
    "k5_e1_g2": Block(5, 1, groups=2),
    "k5_e3": Block(5, 3),
    "k5_e6": Block(5, 6),
    "skip": None,
}
# No candidate of Table 6, but in the released FBNet-B and -C.
RELEASED_BLOCKS = {"k3x2sep_e6": Block(3, 6, depthwise=2)}
# Ch. 7 Table 5. The last convolution is FBNet-B's and -C's.
MACRO = (
    Row("3x3 conv", 16, 1, 2),
    Row("TBS", 16, 1, 1),
    Row("TBS", 24, 4, 2),
    Row("TBS", 32, 4, 2),
    Row("TBS", 64, 4, 2),
    Row("TBS", 112, 4, 1),
    Row("TBS", 184, 4, 2),
    Row("TBS", 352, 1, 1),
    Row("1x1 conv", 1984, 1, 1),
    Row("7x7 avgpool", None, 1, 1),
    Row("fc", 1000, 1, None),
)


def fbnet(
    *,
    blocks: str | Sequence[str] = "fbnet_a",
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float | None = None,
    last_filters: int | None = None,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 1e-4,
    momentum: float = 0.9,
    name: str | None = None,
) -> keras.Model:
    """A convolution, 22 blocks, a 1x1 convolution and the classifier.

    Source: Ch. 7 §6.1, Tables 5-6. Maps end as 1/32 of the image: 7 x 7 of 224
    pixels, 1 x 1 of 32 or less.

    The model takes `image` [B, H, W, C] float in 0 to 255 and returns logits
    [B, num_classes] float.

    Args:
      blocks: key of fbnet_architectures.ARCHITECTURES, or 22 keys of BLOCKS or
        RELEASED_BLOCKS.
      input_shape: H, W, C.
      num_classes: how many.
      width: see scaled(). If not given the architecture's, 1 of a list.
      last_filters: channels of the last 1x1 convolution. If not given the
        architecture's, 1984 of a list.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels.
      momentum: of the batch normalisation's averages.
      name: of the model; the architecture's, "fbnet" of a list if not given.

    Raises:
      ValueError: an argument is not as described.
    """
    found = _architecture(blocks)
    width = found.width if width is None else width
    last_filters = found.last_filters if last_filters is None else last_filters
    layers = searched_layers(width)
    settings = shift_modules.Settings(weight_decay, momentum)
    image, x = first(input_shape, width, mean, std, settings)
    for i, (kind, (filters, strides)) in enumerate(zip(found.blocks, layers)):
        x = block(
            x,
            kind,
            filters,
            strides=strides,
            name=f"layer{i + 1}",
            settings=settings,
        )
    name = name or (blocks if isinstance(blocks, str) else "fbnet")
    x = last(x, last_filters, num_classes, settings)
    return keras.Model(image, x, name=name)


def first(
    input_shape: Sequence[int],
    width: float,
    mean: Sequence[float],
    std: Sequence[float],
    settings: shift_modules.Settings,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The image and what the first convolution makes of it, Table 5.

    Arguments and errors are those of fbnet().
    """
    image, x = ends.image(input_shape, mean, std)
    row = MACRO[0]
    filters = scaled(row.filters, width)
    return image, _convolution(x, filters, 3, "first", settings, row.strides)


def last(
    x: tf.Tensor,
    last_filters: int,
    num_classes: int,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    """The last 1x1 convolution and the classifier, Table 5.

    Args:
      x: [B, H, W, C] float Keras tensor.
      last_filters: channels of the convolution.
      num_classes: how many.
      settings: what the network's layers share.

    Returns:
      [B, num_classes] float, logits.

    Raises:
      ValueError: last_filters or num_classes are below 1.
    """
    if last_filters < 1:
        raise ValueError(f"last_filters must be at least 1; got {last_filters}")
    x = _convolution(x, last_filters, 1, "last", settings)
    return ends.logits(x, num_classes, settings)


def block(
    x: tf.Tensor,
    kind: str,
    filters: int,
    *,
    strides: int,
    name: str,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    """A candidate block.

    Source: Ch. 7 §6.1, Fig. 6, Table 6. Channels are shuffled after the first
    1x1 convolution if it has groups. The input is added where the shape stays;
    "skip" is the input there, and elsewhere, as in public code, a normalised
    1x1 convolution with ReLU.

    Args:
      x: [B, H, W, C] float Keras tensor.
      kind: key of BLOCKS or RELEASED_BLOCKS.
      filters: output channels.
      strides: of the first depthwise convolution.
      name: prefix of the layers.
      settings: what the network's layers share.

    Returns:
      [B, H / strides, W / strides, filters] float, sizes rounded up.

    Raises:
      ValueError: an unknown kind, or C or filters are odd and it has groups.
    """
    check_kinds("kind", [kind])
    row = (BLOCKS | RELEASED_BLOCKS)[kind]
    keeps_shape = strides == 1 and x.shape[-1] == filters
    if row is None:
        if keeps_shape:
            return x
        return _convolution(x, filters, 1, f"{name}_skip", settings, strides)
    if filters % row.groups:
        raise ValueError(
            f"filters must fall into {row.groups} groups of {kind}; got "
            f"{filters}"
        )
    middle = row.expansion * x.shape[-1]
    y = _pointwise(x, middle, row.groups, f"{name}_conv1", settings)
    if row.groups > 1:
        y = channels.ChannelShuffle(row.groups, name=f"{name}_shuffle")(y)
    for i in range(1, row.depthwise + 1):
        y = _convolution(
            y,
            None,
            row.kernel_size,
            f"{name}_depthwise{i}",
            settings,
            strides if i == 1 else 1,
        )
    y = _pointwise(
        y, filters, row.groups, f"{name}_conv2", settings, relu=False
    )
    return keras.layers.Add(name=f"{name}_sum")([x, y]) if keeps_shape else y


def searched_layers(width: float = 1.0) -> list[tuple[int, int]]:
    """Output channels and stride of the 22 layers to be searched, Table 5.

    Args:
      width: see scaled().
    """
    return [
        (scaled(row.filters, width), row.strides if i == 0 else 1)
        for row in MACRO
        if row.kind == "TBS"
        for i in range(row.repeats)
    ]


def check_kinds(argument: str, kinds: Sequence[str]) -> None:
    """Refuses names of no block.

    Args:
      argument: whose they are, for the message.
      kinds: names.

    Raises:
      ValueError: one is neither of BLOCKS nor of RELEASED_BLOCKS.
    """
    known = BLOCKS | RELEASED_BLOCKS
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise ValueError(
            f"{argument} must be among {', '.join(known)}; got {unknown[0]!r}"
        )


def scaled(filters: int, width: float) -> int:
    """Channels times `width`, rounded up to a multiple of 8.

    Source: widths of the released FBNet-96-0.35-1, whose last convolution does
    not follow the rule.

    Raises:
      ValueError: width is not above 0.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"width must be above 0; got {width}")
    return 8 * math.ceil(filters * width / 8)


def _architecture(
    blocks: str | Sequence[str],
) -> fbnet_architectures.Architecture:
    """Of a name or of a list of blocks, which is checked."""
    known = fbnet_architectures.ARCHITECTURES
    if isinstance(blocks, str):
        if blocks not in known:
            raise ValueError(
                f"blocks must be one of {sorted(known)} or a list of "
                f"blocks; got {blocks!r}"
            )
        return known[blocks]
    count = len(searched_layers())
    if len(blocks) != count:
        raise ValueError(
            f"blocks must be {count} names, one of each layer of Table 5; got "
            f"{len(blocks)}"
        )
    check_kinds("blocks", blocks)
    (filters,) = (row.filters for row in MACRO if row.kind == "1x1 conv")
    return fbnet_architectures.Architecture(tuple(blocks), last_filters=filters)


def _pointwise(
    x: tf.Tensor,
    filters: int,
    groups: int,
    name: str,
    settings: shift_modules.Settings,
    relu: bool = True,
) -> tf.Tensor:
    """1x1 convolution of one or two groups, normalised."""
    if groups == 1:
        return _convolution(x, filters, 1, name, settings, relu=relu)
    # Keras has XLA compile a Conv2D of several groups, for every batch size
    # anew; on a CPU a training step of it takes three times as long.
    halves = channels.ChannelSplit(name=f"{name}_split")(x)
    halves = [
        shift_modules.convolution(
            half, filters // 2, 1, name=f"{name}_group{i}", settings=settings
        )
        for i, half in enumerate(halves, start=1)
    ]
    x = keras.layers.Concatenate(name=f"{name}_concat")(halves)
    return shift_modules.batch_norm(
        x, name=f"{name}_bn", settings=settings, relu=relu
    )


def _convolution(
    x: tf.Tensor,
    filters: int | None,
    kernel_size: int,
    name: str,
    settings: shift_modules.Settings,
    strides: int = 1,
    relu: bool = True,
) -> tf.Tensor:
    """Convolution, depthwise without `filters`, normalised."""
    x = shift_modules.convolution(
        x, filters, kernel_size, name=name, settings=settings, strides=strides
    )
    return shift_modules.batch_norm(
        x, name=f"{name}_bn", settings=settings, relu=relu
    )
