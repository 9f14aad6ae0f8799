"""Networks that repaint a picture in one style, Ch. 6 §3.4; FORMS."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.layers import instance_norm, shift
from squeeze_tf.shift_applications import reflection

keras = tf.keras

# Name, channels, kernel size, stride of the convolutions before the residual
# modules; released code. The thesis counts three that downsample, of which
# the code's first has stride 1.
_DOWN = (("conv1", 32, 9, 1), ("conv2", 64, 7, 2), ("conv3", 128, 3, 2))
_NUM_RESIDUAL = 5  # Ch. 6 §3.4
# Name, channels, kernel size, factor of the upsampling before it.
_UP = (("deconv1", 64, 5, 2), ("deconv2", 32, 7, 2), ("deconv3", 3, 9, 1))
_SHIFTED = ("conv2", "conv3", "res", "deconv1")
# Form to the convolutions that are a shift and a 1x1 convolution there.
# "shift" is the released code and has the 0.3 million parameters that the
# thesis prints; "shift_all" is the thesis's text, "all but the first and last".
FORMS: dict[str, tuple[str, ...]] = {
    "original": (),
    "shift": _SHIFTED,
    "shift_all": (*_SHIFTED, "deconv2"),
}
# Sides are divided by this and made larger again.
MULTIPLE = 4
# Ours: what the reflections need, 1 pixel of a quarter of the sides.
MIN_SIZE = 8


def style_transformer(
    *,
    form: str = "shift",
    input_shape: Sequence[int | None] = (256, 256, 3),
    name: str | None = None,
) -> keras.Model:
    """Three convolutions down, five residual modules, three convolutions up.

    Source: Ch. 6 §3.4 after Johnson et al. 2016; kernel sizes, reflection,
    nearest-neighbour upsampling and the place of each normalisation are the
    released code's, and so are the shifts: 3 x 3, in contiguous groups.

    The model takes `image` [B, H, W, 3] float, red, green and blue in 0 to
    255, and returns the picture [B, H, W, 3] float, of which values outside 0
    to 255 are to be cut off; shift_applications.stylization does.

    Args:
      form: key of FORMS.
      input_shape: H, W and 3; None for any size. Sizes must be multiples of
        MULTIPLE and at least MIN_SIZE.
      name: of the model; "style_" and the form if not given.

    Raises:
      ValueError: an argument is not as described.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {sorted(FORMS)}; got {form!r}")
    _check(tuple(input_shape))
    x = image = keras.Input(tuple(input_shape), name="image")
    for layer, filters, size, strides in _DOWN:
        x = _convolution(x, filters, size, strides, name=layer, form=form)
        x = _normalized(x, layer, relu=True)
    for number in range(1, _NUM_RESIDUAL + 1):
        x = _residual(x, name=f"res{number}", form=form)
    for layer, filters, size, factor in _UP:
        if factor > 1:
            x = keras.layers.UpSampling2D(factor, name=f"{layer}_up")(x)
        x = _convolution(x, filters, size, 1, name=layer, form=form)
        if layer != _UP[-1][0]:
            x = _normalized(x, layer, relu=True)
    return keras.Model(image, x, name=name or f"style_{form}")


def _check(input_shape: tuple[int | None, ...]) -> None:
    """Refuses shapes that the network does not give back."""
    if len(input_shape) != 3 or input_shape[2] != 3:
        raise ValueError(
            f"input_shape must be height, width and 3; got {input_shape}"
        )
    for side in input_shape[:2]:
        if side is not None and (side < MIN_SIZE or side % MULTIPLE):
            raise ValueError(
                f"height and width must be multiples of {MULTIPLE} and at "
                f"least {MIN_SIZE}; got {input_shape}"
            )


def _convolution(
    x: tf.Tensor, filters: int, size: int, strides: int, *, name: str, form: str
) -> tf.Tensor:
    """A convolution of the mirrored map or, if the form has it, a shift."""
    if name.startswith(FORMS[form]):
        return shift.ShiftConv2D(
            filters, strides=strides, convention="contiguous", name=name
        )(x)
    x = reflection.ReflectionPadding2D(size // 2, name=f"{name}_pad")(x)
    return keras.layers.Conv2D(filters, size, strides=strides, name=name)(x)


def _normalized(x: tf.Tensor, name: str, relu: bool) -> tf.Tensor:
    """Instance normalisation and, where wanted, ReLU."""
    x = instance_norm.InstanceNormalization(name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x: tf.Tensor, *, name: str, form: str) -> tf.Tensor:
    """Two 3x3 convolutions beside the identity; no ReLU after the sum."""
    channels = x.shape[-1]
    y = x
    for step, relu in ((1, True), (2, False)):
        layer = f"{name}_conv{step}"
        y = _convolution(y, channels, 3, 1, name=layer, form=form)
        y = _normalized(y, layer, relu)
    return keras.layers.Add(name=f"{name}_sum")([x, y])
