"""3-D boxes that stand upright and turn about the vertical axis."""

import numpy as np

# Corner signs along length, width and height: counter-clockwise seen from
# above, front left first, the bottom four before the top four.
_SIGNS = np.array(
    [
        [1, 1, -1],
        [-1, 1, -1],
        [-1, -1, -1],
        [1, -1, -1],
        [1, 1, 1],
        [-1, 1, 1],
        [-1, -1, 1],
        [1, -1, 1],
    ],
    np.float64,
)


def corners(boxes: np.ndarray) -> np.ndarray:
    """Corner points of boxes.

    Args:
      boxes: [N, 7] float, centre x, y, z, length, width, height in metres
        and yaw in radians from +x to +y; LiDAR frame, z up. The centre is
        the geometric one; length lies along the heading.

    Returns:
      [N, 8, 3] float64 metres. 0-3 are the bottom: front left, rear left,
      rear right, front right; 4-7 are the top ones above them.

    Raises:
      ValueError: `boxes` is not [N, 7].
    """
    boxes = _checked_boxes(boxes)
    offsets = _SIGNS[None] * boxes[:, None, 3:6] / 2.0  # [N, 8, 3]
    cosine = np.cos(boxes[:, 6])[:, None]
    sine = np.sin(boxes[:, 6])[:, None]
    turned = np.stack(
        [
            cosine * offsets[..., 0] - sine * offsets[..., 1],
            sine * offsets[..., 0] + cosine * offsets[..., 1],
            offsets[..., 2],
        ],
        axis=-1,
    )
    return boxes[:, None, :3] + turned


def contains(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points lie inside which boxes, faces included.

    Source: SqueezeSeg (Ch. 3) §3.4: all points within an object's 3-D box
    are part of the object.

    Args:
      boxes: [N, 7] float, as in `corners`.
      points: [M, 3] float metres, the same frame; further columns (such as
        intensity) are ignored.

    Returns:
      [N, M] bool.

    Raises:
      ValueError: `boxes` is not [N, 7] or `points` is not [M, 3 or more].
    """
    boxes = _checked_boxes(boxes)
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(
            f"points must be [M, 3] or wider (x, y, z); got {points.shape}"
        )
    points = points[:, :3].astype(np.float64)
    inside = np.zeros((len(boxes), len(points)), bool)
    for index, (x, y, z, length, width, height, yaw) in enumerate(boxes):
        dx, dy = points[:, 0] - x, points[:, 1] - y
        along = np.cos(yaw) * dx + np.sin(yaw) * dy
        across = np.cos(yaw) * dy - np.sin(yaw) * dx
        inside[index] = (
            (2.0 * np.abs(along) <= length)
            & (2.0 * np.abs(across) <= width)
            & (2.0 * np.abs(points[:, 2] - z) <= height)
        )
    return inside


def _checked_boxes(boxes: np.ndarray) -> np.ndarray:
    """The boxes as float64 [N, 7]."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise ValueError(
            "boxes must be [N, 7] (x, y, z, length, width, height, yaw); "
            f"got {boxes.shape}"
        )
    return boxes
