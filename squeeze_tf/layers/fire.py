"""Fire and fire-deconvolution blocks of SqueezeNet's heirs, Ch. 2 and 3."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

keras = tf.keras


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """What all convolutions of one network have in common.

    Args:
      weight_decay: λ of the penalty λ/2 |w|² on every kernel.
      batch_norm: normalise after the ReLU of each convolution, as the released
        SqueezeSegV2 does; Ch. 5 §3.3 does not say where.
      momentum: of the moving averages of the normalisation.
      synchronized: share batch statistics between replicas.
      before_relu: normalise before the ReLU instead. Ours: training
        detectors was steadier so (experiments/RESULTS.md).
    """

    weight_decay: float = 1e-4
    batch_norm: bool = False
    momentum: float = 0.999
    synchronized: bool = False
    before_relu: bool = False

    def regularizer(self) -> keras.regularizers.Regularizer | None:
        """Keras writes λ|w|² where the thesis's code writes λ/2 |w|²."""
        if not self.weight_decay:
            return None
        return keras.regularizers.L2(self.weight_decay / 2)


def convolution(
    x: tf.Tensor,
    filters: int,
    kernel_size: int | tuple[int, int],
    *,
    name: str,
    settings: Convolutions,
    strides: int | tuple[int, int] = 1,
    padding: str = "same",
) -> tf.Tensor:
    """Convolution, bias, ReLU and, where set, batch normalisation.

    Args:
      x: [B, H, W, C] float Keras tensor.
      filters: output channels.
      kernel_size: as in keras.layers.Conv2D.
      name: of the convolution; "_bn" is appended for the normalisation.
      settings: what the network's convolutions share.
      strides: as in keras.layers.Conv2D.
      padding: as in keras.layers.Conv2D.

    Returns:
      [B, H / strides, W / strides, filters] float, of padding "same".
    """
    relu_last = settings.batch_norm and settings.before_relu
    x = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        activation=None if relu_last else "relu",
        kernel_initializer="he_normal",
        kernel_regularizer=settings.regularizer(),
        name=name,
    )(x)
    if settings.batch_norm:
        x = keras.layers.BatchNormalization(
            momentum=settings.momentum,
            epsilon=1e-5,
            synchronized=settings.synchronized,
            name=f"{name}_bn",
        )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu_last else x


def fire(
    x: tf.Tensor,
    *,
    squeeze: int,
    expand: int,
    name: str,
    settings: Convolutions,
) -> tf.Tensor:
    """Squeeze to few channels, expand by 1x1 and 3x3 side by side.

    Source: Ch. 3 §3.2, Fig. 4 (left).

    Args:
      x: [B, H, W, C] float Keras tensor.
      squeeze: channels of the 1x1 squeeze layer.
      expand: channels of each of the two expand layers.
      name: prefix of the layers.
      settings: what the network's convolutions share.

    Returns:
      [B, H, W, 2 * expand] float.
    """
    x = convolution(x, squeeze, 1, name=f"{name}_squeeze1x1", settings=settings)
    return _expand(x, expand, name=name, settings=settings)


def fire_deconv(
    x: tf.Tensor,
    *,
    squeeze: int,
    expand: int,
    name: str,
    settings: Convolutions,
) -> tf.Tensor:
    """Fire block that doubles the width between squeeze and expand.

    Source: Ch. 3 §3.2, Fig. 4 (right): a 1x4 transposed convolution of stride
    (1, 2), started as bilinear interpolation of each channel.

    Args:
      x: [B, H, W, C] float Keras tensor.
      squeeze: channels of the squeeze and the transposed convolution.
      expand: channels of each of the two expand layers.
      name: prefix of the layers.
      settings: what the network's convolutions share.

    Returns:
      [B, H, 2 * W, 2 * expand] float.
    """
    x = convolution(x, squeeze, 1, name=f"{name}_squeeze1x1", settings=settings)
    x = keras.layers.Conv2DTranspose(
        squeeze,
        (1, 4),
        strides=(1, 2),
        padding="same",
        activation="relu",
        kernel_initializer=BilinearWidth(),
        kernel_regularizer=settings.regularizer(),
        name=f"{name}_deconv",
    )(x)
    return _expand(x, expand, name=name, settings=settings)


@keras.utils.register_keras_serializable("squeeze_tf")
class BilinearWidth(keras.initializers.Initializer):
    """Kernel [1, 4, C, C] that interpolates the width by two, per channel."""

    def __call__(
        self, shape: Sequence[int], dtype: str | None = None, **kwargs: object
    ) -> tf.Tensor:
        """Weights 1/4, 3/4, 3/4, 1/4 on the diagonal of the channels."""
        if tuple(shape[:2]) != (1, 4):
            raise ValueError(f"kernel must be [1, 4, C, C]; got {shape}")
        taps = np.array([0.25, 0.75, 0.75, 0.25]).reshape(1, 4, 1, 1)
        return tf.constant(taps * np.eye(shape[2], shape[3]), dtype)


def _expand(
    x: tf.Tensor, expand: int, *, name: str, settings: Convolutions
) -> tf.Tensor:
    """The 1x1 and 3x3 expand layers, concatenated in that order."""
    return keras.layers.Concatenate(name=f"{name}_concat")(
        [
            convolution(
                x, expand, 1, name=f"{name}_expand1x1", settings=settings
            ),
            convolution(
                x, expand, 3, name=f"{name}_expand3x3", settings=settings
            ),
        ]
    )
