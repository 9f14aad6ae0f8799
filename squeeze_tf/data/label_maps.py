"""Tables from a data set's raw label ids and type names to class ids.

A table is a YAML file with one entry per class, background first:

    classes:
      - {name: unknown, from: [0, 1, 99], color: [0, 0, 0], write: 0}
      - {name: car, from: [10, 252], color: [255, 0, 0], write: 10,
         types: [Car]}

`from` lists the raw ids that become the class, `color` is red, green, blue,
`write` the raw id written back and `types` (optional) the type names of
labelled boxes.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import yaml

_FOLDER = pathlib.Path(__file__).parent / "label_maps"
_KEYS = {"name", "from", "color", "write"}
_OPTIONAL_KEYS = {"types"}
_MAX_RAW_ID = 0xFFFF  # SemanticKITTI keeps 16 bits for the class


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """One table.

    Attributes:
      names: of the C classes; 0 is background or unknown.
      lookup: [highest raw id + 1] int32, raw id to class id, -1 where the
        table has none.
      colors: [C, 3] uint8, red, green, blue.
      write_ids: [C] int32, the raw id written back for each class.
      types: type name of a labelled box to class id.
    """

    names: tuple[str, ...]
    lookup: np.ndarray
    colors: np.ndarray
    write_ids: np.ndarray
    types: dict[str, int]


def names() -> list[str]:
    """Names of the tables that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find(name_or_path: str | os.PathLike) -> pathlib.Path:
    """File of a table that comes with the package, or a path as it is.

    Raises:
      ValueError: neither a name of `names()` nor a path ending in .yaml.
    """
    path = pathlib.Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path
    if str(name_or_path) not in names():
        raise ValueError(
            f"expected a label map of {', '.join(names())} or a path "
            f"ending in .yaml; got {name_or_path}"
        )
    return _FOLDER / f"{name_or_path}.yaml"


def load(name_or_path: str | os.PathLike) -> LabelMap:
    """Reads a table.

    Args:
      name_or_path: one of `names()`, or a path ending in .yaml or .yml.

    Returns:
      The table.

    Raises:
      ValueError: no such name, or an entry that lacks a key, has one too
        many, a value of the wrong kind, or a raw id or type name of another
        class; the message names the file.
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
    for class_id, entry in enumerate(entries):
        _check_entry(path, class_id, entry)
    names = [entry["name"] for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: expected each name once; got {names}")
    raw_to_class = _invert(path, entries, "from")
    lookup = np.full(max(raw_to_class) + 1, -1, np.int32)
    for raw_id, class_id in raw_to_class.items():
        lookup[raw_id] = class_id
    return LabelMap(
        names=tuple(names),
        lookup=lookup,
        colors=np.array([entry["color"] for entry in entries], np.uint8),
        write_ids=np.array([entry["write"] for entry in entries], np.int32),
        types=_invert(path, entries, "types"),
    )


def apply(label_map: LabelMap, raw_ids: np.ndarray) -> np.ndarray:
    """Class ids of raw ids.

    Args:
      label_map: the table.
      raw_ids: [...] int.

    Returns:
      [...] int32.

    Raises:
      ValueError: raw ids outside the table; the message lists them.
    """
    raw_ids = np.asarray(raw_ids)
    top = len(label_map.lookup) - 1
    class_ids = np.where(
        (raw_ids >= 0) & (raw_ids <= top),
        label_map.lookup[np.clip(raw_ids, 0, top)],
        -1,
    )
    if np.any(class_ids < 0):
        raise ValueError(
            "raw label ids outside the map: "
            f"{np.unique(raw_ids[class_ids < 0]).tolist()}; it has "
            f"{np.flatnonzero(label_map.lookup >= 0).tolist()}"
        )
    return class_ids.astype(np.int32)


def to_raw(label_map: LabelMap, class_ids: np.ndarray) -> np.ndarray:
    """Raw ids to write for class ids.

    Args:
      label_map: the table.
      class_ids: [...] int.

    Returns:
      [...] int32.

    Raises:
      ValueError: class ids outside the table; the message lists them.
    """
    class_ids = np.asarray(class_ids)
    outside = (class_ids < 0) | (class_ids >= len(label_map.names))
    if np.any(outside):
        raise ValueError(
            f"class ids must lie in 0..{len(label_map.names) - 1}; "
            f"got {np.unique(class_ids[outside]).tolist()}"
        )
    return label_map.write_ids[class_ids]


def type_ids(label_map: LabelMap, types: Sequence[str]) -> np.ndarray:
    """Class ids of the type names of labelled boxes.

    Args:
      label_map: the table.
      types: N names.

    Returns:
      [N] int32.

    Raises:
      ValueError: names outside the table; the message lists them.
    """
    missing = sorted(set(types) - set(label_map.types))
    if missing:
        raise ValueError(
            f"box types outside the map: {missing}; it has "
            f"{sorted(label_map.types)}"
        )
    return np.array([label_map.types[name] for name in types], np.int32)


def _check_entry(path: pathlib.Path, class_id: int, entry: object) -> None:
    """Raises a ValueError unless the entry has the documented layout."""
    where = f"{path}: class {class_id}"
    if not isinstance(entry, dict) or not (
        _KEYS <= set(entry) <= _KEYS | _OPTIONAL_KEYS
    ):
        raise ValueError(
            f"{where}: expected keys {sorted(_KEYS)} and perhaps types; "
            f"got {entry}"
        )
    if not isinstance(entry["name"], str):
        raise ValueError(f"{where}: name must be text; got {entry['name']!r}")
    if not _are_ids(entry["from"], _MAX_RAW_ID) or not entry["from"]:
        raise ValueError(
            f"{where}: from must list ids in 0..{_MAX_RAW_ID}; "
            f"got {entry['from']}"
        )
    if not _are_ids([entry["write"]], _MAX_RAW_ID):
        raise ValueError(
            f"{where}: write must be an id in 0..{_MAX_RAW_ID}; "
            f"got {entry['write']!r}"
        )
    if not _are_ids(entry["color"], 255) or len(entry["color"]) != 3:
        raise ValueError(
            f"{where}: color must be three of 0..255; got {entry['color']}"
        )
    types = entry.get("types", [])
    if not isinstance(types, list) or not all(
        isinstance(name, str) for name in types
    ):
        raise ValueError(f"{where}: types must list names; got {types}")


def _are_ids(values: object, top: int) -> bool:
    """Whether the value is a list of integers in 0..top."""
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= top for value in values
    )


def _invert(path: pathlib.Path, entries: list[dict], key: str) -> dict:
    """Each value listed under `key` to the id of its class."""
    classes = {}
    for class_id, entry in enumerate(entries):
        for value in entry.get(key, []):
            if value in classes:
                raise ValueError(
                    f"{path}: {value} is in {key} of both "
                    f"{entries[classes[value]]['name']} and {entry['name']}"
                )
            classes[value] = class_id
    return classes
