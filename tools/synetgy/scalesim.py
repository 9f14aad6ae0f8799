"""Files that SCALE-Sim 2 reads: topologies and configurations.

Its command is `scale.py -c CONFIG -t TOPOLOGY -p FOLDER`, with `-i gemm` for
topologies of matrix products.
"""

import configparser
import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence

from squeeze_tf import whole_file
from tools.synetgy import scalesim_tables as tables
from tools.synetgy import systolic, workload

_CONV_HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, "
    "Channels, Num Filter, Strides,"
)
_GEMM_HEADER = "Layer,M,N,K,"


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A line of a topology of convolutions, whose inputs are padded before.

    Args:
      name: of the layer.
      height: of the input.
      width: of the input.
      filter_height: of the filters.
      filter_width: of the filters.
      channels: of the input.
      filters: channels of the output.
      stride: in both directions.
    """

    name: str
    height: int
    width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride: int

    @property
    def gemm(self) -> systolic.Gemm:
        """The same layer as a product of matrices.

        Like SCALE-Sim it counts a last window that reaches beyond the input.
        """
        rows = math.ceil((self.height - self.filter_height) / self.stride) + 1
        columns = math.ceil((self.width - self.filter_width) / self.stride) + 1
        size = self.filter_height * self.filter_width * self.channels
        return systolic.Gemm(self.name, rows * columns, self.filters, size)


Layer = Convolution | systolic.Gemm


@dataclasses.dataclass(frozen=True)
class Config:
    """An array and its memories; defaults as far as SCALE-Sim's examples go.

    Args:
      run_name: of the folder that the reports come into.
      array_height: rows.
      array_width: columns.
      ifmap_sram_kb: of the on-chip memory for inputs.
      filter_sram_kb: of the on-chip memory for weights.
      ofmap_sram_kb: of the on-chip memory for outputs.
      ifmap_offset: first address of the inputs.
      filter_offset: first address of the weights.
      ofmap_offset: first address of the outputs.
      bandwidth: of the off-chip memory, values a cycle.
      dataflow: one of systolic.DATAFLOWS.
      memory_banks: of the on-chip memories.
      interface_bandwidth: "CALC" if the off-chip memory is always fast
        enough, "USER" if `bandwidth` limits it.
    """

    run_name: str
    array_height: int = 32
    array_width: int = 32
    ifmap_sram_kb: int = 64
    filter_sram_kb: int = 64
    ofmap_sram_kb: int = 64
    ifmap_offset: int = 0
    filter_offset: int = 10_000_000
    ofmap_offset: int = 20_000_000
    bandwidth: int = 10
    dataflow: str = "ws"
    memory_banks: int = 1
    interface_bandwidth: str = "CALC"


# Sections of the file, and the options in them by the fields of Config.
_SECTIONS = {
    "general": {"run_name": "run_name"},
    "architecture_presets": {
        "array_height": "ArrayHeight",
        "array_width": "ArrayWidth",
        "ifmap_sram_kb": "IfmapSramSzkB",
        "filter_sram_kb": "FilterSramSzkB",
        "ofmap_sram_kb": "OfmapSramSzkB",
        "ifmap_offset": "IfmapOffset",
        "filter_offset": "FilterOffset",
        "ofmap_offset": "OfmapOffset",
        "bandwidth": "Bandwidth",
        "dataflow": "Dataflow",
        "memory_banks": "MemoryBanks",
    },
    "run_presets": {"interface_bandwidth": "InterfaceBandwidth"},
}
_WORDS = {
    "dataflow": systolic.DATAFLOWS,
    "interface_bandwidth": ("CALC", "USER"),
}


def convolutions(frame: workload.Frame) -> list[Convolution]:
    """A frame's calls as lines of a topology.

    Pixels that a stride leaves out are left out of the input, as SCALE-Sim
    counts one too many where a stride does not divide.
    """
    return [
        Convolution(
            call.name,
            call.convolved_height,
            call.convolved_width,
            1,
            1,
            call.in_channels,
            call.out_channels,
            1,
        )
        for call in frame.calls
    ]


def write_topology(path: str | os.PathLike, layers: Sequence[Layer]) -> None:
    """Writes a topology, whole or not at all.

    Args:
      path: of the file.
      layers: all convolutions or all matrix products.

    Raises:
      ValueError: there are no layers, kinds are mixed, or a name holds a
        comma or line break.
      OSError: the file cannot be written.
    """
    kinds = {type(layer) for layer in layers}
    if len(kinds) != 1:
        raise ValueError(
            "a topology needs layers of one kind; got "
            f"{sorted(kind.__name__ for kind in kinds) or 'none'}"
        )
    is_gemm = kinds == {systolic.Gemm}
    lines = [_GEMM_HEADER if is_gemm else _CONV_HEADER]
    for layer in layers:
        if not layer.name.strip() or set(layer.name) & set(",\r\n"):
            raise ValueError(
                "a layer's name must hold no comma and no line break and must "
                f"not be empty; got {layer.name!r}"
            )
        values = dataclasses.astuple(layer)
        lines.append(tables.line(values))
    whole_file.write(path, "\n".join(lines) + "\n")


def read_topology(path: str | os.PathLike) -> list[Layer]:
    """Reads a topology of either kind; the header tells which.

    Raises:
      ValueError: a line is not of the header's form; the error names it.
      OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    header, *lines = tables.read(path)
    kinds = {
        tuple(tables.cells(_CONV_HEADER)): Convolution,
        tuple(tables.cells(_GEMM_HEADER)): systolic.Gemm,
    }
    kind = kinds.get(tuple(header[1]))
    if kind is None:
        raise ValueError(
            f"{path}:{header[0]}: expected the header {_CONV_HEADER!r} or "
            f"{_GEMM_HEADER!r}; got {', '.join(header[1])!r}"
        )
    layers = []
    for number, cells in lines:
        where = f"{path}:{number}"
        tables.check_width(where, cells, header[1])
        sizes = [tables.number(where, cell, int) for cell in cells[1:]]
        if min(sizes) < 1:
            raise ValueError(
                f"{where}: expected whole numbers above 0; got {cells[1:]}"
            )
        layers.append(kind(cells[0], *sizes))
    return layers


def write_config(path: str | os.PathLike, config: Config) -> None:
    """Writes a configuration, whole or not at all.

    Raises:
      OSError: the file cannot be written.
    """
    lines = []
    for section, options in _SECTIONS.items():
        lines.append(f"[{section}]")
        for field, option in options.items():
            lines.append(f"{option} = {getattr(config, field)}")
        lines.append("")
    whole_file.write(path, "\n".join(lines))


def read_config(path: str | os.PathLike) -> Config:
    """Reads a configuration; what the model does not need is left out.

    Raises:
      ValueError: a section or an option is absent, or its value is not of its
        kind; the error names the file and what was expected.
      OSError: the file cannot be read.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(pathlib.Path(path).read_text("utf-8"), str(path))
    except configparser.Error as error:
        raise ValueError(f"{path}: {error}") from error
    found = {}
    for section, options in _SECTIONS.items():
        for field, option in options.items():
            where = f"{path}: [{section}] {option}"
            text = parser.get(section, option, fallback=None)
            if text is None:
                raise ValueError(f"{where} is absent")
            words = _WORDS.get(field)
            if words and text not in words:
                raise ValueError(
                    f"{where}: expected one of {', '.join(words)}; got {text!r}"
                )
            is_text = words or field == "run_name"
            found[field] = text if is_text else tables.number(where, text, int)
    return Config(**found)
