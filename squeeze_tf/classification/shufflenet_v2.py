"""ShuffleNetV2, the baseline of DiracDeltaNet, Ch. 6 §4.1."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends
from squeeze_tf.layers import channels, shift_modules

keras = tf.keras

REPEATS = (4, 8, 4)  # modules of a stage
# Width to channels of the stem, the three stages and the last convolution:
# table 5 of the ShuffleNetV2 paper.
WIDTHS = {
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 244, 488, 976, 2048),
}


def shufflenet_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 4e-5,
    momentum: float = 0.9,
    name: str = "shufflenet_v2",
) -> keras.Model:
    """Split, 1x1, depthwise 3x3 and 1x1 convolution, concatenation, shuffle.

    Source: Ch. 6 §4.1, Fig. 7(a); sizes are the ShuffleNetV2 paper's. Maps end
    as 1/32 of the image: 7 x 7 of 224 pixels, 1 x 1 of 32 or less.

    The model takes `image` [B, H, W, C] float in 0 to 255 and returns logits
    [B, num_classes] float.

    Args:
      input_shape: H, W, C.
      num_classes: how many.
      width: key of WIDTHS.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels.
      momentum: of the batch normalisation's averages.
      name: of the model.

    Raises:
      ValueError: an argument is not as described.
    """
    if width not in WIDTHS:
        raise ValueError(f"width must be one of {sorted(WIDTHS)}; got {width}")
    stem, *stages, last = WIDTHS[width]
    settings = shift_modules.Settings(weight_decay, momentum)
    image, x = ends.image(input_shape, mean, std)
    x = _convolution(x, stem, 3, "conv1", settings, strides=2)
    x = shift_modules.pool(x, "max", 2, name="pool1")
    for stage, (filters, count) in enumerate(zip(stages, REPEATS), start=2):
        x = _downsampling(x, filters, f"stage{stage}_0", settings)
        for i in range(1, count):
            x = _module(x, f"stage{stage}_{i}", settings)
    x = _convolution(x, last, 1, "conv5", settings)
    return keras.Model(image, ends.logits(x, num_classes, settings), name=name)


def _module(
    x: tf.Tensor, name: str, settings: shift_modules.Settings
) -> tf.Tensor:
    """Half of the channels stays, the other goes through the branch."""
    skip, x = channels.ChannelSplit(name=f"{name}_split")(x)
    x = _branch(x, x.shape[-1], 1, name, settings)
    return _joined(skip, x, name)


def _downsampling(
    x: tf.Tensor, filters: int, name: str, settings: shift_modules.Settings
) -> tf.Tensor:
    """All channels go through both sides, each with stride 2."""
    skip = _depthwise(x, 2, f"{name}_skip1", settings)
    skip = _convolution(skip, filters // 2, 1, f"{name}_skip2", settings)
    return _joined(skip, _branch(x, filters // 2, 2, name, settings), name)


def _branch(
    x: tf.Tensor,
    filters: int,
    strides: int,
    name: str,
    settings: shift_modules.Settings,
) -> tf.Tensor:
    x = _convolution(x, filters, 1, f"{name}_conv1", settings)
    x = _depthwise(x, strides, f"{name}_conv2", settings)
    return _convolution(x, filters, 1, f"{name}_conv3", settings)


def _convolution(
    x: tf.Tensor,
    filters: int,
    kernel_size: int,
    name: str,
    settings: shift_modules.Settings,
    strides: int = 1,
) -> tf.Tensor:
    x = shift_modules.convolution(
        x, filters, kernel_size, name=name, settings=settings, strides=strides
    )
    return shift_modules.batch_norm(x, name=f"{name}_bn", settings=settings)


def _depthwise(
    x: tf.Tensor, strides: int, name: str, settings: shift_modules.Settings
) -> tf.Tensor:
    """Without the ReLU."""
    x = shift_modules.convolution(
        x, None, 3, name=name, settings=settings, strides=strides
    )
    return shift_modules.batch_norm(
        x, name=f"{name}_bn", settings=settings, relu=False
    )


def _joined(skip: tf.Tensor, x: tf.Tensor, name: str) -> tf.Tensor:
    x = keras.layers.Concatenate(name=f"{name}_concat")([skip, x])
    return channels.ChannelShuffle(2, name=f"{name}_shuffle")(x)
