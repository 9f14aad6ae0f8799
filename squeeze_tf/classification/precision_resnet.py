"""ResNets each block of which has a bit-width of its own, Ch. 7 §4-5.

ResNets of 6 n + 2 layers are those of classification.shift_resnet for small
images; those of 18 and 34 layers are for ImageNet.
"""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends, precision, shift_resnet
from squeeze_tf.layers import quantization, shift_modules

keras = tf.keras

# The cited ResNet, its Table 1: blocks of each group, and their channels.
IMAGENET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
IMAGENET_WIDTHS = (64, 128, 256, 512)
# Ch. 7 has none: of the released code of Ch. 6.
INITIAL_ALPHA = 2.0


def precision_resnet(
    *,
    depth: int = 20,
    bits: Sequence[str] = (),
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    widths: Sequence[int] = (),
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    name: str = "precision_resnet",
) -> keras.Model:
    """A convolution, groups of residual blocks and the classifier.

    Source: Ch. 7 §5. Only the 3x3 convolutions of the blocks are quantised;
    the first and the last layer and the shortcuts stay in full precision.

    The model takes `image` [B, H, W, C] float in 0 to 255 and returns logits
    [B, num_classes] float.

    Args:
      depth: 18, 34, or 6 n + 2 for n blocks in each of three groups.
      bits: of each block, see precision.parse(); "32" for all if empty.
      input_shape: H, W, C.
      num_classes: how many.
      widths: channels of each group; the usual ones if empty.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels and every α.
      momentum: of the batch normalisation's averages.
      name: of the model.

    Raises:
      ValueError: an argument is not as described, or a block whose shape
        changes is to be skipped.
    """
    layers = searched_layers(depth, widths)
    bits = tuple(bits) or (str(precision.FULL),) * len(layers)
    if len(bits) != len(layers):
        raise ValueError(
            f"bits of a ResNet of {depth} layers must be {len(layers)} names, "
            f"one of each block; got {len(bits)}"
        )
    settings = shift_modules.Settings(weight_decay, momentum)
    image, x = first(depth, input_shape, widths, mean, std, settings)
    for i, (kind, (filters, strides)) in enumerate(zip(bits, layers), start=1):
        x = block(
            x,
            kind,
            filters,
            strides=strides,
            name=f"layer{i}",
            settings=settings,
            preactivation=is_preactivated(depth),
        )
    return keras.Model(image, last(x, depth, num_classes, settings), name=name)


