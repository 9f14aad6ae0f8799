"""Frozen dataclasses: overrides from "field=value" texts, JSON files."""

import dataclasses
import json
import os
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from squeeze_tf import whole_file

_Config = TypeVar("_Config")
_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def override(config: _Config, settings: Sequence[str]) -> _Config:
    """A copy of a frozen dataclass with some fields set from text.

    Ours: the value is read by the field's annotated type, so a script needs
    no parser of its own.

    Args:
      config: an instance of a dataclass.
      settings: texts "field=value". Fields may be int, float, bool (true,
        false, 1, 0), str, a tuple of these ("1,2,3", brackets allowed, ""
        for none), or one of them or None ("none").

    Returns:
      The copy; later settings win over earlier ones.

    Raises:
      ValueError: a setting has no "=", names no field, or its value does not
        fit the field's type.
    """
    hints = typing.get_type_hints(type(config))
    names = [field.name for field in dataclasses.fields(config)]
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"setting must be field=value; got {setting!r}")
        if name not in names:
            raise ValueError(
                f"{type(config).__name__} has no field {name!r}; its fields "
                f"are {', '.join(names)}"
            )
        try:
            changes[name] = _parsed(text.strip(), hints[name])
        except ValueError as error:
            raise ValueError(
                f"{type(config).__name__}.{name} ({_name(hints[name])}) "
                f"cannot be {text!r}: {error}; the fields are "
                f"{', '.join(names)}"
            ) from error
    return dataclasses.replace(config, **changes)


def _parsed(text: str, kind: Any) -> Any:
    """The text as a value of an annotated type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _parsed_union(text, arguments)
    if origin is tuple or kind is tuple:
        return _parsed_tuple(text, arguments)
    if kind is bool:
        if text.lower() not in _BOOLS:
            raise ValueError(f"expected one of {', '.join(_BOOLS)}")
        return _BOOLS[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    raise ValueError(f"fields of type {_name(kind)} cannot be set from text")


def _parsed_union(text: str, kinds: tuple[Any, ...]) -> Any:
    """None where that is allowed and said, else the first kind that fits."""
    if type(None) in kinds and text.lower() == "none":
        return None
    problem = ValueError("no type to read it as")
    for kind in kinds:
        if kind is not type(None):
            try:
                return _parsed(text, kind)
            except ValueError as error:
                problem = error
    raise problem


def _parsed_tuple(text: str, kinds: tuple[Any, ...]) -> tuple:
    """Comma-separated values; `kinds` is (int, ...) or one per element."""
    if text[:1] + text[-1:] in ("()", "[]"):
        text = text[1:-1]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not kinds:
        kinds = (str, ...)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_parsed(part, kinds[0]) for part in parts)
    if len(parts) != len(kinds):
        raise ValueError(f"expected {len(kinds)} values, got {len(parts)}")
    return tuple(_parsed(part, kind) for part, kind in zip(parts, kinds))


def _name(kind: Any) -> str:
    """How an annotation is written."""
    return kind.__name__ if isinstance(kind, type) else str(kind)


def write(config: Any, path: str | os.PathLike) -> None:
    """Writes the values of a flat dataclass as JSON, whole or not at all."""
    content = json.dumps(dataclasses.asdict(config), indent=2)
    whole_file.write(path, content, shared=True)


def read(kind: type[_Config], path: str | os.PathLike) -> _Config:
    """Reads what write() wrote, also before a field with a default was added.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file does not hold the fields of `kind`.
    """
    with open(path, encoding="utf-8") as file:
        try:
            values = json.load(file)
            fields = dataclasses.fields(kind)
            known = {field.name for field in fields}
            needed = {
                field.name
                for field in fields
                if field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            }
            if not needed <= set(values) <= known:
                raise ValueError(
                    f"unknown: {sorted(set(values) - known)}, missing: "
                    f"{sorted(needed - set(values))}"
                )
            for name, value in values.items():
                if isinstance(value, list):
                    values[name] = tuple(value)
            return kind(**values)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: expected the fields of {kind.__name__}; {error}"
            ) from error
