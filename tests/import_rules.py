"""Who may import whom: the table of ARCHITECTURE.md and what breaks it."""

import ast
import pathlib
from collections.abc import Iterator

_BASE = {
    "caffe_weights": set(),
    "command_line": set(),
    "config": {"whole_file"},
    "geometry": {"whole_file"},
    "ops": set(),
    "data": {"geometry", "whole_file"},
    "efficiency": {"layers", "whole_file"},
    "export": {"ops", "whole_file"},
    "layers": {"ops"},
    "tf1_checkpoint": set(),
    "training": {"weight_average", "whole_file"},
    "weight_average": set(),
    "whole_file": set(),
}
_TOPICS = {
    "adaptation": set(_BASE) | {"segmentation"},
    "annotation": set(_BASE) | {"detection", "segmentation"},
    "classification": set(_BASE),
    "detection": set(_BASE),
    "search": set(_BASE) | {"classification"},
    "segmentation": set(_BASE),
    "shift_applications": set(_BASE) | {"classification"},
    "simulation": {"config", "data", "geometry", "whole_file"},
}
_ALL = set(_BASE) | set(_TOPICS)
MAY_IMPORT = (
    _BASE
    | _TOPICS
    | {
        "squeeze_tf": set(),  # the package's own __init__.py
        "experiments": _ALL,
        "tools": _ALL | {"experiments"},
        "tests": _ALL | {"experiments", "tools"},
    }
)
_PLAIN_MODULES = (  # files of squeeze_tf/ itself, in one library
    "caffe_weights",
    "command_line",
    "export",
    "tf1_checkpoint",
    "training",
    "weight_average",
)
_OURS = ("squeeze_tf", "experiments", "tools", "tests")
_FORBIDDEN = ("tensorflow.python", "tensorflow.compat.v1")
_FORBIDDEN_NAMES = ("tf.compat.v1", "tf.py_function")


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` imports against the table.

    Args:
      path: relative to the repository, for instance squeeze_tf/ops/crf.py.
      source: the file's text.

    Returns:
      One line per import that is not allowed.
    """
    own = unit(path.removesuffix(".py").replace("/", "."))
    if own not in MAY_IMPORT:
        return [f"{path}: {own} is not in the table of {__name__}"]
    found = []
    for line, module in imports(path, source):
        other = unit(module)
        if other and other != own and other not in MAY_IMPORT[own]:
            found.append(f"{path}:{line}: {own} may not import {module}")
    return found


def forbidden_uses(path: str, source: str) -> list[str]:
    """Uses of TensorFlow's private and version 1 modules, one line each."""
    found = [
        f"{path}:{line}: {module}"
        for line, module in imports(path, source)
        if f"{module}.".startswith(tuple(f"{name}." for name in _FORBIDDEN))
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name in _FORBIDDEN_NAMES:
                found.append(f"{path}:{node.lineno}: {name}")
    return found


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of each thing that a file imports."""
    folder = pathlib.PurePosixPath(path).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            if node.level:
                parts = [*folder[: len(folder) - node.level + 1], *parts]
            for alias in node.names:
                yield node.lineno, ".".join([*parts, alias.name])


def unit(module: str) -> str | None:
    """The table's word for a module, None where it is not ours."""
    parts = module.split(".")
    if parts[0] not in _OURS:
        return None
    if parts[0] != "squeeze_tf":
        return parts[0]
    inner = [part for part in parts[1:] if part != "__init__"]
    return inner[0] if inner else "squeeze_tf"


def label(module: str) -> str | None:
    """Bazel's library that holds a module, None where it is not ours."""
    name = unit(module)
    if name is None:
        return None
    if name in ("config", "whole_file"):
        return f"//squeeze_tf:{name}"
    if name in _PLAIN_MODULES:
        return "//squeeze_tf"
    if module.startswith("tools.synetgy"):
        return "//tools/synetgy"
    if name in ("experiments", "tools"):
        return f"//{name}"
    if name == "tests":
        return None
    return f"//squeeze_tf/{name}"