def first(
    depth: int,
    input_shape: Sequence[int],
    widths: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    settings: shift_modules.Settings,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The image and what comes before the blocks.

    Source: the cited ResNet: a 3x3 convolution, or for ImageNet one of 7x7 and
    max-pooling, each of stride 2.

    Arguments and errors are those of precision_resnet().
    """
    (width, *_), _ = _groups(depth, widths)
    image, x = ends.image(input_shape, mean, std)
    size, strides = (7, 2) if depth in IMAGENET_BLOCKS else (3, 1)
    x = shift_modules.convolution(
        x, width, size, name="conv1", settings=settings, strides=strides
    )
    x = shift_modules.batch_norm(x, name="bn1", settings=settings)
    if depth in IMAGENET_BLOCKS:
        x = shift_modules.pool(x, "max", 2, name="pool1")
    return image, x


def block(
    x: tf.Tensor,
    kind: str,
    filters: int,
    *,
    strides: int,
    name: str,
    settings: shift_modules.Settings,
    preactivation: bool,
) -> tf.Tensor:
    """Two 3x3 convolutions of quantised weights beside a shortcut.

    Source: Ch. 7 §4.1, Eqs. 10-11, §5. Without preactivation the block is
    shift_resnet.resnet()'s: a ReLU between the convolutions and one after the
    sum. With it, it is the "ReLU-only pre-activation" of He et al. 2016
    (Identity mappings): a ReLU before each convolution, none after the sum.

    With few bits for activations PACT stands in the place of the ReLUs that
    convolutions read. Ours: so that a block asks nothing of the one before,
    which a search has yet to choose, it quantises its own input; without
    preactivation by one PACT more, the ReLU after the sum staying what it is.

    Args:
      x: [B, H, W, C] float Keras tensor, at least 0 without preactivation.
      kind: of the block, see precision.parse().
      filters: output channels.
      strides: of the first convolution.
      name: prefix of the layers.
      settings: what the network's layers share.
      preactivation: which form.

    Returns:
      [B, H / strides, W / strides, filters] float, sizes rounded up; x itself
      for "0".

    Raises:
      ValueError: an unknown kind, or "0" where the shape changes.
    """
    bits = precision.parse(kind)
    if bits is None:
        if strides > 1 or x.shape[-1] != filters:
            raise ValueError(
                f"{name} must keep its shape to be skipped "
                f'("{precision.SKIP}"); it makes {filters} channels of '
                f"{x.shape[-1]}, with stride {strides}"
            )
        return x
    shortcut = shift_modules.projection(
        x, filters, strides, name=name, settings=settings
    )
    for step in (1, 2):
        if preactivation or step == 2 or bits.activations < precision.FULL:
            x = _activation(x, bits, f"{name}_act{step}", settings)
        x = _convolution(
            x,
            filters,
            strides if step == 1 else 1,
            bits,
            f"{name}_conv{step}",
            settings,
        )
        x = shift_modules.batch_norm(
            x, name=f"{name}_bn{step}", settings=settings, relu=False
        )
    x = keras.layers.Add(name=f"{name}_sum")([x, shortcut])
    return x if preactivation else keras.layers.ReLU(name=f"{name}_relu")(x)


def last(
    x: tf.Tensor,
    depth: int,
    num_classes: int,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    """What comes after the blocks.

    Source: He et al. 2016 (Identity mappings): with preactivation a ReLU
    follows the last block.

    Args:
      x: [B, H, W, C] float Keras tensor.
      depth: as of precision_resnet().
      num_classes: how many.
      settings: what the network's layers share.

    Returns:
      [B, num_classes] float, logits.
    """
    if is_preactivated(depth):
        x = keras.layers.ReLU(name="last_relu")(x)
    return ends.logits(x, num_classes, settings)


def is_preactivated(depth: int) -> bool:
    """Whether ReLUs stand before the convolutions, Ch. 7 §5.2."""
    return depth in IMAGENET_BLOCKS


def num_blocks(depth: int) -> int:
    """How many blocks a network has."""
    return len(searched_layers(depth))


def searched_layers(
    depth: int, widths: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Output channels and stride of each block; errors as precision_resnet().

    Where the stride is 1 the block keeps its shape.
    """
    return [
        (width, 2 if group > 0 and i == 0 else 1)
        for group, (width, count) in enumerate(zip(*_groups(depth, widths)))
        for i in range(count)
    ]


def block_parameters(depth: int, widths: Sequence[int] = ()) -> tuple[int, ...]:
    """#PARAM of Ch. 7 Eq. 13 of each block: weights of its 3x3 convolutions.

    Only without the first and the last layer are they those of Tables 1 and 2;
    shortcuts of the cited ResNets for CIFAR have no weights. Arguments and
    errors are those of precision_resnet().
    """
    outputs = [filters for filters, _ in searched_layers(depth, widths)]
    inputs = [outputs[0], *outputs]
    return tuple(9 * (c + n) * n for c, n in zip(inputs, outputs))


def block_macs(
    depth: int, input_shape: Sequence[int], widths: Sequence[int] = ()
) -> tuple[int, ...]:
    """#FLOP of Ch. 7 Eq. 14 of each block: MACs of its 3x3 convolutions.

    Arguments and errors are those of precision_resnet().
    """
    height, width, _ = input_shape
    shrinks = 4 if depth in IMAGENET_BLOCKS else 1
    macs = []
    for (_, strides), parameters in zip(
        searched_layers(depth, widths), block_parameters(depth, widths)
    ):
        shrinks *= strides
        macs.append(-(-height // shrinks) * -(-width // shrinks) * parameters)
    return tuple(macs)


def _groups(
    depth: int, widths: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels and number of blocks of each group."""
    if depth in IMAGENET_BLOCKS:
        usual, counts = IMAGENET_WIDTHS, IMAGENET_BLOCKS[depth]
    elif depth >= 8 and depth % 6 == 2:
        usual, counts = shift_resnet.WIDTHS, ((depth - 2) // 6,) * 3
    else:
        raise ValueError(
            f"depth must be 18, 34 or 6 n + 2, as 8, 20, 56 or 110; got {depth}"
        )
    widths = tuple(widths) or usual
    if len(widths) != len(counts) or min(widths) < 1:
        raise ValueError(
            f"widths must be {len(counts)} numbers of at least 1, one of each "
            f"group; got {widths}"
        )
    return widths, counts


def _activation(
    x: tf.Tensor,
    bits: precision.Precision,
    name: str,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    """ReLU, or PACT of few bits, Eq. 11."""
    if bits.activations >= precision.FULL:
        return keras.layers.ReLU(name=name)(x)
    return quantization.ActQuant(
        bits=bits.activations,
        scale=None,
        initial_alpha=INITIAL_ALPHA,
        regularizer=settings.regularizer(),
        name=name,
    )(x)


def _convolution(
    x: tf.Tensor,
    filters: int,
    strides: int,
    bits: precision.Precision,
    name: str,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    """3x3 convolution of quantised weights, padded as shift_modules pads."""
    if strides > 1:
        x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return quantization.QuantConv2D(
        filters,
        3,
        bits=quantization.Bits(bits.weights, bits.activations, scale=None),
        strides=strides,
        padding="same" if strides == 1 else "valid",
        kernel_initializer="he_normal",
        kernel_regularizer=settings.regularizer(),
        name=name,
    )(x)
