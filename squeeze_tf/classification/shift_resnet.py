"""ShiftResNet, ResNet and DWResNet for small images, Ch. 6 §3.1.

All are a 3x3 convolution of 16 channels, three groups of modules with 16, 32
and 64 channels, the latter two of stride 2, and a fully connected layer. Maps
of 32 x 32 pixels end as 8 x 8, those of 8 x 8 as 2 x 2.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from squeeze_tf.classification import ends
from squeeze_tf.layers import shift_modules

keras = tf.keras

WIDTHS = (16, 32, 64)  # Ch. 6 §3.1
RULES = ("module", "net")
FORMS = ("released", "thesis")
# A module: input, output channels, stride, name of its layers.
_Module = Callable[[tf.Tensor, int, int, str], tf.Tensor]


def shift_resnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    depth: int = 20,
    expansion: float = 3.0,
    form: str = "released",
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    name: str = "shift_resnet",
) -> keras.Model:
    """ResNet whose modules are CSC.

    Source: Ch. 6 §3.1, Tables 1-2, 4-6: ShiftResNet`depth`-`expansion`.

    The model takes `image` [B, H, W, C] float in 0 to 255 and returns logits
    [B, num_classes] float.

    Args:
      input_shape: H, W, C.
      num_classes: how many.
      depth: 6 n + 2 for n modules in a group.
      expansion: E of every module.
      form: "released", whose parameters the tables count, or "thesis", the
        module of §2.3 with concatenation.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels.
      momentum: of the batch normalisation's averages.
      name: of the model.

    Raises:
      ValueError: an argument is not as described.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {FORMS}; got {form!r}")
    csc = {"released": shift_modules.csc_released, "thesis": shift_modules.csc}
    settings = shift_modules.Settings(weight_decay, momentum)

    def module(x: tf.Tensor, width: int, strides: int, name: str) -> tf.Tensor:
        return csc[form](
            x,
            width,
            expansion=expansion,
            strides=strides,
            name=name,
            settings=settings,
        )

    ends_ = (input_shape, mean, std, num_classes)
    return _network(ends_, depth, WIDTHS, module, settings, name)


def resnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    depth: int = 20,
    reduction: float = 1.0,
    rule: str = "net",
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    name: str = "resnet",
) -> keras.Model:
    """ResNet of two 3x3 convolutions in a module, with fewer channels.

    Source: Ch. 6 §3.1. As shift_resnet(), but:

    Args:
      reduction: r, about how many times fewer parameters there are.
      rule: "module", between the convolutions of a module are int(C / r) of C
        channels, or "net", all layers have int(C / √r).
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {RULES}; got {rule!r}")
    widths, share = reduced(reduction, rule)
    settings = shift_modules.Settings(weight_decay, momentum)

    def module(x: tf.Tensor, width: int, strides: int, name: str) -> tf.Tensor:
        shortcut = shift_modules.projection(
            x, width, strides, name=name, settings=settings
        )
        for step, filters in enumerate((int(width / share), width), start=1):
            x = shift_modules.convolution(
                x,
                filters,
                3,
                name=f"{name}_conv{step}",
                settings=settings,
                strides=strides if step == 1 else 1,
            )
            x = shift_modules.batch_norm(
                x, name=f"{name}_bn{step}", settings=settings, relu=step == 1
            )
        return _relu_of_sum(x, shortcut, name)

    ends_ = (input_shape, mean, std, num_classes)
    return _network(ends_, depth, widths, module, settings, name)


def dw_resnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    depth: int = 20,
    reduction: float = 1.0,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    name: str = "dw_resnet",
) -> keras.Model:
    """ResNet whose modules have a depthwise 3x3 convolution for the shift.

    Source: Ch. 6 §3.1, Table 6; released code: the first 1x1 convolution of a
    module makes int(C / r) channels, no ReLU follows the depthwise one, and
    one follows the sum. As shift_resnet(), but:

    Args:
      reduction: r, smaller than 1 for more channels.
    """
    widths, share = reduced(reduction, "module")
    settings = shift_modules.Settings(weight_decay, momentum)

    def module(x: tf.Tensor, width: int, strides: int, name: str) -> tf.Tensor:
        shortcut = shift_modules.projection(
            x, width, strides, name=name, settings=settings
        )
        steps = ((int(width / share), 1), (None, 3), (width, 1))
        for step, (filters, size) in enumerate(steps, start=1):
            x = shift_modules.convolution(
                x,
                filters,
                size,
                name=f"{name}_conv{step}",
                settings=settings,
                strides=strides if step == 3 else 1,
            )
            x = shift_modules.batch_norm(
                x, name=f"{name}_bn{step}", settings=settings, relu=step == 1
            )
        return _relu_of_sum(x, shortcut, name)

    ends_ = (input_shape, mean, std, num_classes)
    return _network(ends_, depth, widths, module, settings, name)


def reduced(reduction: float, rule: str) -> tuple[tuple[int, ...], float]:
    """Widths of the groups, and the divisor inside a module.

    Source: Ch. 6 §3.1; the roundings are the released code's.

    Raises:
      ValueError: so large a reduction leaves no channel.
    """
    if not 0 < reduction <= {"module": WIDTHS[0], "net": WIDTHS[0] ** 2}[rule]:
        raise ValueError(
            f'reduction must be above 0 and leave a channel by rule "{rule}"; '
            f"got {reduction}"
        )
    if rule == "module":
        return WIDTHS, reduction
    return tuple(int(width / math.sqrt(reduction)) for width in WIDTHS), 1.0


def modules_per_group(depth: int) -> int:
    """n of a network of 6 n + 2 layers, Ch. 6 §3.1."""
    if depth < 8 or depth % 6 != 2:
        raise ValueError(
            f"depth must be 6 n + 2, as 8, 14, 20, 56 or 110; got {depth}"
        )
    return (depth - 2) // 6


def _network(
    ends_: tuple[Sequence[int], Sequence[float], Sequence[float], int],
    depth: int,
    widths: Sequence[int],
    module: _Module,
    settings: shift_modules.Settings,
    name: str,
) -> keras.Model:
    """A convolution, three groups of modules and the classifier."""
    *of_image, num_classes = ends_
    image, x = ends.image(*of_image)
    x = shift_modules.convolution(
        x, widths[0], 3, name="conv1", settings=settings
    )
    x = shift_modules.batch_norm(x, name="bn1", settings=settings)
    for group, width in enumerate(widths, start=1):
        for i in range(modules_per_group(depth)):
            strides = 2 if group > 1 and i == 0 else 1
            x = module(x, width, strides, f"group{group}_{i}")
    return keras.Model(image, ends.logits(x, num_classes, settings), name=name)


def _relu_of_sum(x: tf.Tensor, shortcut: tf.Tensor, name: str) -> tf.Tensor:
    x = keras.layers.Add(name=f"{name}_sum")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
