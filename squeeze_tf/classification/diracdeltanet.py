"""DiracDeltaNet: 1x1 convolutions, max-pooling and shift alone, Ch. 6 §4.2."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all blocks of one network have in common.

    Args:
      weight_bits: of the convolutions between the first and the last layer.
      activation_bits: of all activations.
      form: of the weights, see ops.quantization.weight_levels().
      network: weight decay and momentum.
    """

    weight_bits: int
    activation_bits: int
    form: str
    network: shift_modules.Settings


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
      stage_blocks: how many each stage has.
      last: filters of the last convolution.
      stem_pools: whether the stem halves the map twice. Ours: False suits
        images of a few pixels.
      name: of the model.

    Raises:
      ValueError: an argument is not as described, or the image is too small.
    """
    if len(stem) != 2 or len(stage_channels) != len(stage_blocks):
        raise ValueError(
            "stem needs 2 numbers, stage_channels and stage_blocks equally "
            f"many; got {len(stem)}, {len(stage_channels)}, {len(stage_blocks)}"
        )
    halvings = len(stage_channels) + 2 * stem_pools
    if min(input_shape[:2]) < 2**halvings:
        raise ValueError(
            f"height and width must be at least {2**halvings}, as the map "
            f"halves {halvings} times; got {tuple(input_shape)}"
        )
    exact_ends = end_bits < 32
    if exact_ends and (tuple(mean), tuple(std)) != (ends.MEAN, ends.STD):
        raise ValueError(
            f"with end_bits below 32 mean and std must be {ends.MEAN} and "
            f"{ends.STD}; got {tuple(mean)} and {tuple(std)}"
        )
    network = shift_modules.Settings(weight_decay, momentum)
    settings = Settings(weight_bits, activation_bits, weight_form, network)
    image, x = ends.image(input_shape, mean, std)
    first = quantization.Bits(
        end_bits, IMAGE_BITS if exact_ends else 32, 1.0, weight_form
    )
    x = _convolution(x, stem[0], "conv1", settings, bits=first)
    x = _activation(x, "act1", settings, STEM_SCALE)
    if stem_pools:
        x = _pool(x, "pool1")
    second = dataclasses.replace(_bits(settings), scale=STEM_SCALE)
    x = _convolution(x, stem[1], "conv2", settings, shifted=True, bits=second)
    x = _activation(x, "act2", settings)
    if stem_pools:
        x = _pool(x, "pool2")
    x = shift.Shift(convention="cardinal", name="shift2")(x)
    for stage, (filters, count) in enumerate(
        zip(stage_channels, stage_blocks), start=2
    ):
        x = downsampling_block(
            x, filters, name=f"stage{stage}_0", settings=settings
        )
        for i in range(1, count):
            x = block(x, name=f"stage{stage}_{i}", settings=settings)
    x = _convolution(x, last, "conv5", settings)
    x = _activation(x, "act5", settings, LAST_SCALE)
    count = x.shape[1] * x.shape[2]
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    bits = quantization.Bits(
        end_bits, activation_bits if exact_ends else 32, LAST_SCALE, weight_form
    )
    logits = quantization.QuantDense(
        num_classes,
        bits=bits,
        count=count,
        kernel_regularizer=network.regularizer(),
        name="fc",
    )(x)
    return keras.Model(image, logits, name=name)


def block(x: tf.Tensor, *, name: str, settings: Settings) -> tf.Tensor:
    """Half of the channels stays, the other is expanded, shifted, reduced.

    Source: Ch. 6 §4.2, Fig. 7(b); the first convolution has twice the channels.

    Args:
      x: [B, H, W, C] float Keras tensor, C divisible by 4.
      name: prefix of the layers.
      settings: of the network.

    Returns:
      [B, H, W, C] float.
    """
    skip, x = channels.ChannelSplit(name=f"{name}_split")(x)
    half = x.shape[-1]
    x = _convolution(x, 2 * half, f"{name}_conv1", settings)
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
