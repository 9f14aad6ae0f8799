"""KITTI object and tracking labels to and from boxes of the LiDAR frame."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from squeeze_tf import whole_file
from squeeze_tf.geometry import calibration as calibration_lib

_DONT_CARE = "DontCare"
_NUM_FIELDS = 15  # object development kit, readme: fields without the score


@dataclasses.dataclass(frozen=True)
class Objects:
    """The labelled or predicted objects of one frame.

    Attributes:
      types: N type names as written in the file (Car, Pedestrian, ...).
      boxes: [N, 7] float64, x, y, z of the geometric centre, length, width,
        height in metres, yaw in radians from +x to +y; LiDAR frame.
      image_boxes: [N, 4] float64 pixels, x0, y0, x1, y1.
      truncated: [N] float64, 0 (inside the image) to 1 (outside); -1 where
        unknown. Tracking files hold 0, 1 or 2.
      occluded: [N] int32, 0 visible, 1 partly, 2 largely, 3 unknown.
      alpha: [N] float64 radians, observation angle.
      track_ids: [N] int32, -1 where none.
      scores: [N] float64 of predictions, or None.
    """

    types: list[str]
    boxes: np.ndarray
    image_boxes: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    track_ids: np.ndarray
    scores: np.ndarray | None = None


def read_labels(
    path: str | os.PathLike, calibration: calibration_lib.Calibration
) -> Objects:
    """Reads label_2/NNNNNN.txt; DontCare regions are left out.

    Source: KITTI object development kit, readme. The file gives the bottom
    centre in the rectified frame of camera 0 and rotation_y; the heading is
    turned into the LiDAR frame and its small vertical part dropped, since
    boxes stand upright there.

    Args:
      path: the label file; lines of 15 fields, or 16 with a score.
      calibration: of the same frame.

    Returns:
      The objects in the file's order; `scores` only if every line has one.

    Raises:
      ValueError: a line has the wrong count of fields or text for a number;
        the message names the file and the line.
      OSError: the file cannot be read.
    """
    rows = [row for row in _rows(path, skip=0) if row.type_name != _DONT_CARE]
    return _objects(rows, [-1] * len(rows), calibration)


def read_dont_care(path: str | os.PathLike) -> np.ndarray:
    """Image regions of label_2/NNNNNN.txt that nobody labelled.

    Args:
      path: as in `read_labels`, with the same errors.

    Returns:
      [N, 4] float64 pixels, x0, y0, x1, y1.
    """
    rows = [
        row.numbers[3:7]
        for row in _rows(path, skip=0)
        if row.type_name == _DONT_CARE
    ]
    return np.array(rows, np.float64).reshape(-1, 4)


def read_tracking_labels(
    path: str | os.PathLike, calibration: calibration_lib.Calibration
) -> dict[int, Objects]:
    """Reads a KITTI tracking label file: frame and track id before each line.

    Args:
      path: the label file of one sequence.
      calibration: of the sequence.

    Returns:
      Frame number to its objects with `track_ids`; a frame whose lines are
      all DontCare has none, a frame without lines is not in the dict.

    Raises:
      ValueError, OSError: as `read_labels`.
    """
    frames: dict[int, list[_Row]] = {}
    for row in _rows(path, skip=2):
        kept = frames.setdefault(int(row.before[0]), [])
        if row.type_name != _DONT_CARE:
            kept.append(row)
    return {
        frame: _objects(rows, [int(row.before[1]) for row in rows], calibration)
        for frame, rows in frames.items()
    }


def write_labels(
    path: str | os.PathLike,
    objects: Objects,
    calibration: calibration_lib.Calibration,
) -> None:
    """Writes label_2/NNNNNN.txt, whole or not at all.

    The exact inverse of `read_labels` up to the two decimals of the format;
    track ids have no place in it.

    Args:
      path: the text file; its folder must exist.
      objects: what to write; scores become the sixteenth field.
      calibration: of the same frame.

    Raises:
      ValueError: the arrays of `objects` differ in length.
      OSError: the file cannot be written.
    """
    _check_lengths(objects)
    bottoms, rotations = _lidar_to_camera(objects.boxes, calibration)
    lines = []
    for index, type_name in enumerate(objects.types):
        length, width, height = objects.boxes[index, 3:6]
        numbers = [
            objects.alpha[index],
            *objects.image_boxes[index],
            *(height, width, length),
            *bottoms[index],
            rotations[index],
        ]
        if objects.scores is not None:
            numbers.append(objects.scores[index])
        text = " ".join(f"{number:.2f}" for number in numbers)
        lines.append(
            f"{type_name} {objects.truncated[index]:.2f} "
            f"{int(objects.occluded[index])} {text}\n"
        )
    whole_file.write(path, "".join(lines))


@dataclasses.dataclass(frozen=True)
class _Row:
    """One line of a label file: what stands before the type, and after."""

    before: list[str]
    type_name: str
    numbers: list[float]


def _rows(path: str | os.PathLike, skip: int) -> list[_Row]:
    """Parses the lines of a label file with `skip` fields before the type."""
    rows = []
    wanted = (skip + _NUM_FIELDS, skip + _NUM_FIELDS + 1)
    text = pathlib.Path(path).read_text(encoding="latin-1")
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        # Tracking files give DontCare 17 fields too; results add a score.
        if len(fields) not in wanted:
            raise ValueError(
                f"{path}:{number}: expected {wanted[0]} or {wanted[1]} "
                f"fields; got {len(fields)}"
            )
        try:
            before = [str(int(field)) for field in fields[:skip]]
            numbers = [float(field) for field in fields[skip + 1 :]]
        except ValueError as error:
            raise ValueError(
                f"{path}:{number}: expected numbers around the type; {error}"
            ) from error
        rows.append(_Row(before, fields[skip], numbers))
    return rows


def _objects(
    rows: Sequence[_Row],
    track_ids: Sequence[int],
    calibration: calibration_lib.Calibration,
) -> Objects:
    """Objects of parsed lines."""
    numbers = np.array(
        [row.numbers[: _NUM_FIELDS - 1] for row in rows], np.float64
    ).reshape(-1, _NUM_FIELDS - 1)
    is_scored = bool(rows) and all(
        len(row.numbers) == _NUM_FIELDS for row in rows
    )
    return Objects(
        types=[row.type_name for row in rows],
        boxes=_camera_to_lidar(numbers[:, 7:14], calibration),
        image_boxes=numbers[:, 3:7],
        truncated=numbers[:, 0],
        occluded=numbers[:, 1].astype(np.int32),
        alpha=numbers[:, 2],
        track_ids=np.array(track_ids, np.int32),
        scores=np.array([row.numbers[-1] for row in rows])
        if is_scored
        else None,
    )


def _camera_to_lidar(
    sizes_places: np.ndarray, calibration: calibration_lib.Calibration
) -> np.ndarray:
    """[N, 7] height, width, length, bottom x, y, z, rotation_y to boxes."""
    height, width, length = sizes_places[:, :3].T
    centres = sizes_places[:, 3:6].copy()
    centres[:, 1] -= height / 2.0  # camera y points down
    rotation_y = sizes_places[:, 6]
    # rotation_y = 0 heads along camera x and turns towards -z.
    heading = np.stack([np.cos(rotation_y), -np.sin(rotation_y)])
    ahead = _heading_matrix(calibration) @ heading
    return np.column_stack(
        [
            calibration_lib.rectified_to_lidar(calibration, centres),
            *(length, width, height),
            np.arctan2(ahead[1], ahead[0]),
        ]
    )


def _lidar_to_camera(
    boxes: np.ndarray, calibration: calibration_lib.Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """Bottom centres [N, 3] and rotation_y [N] of boxes."""
    bottoms = calibration_lib.lidar_to_rectified(calibration, boxes[:, :3])
    bottoms[:, 1] += boxes[:, 5] / 2.0
    ahead = np.stack([np.cos(boxes[:, 6]), np.sin(boxes[:, 6])])
    heading = np.linalg.solve(_heading_matrix(calibration), ahead)
    return bottoms, np.arctan2(-heading[1], heading[0])


def _heading_matrix(calibration: calibration_lib.Calibration) -> np.ndarray:
    """[2, 2] from a heading's camera x, z to its LiDAR x, y."""
    to_lidar = np.linalg.inv(
        (calibration.rectification @ calibration.velo_to_cam)[:, :3]
    )
    return to_lidar[:2][:, [0, 2]]


def _check_lengths(objects: Objects) -> None:
    """Raises a ValueError unless every array has one row per type."""
    for field in dataclasses.fields(objects):
        value = getattr(objects, field.name)
        if value is not None and len(value) != len(objects.types):
            raise ValueError(
                f"objects.{field.name} must have one entry per type "
                f"({len(objects.types)}); got {len(value)}"
            )
