"""Classes of image objects: a YAML file of one's own, or one that is here.

    classes:
      - {name: car, types: [Car], neighbours: [Van], min_overlap: 0.7}
      - {name: pedestrian}

`types` are the names that the data set writes for the class (the class's own
name if left out), whatever their case. Objects of other types are no objects.
Evaluation alone uses the rest: `neighbours` are types that may be found as
the class without being right or wrong (DontCare regions always may), and
`min_overlap` the IoU from which a box counts as found (0.5 if left out).
`color` is red, green, blue of drawn boxes.
"""

import colorsys
import dataclasses
import os
import pathlib

import numpy as np
import yaml

_FOLDER = pathlib.Path(__file__).parent / "class_lists"
_KEYS = {"name", "types", "neighbours", "min_overlap", "color"}
_MIN_OVERLAP = 0.5  # PASCAL VOC's


@dataclasses.dataclass(frozen=True)
class ImageClass:
    """One class.

    Attributes:
      name: what detections are called.
      types: of the data set's objects, lower case.
      neighbours: types that are neither right nor wrong, lower case.
      min_overlap: IoU from which a detection is right.
      color: red, green, blue, 0 to 255.
    """

    name: str
    types: tuple[str, ...]
    neighbours: tuple[str, ...] = ()
    min_overlap: float = _MIN_OVERLAP
    color: tuple[int, int, int] = (255, 0, 0)


def names() -> list[str]:
    """Names of the lists that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find(name_or_path: str | os.PathLike) -> pathlib.Path:
    """File of a list that comes with the package, or a path as it is.

    Raises:
      ValueError: neither a name of `names()` nor a path ending in .yaml.
    """
    path = pathlib.Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path
    if str(name_or_path) not in names():
        raise ValueError(
            f"expected a class list of {', '.join(names())} or a path "
            f"ending in .yaml; got {name_or_path}"
        )
    return _FOLDER / f"{name_or_path}.yaml"


def load(name_or_path: str | os.PathLike) -> tuple[ImageClass, ...]:
    """Reads a list of classes; their order gives the class ids from 0.

    Args:
      name_or_path: one of `names()`, or a path ending in .yaml or .yml.

    Raises:
      ValueError: no such name, or an entry that lacks a name, has an unknown
        key or a value of the wrong kind, or a type that another class has
        too; the message names the file.
      OSError: the file cannot be read.
    """
    path = find(name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    entries = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: expected a list under the key classes")
    try:
        classes = tuple(
            _image_class(entry, i, len(entries))
            for i, entry in enumerate(entries)
        )
        for kind, values in (
            ("name", [c.name.lower() for c in classes]),
            ("type", [t for c in classes for t in c.types]),
        ):
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise ValueError(f"expected each {kind} once; got {twice}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return classes


def class_ids(classes: tuple[ImageClass, ...], types: np.ndarray) -> np.ndarray:
    """[N] int32 class ids of [N] type names, -1 where they are of no class."""
    ids = {t: i for i, c in enumerate(classes) for t in c.types}
    return np.array([ids.get(str(t).lower(), -1) for t in types], np.int32)


def _image_class(entry: object, index: int, count: int) -> ImageClass:
    """One entry, checked."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"class {index}: expected a name; got {entry!r}")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise ValueError(
            f"class {entry['name']}: expected only {sorted(_KEYS)}; got "
            f"{unknown}"
        )
    lists = {"types": [entry["name"]], "neighbours": []}
    for key, default in lists.items():
        value = entry.get(key, default)
        if not isinstance(value, list) or (key == "types" and not value):
            raise ValueError(
                f"class {entry['name']}: expected a list of {key}; got "
                f"{value!r}"
            )
        lists[key] = tuple(str(v).lower() for v in value)
    overlap = entry.get("min_overlap", _MIN_OVERLAP)
    if not isinstance(overlap, (int, float)) or not 0 < overlap < 1:
        raise ValueError(
            f"class {entry['name']}: expected min_overlap in 0..1; got "
            f"{overlap!r}"
        )
    color = entry.get("color", _hue(index, count))
    if (
        not isinstance(color, list)
        or len(color) != 3
        or not all(isinstance(v, int) and 0 <= v <= 255 for v in color)
    ):
        raise ValueError(
            f"class {entry['name']}: expected color as three whole numbers "
            f"in 0..255; got {color!r}"
        )
    return ImageClass(
        name=entry["name"],
        types=lists["types"],
        neighbours=lists["neighbours"],
        min_overlap=float(overlap),
        color=tuple(color),
    )


def _hue(index: int, count: int) -> list[int]:
    """Colours around the circle."""
    rgb = colorsys.hsv_to_rgb(index / count, 0.9, 1.0)
    return [round(255 * value) for value in rgb]
