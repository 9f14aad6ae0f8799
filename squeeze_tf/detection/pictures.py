"""Boxes drawn on images."""

import os
from collections.abc import Mapping

import cv2
import numpy as np

from squeeze_tf import whole_file
from squeeze_tf.data import class_lists, image_labels

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TRUTH = (255, 255, 255)


def colors(
    classes: tuple[class_lists.ImageClass, ...],
) -> dict[str, tuple[int, int, int]]:
    """Colour of each class and type, red, green, blue."""
    return {
        name: c.color for c in classes for name in (c.name.lower(), *c.types)
    }


def draw(
    image: np.ndarray,
    labels: image_labels.ImageLabels,
    colors: Mapping[str, tuple[int, int, int]],
    *,
    width: int = 2,
    captions: bool = True,
) -> np.ndarray:
    """A copy of an image with boxes on it.

    Args:
      image: [H, W, 3] uint8 red, green, blue.
      labels: what to draw, with the score where there is one.
      colors: of the types, lower case; others are white.
      width: of the lines, pixels.
      captions: whether to write type and score.

    Returns:
      [H, W, 3] uint8.
    """
    picture = np.array(image, order="C")
    for i, name in enumerate(labels.types):
        color = colors.get(str(name).lower(), _TRUTH)
        x0, y0, x1, y1 = (int(round(v)) for v in labels.corners[i])
        cv2.rectangle(picture, (x0, y0), (x1, y1), color, width)
        if captions:
            text = str(name)
            if labels.scores is not None:
                text += f" {labels.scores[i]:.2f}"
            place = (x0, y0 - 3 if y0 > 14 else y1 + 12)
            cv2.putText(picture, text, place, _FONT, 0.4, (0, 0, 0), 3)
            cv2.putText(picture, text, place, _FONT, 0.4, color, 1)
    return picture


def read(path: str | os.PathLike) -> np.ndarray:
    """[H, W, 3] uint8 red, green, blue of an image file, as it is stored.

    A camera's note that the image is to be turned (EXIF) is not heeded, as it
    is not by the network's input.

    Raises:
      ValueError: the file is not an image.
    """
    image = cv2.imread(
        str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    if image is None:
        raise ValueError(f"{path}: not an image file")
    return image[..., ::-1]


def write(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes an image as PNG or JPEG, by its suffix, whole or not at all."""
    suffix = os.path.splitext(os.fspath(path))[1]
    is_encoded, content = cv2.imencode(suffix, image[..., ::-1])
    if not is_encoded:
        raise OSError(f"{path}: the image {image.shape} cannot be encoded")
    whole_file.write(path, content.tobytes())
