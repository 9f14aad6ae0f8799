"""DiracDeltaNet: 1x1 convolutions, max-pooling and shift alone, Ch. 6 §4.2."""

import dataclasses
import re
from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends
from squeeze_tf.layers import channels, quantization, shift, shift_modules

keras = tf.keras

STEM = (32, 64)  # Ch. 6 Table 10
STAGE_CHANNELS, STAGE_BLOCKS = (128, 256, 512), (4, 8, 4)  # Table 10
LAST = 1024  # Table 10
# Ranges s of the released code: of the stem's first convolution, of all else
# (Eq. 12), and of the last convolution.
STEM_SCALE, SCALE, LAST_SCALE = 6.0, 2.0, 10.0
IMAGE_BITS = 8  # of a pixel's value, if the first layer is quantised
SKIP = "skip"  # a block that gives its input back
KIND = "e2"  # of the thesis's blocks, Ch. 6 §4.2
_EXPANDING = re.compile(r"e([1-9]\d*)")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all blocks of one network have in common.

    Args:
      weight_bits: of the convolutions between the first and the last layer.
      activation_bits: of all activations.
      form: of the weights, see ops.quantization.weight_levels().
      network: weight decay and momentum.
      end_bits: of the weights of the first and the last layer.
    """

    weight_bits: int
    activation_bits: int
    form: str
    network: shift_modules.Settings
    end_bits: int = 32


def diracdeltanet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 4e-5,
    momentum: float = 0.9,
    weight_bits: int = 32,
    activation_bits: int = 32,
    end_bits: int = 32,
    weight_form: str = "thesis",
    stem: Sequence[int] = STEM,
    stage_channels: Sequence[int] = STAGE_CHANNELS,
    stage_blocks: Sequence[int] = STAGE_BLOCKS,
    block_kinds: Sequence[str] = (),
    last: int = LAST,
    stem_pools: bool = True,
    name: str = "diracdeltanet",
) -> keras.Model:
    """The network of Table 10, quantised as asked for.

    Every block that halves the map gives all its input channels to both
    branches; only so are 330 M MACs and 3.3 M parameters reached (the released
    code splits those of the first). The model takes `image` [B, H, W, C] float
    in 0 to 255 and returns logits [B, num_classes] float.

    Args:
      input_shape: H, W, C; the map halves in each stage, and twice in the stem.
      num_classes: how many.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on kernels and on every α.
      momentum: of the batch normalisation's averages.
      weight_bits: of all convolutions but the first; 32 for full precision.
      activation_bits: of what ActQuant writes; 32 for full precision.
      end_bits: of the weights of the first and the last layer. Below 32 the
        image is taken as 8-bit numbers, so mean and std must be those of
        `ends`, and the network can be run with whole numbers from end to end.
      weight_form: see ops.quantization.weight_levels().
      stem: filters of its two convolutions.
      stage_channels: of each stage's output.
      stage_blocks: how many each stage has; the first of them halves the map.
      block_kinds: of each other block, see block(). Ours; empty for all KIND,
        as in the thesis.
      last: filters of the last convolution.
      stem_pools: whether the stem halves the map twice. Ours: False suits
        images of a few pixels.
      name: of the model.

    Raises:
      ValueError: an argument is not as described, or the image is too small.
    """
    check_sizes(input_shape, stem, stage_channels, stage_blocks, stem_pools)
    count = sum(stage_blocks) - len(stage_blocks)
    kinds = list(block_kinds or [KIND] * count)
    if len(kinds) != count:
        raise ValueError(
            f"block_kinds must be {count} names, one of each block that keeps "
            f"the map's size; got {len(kinds)}"
        )
    settings = Settings(
        weight_bits,
        activation_bits,
        weight_form,
        shift_modules.Settings(weight_decay, momentum),
        end_bits,
    )
    image, x = first(input_shape, stem, stem_pools, mean, std, settings)
    for stage, (filters, count) in enumerate(
        zip(stage_channels, stage_blocks), start=2
    ):
        x = downsampling_block(
            x, filters, name=f"stage{stage}_0", settings=settings
        )
        for i in range(1, count):
            kind = kinds.pop(0)
            x = block(x, kind, name=f"stage{stage}_{i}", settings=settings)
    return keras.Model(image, final(x, last, num_classes, settings), name=name)


def check_sizes(
    input_shape: Sequence[int],
    stem: Sequence[int],
    stage_channels: Sequence[int],
    stage_blocks: Sequence[int],
    stem_pools: bool,
) -> None:
    """Refuses what makes no network.

    Arguments are those of diracdeltanet().

    Raises:
      ValueError: says what was needed and what came.
    """
    if len(stem) != 2 or len(stage_channels) != len(stage_blocks):
        raise ValueError(
            "stem needs 2 numbers, stage_channels and stage_blocks equally "
            f"many; got {len(stem)}, {len(stage_channels)}, {len(stage_blocks)}"
        )
    if min(stage_blocks, default=1) < 1:
        raise ValueError(
            f"stage_blocks must be 1 or more each; got {tuple(stage_blocks)}"
        )
    halvings = len(stage_channels) + 2 * stem_pools
    if min(input_shape[:2]) < 2**halvings:
        raise ValueError(
            f"height and width must be at least {2**halvings}, as the map "
            f"halves {halvings} times; got {tuple(input_shape)}"
        )


def first(
    input_shape: Sequence[int],
    stem: Sequence[int],
    stem_pools: bool,
    mean: Sequence[float],
    std: Sequence[float],
    settings: Settings,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The image and what the stem makes of it, Table 10.

    Arguments are those of diracdeltanet().

    Raises:
      ValueError: mean and std do not fit the image or end_bits.
    """
    is_exact = settings.end_bits < 32
    if is_exact and (tuple(mean), tuple(std)) != (ends.MEAN, ends.STD):
        raise ValueError(
            f"with end_bits below 32 mean and std must be {ends.MEAN} and "
            f"{ends.STD}; got {tuple(mean)} and {tuple(std)}"
        )
    image, x = ends.image(input_shape, mean, std)
    bits = quantization.Bits(
        settings.end_bits, IMAGE_BITS if is_exact else 32, 1.0, settings.form
    )
    x = _convolution(x, stem[0], "conv1", settings, bits=bits)
    x = _activation(x, "act1", settings, STEM_SCALE)
    if stem_pools:
        x = _pool(x, "pool1")
    bits = dataclasses.replace(_bits(settings), scale=STEM_SCALE)
    x = _convolution(x, stem[1], "conv2", settings, shifted=True, bits=bits)
    x = _activation(x, "act2", settings)
    if stem_pools:
        x = _pool(x, "pool2")
    return image, shift.Shift(convention="cardinal", name="shift2")(x)


