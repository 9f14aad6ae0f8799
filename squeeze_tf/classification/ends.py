"""The two ends that all classifiers have: normalised image, pooled logits."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.layers import shift_modules

keras = tf.keras

# Images of 0 to 255 become 0 to 1. Ours: what data sets usually have is a
# setting of the run (classification.config).
MEAN, STD = (0.0,), (255.0,)


def image(
    input_shape: Sequence[int], mean: Sequence[float], std: Sequence[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """The input and its normalised form.

    Args:
      input_shape: H, W and channels.
      mean: of each channel, or one for all.
      std: likewise.

    Returns:
      Keras tensors [B, H, W, C]: `image` in 0 to 255, (image - mean) / std.

    Raises:
      ValueError: the shape has no three sizes, or there are neither one nor C
        numbers in mean and std, or std is not above 0.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(
            "input_shape must be height, width and channels; got "
            f"{tuple(input_shape)}"
        )
    channels = input_shape[2]
    if not {len(mean), len(std)} <= {1, channels} or min(std) <= 0:
        raise ValueError(
            f"mean and std must have 1 or {channels} numbers, as the image has "
            f"channels, and std be above 0; got {tuple(mean)}, {tuple(std)}"
        )
    x = keras.Input(tuple(input_shape), name="image")
    normalized = keras.layers.Normalization(
        mean=list(mean) * (channels // len(mean)),
        variance=[s**2 for s in std] * (channels // len(std)),
        name="normalized",
    )(x)
    return x, normalized


def logits(
    x: tf.Tensor, num_classes: int, settings: shift_modules.Settings
) -> tf.Tensor:
    """Average over all places and a fully connected layer.

    Args:
      x: [B, H, W, C] float Keras tensor.
      num_classes: how many.
      settings: of the network.

    Returns:
      [B, num_classes] float; their softmax are the probabilities.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1; got {num_classes}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.layers.Dense(
        num_classes, kernel_regularizer=settings.regularizer(), name="fc"
    )(x)
