"""SqueezeSeg and SqueezeSegV2; MODELS."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from squeeze_tf.layers import fire as fire_lib
from squeeze_tf.segmentation import crf as crf_lib
from squeeze_tf.segmentation import grid_layers

keras = tf.keras

# Mean and standard deviation of x, y, z (m), intensity and range (m) over the
# training scans, from the released configuration of both networks.
KITTI_MEAN = (10.88, 0.23, -1.04, 0.21, 12.12)
KITTI_STD = (11.47, 6.91, 0.86, 0.16, 12.32)
_CONTEXT_REDUCTION = 16  # as the released code; Ch. 5 §3.1 gives no figure
_CONTEXT_POOL = 7  # Ch. 5 Fig. 3


def squeezeseg(
    *,
    input_shape: Sequence[int] = (64, 512, 5),
    num_classes: int = 4,
    mean: Sequence[float] = KITTI_MEAN,
    std: Sequence[float] = KITTI_STD,
    batch_norm: bool = False,
    mask_channel: bool = False,
    context_aggregation: bool = False,
    crf: crf_lib.RecurrentCRF | None = None,
    dropout: float = 0.5,
    weight_decay: float = 1e-4,
    batch_norm_momentum: float = 0.999,
    batch_norm_synchronized: bool = False,
    name: str = "squeezeseg",
) -> keras.Model:
    """Point-wise segmentation of a projected LiDAR scan.

    Source: Ch. 3 §3.2, Figs. 3-4; the switches of Ch. 5 §3, Table 1. Layer
    sizes are the released code's, which the thesis does not print.

    The model takes `grid` [B, H, W, 5] float: x, y, z, intensity, range in
    the units of `mean` and `std` and 0 where there is no return, and returns
    scores [B, H, W, num_classes] whose softmax is the label distribution.

    Args:
      input_shape: H, W and 5; W a multiple of 16.
      num_classes: labels, 0 being unknown.
      mean: [5] of the channels, subtracted from every cell.
      std: [5], by which every cell is divided.
      batch_norm: +BN of Ch. 5 Table 1.
      mask_channel: +M, whether a cell holds a return as sixth channel.
      context_aggregation: +CAM after the first three modules.
      crf: the refinement; None leaves the scores of the CNN.
      dropout: share of channels dropped before the last convolution.
      weight_decay: λ of λ/2 |w|² on every kernel of the CNN.
      batch_norm_momentum: of the moving averages.
      batch_norm_synchronized: share batch statistics between replicas.
      name: of the model.

    Returns:
      An uncompiled model.

    Raises:
      ValueError: W is not a multiple of 16, or there are not 5 channels.
    """
    if len(input_shape) != 3 or input_shape[1] % 16 or input_shape[2] != 5:
        raise ValueError(
            "input_shape must be (H, W, 5) with W a multiple of 16; got "
            f"{tuple(input_shape)}"
        )
    settings = fire_lib.Convolutions(
        weight_decay=weight_decay,
        batch_norm=batch_norm,
        momentum=batch_norm_momentum,
        synchronized=batch_norm_synchronized,
    )
    grid = keras.Input(tuple(input_shape), name="grid")
    # In half precision metres would be rounded to tens of centimetres.
    exact = {"dtype": "float32"}
    mask = grid_layers.ReturnMask(name="mask", **exact)(grid)
    normalized = keras.layers.Normalization(
        mean=list(mean),
        variance=[s**2 for s in std],
        name="normalized",
        **exact,
    )(grid)
    x = normalized
    if mask_channel:
        x = keras.layers.Concatenate(name="with_mask")([normalized, mask])
    x = _features(x, settings, context_aggregation)
    x = keras.layers.Dropout(dropout, name="dropout13")(x)
    x = keras.layers.Conv2D(
        num_classes,
        3,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=settings.regularizer(),
        name="conv14_prob",
        **exact,
    )(x)
    if crf is not None:
        x = crf([x, normalized, mask])
    return keras.Model(grid, x, name=name)


def squeezeseg_v2(**kwargs: object) -> keras.Model:
    """SqueezeSegV2, Ch. 5 §3: squeezeseg() with the three switches on."""
    switches = {
        "batch_norm": True,
        "mask_channel": True,
        "context_aggregation": True,
        "name": "squeezeseg_v2",
    }
    return squeezeseg(**(switches | kwargs))


MODELS: dict[str, Callable[..., keras.Model]] = {
    "squeezeseg": squeezeseg,
    "squeezeseg_v2": squeezeseg_v2,
}


def context_aggregation(
    x: tf.Tensor, *, name: str, settings: fire_lib.Convolutions
) -> tf.Tensor:
    """Scales each channel by what a large neighbourhood holds.

    Source: Ch. 5 §3.1, Fig. 3: max-pooling 7x7, 1x1 convolution and ReLU, 1x1
    convolution and sigmoid, product with the input.

    Args:
      x: [B, H, W, C] float Keras tensor.
      name: prefix of the layers.
      settings: what the network's convolutions share; not normalised here.

    Returns:
      [B, H, W, C] float.
    """
    channels = x.shape[-1]
    gate = keras.layers.MaxPooling2D(
        _CONTEXT_POOL, strides=1, padding="same", name=f"{name}_pool"
    )(x)
    for suffix, filters, activation in (
        ("squeeze", channels // _CONTEXT_REDUCTION, "relu"),
        ("excitation", channels, "sigmoid"),
    ):
        gate = keras.layers.Conv2D(
            filters,
            1,
            activation=activation,
            kernel_regularizer=settings.regularizer(),
            name=f"{name}_{suffix}",
        )(gate)
    return keras.layers.Multiply(name=f"{name}_scaled")([x, gate])


def _features(
    x: tf.Tensor, settings: fire_lib.Convolutions, context: bool
) -> tf.Tensor:
    """The encoder and decoder, [B, H, W, 5 or 6] to [B, H, W, 64]."""

    def aggregate(x: tf.Tensor, name: str) -> tf.Tensor:
        if not context:
            return x
        return context_aggregation(x, name=name, settings=settings)

    def pool(x: tf.Tensor, name: str) -> tf.Tensor:
        return keras.layers.MaxPooling2D(
            3, strides=(1, 2), padding="same", name=name
        )(x)

    def fire(x: tf.Tensor, squeeze: int, expand: int, name: str) -> tf.Tensor:
        return fire_lib.fire(
            x, squeeze=squeeze, expand=expand, name=name, settings=settings
        )

    def up(
        x: tf.Tensor, skip: tf.Tensor, squeeze: int, expand: int, number: int
    ) -> tf.Tensor:
        x = fire_lib.fire_deconv(
            x,
            squeeze=squeeze,
            expand=expand,
            name=f"fire_deconv{number}",
            settings=settings,
        )
        return keras.layers.Add(name=f"fuse{number}")([x, skip])

    conv1_skip = fire_lib.convolution(
        x, 64, 1, name="conv1_skip", settings=settings
    )
    x = fire_lib.convolution(
        x, 64, 3, strides=(1, 2), name="conv1", settings=settings
    )
    conv1 = aggregate(x, "se1")  # [B, H, W / 2, 64]
    x = pool(conv1, "pool1")
    x = aggregate(fire(x, 16, 64, "fire2"), "se2")
    fire3 = aggregate(fire(x, 16, 64, "fire3"), "se3")  # [B, H, W / 4, 128]
    x = pool(fire3, "pool3")
    x = fire(x, 32, 128, "fire4")
    fire5 = fire(x, 32, 128, "fire5")  # [B, H, W / 8, 256]
    x = pool(fire5, "pool5")
    x = fire(x, 48, 192, "fire6")
    x = fire(x, 48, 192, "fire7")
    x = fire(x, 64, 256, "fire8")
    x = fire(x, 64, 256, "fire9")  # [B, H, W / 16, 512]
    x = up(x, fire5, 64, 128, 10)
    x = up(x, fire3, 32, 64, 11)
    x = up(x, conv1, 16, 32, 12)
    return up(x, conv1_skip, 16, 32, 13)
