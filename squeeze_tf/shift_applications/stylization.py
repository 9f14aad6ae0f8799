"""A style network at work on pictures of any size."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from squeeze_tf.shift_applications import style_transfer

keras = tf.keras

Painter = Callable[[np.ndarray], np.ndarray]


def painter(model: keras.Model, form: str) -> Painter:
    """A function that repaints pictures of any size.

    Ours: a picture is enlarged by its mirror image to a size that the network
    gives back, and what was added is cut off again.

    Args:
      model: trained style_transfer.style_transformer().
      form: of it, key of style_transfer.FORMS.

    Returns:
      A function of [H, W, 3] uint8 red, green, blue to the same.
    """
    any_size = style_transfer.style_transformer(
        form=form, input_shape=(None, None, 3)
    )
    any_size.set_weights(model.get_weights())
    run = tf.function(
        lambda x: any_size(x, training=False),
        input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)],
    )

    def paint(image: np.ndarray) -> np.ndarray:
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"image must be [H, W, 3]; got {image.shape}")
        height, width = image.shape[:2]
        whole = np.pad(
            image, [*map(_added, (height, width)), (0, 0)], "symmetric"
        )
        made = run(tf.constant(whole[np.newaxis], tf.float32))[0].numpy()
        made = made[:height, :width]
        return np.clip(np.rint(made), 0, 255).astype(np.uint8)

    return paint


def _added(side: int) -> tuple[int, int]:
    """Pixels to add before and after, so that the network can take a side."""
    multiple = style_transfer.MULTIPLE
    wanted = max(-(-side // multiple) * multiple, style_transfer.MIN_SIZE)
    return 0, wanted - side
