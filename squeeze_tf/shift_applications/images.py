"""Pictures from and to files, in TensorFlow's graphs and outside."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from squeeze_tf import whole_file
from squeeze_tf.data import image_folders


def decode(path: tf.Tensor) -> tf.Tensor:
    """[H, W, 3] uint8 red, green, blue of a PNG, JPEG or BMP file."""
    return tf.io.decode_image(
        tf.io.read_file(path), channels=3, expand_animations=False
    )


def square(image: tf.Tensor, size: int) -> tf.Tensor:
    """The middle of an image whose shorter side is made `size` pixels.

    Source: released code of Ch. 6 §3.4; bilinear, with a wider filter where
    the image becomes smaller.

    Args:
      image: [H, W, 3].
      size: of the result.

    Returns:
      [size, size, 3] float32.
    """
    image = shorter_side(image, size)
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    return tf.ensure_shape(image, [size, size, 3])


def shorter_side(image: tf.Tensor, size: int) -> tf.Tensor:
    """An image made larger or smaller until its shorter side is `size`.

    Args:
      image: [H, W, 3].
      size: pixels.

    Returns:
      [h, w, 3] float32, of the same proportions.
    """
    sides = tf.shape(image)[:2]
    scale = size / tf.reduce_min(sides)  # float64
    wanted = tf.cast(tf.round(tf.cast(sides, scale.dtype) * scale), tf.int32)
    return tf.image.resize(image, wanted, antialias=True)


@contextlib.contextmanager
def naming_damaged(paths: Sequence[str | os.PathLike]) -> Iterator[None]:
    """Turns TensorFlow's complaint about an image into one that names it.

    Raises:
      ValueError: one of `paths` cannot be decoded.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        for path in dict.fromkeys(map(str, paths)):
            try:
                decode(tf.constant(path))
            except (
                tf.errors.InvalidArgumentError,
                tf.errors.NotFoundError,
            ):
                raise ValueError(
                    f"{path}: not a whole image file (PNG, JPEG or BMP)"
                ) from error
        raise


def read(path: str | os.PathLike) -> np.ndarray:
    """[H, W, 3] uint8 red, green, blue, upright as the camera noted.

    Raises:
      ValueError: the file is not a whole image; the message names it.
      OSError: there is no such file.
    """
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with PIL.Image.open(path) as image:
            upright = PIL.ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a whole image file; {error}") from error


def check_suffix(path: str | os.PathLike) -> None:
    """Refuses names whose suffix is no picture's.

    Raises:
      ValueError: names the suffixes that there are.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in image_folders.SUFFIXES:
        raise ValueError(
            f"{path}: expected a name that ends in one of "
            f"{', '.join(image_folders.SUFFIXES)}"
        )


def write(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes a picture in the format of its suffix, whole or not at all.

    Args:
      path: of the picture; its folder must exist.
      image: [H, W, 3] uint8 red, green, blue.

    Raises:
      ValueError: the suffix is no picture's.
      OSError: the file cannot be written.
    """
    check_suffix(path)
    suffix = pathlib.Path(path).suffix.lower()
    kind = PIL.Image.registered_extensions()[suffix]
    with whole_file.replacing(path) as scratch:
        PIL.Image.fromarray(image).save(scratch, format=kind, quality=95)
