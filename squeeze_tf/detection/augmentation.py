"""Random changes of images and their boxes.

Every function is a pure function of its arguments, so that a run repeats
exactly. Boxes are [N, 4] centre x, centre y, width, height in pixels.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How strongly to change training images; the default changes nothing.

    Args:
      drift_x: largest shift to the left or right, pixels of the image file.
        Objects stay whole; what is uncovered gets the mean colour.
      drift_y: likewise up or down.
      flip: mirror left and right in half of the images.
      colour: largest relative change of brightness and contrast; saturation
        changes by as much, hue by a tenth of it (of a full turn).
    """

    drift_x: int = 0
    drift_y: int = 0
    flip: bool = False
    colour: float = 0.0


def augment(
    image: tf.Tensor,
    boxes: tf.Tensor,
    seed: tf.Tensor,
    settings: Augmentation,
    fill: Sequence[float],
    inclusive: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Drift and flip of Ch. 2 §4.1, as in the released code.

    Args:
      image: [H, W, 3] float or uint8.
      boxes: [N, 4] float.
      seed: [2] int.
      settings: how strongly; the colour is left to change_colour().
      fill: [3] colour of what is uncovered.
      inclusive: see mirror().

    Returns:
      The image, of another size where it drifted, and its boxes.
    """
    draws = tf.random.stateless_uniform((3,), seed)
    if settings.drift_x or settings.drift_y:
        limit = tf.constant([settings.drift_x, settings.drift_y], tf.float32)
        # Cropping from the left and top goes no farther than the first object,
        # and leaves half of the image.
        low = tf.reduce_min(boxes[:, :2] - boxes[:, 2:] / 2, axis=0)
        half = tf.cast(tf.shape(image)[1::-1], tf.float32) / 2
        most = tf.minimum(limit, tf.maximum(tf.floor(tf.minimum(low, half)), 0))
        shift = tf.floor(-limit + draws[:2] * (most + limit + 1))
        shift = tf.cast(tf.minimum(shift, most), tf.int32)
        image, boxes = drift(image, boxes, shift[1], shift[0], fill)
    if settings.flip:
        image, boxes = tf.cond(
            draws[2] < 0.5,
            lambda: mirror(image, boxes, inclusive),
            lambda: (image, boxes),
        )
    return image, boxes


def drift(
    image: tf.Tensor,
    boxes: tf.Tensor,
    dy: tf.Tensor,
    dx: tf.Tensor,
    fill: Sequence[float],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts dx columns off the left and dy rows off the top; adds if negative.

    Args:
      image: [H, W, 3].
      boxes: [N, 4] float.
      dy: int scalar.
      dx: int scalar.
      fill: [3] colour of added pixels.

    Returns:
      [H - dy, W - dx, 3] of the image's dtype, and its boxes.
    """
    image = image[tf.maximum(dy, 0) :, tf.maximum(dx, 0) :]
    fill = tf.cast(
        tf.round(fill) if image.dtype.is_integer else fill, image.dtype
    )
    paddings = [[tf.maximum(-dy, 0), 0], [tf.maximum(-dx, 0), 0], [0, 0]]
    image = tf.pad(image - fill, paddings) + fill
    shift = tf.cast(tf.stack([dx, dy, 0, 0]), boxes.dtype)
    return image, boxes - shift


def mirror(
    image: tf.Tensor, boxes: tf.Tensor, inclusive: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Left becomes right; `inclusive` mirrors centres as the released code.

    It counts the last pixel as W - 1, and so moves centres by one pixel.
    """
    width = tf.cast(tf.shape(image)[1], boxes.dtype)
    x = width - boxes[:, :1] - (1 if inclusive else 0)
    return image[:, ::-1], tf.concat([x, boxes[:, 1:]], axis=1)


def change_colour(
    image: tf.Tensor, seed: tf.Tensor, strength: float
) -> tf.Tensor:
    """Brightness, contrast, saturation and hue at random.

    Args:
      image: [H, W, 3] float in 0 to 255.
      seed: [2] int.
      strength: see Augmentation.colour.

    Returns:
      [H, W, 3] float in 0 to 255.
    """
    low, high = 1 - strength, 1 + strength
    seeds = tf.random.experimental.stateless_split(seed, 5)[1:]  # not augment's
    image = tf.image.stateless_random_saturation(
        image / 255, low, high, seeds[0]
    )
    image = tf.image.stateless_random_hue(image, strength / 10, seeds[1])
    image = tf.image.stateless_random_contrast(image, low, high, seeds[2])
    brightness = tf.random.stateless_uniform((), seeds[3], low, high)
    return tf.clip_by_value(image * brightness, 0, 1) * 255