def final(
    x: tf.Tensor, filters: int, num_classes: int, settings: Settings
) -> tf.Tensor:
    """The last convolution, average pooling and the classifier, Table 10.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: of the convolution.
      num_classes: how many.
      settings: of the network.

    Returns:
      [B, num_classes] float, logits.
    """
    x = _convolution(x, filters, "conv5", settings)
    x = _activation(x, "act5", settings, LAST_SCALE)
    count = x.shape[1] * x.shape[2]
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    bits = quantization.Bits(
        settings.end_bits,
        settings.activation_bits if settings.end_bits < 32 else 32,
        LAST_SCALE,
        settings.form,
    )
    return quantization.QuantDense(
        num_classes,
        bits=bits,
        count=count,
        kernel_regularizer=settings.network.regularizer(),
        name="fc",
    )(x)


def expansion(kind: str) -> int:
    """Channels of a block's first convolution, in those of its half.

    Args:
      kind: SKIP, or "e" and the number.

    Returns:
      The number; 0 of SKIP.

    Raises:
      ValueError: it is none of these.
    """
    found = _EXPANDING.fullmatch(kind)
    if not found and kind != SKIP:
        raise ValueError(
            f"kind of a block must be {SKIP}, or e and a number as in {KIND}; "
            f"got {kind!r}"
        )
    return int(found[1]) if found else 0


