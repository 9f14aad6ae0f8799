"""Writes frames in the KITTI folder layout, whole or not at all."""

import json
import os
import pathlib
from collections.abc import Mapping

import cv2
import numpy as np

from squeeze_tf import whole_file
from squeeze_tf.data import kitti_object, point_clouds
from squeeze_tf.geometry import calibration as calibration_lib
from squeeze_tf.simulation import raycast, sensors, sequence
from squeeze_tf.simulation import world as world_lib

_TYPES = {10: "Car", 20: "Van", 30: "Pedestrian", 31: "Cyclist"}
# Ours: share of the object's own rays that hit it, from which KITTI's levels
# 0 (fully visible), 1 (partly occluded) and 2 (largely occluded) follow.
_FULLY, _PARTLY = 0.8, 0.4
_MIN_DEPTH = 0.5  # Metres; nearer vertices do not project well.


def write_frame(
    folder: str | os.PathLike,
    frame: sequence.Frame,
    camera: sensors.Camera,
    min_points: int = 5,
) -> None:
    """Writes velodyne, labels, calib, image_2, tracking and label_2 files.

    label_2 comes last: a frame is complete when it exists.

    Args:
      folder: gets training/velodyne/NNNNNN.bin (points in the order of
        KITTI's), training/labels/NNNNNN.label (SemanticKITTI raw ids with
        track ids as instances), training/calib/NNNNNN.txt,
        training/image_2/NNNNNN.png if there is a picture,
        training/tracking/NNNNNN.txt and training/label_2/NNNNNN.txt.
      frame: what to write.
      camera: for the calibration and the boxes in the image.
      min_points: objects with fewer points get no label.

    Raises:
      OSError: a file cannot be written.
    """
    paths = frame_paths(folder, frame.index)
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    scan = frame.scan
    calibration = sensors.camera_calibration(camera)
    order = _order(scan)
    point_clouds.write_bin(paths["velodyne"], scan.points[order])
    point_clouds.write_labels(
        paths["labels"], scan.class_ids[order], scan.instance_ids[order]
    )
    calibration_lib.write(paths["calib"], calibration)
    if frame.picture is not None:
        _write_image(paths["image_2"], frame.picture.rgb)
    objects = objects_of(frame, camera, min_points)
    # The same numbers as label_2, after frame and track id.
    kitti_object.write_labels(paths["tracking"], objects, calibration)
    lines = paths["tracking"].read_text(encoding="ascii").splitlines()
    tracked = [
        f"{frame.index} {track} {line}\n"
        for track, line in zip(objects.track_ids, lines)
    ]
    whole_file.write(paths["tracking"], "".join(tracked))
    kitti_object.write_labels(paths["label_2"], objects, calibration)


def _order(scan: raycast.LidarScan) -> np.ndarray:
    """That of KITTI's files, from which `laser_rings` tells the lasers.

    Each laser turns to the left from straight ahead, the topmost first.
    """
    azimuth = np.arctan2(scan.points[:, 1], scan.points[:, 0]) % (2.0 * np.pi)
    return np.lexsort((azimuth, scan.rows))


def frame_paths(
    folder: str | os.PathLike, index: int
) -> dict[str, pathlib.Path]:
    """The files of a frame by the folder they lie in."""
    training = pathlib.Path(folder) / "training"
    suffixes = {
        "velodyne": "bin",
        "labels": "label",
        "calib": "txt",
        "image_2": "png",
        "tracking": "txt",
        "label_2": "txt",
    }
    return {
        name: training / name / f"{index:06d}.{suffix}"
        for name, suffix in suffixes.items()
    }


def is_complete(folder: str | os.PathLike, index: int) -> bool:
    """Whether the file written last is there."""
    return frame_paths(folder, index)["label_2"].exists()


