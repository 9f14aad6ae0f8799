"""ResNet50 and ShiftResNet50 for ImageNet, Ch. 6 Table 3.

Five steps of stride 2 lead to maps of 1/32: 7 x 7 of 224 pixels, 1 x 1 of 32
or less, where shifts and convolutions see nothing but zeros beside a pixel.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from squeeze_tf.classification import ends
from squeeze_tf.layers import shift_modules

keras = tf.keras

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))  # modules, channels
EXPANSION = 3.0  # Ours, see shift_resnet50()


def resnet50(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    reduction: float = 1.0,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 1e-4,
    momentum: float = 0.9,
    name: str = "resnet50",
) -> keras.Model:
    """ResNet50 with int(C / √r) of its C channels in all layers.

    Source: Ch. 6 Table 3, whose 26, 13 and 6.9 million parameters it has with
    r of 1, 2 and 4; layers as the cited ResNet, strides in the 3x3
    convolutions. As shift_resnet.shift_resnet(), but:

    Args:
      reduction: r, about how many times fewer parameters there are.
    """
    settings = shift_modules.Settings(weight_decay, momentum)

    def middle(x: tf.Tensor, width: int, strides: int, name: str) -> tf.Tensor:
        x = shift_modules.convolution(
            x,
            width,
            3,
            name=f"{name}_conv2",
            settings=settings,
            strides=strides,
        )
        return shift_modules.batch_norm(
            x, name=f"{name}_bn2", settings=settings
        )

    ends_ = (input_shape, mean, std, num_classes)
    return _network(ends_, reduction, middle, settings, name)


def shift_resnet50(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    reduction: float = 1.0,
    expansion: float = EXPANSION,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 1e-4,
    momentum: float = 0.9,
    name: str = "shift_resnet50",
) -> keras.Model:
    """ResNet50 with Conv-Shift-Conv in the place of its 3x3 convolutions.

    Source: Ch. 6 Table 3. Ours: the thesis does not describe this network.
    Bottlenecks that keep their outer 1x1 convolutions, E = 3, and widths
    int(C / √r) give the printed 22, 11 and 6.0 million parameters with r of 1,
    2 and 4, all three. As resnet50(), but:

    Args:
      expansion: E.
    """
    settings = shift_modules.Settings(weight_decay, momentum)

    def middle(x: tf.Tensor, width: int, strides: int, name: str) -> tf.Tensor:
        x = shift_modules.convolution(
            x,
            int(expansion * width),
            1,
            name=f"{name}_conv2",
            settings=settings,
        )
        x = shift_modules.batch_norm(x, name=f"{name}_bn2", settings=settings)
        x = shift_modules.shift_convolution(
            x,
            width,
            (3, 1, "interleaved"),
            name=f"{name}_conv2_shift",
            settings=settings,
            strides=strides,
        )
        return shift_modules.batch_norm(
            x, name=f"{name}_bn2_shift", settings=settings
        )

    ends_ = (input_shape, mean, std, num_classes)
    return _network(ends_, reduction, middle, settings, name)


def _network(
    ends_: tuple[Sequence[int], Sequence[float], Sequence[float], int],
    reduction: float,
    middle: Callable[[tf.Tensor, int, int, str], tf.Tensor],
    settings: shift_modules.Settings,
    name: str,
) -> keras.Model:
    """ResNet50 with what lies between the outer layers of each bottleneck."""
    if not 0 < reduction <= STAGES[0][1] ** 2:
        raise ValueError(
            f"reduction must be above 0 and leave a channel; got {reduction}"
        )
    *of_image, num_classes = ends_
    image, x = ends.image(*of_image)
    widths = [int(width / math.sqrt(reduction)) for _, width in STAGES]
    x = shift_modules.convolution(
        x, widths[0], 7, name="conv1", settings=settings, strides=2
    )
    x = shift_modules.batch_norm(x, name="bn1", settings=settings)
    x = shift_modules.pool(x, "max", 2, name="pool1")
    for group, width in enumerate(widths, start=1):
        for i in range(STAGES[group - 1][0]):
            strides = 2 if group > 1 and i == 0 else 1
            x = _bottleneck(
                x, width, strides, middle, settings, f"group{group}_{i}"
            )
    return keras.Model(image, ends.logits(x, num_classes, settings), name=name)


def _bottleneck(
    x: tf.Tensor,
    width: int,
    strides: int,
    middle: Callable[[tf.Tensor, int, int, str], tf.Tensor],
    settings: shift_modules.Settings,
    name: str,
) -> tf.Tensor:
    shortcut = shift_modules.projection(
        x, 4 * width, strides, name=name, settings=settings
    )
    x = shift_modules.convolution(
        x, width, 1, name=f"{name}_conv1", settings=settings
    )
    x = shift_modules.batch_norm(x, name=f"{name}_bn1", settings=settings)
    x = middle(x, width, strides, name)
    x = shift_modules.convolution(
        x, 4 * width, 1, name=f"{name}_conv3", settings=settings
    )
    x = shift_modules.batch_norm(
        x, name=f"{name}_bn3", settings=settings, relu=False
    )
    x = keras.layers.Add(name=f"{name}_sum")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
