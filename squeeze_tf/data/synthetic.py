"""Tiny generated samples, for tests and smoke runs."""

import os
import pathlib
import zlib

import cv2
import numpy as np

from squeeze_tf.data import image_labels

NUM_GRIDS = 4
_ROWS, _COLUMNS = 16, 64


def lidar_grids(num_classes: int, seed: str = "") -> np.ndarray:
    """Projected scans of a flat ground with boxes of every class on it.

    Ours: cells look down on z = -1.73 m; each object is a patch of cells at
    one range, whose intensity tells its class, so that a network can learn it.

    Args:
      num_classes: labels, 0 being the ground.
      seed: any text.

    Returns:
      [NUM_GRIDS, 16, 64, 6] float32: x, y, z, intensity, range (m), label id.
    """
    random = np.random.default_rng(zlib.crc32(seed.encode()))
    zenith = np.radians(np.linspace(2, -24, _ROWS))[:, None]
    azimuth = np.radians(np.linspace(45, -45, _COLUMNS))[None]
    grids = np.zeros((NUM_GRIDS, _ROWS, _COLUMNS, 6), np.float32)
    for grid in grids:
        ground = 1.73 / np.maximum(np.sin(-zenith), 1e-3)  # metres
        distance = np.where(ground < 60, ground, 0) * np.ones_like(azimuth)
        label = np.zeros_like(distance)
        for class_id in range(1, num_classes):
            row, column = random.integers(1, 10), random.integers(0, 52)
            patch = np.s_[row : row + 5, column : column + 10]
            distance[patch] = random.uniform(5, 20)
            label[patch] = class_id
        distance[random.random(distance.shape) < 0.05] = 0  # missing returns
        intensity = 0.1 + 0.8 * label / max(num_classes - 1, 1)
        grid[..., 0] = distance * np.cos(zenith) * np.cos(azimuth)
        grid[..., 1] = distance * np.cos(zenith) * np.sin(azimuth)
        grid[..., 2] = distance * np.sin(zenith)
        grid[..., 3] = np.where(distance > 0, intensity, 0)
        grid[..., 4] = distance
        grid[..., 5] = np.where(distance > 0, label, 0)
    return grids


def write_images(
    folder: str | os.PathLike,
    *,
    count: int = 4,
    types: tuple[str, ...] = ("Car", "Pedestrian", "Cyclist"),
    size: tuple[int, int] = (75, 150),
    seed: int = 0,
) -> pathlib.Path:
    """Images with coloured boxes of every type, in KITTI's object layout.

    Ours: on grey noise, each type has its colour and shape, so that a network
    can learn it.

    Args:
      folder: gets training/image_2 and training/label_2.
      count: images; the third, if any, has no object.
      types: of the objects.
      size: H, W.
      seed: of the images.

    Returns:
      `folder`.
    """
    random = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    for name in ("image_2", "label_2"):
        (folder / "training" / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = random.integers(90, 130, (*size, 3)).astype(np.uint8)
        names, corners = [], []
        for i, name in enumerate(types if number != 2 else ()):
            width = int(random.integers(12, 20)) * (3 if i % 3 == 0 else 1)
            height = int(random.integers(20, 32)) // (2 if i % 3 == 0 else 1)
            x = int(random.integers(0, size[1] - width))
            y = int(random.integers(0, size[0] - height))
            hue = np.uint8([[[180 * i // len(types), 255, 255]]])
            image[y : y + height, x : x + width] = cv2.cvtColor(
                hue, cv2.COLOR_HSV2BGR
            )
            names.append(name)
            corners.append([x, y, x + width, y + height])
        stem = f"{number:06d}"
        path = folder / "training" / "image_2" / f"{stem}.png"
        cv2.imwrite(str(path), image)
        image_labels.write_kitti(
            folder / "training" / "label_2" / f"{stem}.txt",
            image_labels.make(names, np.array(corners)),
        )
    return folder


def class_images(
    num_classes: int,
    count: int,
    size: tuple[int, int] = (12, 10),
    channels: int = 3,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Images of one class each.

    Ours: on grey noise, a bright bar lies lower for each further class, so
    that a network can learn them.

    Args:
      num_classes: how many, at most H / 2.
      count: images of each class.
      size: H, W.
      channels: of each image.
      seed: of the noise.

    Returns:
      [N, H, W, channels] uint8 and [N] int64 class ids, which take turns.
    """
    random = np.random.default_rng(seed)
    class_ids = np.tile(np.arange(num_classes), count)
    images = random.integers(80, 120, (len(class_ids), *size, channels))
    step = size[0] // num_classes
    for image, class_id in zip(images, class_ids):
        image[class_id * step : class_id * step + max(step // 2, 1)] = 230
    return images.astype(np.uint8), class_ids


def write_class_folders(
    folder: str | os.PathLike,
    *,
    class_names: tuple[str, ...] = ("ant", "bee", "cat"),
    count: int = 4,
    size: tuple[int, int] = (12, 10),
    seed: int = 0,
) -> pathlib.Path:
    """The images of class_images() as CLASS/NUMBER.png; returns `folder`."""
    images, class_ids = class_images(len(class_names), count, size, 3, seed)
    folder = pathlib.Path(folder)
    for number, (image, class_id) in enumerate(zip(images, class_ids)):
        place = folder / class_names[class_id]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number:03d}.png"), image)
    return folder