def objects_of(
    frame: sequence.Frame, camera: sensors.Camera, min_points: int = 5
) -> kitti_object.Objects:
    """The labelled objects of a frame.

    Image boxes enclose the projected vertices, cut at the image's edge;
    truncation is the share cut away (0 to 1). An object behind the camera has
    the box 0 0 0 0 and truncation 1.

    Args:
      frame: the frame.
      camera: whose image the boxes lie in.
      min_points: objects with fewer points are left out.

    Returns:
      The objects in the order of `World.boxes`.
    """
    world = frame.world
    hit = frame.scan.box_index
    counts = np.bincount(hit[hit >= 0], minlength=len(world.boxes))
    kept = np.flatnonzero(counts >= max(min_points, 1))
    boxes = world.boxes[kept]
    image_boxes, truncated = _image_boxes(world, kept, camera)
    shares = sequence.visible_shares(world, frame.caster, frame.sensor)[kept]
    occluded = np.where(shares >= _FULLY, 0, np.where(shares >= _PARTLY, 1, 2))
    # rotation_y turns from the camera's x (right) towards -z (backwards).
    rotation = -boxes[:, 6] - np.pi / 2
    bearing = np.arctan2(-boxes[:, 1], boxes[:, 0])
    alpha = (rotation - bearing + np.pi) % (2 * np.pi) - np.pi
    return kitti_object.Objects(
        types=[_TYPES[int(c)] for c in world.box_classes[kept]],
        boxes=boxes,
        image_boxes=image_boxes,
        truncated=truncated,
        occluded=occluded.astype(np.int32),
        alpha=alpha,
        track_ids=world.box_tracks[kept],
    )


def write_tracking(folder: str | os.PathLike, num_frames: int) -> pathlib.Path:
    """Joins the frames' tracking lines into tracking.txt and returns it.

    Track ids start from 1 again in each sequence (`frames_per_sequence`).
    """
    parts = [
        frame_paths(folder, i)["tracking"].read_text(encoding="ascii")
        for i in range(num_frames)
    ]
    path = pathlib.Path(folder) / "tracking.txt"
    whole_file.write(path, "".join(parts))
    return path


def write_manifest(
    folder: str | os.PathLike, content: Mapping[str, object]
) -> pathlib.Path:
    """Writes manifest.json and returns its path.

    Args:
      folder: the data set's.
      content: what JSON can hold.

    Raises:
      ValueError: the folder already has a manifest that says otherwise; its
        frames would not belong together.
    """
    path = pathlib.Path(folder) / "manifest.json"
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        now = json.loads(text)
        differing = sorted(
            key
            for key in before.keys() | now.keys()
            if before.get(key) != now.get(key)
        )
        if differing:
            raise ValueError(
                f"{path} was written with another {', '.join(differing)}; "
                "expected the same ones or an empty folder"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(path, text)
    return path


def _write_image(path: pathlib.Path, rgb: np.ndarray) -> None:
    """Writes a PNG, whole or not at all."""
    is_encoded, content = cv2.imencode(
        ".png", rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    if not is_encoded:
        raise OSError(f"{path}: the image {rgb.shape} cannot be encoded")
    whole_file.write(path, content.tobytes())


def _image_boxes(
    world: world_lib.World, kept: np.ndarray, camera: sensors.Camera
) -> tuple[np.ndarray, np.ndarray]:
    """x0, y0, x1, y1 in pixels [N, 4] and truncation [N] of boxes."""
    image_boxes, truncated = np.zeros((len(kept), 4)), np.ones(len(kept))
    limit = np.array([camera.width - 1, camera.height - 1], np.float64)
    for row, box in enumerate(kept):
        vertices, _ = world_lib.box_vertices(world, box)
        x, y, z = vertices.astype(np.float64).T
        ahead = x > _MIN_DEPTH
        if not ahead.any():
            continue
        x, y, z = x[ahead], y[ahead], z[ahead]
        pixels = np.stack(
            [
                camera.centre_x - camera.focal * y / x,
                camera.centre_y - camera.focal * z / x,
            ]
        )
        low, high = pixels.min(1), pixels.max(1)
        cut_low, cut_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        area = np.prod(np.maximum(cut_high - cut_low, 0))
        if area <= 0:
            continue
        image_boxes[row] = [*cut_low, *cut_high]
        truncated[row] = 1 - area / np.prod(high - low)
    return image_boxes, truncated
