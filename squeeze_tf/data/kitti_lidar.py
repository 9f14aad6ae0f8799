"""KITTI scans with 3-D boxes, and point labels made from the boxes."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

from squeeze_tf.data import kitti_object, label_maps
from squeeze_tf.geometry import calibration, oriented_boxes


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The labelled objects around one scan.

    Attributes:
      types: N type names (Car, Pedestrian, Cyclist, ...).
      boxes: [N, 7] float64, x, y, z of the geometric centre, length, width,
        height in metres, yaw in radians; LiDAR frame.
      track_ids: [N] int32, -1 where none.
    """

    types: list[str]
    boxes: np.ndarray
    track_ids: np.ndarray


def read_object_boxes(path: str | os.PathLike) -> Boxes:
    """Boxes of label_2/NNNNNN.txt with ../calib/NNNNNN.txt beside it.

    Args:
      path: the label file.

    Returns:
      The boxes, without DontCare regions.

    Raises:
      ValueError, OSError: as `kitti_object.read_labels` and
        `calibration.read`.
    """
    objects = kitti_object.read_labels(
        path, calibration.read(calibration_path(path))
    )
    return Boxes(objects.types, objects.boxes, objects.track_ids)


def calibration_path(path: str | os.PathLike) -> pathlib.Path:
    """The calibration that belongs to a file label_2/NNNNNN.txt."""
    path = pathlib.Path(path)
    return path.parent.parent / "calib" / path.name


def read_tracklets(path: str | os.PathLike) -> dict[int, Boxes]:
    """Boxes of a KITTI raw tracklet_labels.xml.

    Source: KITTI raw data development kit, readme: each item has a type,
    h, w, l, a first frame and one pose per frame; tx, ty, tz is the bottom
    centre in LiDAR coordinates and rz the yaw (rx and ry are 0).

    Args:
      path: the file.

    Returns:
      Frame number to its boxes; frames without any are not in the dict.

    Raises:
      ValueError: not XML, or a tracklet without one of these fields.
      OSError: the file cannot be read.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not XML: {error}") from error
    tracklets = root.find("tracklets")
    if tracklets is None:
        raise ValueError(
            f"{path}: expected an element tracklets; got <{root.tag}> with "
            f"{sorted({child.tag for child in root})}"
        )
    frames: dict[int, list[tuple[str, list[float], int]]] = {}
    for track_id, item in enumerate(tracklets.findall("item")):
        where = f"{path}: tracklet {track_id}"
        name = item.findtext("objectType")
        if name is None:
            raise ValueError(f"{where} lacks objectType")
        height, width, length, first = _numbers(
            where, item, ("h", "w", "l", "first_frame")
        )
        for step, pose in enumerate(item.findall("poses/item")):
            x, y, z, yaw = _numbers(where, pose, ("tx", "ty", "tz", "rz"))
            box = [x, y, z + height / 2.0, length, width, height, yaw]
            frames.setdefault(int(first) + step, []).append(
                (name.strip(), box, track_id)
            )
    return {
        frame: Boxes(
            [name for name, _, _ in rows],
            np.array([box for _, box, _ in rows], np.float64),
            np.array([track_id for _, _, track_id in rows], np.int32),
        )
        for frame, rows in sorted(frames.items())
    }


def empty() -> Boxes:
    """No objects."""
    return Boxes([], np.zeros((0, 7)), np.zeros(0, np.int32))


def point_labels(
    points: np.ndarray,
    types: Sequence[str],
    boxes: np.ndarray,
    label_map: label_maps.LabelMap,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels points by the box they lie in.

    A point in several boxes belongs to the one whose centre is nearer
    (ours: the thesis does not say; boxes of neighbours overlap a little).

    Source: SqueezeSeg (Ch. 3) §3.4: all points within an object's 3-D box
    are part of the object.

    Args:
      points: [N, 3 or more] float metres, LiDAR frame.
      types: M type names.
      boxes: [M, 7] float, as in `Boxes`.
      label_map: with `types`; boxes of a type in class 0 leave their points
        background.

    Returns:
      class_ids: [N] int32, 0 outside all boxes.
      instance_ids: [N] int32, one more than the place of the box in `boxes`,
        0 for background.

    Raises:
      ValueError: a type outside the map, or shapes that do not fit.
    """
    if len(types) != len(boxes):
        raise ValueError(
            "types and boxes must be equally many; "
            f"got {len(types)} and {len(boxes)}"
        )
    box_classes = label_maps.type_ids(label_map, types)
    nearest = np.full(len(points), np.inf)
    class_ids = np.zeros(len(points), np.int32)
    instance_ids = np.zeros(len(points), np.int32)
    inside = oriented_boxes.contains(boxes, points)  # [M, N]
    for index, box in enumerate(np.asarray(boxes)):
        held = np.flatnonzero(inside[index])
        distance = np.linalg.norm(points[held, :3] - box[:3], axis=1)
        won = held[distance < nearest[held]]
        nearest[held] = np.minimum(nearest[held], distance)
        class_ids[won] = box_classes[index]
        instance_ids[won] = index + 1 if box_classes[index] else 0
    return class_ids, instance_ids


def _numbers(
    where: str, element: ElementTree.Element, names: Sequence[str]
) -> list[float]:
    """The numbers in the named children of an element."""
    texts = [element.findtext(name) for name in names]
    try:
        return [float(text) for text in texts]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: expected numbers {', '.join(names)}; got {texts}"
        ) from error
