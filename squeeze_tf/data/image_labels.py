"""Labelled or detected objects of images; KITTI's text files of them."""

import dataclasses
import os
import pathlib

import numpy as np

from squeeze_tf import whole_file

DONT_CARE = "DontCare"
_NUM_FIELDS = 15  # object development kit, readme: fields without the score
_NO_3D = (-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)
_NO_ALPHA = -10.0


@dataclasses.dataclass(frozen=True)
class ImageLabels:
    """The objects of one image, every array with one entry per object.

    Attributes:
      types: [N] str, names as the data set writes them.
      corners: [N, 4] float64 pixels, x0, y0, x1, y1; edges, so that a width
        is x1 - x0.
      truncated: [N] float64, 0 (inside the image) to 1 (outside); -1 unknown.
      occluded: [N] int32, 0 visible, 1 partly, 2 largely, 3 unknown; -1 where
        the data set does not say.
      alpha: [N] float64 radians, observation angle; -10 unknown.
      is_ignored: [N] bool, objects and regions that are neither to be found
        nor wrong to find: DontCare, "difficult", "iscrowd".
      scores: [N] float64 of detections, or None.
    """

    types: np.ndarray
    corners: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    is_ignored: np.ndarray
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.types)


def make(
    types: list[str] | np.ndarray,
    corners: np.ndarray,
    *,
    truncated: np.ndarray | float = 0.0,
    occluded: np.ndarray | int = 0,
    alpha: np.ndarray | float = _NO_ALPHA,
    is_ignored: np.ndarray | bool = False,
    scores: np.ndarray | None = None,
) -> ImageLabels:
    """Labels with one value for all objects where a data set has none.

    Args:
      types: N names.
      corners: [N, 4] pixels, x0, y0, x1, y1.
      truncated: see ImageLabels, as the fields below.
      occluded: see above.
      alpha: see above.
      is_ignored: see above.
      scores: see above.

    Raises:
      ValueError: arrays of different lengths.
    """
    count = len(types)

    def full(value: object, kind: type) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, kind), (count,)).copy()

    return ImageLabels(
        types=np.array(types, dtype=np.str_).reshape(count),
        corners=np.asarray(corners, np.float64).reshape(count, 4),
        truncated=full(truncated, np.float64),
        occluded=full(occluded, np.int32),
        alpha=full(alpha, np.float64),
        is_ignored=full(is_ignored, np.bool_),
        scores=None if scores is None else full(scores, np.float64),
    )


def select(labels: ImageLabels, chosen: np.ndarray) -> ImageLabels:
    """Some of the objects, by a [N] bool mask or indices."""
    values = {
        field.name: getattr(labels, field.name)
        for field in dataclasses.fields(labels)
    }
    return ImageLabels(
        **{k: v if v is None else v[chosen] for k, v in values.items()}
    )


def read_kitti(path: str | os.PathLike) -> ImageLabels:
    """Reads label_2/NNNNNN.txt, or a file of detections with scores.

    Unlike kitti_object.read_labels it needs no calibration, keeps DontCare
    regions, and leaves out objects without a place in the image (simulated
    ones behind the camera).

    Args:
      path: lines of 15 fields, or 16 with a score; the file may be empty.

    Raises:
      ValueError: a line has the wrong count of fields or text for a number;
        the message names the file and the line.
      OSError: the file cannot be read.
    """
    types, rows = [], []
    lines = pathlib.Path(path).read_text(encoding="latin-1").splitlines()
    for number, line in enumerate(lines, start=1):
        name, *fields = line.split() or [""]
        if not name:
            continue
        if len(fields) not in (_NUM_FIELDS - 1, _NUM_FIELDS):
            raise ValueError(
                f"{path}:{number}: expected {_NUM_FIELDS} or {_NUM_FIELDS + 1} "
                f"fields; got {len(fields) + 1}"
            )
        try:
            values = [float(field) for field in fields]
        except ValueError as error:
            raise ValueError(
                f"{path}:{number}: expected numbers after the type; {error}"
            ) from error
        if any(values[3:7]):
            types.append(name)
            rows.append(values)
    scored = bool(rows) and min(map(len, rows)) == _NUM_FIELDS
    numbers = np.array([row[:14] for row in rows], np.float64).reshape(-1, 14)
    return make(
        types,
        numbers[:, 3:7],
        truncated=numbers[:, 0],
        occluded=numbers[:, 1],
        alpha=numbers[:, 2],
        is_ignored=np.array(types, dtype=np.str_) == DONT_CARE,
        scores=np.array([row[-1] for row in rows]) if scored else None,
    )


def write_kitti(path: str | os.PathLike, labels: ImageLabels) -> None:
    """Writes labels or detections as KITTI's text, whole or not at all.

    What a 2-D box does not say (size, place, rotation) is written as unknown,
    as in the object development kit's readme; a space in a type becomes "_".

    Args:
      path: the text file; its folder must exist.
      labels: what to write; scores become the sixteenth field.

    Raises:
      OSError: the file cannot be written.
    """
    lines = []
    for i, name in enumerate(labels.types):
        fields = [
            f"{labels.truncated[i]:.2f}",
            str(labels.occluded[i]),
            f"{labels.alpha[i]:.2f}",
            *(f"{value:.2f}" for value in (*labels.corners[i], *_NO_3D)),
        ]
        if labels.scores is not None:
            fields.append(f"{labels.scores[i]:.6f}")
        lines.append(f"{name.replace(' ', '_')} {' '.join(fields)}\n")
    whole_file.write(path, "".join(lines))