def block(
    x: tf.Tensor, kind: str = KIND, *, name: str, settings: Settings
) -> tf.Tensor:
    """Half of the channels stays, the other is expanded, shifted, reduced.

    Source: Ch. 6 §4.2, Fig. 7(b); the first convolution has twice the channels.
    Ours: other kinds.

    Args:
      x: [B, H, W, C] float Keras tensor, C divisible by 4.
      kind: see expansion(); SKIP is the input.
      name: prefix of the layers.
      settings: of the network.

    Returns:
      [B, H, W, C] float.

    Raises:
      ValueError: an unknown kind.
    """
    times = expansion(kind)
    if not times:
        return x
    skip, x = channels.ChannelSplit(name=f"{name}_split")(x)
    half = x.shape[-1]
    x = _convolution(x, times * half, f"{name}_conv1", settings)
    x = _activation(x, f"{name}_act1", settings)
    x = _convolution(x, half, f"{name}_conv2", settings, shifted=True)
    x = _activation(x, f"{name}_act2", settings)
    return _joined(skip, x, name)


def downsampling_block(
    x: tf.Tensor,
    filters: int,
    *,
    name: str,
    settings: Settings,
    split: bool = False,
) -> tf.Tensor:
    """Both branches see all channels and halve the map by max-pooling.

    Source: Ch. 6 §4.2, Fig. 7(b). Both end in one ActQuant.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: of the output; each branch makes half of them.
      name: prefix of the layers.
      settings: of the network.
      split: give each branch half of the channels, as the released code does
        in its first block.

    Returns:
      [B, H // 2, W // 2, filters] float.
    """
    skip = x
    if split:
        skip, x = channels.ChannelSplit(name=f"{name}_split")(x)
    x = _convolution(x, filters, f"{name}_conv1", settings)
    x = _activation(x, f"{name}_act1", settings)
    x = _pool(x, f"{name}_pool")
    x = _convolution(x, filters // 2, f"{name}_conv2", settings, shifted=True)
    skip = _pool(skip, f"{name}_skip_pool")
    skip = _convolution(skip, filters // 2, f"{name}_skip", settings)
    both = _act_quant(f"{name}_act2", settings, SCALE)
    return _joined(both(skip), both(x), name)


def _joined(skip: tf.Tensor, x: tf.Tensor, name: str) -> tf.Tensor:
    x = keras.layers.Concatenate(name=f"{name}_concat")([skip, x])
    return channels.ChannelRotation(name=f"{name}_rotation")(x)


def _pool(x: tf.Tensor, name: str) -> tf.Tensor:
    return keras.layers.MaxPooling2D(2, name=name)(x)


def _bits(settings: Settings) -> quantization.Bits:
    return quantization.Bits(
        settings.weight_bits, settings.activation_bits, SCALE, settings.form
    )


def _convolution(
    x: tf.Tensor,
    filters: int,
    name: str,
    settings: Settings,
    *,
    shifted: bool = False,
    bits: quantization.Bits | None = None,
) -> tf.Tensor:
    """1x1 convolution, after a shift if asked for, and normalisation."""
    arguments = {
        "bits": bits or _bits(settings),
        "kernel_initializer": "he_normal",
        "kernel_regularizer": settings.network.regularizer(),
        "name": name,
    }
    if shifted:
        layer = quantization.QuantShiftConv2D(
            filters, convention="cardinal", **arguments
        )
    else:
        layer = quantization.QuantConv2D(filters, 1, **arguments)
    return shift_modules.batch_norm(
        layer(x), name=f"{name}_bn", settings=settings.network, relu=False
    )


def _activation(
    x: tf.Tensor, name: str, settings: Settings, scale: float = SCALE
) -> tf.Tensor:
    return _act_quant(name, settings, scale)(x)


def _act_quant(
    name: str, settings: Settings, scale: float
) -> quantization.ActQuant:
    """α starts at s, as in the released code."""
    return quantization.ActQuant(
        bits=settings.activation_bits,
        scale=scale,
        initial_alpha=scale,
        regularizer=settings.network.regularizer(),
        name=name,
    )
