"""Modules of shifts and 1x1 convolutions, CSC and SC2, Ch. 6 §2.3."""

import dataclasses

import tensorflow as tf

from squeeze_tf.layers import shift

keras = tf.keras

DOWNSAMPLING = ("concat", "convolve")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the convolutions and normalisations of one network share.

    Args:
      weight_decay: λ of the penalty λ/2 |w|² on every kernel.
      momentum: of the moving averages of the normalisations.
      epsilon: added to their variances.
    """

    weight_decay: float = 0.0
    momentum: float = 0.9
    epsilon: float = 1e-5

    def regularizer(self) -> keras.regularizers.Regularizer | None:
        """Keras writes λ|w|² where λ/2 |w|² is meant."""
        if not self.weight_decay:
            return None
        return keras.regularizers.L2(self.weight_decay / 2)


def csc(
    x: tf.Tensor,
    filters: int,
    *,
    expansion: float,
    name: str,
    settings: Settings,
    kernel_size: int = 3,
    dilation_rate: int = 1,
    strides: int = 1,
    downsampling: str = "concat",
    convention: str = "interleaved",
) -> tf.Tensor:
    """Conv-Shift-Conv: two 1x1 convolutions with a shift between them.

    Source: Ch. 6 §2.3, Fig. 3. Normalisation and ReLU precede each 1x1
    convolution. Where shapes match, the input is added. Elsewhere it is
    average-pooled and concatenated, as in ShuffleNet (3x3, one pixel of zeros
    around), and the convolutions make the channels that are missing.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: output channels, N.
      expansion: E. E C channels lie between the convolutions, and E N with
        downsampling "convolve".
      name: prefix of the layers.
      settings: what the network's layers share.
      kernel_size: K of the shift.
      dilation_rate: of the shift.
      strides: of the second convolution.
      downsampling: "concat", or "convolve", which makes all N channels by
        convolution and drops the input, where shapes differ.
      convention: which channel moves where, see ops.shift_offsets.

    Returns:
      [B, H / strides, W / strides, filters] float, sizes rounded up.

    Raises:
      ValueError: an unknown downsampling, or "concat" to no more channels.
    """
    shifts = (None, (kernel_size, dilation_rate, convention))
    return _module(
        x, filters, expansion, name, settings, strides, downsampling, shifts
    )


def sc2(
    x: tf.Tensor,
    filters: int,
    *,
    expansion: float,
    name: str,
    settings: Settings,
    kernel_size: int = 3,
    dilation_rate: int = 1,
    strides: int = 1,
    downsampling: str = "concat",
    convention: str = "interleaved",
) -> tf.Tensor:
    """Shift-Conv-Shift-Conv: CSC with another shift before its first step.

    Source: Ch. 6 §2.3, Fig. 3. Arguments, result and errors as csc().
    """
    shifts = ((kernel_size, dilation_rate, convention),) * 2
    return _module(
        x, filters, expansion, name, settings, strides, downsampling, shifts
    )


def csc_released(
    x: tf.Tensor,
    filters: int,
    *,
    expansion: float,
    name: str,
    settings: Settings,
    kernel_size: int = 3,
    dilation_rate: int = 1,
    strides: int = 1,
    convention: str = "interleaved",
) -> tf.Tensor:
    """CSC as in the code of Ch. 6 §3.1, which made its tables.

    Source: released code. E N channels lie between the convolutions,
    normalisation and ReLU follow each, the shortcut is a normalised 1x1
    convolution where shapes differ, and no ReLU follows the sum.

    Args and Returns: as csc().
    """
    shortcut = projection(x, filters, strides, name=name, settings=settings)
    y = convolution(
        x,
        int(expansion * filters),
        1,
        name=f"{name}_conv1",
        settings=settings,
    )
    y = batch_norm(y, name=f"{name}_bn1", settings=settings)
    y = shift_convolution(
        y,
        filters,
        (kernel_size, dilation_rate, convention),
        name=f"{name}_conv2",
        settings=settings,
        strides=strides,
    )
    y = batch_norm(y, name=f"{name}_bn2", settings=settings)
    return keras.layers.Add(name=f"{name}_sum")([y, shortcut])


def projection(
    x: tf.Tensor, filters: int, strides: int, *, name: str, settings: Settings
) -> tf.Tensor:
    """The input where its shape stays, else a normalised 1x1 convolution.

    Source: the shortcut of the residual networks in the released code.
    Arguments as csc().
    """
    if x.shape[-1] == filters and strides == 1:
        return x
    name = f"{name}_shortcut"
    x = convolution(
        x, filters, 1, name=name, settings=settings, strides=strides
    )
    return batch_norm(x, name=f"{name}_bn", settings=settings, relu=False)


def convolution(
    x: tf.Tensor,
    filters: int | None,
    kernel_size: int,
    *,
    name: str,
    settings: Settings,
    strides: int = 1,
) -> tf.Tensor:
    """Convolution without bias that pads K // 2 pixels on every side.

    With a stride, Keras's own "same" pads less on one side and so shifts the
    samples by a pixel; the released code does not.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: output channels; None for a depthwise convolution.
      kernel_size: K, odd.
      name: of the layer; "_pad" is appended for the padding.
      settings: what the network's layers share.
      strides: in both directions.

    Returns:
      [B, H / strides, W / strides, filters] float, sizes rounded up.
    """
    x = _padded(x, kernel_size, strides, name)
    shared = {
        "strides": strides,
        "padding": "same" if strides == 1 else "valid",
        "use_bias": False,
        "name": name,
    }
    if filters is None:
        # He's 2 / K²; "he_normal" would count the products of all channels.
        he_normal = keras.initializers.VarianceScaling(2.0 * x.shape[-1])
        return keras.layers.DepthwiseConv2D(
            kernel_size,
            depthwise_initializer=he_normal,
            depthwise_regularizer=settings.regularizer(),
            **shared,
        )(x)
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        kernel_initializer="he_normal",
        kernel_regularizer=settings.regularizer(),
        **shared,
    )(x)


def shift_convolution(
    x: tf.Tensor,
    filters: int,
    offsets: tuple[int, int, str],
    *,
    name: str,
    settings: Settings,
    strides: int = 1,
) -> tf.Tensor:
    """Shift and the 1x1 convolution that reads it, without bias.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: output channels.
      offsets: kernel size, dilation rate and convention of the shift.
      name: of the layer.
      settings: what the network's layers share.
      strides: of the convolution.

    Returns:
      [B, H / strides, W / strides, filters] float, sizes rounded up.
    """
    kernel_size, dilation_rate, convention = offsets
    return shift.ShiftConv2D(
        filters,
        kernel_size=kernel_size,
        dilation_rate=dilation_rate,
        convention=convention,
        strides=strides,
        use_bias=False,
        kernel_regularizer=settings.regularizer(),
        name=name,
    )(x)


def batch_norm(
    x: tf.Tensor, *, name: str, settings: Settings, relu: bool = True
) -> tf.Tensor:
    """Batch normalisation and, unless told otherwise, ReLU."""
    x = keras.layers.BatchNormalization(
        momentum=settings.momentum, epsilon=settings.epsilon, name=name
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def pool(x: tf.Tensor, kind: str, strides: int, *, name: str) -> tf.Tensor:
    """3x3 pooling, "max" or "average", of a map with zeros around it.

    It is centred as a 3x3 convolution of the same stride. The maximum must be
    of values of at least 0.
    """
    layer = {
        "max": keras.layers.MaxPooling2D,
        "average": keras.layers.AveragePooling2D,
    }[kind]
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layer(3, strides, padding="valid", name=name)(x)


def _module(
    x: tf.Tensor,
    filters: int,
    expansion: float,
    name: str,
    settings: Settings,
    strides: int,
    downsampling: str,
    shifts: tuple,
) -> tf.Tensor:
    """CSC or SC2; `shifts` are those before the first and second step."""
    if downsampling not in DOWNSAMPLING:
        raise ValueError(
            f"downsampling must be one of {DOWNSAMPLING}; got {downsampling!r}"
        )
    channels = x.shape[-1]
    keeps_shape = channels == filters and strides == 1
    concat = downsampling == "concat" and not keeps_shape
    if concat and filters <= channels:
        raise ValueError(
            f"{name}: concatenation must widen the input of {channels} "
            f'channels; got filters {filters}; downsampling="convolve" can keep'
        )
    middle = int(expansion * (channels if concat else filters))
    y = x
    for step, (width, offsets) in enumerate(
        zip((middle, filters - channels if concat else filters), shifts), 1
    ):
        shared = {
            "name": f"{name}_conv{step}",
            "settings": settings,
            "strides": strides if step == 2 else 1,
        }
        y = batch_norm(y, name=f"{name}_bn{step}", settings=settings)
        if offsets:
            y = shift_convolution(y, width, offsets, **shared)
        else:
            y = convolution(y, width, 1, **shared)
    if keeps_shape:
        return keras.layers.Add(name=f"{name}_sum")([x, y])
    if not concat:
        return y
    if strides > 1:
        x = pool(x, "average", strides, name=f"{name}_pool")
    return keras.layers.Concatenate(name=f"{name}_concat")([x, y])


def _padded(
    x: tf.Tensor, kernel_size: int, strides: int, name: str
) -> tf.Tensor:
    """The input of a strided convolution, with zeros around it."""
    if strides == 1 or kernel_size == 1:
        return x
    return keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
