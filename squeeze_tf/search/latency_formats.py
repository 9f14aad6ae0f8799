"""Latency tables of public searches, read for a space: one number a layer."""

import os
import pathlib
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from squeeze_tf.search import latency_costs, latency_table
from squeeze_tf.search import space as space_lib

# Names in mobile-vision's fbnet_builder, which both public searches took over;
# "s2" shuffles two groups.
FBNET_NAMES = {
    "k3_e1": "ir_k3_e1",
    "k3_e1_g2": "ir_k3_s2",
    "k3_e3": "ir_k3_e3",
    "k3_e6": "ir_k3_e6",
    "k5_e1": "ir_k5_e1",
    "k5_e1_g2": "ir_k5_s2",
    "k5_e3": "ir_k5_e3",
    "k5_e6": "ir_k5_e6",
    "skip": "skip",
}
_OBJECT_ARRAYS = {
    (module, name)
    for name in ("_reconstruct", "scalar")
    for module in ("numpy.core.multiarray", "numpy._core.multiarray")
} | {("numpy", "ndarray"), ("numpy", "dtype")}


def read_nni(
    path: str | os.PathLike,
    space: space_lib.Space,
    names: Mapping[str, str] | None = None,
) -> latency_table.LatencyTable:
    """Reads lut.npy of NNI's FBNet: for each layer a dict of its operators.

    It is a pickled list. Only lists, dicts, texts and numbers are taken out of
    it, anything else is refused before it is made. Numbers are means of timeit
    in microseconds; NNI also writes MACs in the same form, which then are what
    latency_costs.costs() gives.

    Operators with one key get the mean of their layers; what gives its input
    back is left out, and costs nothing. The ends are not in the file, so
    latency_costs.fixed_cost() and estimate() refuse such a table.

    Args:
      path: of the file.
      space: with as many layers.
      names: of each candidate in the file, as FBNET_NAMES; the candidates' own
        if not given.

    Returns:
      A table with means alone; its device is not known, nor are its threads.

    Raises:
      ValueError: the file is of another form, or not of such a space.
      OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        try:
            rows = _unpickled(file)
        except (ValueError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"{path} must be a pickled list of dicts, one for each layer: "
                f"{error}"
            ) from error
    return _of_layers(path, rows, space, names, "nni")


def read_text(
    path: str | os.PathLike,
    space: space_lib.Space,
    names: Mapping[str, str] = FBNET_NAMES,
) -> latency_table.LatencyTable:
    """Reads the text that A. Araslanova's FBNet search writes.

    The first line names the operators, each other is a layer's microseconds,
    means of timeit, all parted by spaces. Else as read_nni().
    """
    lines = [x.split() for x in pathlib.Path(path).read_text().splitlines()]
    lines = [x for x in lines if x]
    try:
        rows = [
            dict(zip(lines[0], map(float, line), strict=True))
            for line in lines[1:]
        ]
    except ValueError as error:
        raise ValueError(
            f"{path} must name the operators in its first line and have a "
            f"number for each in all others: {error}"
        ) from error
    return _of_layers(path, rows, space, names, "pytorch")


class _Unpickler(pickle.Unpickler):
    """Makes arrays of plain objects, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuses what could run code."""
        if (module, name) not in _OBJECT_ARRAYS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        return super().find_class(module, name)


def _unpickled(file: Any) -> list:
    """Content of a .npy file of an array [L] of objects."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"it is a .npy of version {version}, not (1, 0)")
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
    if len(shape) != 1 or not kind.hasobject:
        raise ValueError(f"it is an array {shape} of {kind}")
    return _Unpickler(file).load().tolist()


def _of_layers(
    path: str | os.PathLike,
    rows: Sequence[Mapping[str, float]],
    space: space_lib.Space,
    names: Mapping[str, str] | None,
    engine: str,
) -> latency_table.LatencyTable:
    """The means over the layers that have an operator."""
    if len(rows) != space.num_layers:
        raise ValueError(
            f"{path} must have {space.num_layers} layers, as {space.name} has; "
            f"got {len(rows)}"
        )
    distinct = latency_costs.distinct(space)
    found = {
        key: []
        for key, (layer, operator) in distinct.items()
        if not latency_costs.does_nothing(space, layer, operator)
    }
    for layer, operators in enumerate(space_lib.operators(space)):
        for operator in operators:
            if operator.key in found:
                name = (names or {}).get(operator.kind, operator.kind)
                found[operator.key].append(
                    _number(f"{path}: layer {layer + 1}", rows[layer], name)
                )
    entries = {
        key: latency_table.Entry(mean=float(np.mean(values)))
        for key, values in found.items()
    }
    try:
        return latency_table.LatencyTable(
            "unknown", {}, engine, None, 1, entries
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _number(what: str, row: object, name: str) -> float:
    if not isinstance(row, dict) or name not in row:
        raise ValueError(f"{what} must have {name!r}; got {row}")
    if not isinstance(row[name], int | float):
        raise ValueError(f"{what}: {name} must be a number; got {row[name]!r}")
    return float(row[name])
