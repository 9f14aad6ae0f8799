"""SqueezeDet, SqueezeDet+, VGG16 and ResNet50 with ConvDet; MODELS."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from squeeze_tf.layers import fire as fire_lib

keras = tf.keras

# Red, green, blue of the released code's mean colour.
IMAGE_MEAN = (123.68, 116.779, 103.939)
# Kernels of a released variable's name: images are blue, green, red there.
FROM_RELEASED = {
    name: lambda kernel: kernel[:, :, ::-1]
    for name in ("conv1/kernels", "conv1/conv1_1/kernels")
}
_CONVDET_STDDEV = 1e-4  # released code, of the first weights
# Number, squeeze, expand of the fire modules; the poolings between them.
_SQUEEZEDET = (
    *("pool1", (2, 16, 64), (3, 16, 64)),
    *("pool3", (4, 32, 128), (5, 32, 128)),
    *("pool5", (6, 48, 192), (7, 48, 192), (8, 64, 256), (9, 64, 256)),
    *((10, 96, 384), (11, 96, 384)),
)
_SQUEEZEDET_PLUS = (
    *("pool1", (2, 96, 64), (3, 96, 64), (4, 192, 128)),
    *("pool4", (5, 192, 128), (6, 288, 192), (7, 288, 192), (8, 384, 256)),
    *("pool8", (9, 384, 256), (10, 384, 256), (11, 384, 256)),
)
_VGG16 = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512), (5, 3, 512))
_RESNET50 = ((2, "abc", 64), (3, "abcd", 128), (4, "abcdef", 256))


def squeezedet(
    *,
    input_shape: Sequence[int] = (384, 1248, 3),
    num_classes: int = 3,
    num_anchors: int = 9,
    mean: Sequence[float] = IMAGE_MEAN,
    std: Sequence[float] = (1.0, 1.0, 1.0),
    dropout: float = 0.5,
    weight_decay: float = 1e-4,
    batch_norm: bool = False,
    frozen: bool = False,
    padding: str = "same",
    name: str = "squeezedet",
) -> keras.Model:
    """SqueezeNet v1.1, two more fire modules and ConvDet.

    Source: Ch. 2 §3.4, Table 5; layer sizes are the released code's.

    The model takes `image` [B, H, W, 3] float, red, green and blue in 0 to
    255, and returns ConvDet's output [B, h, w, K (C + 1 + 4)] float, with
    h = H / 16 and w = W / 16, rounded up with padding "same"; detection.decode
    makes boxes of it.

    Args:
      input_shape: H, W and 3.
      num_classes: C.
      num_anchors: K, at each of the h x w centres.
      mean: [3] subtracted from every pixel.
      std: [3] by which every pixel is divided.
      dropout: share of channels dropped before ConvDet.
      weight_decay: λ of λ/2 |w|² on every trainable kernel.
      batch_norm: normalise before each ReLU. Ours: the thesis starts from
        ImageNet weights; without them this trains faster.
      frozen: whether the first layers stay as they are, as in the released
        code, which starts from ImageNet weights.
      padding: of conv1 and the poolings. The released configuration has
        "same" at 384 x 1248; "valid" at 375 x 1242 gives the MACs and
        activations of Ch. 2 Table 4.
      name: of the model.

    Returns:
      An uncompiled model.

    Raises:
      ValueError: input_shape is not (H, W, 3) or too small.
    """
    return _squeezenet(
        _SQUEEZEDET,
        input_shape,
        first=(64, 3),
        settings=_settings(weight_decay, batch_norm),
        colours=(mean, std),
        head=(num_classes, num_anchors, dropout),
        frozen=frozen,
        padding=padding,
        name=name,
    )


def squeezedet_plus(
    *,
    input_shape: Sequence[int] = (375, 1242, 3),
    num_classes: int = 3,
    num_anchors: int = 9,
    mean: Sequence[float] = IMAGE_MEAN,
    std: Sequence[float] = (1.0, 1.0, 1.0),
    dropout: float = 0.5,
    weight_decay: float = 1e-4,
    batch_norm: bool = False,
    frozen: bool = False,
    padding: str = "valid",
    name: str = "squeezedet_plus",
) -> keras.Model:
    """SqueezeNet with a squeeze ratio of 0.75, and ConvDet.

    Source: Ch. 2 §3.4; layer sizes are the released code's. As squeezedet().
    """
    return _squeezenet(
        _SQUEEZEDET_PLUS,
        input_shape,
        first=(96, 7),
        settings=_settings(weight_decay, batch_norm),
        colours=(mean, std),
        head=(num_classes, num_anchors, dropout),
        frozen=frozen,
        padding=padding,
        name=name,
    )


def vgg16(
    *,
    input_shape: Sequence[int] = (375, 1242, 3),
    num_classes: int = 3,
    num_anchors: int = 9,
    mean: Sequence[float] = IMAGE_MEAN,
    std: Sequence[float] = (1.0, 1.0, 1.0),
    dropout: float = 0.5,
    weight_decay: float = 1e-4,
    batch_norm: bool = False,
    frozen: bool = False,
    name: str = "vgg16",
) -> keras.Model:
    """The thirteen convolutions of VGG16, and ConvDet.

    Source: Ch. 2 §4.1; layers as in the released code. As squeezedet().
    """
    settings = _settings(weight_decay, batch_norm)
    image, x = _image(input_shape, mean, std)
    stages = ("conv1", "conv2") if frozen else ()
    for block, count, filters in _VGG16:
        for i in range(1, count + 1):
            layer = f"conv{block}_conv{block}_{i}"
            x = fire_lib.convolution(
                x,
                filters,
                3,
                name=layer,
                settings=_of_stage(settings, layer, stages),
            )
        if block < len(_VGG16):
            x = keras.layers.MaxPooling2D(
                2, padding="same", name=f"pool{block}"
            )(x)
    x = _convdet(x, num_classes, num_anchors, dropout, settings, "conv6")
    return _freeze(keras.Model(image, x, name=name), stages)


def resnet50(
    *,
    input_shape: Sequence[int] = (375, 1242, 3),
    num_classes: int = 3,
    num_anchors: int = 9,
    mean: Sequence[float] = IMAGE_MEAN,
    std: Sequence[float] = (1.0, 1.0, 1.0),
    dropout: float = 0.5,
    weight_decay: float = 1e-4,
    batch_norm: bool = True,
    frozen: bool = False,
    name: str = "resnet50",
) -> keras.Model:
    """ResNet50 up to conv4_x, and ConvDet.

    Source: Ch. 2 §4.1; layers as in the released code: strides in the first
    1x1 convolutions, a bias in conv1 alone. As squeezedet(), but the
    normalisation, which stands before the ReLU, cannot be left out; `frozen`
    fixes its mean and variance in all layers.

    Raises:
      ValueError: batch_norm is off.
    """
    if not batch_norm:
        raise ValueError("batch_norm must be true; ResNet50 is made with it")
    settings = fire_lib.Convolutions(weight_decay)
    stages = ("conv1", "conv2", "conv3") if frozen else ()
    image, x = _image(input_shape, mean, std)

    def convolution(
        x: tf.Tensor,
        filters: int,
        size: int,
        name: str,
        strides: int = 1,
        relu: bool = True,
    ) -> tf.Tensor:
        x = keras.layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            use_bias=name == "conv1",
            kernel_initializer="he_normal",
            kernel_regularizer=_of_stage(settings, name, stages).regularizer(),
            name=name,
        )(x)
        x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(
            x, **({"training": False} if frozen else {})
        )
        return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x

    x = convolution(x, 64, 7, "conv1", strides=2)
    x = keras.layers.MaxPooling2D(3, 2, padding="valid", name="pool1")(x)
    for stage, letters, filters in _RESNET50:
        for letter in letters:
            unit = f"res{stage}{letter}"
            name_ = f"conv{stage}_x_{unit}_{unit}_branch"
            strides = 2 if letter == "a" and stage > 2 else 1
            branch = f"{name_}2_{unit}_branch2"
            y = convolution(x, filters, 1, f"{branch}a", strides)
            y = convolution(y, filters, 3, f"{branch}b")
            y = convolution(y, 4 * filters, 1, f"{branch}c", relu=False)
            if letter == "a":
                x = convolution(
                    x, 4 * filters, 1, f"{name_}1", strides, relu=False
                )
            x = keras.layers.Add(name=f"{unit}_sum")([x, y])
            x = keras.layers.ReLU(name=f"{unit}_relu")(x)
    x = _convdet(x, num_classes, num_anchors, dropout, settings, "conv5")
    return _freeze(keras.Model(image, x, name=name), stages)


MODELS: dict[str, Callable[..., keras.Model]] = {
    "squeezedet": squeezedet,
    "squeezedet_plus": squeezedet_plus,
    "vgg16": vgg16,
    "resnet50": resnet50,
}


def rpn_parameters(channels: int, num_anchors: int) -> int:
    """Weights of the last layer of a region proposal network, Ch. 2 Table 1."""
    return 5 * channels * num_anchors


def convdet_parameters(
    size: tuple[int, int], channels: int, num_anchors: int, num_classes: int
) -> int:
    """Weights of ConvDet, Ch. 2 Table 1; `size` is F_w, F_h."""
    return size[0] * size[1] * channels * num_anchors * (5 + num_classes)


def fcdet_parameters(
    hidden: int,
    feature_map: tuple[int, int, int],
    grid: tuple[int, int],
    num_anchors: int,
    num_classes: int,
) -> int:
    """Weights of YOLO's two fully connected layers, Ch. 2 Table 1.

    Args:
      hidden: F_fc1.
      feature_map: W_f, H_f, Ch_f.
      grid: W_o, H_o.
      num_anchors: K.
      num_classes: C.
    """
    width, height, channels = feature_map
    outputs = grid[0] * grid[1] * (5 * num_anchors + num_classes)
    return hidden * (width * height * channels + outputs)


def _squeezenet(
    modules: tuple,
    input_shape: Sequence[int],
    *,
    first: tuple[int, int],
    settings: fire_lib.Convolutions,
    colours: tuple[Sequence[float], Sequence[float]],
    head: tuple[int, int, float],
    frozen: bool,
    padding: str,
    name: str,
) -> keras.Model:
    """conv1, the fire modules and poolings in their order, ConvDet."""
    stages = ("conv1",) if frozen else ()
    image, x = _image(input_shape, *colours)
    filters, size = first
    x = fire_lib.convolution(
        x,
        filters,
        size,
        strides=2,
        padding=padding,
        name="conv1",
        settings=_of_stage(settings, "conv1", stages),
    )
    for module in modules:
        if isinstance(module, str):
            x = keras.layers.MaxPooling2D(3, 2, padding=padding, name=module)(x)
        else:
            number, squeeze, expand = module
            x = fire_lib.fire(
                x,
                squeeze=squeeze,
                expand=expand,
                name=f"fire{number}",
                settings=settings,
            )
    num_classes, num_anchors, dropout = head
    x = _convdet(x, num_classes, num_anchors, dropout, settings, "conv12")
    return _freeze(keras.Model(image, x, name=name), stages)


def _image(
    input_shape: Sequence[int], mean: Sequence[float], std: Sequence[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """The input and its normalised form."""
    if len(input_shape) != 3 or input_shape[2] != 3 or min(input_shape) < 1:
        raise ValueError(
            "input_shape must be (H, W, 3): height, width and red, green, "
            f"blue; got {tuple(input_shape)}"
        )
    image = keras.Input(tuple(input_shape), name="image")
    normalized = keras.layers.Normalization(
        mean=list(mean),
        variance=[s**2 for s in std],
        dtype="float32",  # 8 bits of mantissa would round the pixels
        name="normalized",
    )(image)
    return image, normalized


def _convdet(
    x: tf.Tensor,
    num_classes: int,
    num_anchors: int,
    dropout: float,
    settings: fire_lib.Convolutions,
    name: str,
) -> tf.Tensor:
    """Dropout and the 3x3 convolution of Ch. 2 §3.2."""
    x = keras.layers.Dropout(dropout, name="dropout11")(x)
    x = keras.layers.Conv2D(
        num_anchors * (num_classes + 1 + 4),
        3,
        padding="same",
        kernel_initializer=keras.initializers.TruncatedNormal(
            stddev=_CONVDET_STDDEV
        ),
        kernel_regularizer=settings.regularizer(),
        name=name,
    )(x)
    if x.dtype != "float32":  # Keras casts the targets to the output's type
        x = keras.layers.Activation("linear", dtype="float32", name="output")(x)
    return x


def _settings(weight_decay: float, batch_norm: bool) -> fire_lib.Convolutions:
    """What the convolutions share."""
    return fire_lib.Convolutions(
        weight_decay, batch_norm, momentum=0.99, before_relu=True
    )


def _of_stage(
    settings: fire_lib.Convolutions, name: str, stages: tuple[str, ...]
) -> fire_lib.Convolutions:
    """The settings, without weight decay for a layer of a frozen stage."""
    if name.split("_")[0] in stages:
        return dataclasses.replace(settings, weight_decay=0.0)
    return settings


def _freeze(model: keras.Model, stages: tuple[str, ...]) -> keras.Model:
    """Fixes the layers of the stages."""
    for layer in model.layers:
        if layer.name.split("_")[0] in stages:
            layer.trainable = False
    return model
