"""Labelled images on disk: KITTI, PASCAL VOC, COCO, YOLO; LAYOUTS."""

import dataclasses
import json
import os
import pathlib
import xml.etree.ElementTree
from collections.abc import Callable, Iterable

import numpy as np
import PIL.Image
import yaml

from squeeze_tf.data import image_labels

_MALFORMED = (AttributeError, TypeError, ValueError)
_NO = ("0", "0.0", "Unspecified")  # of VOC's flags
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")  # that TensorFlow decodes


@dataclasses.dataclass(frozen=True)
class ImageSample:
    """One image and its objects.

    Attributes:
      name: unique in its data set.
      path: of the image.
      labels: its objects.
    """

    name: str
    path: pathlib.Path
    labels: image_labels.ImageLabels


def kitti(folder: pathlib.Path) -> list[ImageSample]:
    """KITTI's object layout: image_2/*.png and label_2/*.txt.

    Source: KITTI object development kit, readme. `folder` holds the two, or
    training/ with them, as generate_data writes it.
    """
    if (folder / "training").is_dir():
        folder = folder / "training"
    return [
        ImageSample(path.stem, path, image_labels.read_kitti(label))
        for path, label in _paired(folder / "image_2", folder / "label_2")
    ]


def voc(folder: pathlib.Path) -> list[ImageSample]:
    """PASCAL VOC: JPEGImages/*.jpg and Annotations/*.xml.

    Source: VOC 2007 development kit §5. Pixels are counted from 1 and both
    corners belong to the box; "difficult" objects are ignored.
    """
    return [
        ImageSample(path.stem, path, _voc_labels(label))
        for path, label in _paired(
            folder / "JPEGImages", folder / "Annotations", ".xml"
        )
    ]


def coco(path: pathlib.Path) -> list[ImageSample]:
    """COCO: a .json of annotations, images beside it or in its data set.

    Source: cocodataset.org, data format: bbox is x, y, width, height; "crowd"
    regions are ignored.

    Args:
      path: of the .json, or of a folder that holds one.
    """
    if path.is_dir():
        found = sorted(path.glob("*.json"))
        if len(found) != 1:
            raise ValueError(
                f"{path}: expected one .json of annotations; got "
                f"{len(found)}; name the one to read"
            )
        path = found[0]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        categories = {c["id"]: c["name"] for c in content["categories"]}
        objects = {image["id"]: [] for image in content["images"]}
        for entry in content["annotations"]:
            objects[entry["image_id"]].append(entry)
        folder = _coco_images(path, content["images"])
        for image in content["images"]:
            if not (folder / image["file_name"]).exists():
                raise FileNotFoundError(
                    f"{path}: {folder / image['file_name']} is not there"
                )
        return [
            ImageSample(
                image["file_name"],
                folder / image["file_name"],
                _coco_labels(objects[image["id"]], categories),
            )
            for image in content["images"]
        ]
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected the keys of COCO's object annotations; "
            f"missing or of the wrong kind: {error}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def yolo(folder: pathlib.Path) -> list[ImageSample]:
    """YOLO: images/**/*.jpg and labels/**/*.txt of the same name.

    A line is class number, centre x, centre y, width and height, as shares of
    the image's size. The classes' names are those of data.yaml (`names`),
    here or one folder up, classes.txt or obj.names in the folder; without one
    of them the types are the numbers. An image without a text file has no
    objects.
    """
    names = _yolo_names(folder)
    images = _images(folder / "images", "**/*")
    samples = []
    for path in images:
        relative = path.relative_to(folder / "images")
        label = (folder / "labels" / relative).with_suffix(".txt")
        samples.append(
            ImageSample(
                str(relative.with_suffix("")),
                path,
                _yolo_labels(label, path, names),
            )
        )
    return samples


LAYOUTS: dict[str, Callable[[pathlib.Path], list[ImageSample]]] = {
    "kitti": kitti,
    "voc": voc,
    "coco": coco,
    "yolo": yolo,
}


def read(folders: str, layout: str) -> list[ImageSample]:
    """The samples of one or more folders, sorted by name in each.

    Args:
      folders: with commas between.
      layout: key of LAYOUTS.

    Raises:
      ValueError: unknown layout, a folder without images, or labels that
        cannot be read; the message names the file.
      OSError: a file is not there.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"dataset must be one of {sorted(LAYOUTS)}; got {layout!r}"
        )
    samples = []
    for part in filter(None, folders.split(",")):
        path = pathlib.Path(part)
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        samples += sorted(LAYOUTS[layout](path), key=lambda s: s.name)
    if not samples:
        raise ValueError(f"{folders}: no images")
    return samples


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Images in a folder, sorted.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: it holds no image.
    """
    return _images(pathlib.Path(folder), "*")


