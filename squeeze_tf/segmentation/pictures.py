"""Pictures of projected scans: range, labels, prediction beside truth."""

import os
import pathlib

import cv2
import numpy as np

from squeeze_tf import whole_file

_NEAR, _FAR = 2.0, 60.0  # metres that span the colours
_ROW_SCALE = 2  # cells are wider than high on the sphere


def depth(grid: np.ndarray) -> np.ndarray:
    """Ranges as colours, near red and far blue; black without return.

    Args:
      grid: [H, W, 5] x, y, z, intensity, range in metres.

    Returns:
      [2 H, W, 3] uint8, red, green, blue.
    """
    distance = grid[..., 4]
    span = np.log(_FAR / _NEAR)
    value = 1 - np.log(np.maximum(distance, _NEAR) / _NEAR) / span
    gray = (np.clip(value, 0, 1) * 255).astype(np.uint8)
    colors = cv2.applyColorMap(gray, cv2.COLORMAP_JET)[..., ::-1]
    return _scaled(np.where((distance > 0)[..., None], colors, 0))


def labels(
    grid: np.ndarray, label_ids: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """Classes as colours over the shaded scan; class 0 stays gray.

    Args:
      grid: [H, W, 5] x, y, z, intensity, range in metres.
      label_ids: [H, W] int class ids; negative ones count as 0.
      colors: [C, 3] uint8, red, green, blue.

    Returns:
      [2 H, W, 3] uint8, red, green, blue.
    """
    distance = grid[..., 4]
    shade = 200 * np.exp(-distance / 30)[..., None] + 40  # farther is darker
    known = np.clip(label_ids, 0, None)
    picture = np.where((known > 0)[..., None], colors[known], shade)
    return _scaled(np.where((distance > 0)[..., None], picture, 0))


def stack(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Pictures of one width below each other, each under its title."""
    parts = []
    for title, picture in rows.items():
        bar = np.zeros((16, picture.shape[1], 3), np.uint8)
        cv2.putText(
            bar,
            title,
            (4, 12),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
        parts += [bar, picture.astype(np.uint8)]
    return np.concatenate(parts)


def write(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes [H, W, 3] uint8 red, green, blue as PNG, whole or not at all."""
    path = pathlib.Path(path)
    done, content = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ValueError(f"{path}: OpenCV cannot encode {picture.shape}")
    whole_file.write(path, content.tobytes())


def _scaled(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture.astype(np.uint8), _ROW_SCALE, axis=0)
