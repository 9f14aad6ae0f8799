"""Reports as SCALE-Sim 2 writes them, from closed forms."""

import os
import pathlib
from collections.abc import Callable, Sequence

from squeeze_tf import whole_file
from tools.synetgy import scalesim, systolic
from tools.synetgy import scalesim_tables as tables

_COMPUTE_HEADER = (
    "LayerID, Total Cycles, Stall Cycles, Overall Util %, "
    "Mapping Efficiency %, Compute Util %,"
)
_BANDWIDTH_HEADER = (
    "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW,"
)
_ACCESS_HEADER = (
    "LayerID, SRAM IFMAP Reads, SRAM Filter Reads, SRAM OFMAP Writes,"
)


def counts(
    layers: Sequence[scalesim.Layer], config: scalesim.Config
) -> list[systolic.Counts]:
    """Every layer's counts on a configuration's array.

    Raises:
      ValueError: as systolic.count(), or the off-chip memory may be too slow
        ("USER"), for which there are no closed forms.
    """
    if config.interface_bandwidth != "CALC":
        raise ValueError(
            "counts need interface_bandwidth CALC; got "
            f"{config.interface_bandwidth}"
        )
    return [
        systolic.count(
            layer.gemm if isinstance(layer, scalesim.Convolution) else layer,
            config.array_height,
            config.array_width,
            config.dataflow,
        )
        for layer in layers
    ]


def write_reports(
    folder: str | os.PathLike, found: Sequence[systolic.Counts]
) -> None:
    """Writes SCALE-Sim's reports as far as closed forms go.

    COMPUTE_REPORT.csv has all columns, BANDWIDTH_REPORT.csv those of the
    on-chip memories, and DETAILED_ACCESS_REPORT.csv the numbers of their
    accesses. First and last cycles of accesses and everything about the
    off-chip memory are not modelled: they follow from SCALE-Sim's prefetching
    and not from the layer alone.

    Raises:
      OSError: the folder is not there or cannot be written.
    """
    folder = pathlib.Path(folder)
    reports: dict[str, tuple[str, Callable[[systolic.Counts], tuple]]] = {
        "COMPUTE_REPORT.csv": (_COMPUTE_HEADER, _compute_cells),
        "BANDWIDTH_REPORT.csv": (_BANDWIDTH_HEADER, _bandwidth_cells),
        "DETAILED_ACCESS_REPORT.csv": (_ACCESS_HEADER, _access_cells),
    }
    for name, (header, cells) in reports.items():
        lines = [header]
        for index, layer in enumerate(found):
            values = (index, *cells(layer))
            lines.append(tables.line(values))
        whole_file.write(folder / name, "\n".join(lines) + "\n")


def _compute_cells(layer: systolic.Counts) -> tuple[float, ...]:
    shares = (
        layer.overall_utilisation,
        layer.mapping_efficiency,
        layer.compute_utilisation,
    )
    return (layer.cycles, 0, *(100 * share for share in shares))


def _access_cells(layer: systolic.Counts) -> tuple[int, ...]:
    return layer.ifmap_reads, layer.filter_reads, layer.ofmap_writes


def _bandwidth_cells(layer: systolic.Counts) -> tuple[float, ...]:
    return tuple(values / layer.cycles for values in _access_cells(layer))


def read_report(path: str | os.PathLike) -> list[dict[str, float]]:
    """Reads a report, SCALE-Sim's or ours: a dict by column for each layer.

    Raises:
      ValueError: a line has not as many numbers as the header has names.
      OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    header, *lines = tables.read(path)
    found = []
    for number, cells in lines:
        where = f"{path}:{number}"
        tables.check_width(where, cells, header[1])
        values = [tables.number(where, cell, float) for cell in cells]
        found.append(dict(zip(header[1], values)))
    return found