def _images(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of images")
    found = sorted(
        path for path in folder.glob(pattern) if path.suffix.lower() in SUFFIXES
    )
    if not found:
        raise ValueError(
            f"{folder}: expected images ({', '.join(SUFFIXES)}); got none"
        )
    return found


def _paired(
    images: pathlib.Path, labels: pathlib.Path, suffix: str = ".txt"
) -> Iterable[tuple[pathlib.Path, pathlib.Path]]:
    """Each image and the label file of its name."""
    for path in _images(images, "*"):
        label = labels / f"{path.stem}{suffix}"
        if not label.exists():
            raise FileNotFoundError(
                f"{path}: expected its labels in {label}; there are none"
            )
        yield path, label


def _voc_labels(path: pathlib.Path) -> image_labels.ImageLabels:
    try:
        objects = xml.etree.ElementTree.parse(path).getroot().iter("object")
        names, corners, flags = [], [], []
        for entry in objects:
            names.append(entry.findtext("name").strip())
            box = entry.find("bndbox")
            x0, y0, x1, y1 = (
                float(box.findtext(key))
                for key in ("xmin", "ymin", "xmax", "ymax")
            )
            corners.append([x0 - 1, y0 - 1, x1, y1])
            flags.append(
                [
                    (entry.findtext(key) or "0").strip() not in _NO
                    for key in ("difficult", "truncated", "occluded")
                ]
            )
    except (xml.etree.ElementTree.ParseError, *_MALFORMED) as error:
        raise ValueError(
            f"{path}: expected VOC annotations with a name and a bndbox of "
            f"numbers for each object; {error}"
        ) from error
    flags = np.array(flags, np.int32).reshape(-1, 3)
    return image_labels.make(
        names,
        np.array(corners),
        is_ignored=flags[:, 0],
        truncated=np.where(flags[:, 1], -1.0, 0.0),
        occluded=flags[:, 2],
    )


def _coco_images(path: pathlib.Path, images: list[dict]) -> pathlib.Path:
    """The folder that the images lie in."""
    subset = path.stem.removeprefix("instances_")
    places = (
        path.parent,
        path.parent / "images",
        path.parent.parent / subset,
        path.parent.parent / "images" / subset,
        path.parent.parent / "images",
    )
    for place in places:
        if images and (place / images[0]["file_name"]).exists():
            return place
    first = images[0]["file_name"] if images else "images"
    raise FileNotFoundError(
        f"{path}: expected {first} in one of "
        f"{', '.join(map(str, places))}; it is in none"
    )


def _coco_labels(
    entries: list[dict], categories: dict[int, str]
) -> image_labels.ImageLabels:
    for entry in entries:
        box = entry["bbox"]
        if (
            not isinstance(box, list)
            or [isinstance(value, (int, float)) for value in box] != [True] * 4
        ):
            raise ValueError(
                f"annotation {entry.get('id', '?')}: expected bbox as four "
                f"numbers; got {box!r}"
            )
    corners = np.array([e["bbox"] for e in entries], np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return image_labels.make(
        [categories[e["category_id"]] for e in entries],
        corners,
        is_ignored=[bool(e.get("iscrowd", 0)) for e in entries],
    )


def _yolo_names(folder: pathlib.Path) -> dict[int, str] | None:
    for path in (folder / "data.yaml", folder.parent / "data.yaml"):
        if path.exists():
            return _names_of_yaml(path)
    for path in (folder / "classes.txt", folder / "obj.names"):
        if path.exists():
            names = path.read_text(encoding="utf-8").splitlines()
            return dict(enumerate(name.strip() for name in names))
    return None


def _names_of_yaml(path: pathlib.Path) -> dict[int, str]:
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
    except (yaml.YAMLError, KeyError, TypeError):
        names = None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise ValueError(
            f"{path}: expected the key names with a list, or numbers and names"
        )
    return names


def _yolo_labels(
    path: pathlib.Path,
    image: pathlib.Path,
    names: dict[int, str] | None,
) -> image_labels.ImageLabels:
    lines = []
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
    types, rows = [], []
    for number, line in enumerate(lines, start=1):
        if not line.split():
            continue
        try:
            class_id, *box = line.split()
            rows.append([float(value) for value in box[:4]])
            if len(box) != 4 or not all(0 <= v <= 1 for v in rows[-1]):
                raise ValueError(f"got {line!r}")
            types.append(str(names[int(class_id)]) if names else class_id)
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(
                f"{path}:{number}: expected a class number of the names and "
                f"four shares in 0..1; {error}"
            ) from error
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    if len(boxes):
        with PIL.Image.open(image) as header:
            boxes *= [*header.size, *header.size]
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)
    return image_labels.make(types, corners)
