"""Cycles and memory accesses of a systolic array as SCALE-Sim counts them."""

import dataclasses
import math

from tools.synetgy import workload

DATAFLOWS = ("ws", "os", "is")


@dataclasses.dataclass(frozen=True)
class Gemm:
    """A product of matrices, [m, k] times [k, n].

    Args:
      name: of the layer.
      m: pixels of the output.
      n: filters.
      k: values of a filter.

    Raises:
      ValueError: a size is not a positive whole number.
    """

    name: str
    m: int
    n: int
    k: int

    def __post_init__(self) -> None:
        """Checks the sizes."""
        for size in (self.m, self.n, self.k):
            if not isinstance(size, int) or size < 1:
                raise ValueError(
                    f"layer {self.name}: m, n and k must be whole numbers "
                    f"above 0; got {self.m!r}, {self.n!r} and {self.k!r}"
                )

    @property
    def macs(self) -> int:
        """Ch. 1 Eq. 1."""
        return self.m * self.n * self.k


@dataclasses.dataclass(frozen=True)
class Counts:
    """One layer's line in SCALE-Sim's reports.

    Args:
      cycles: of the layer; memories are fast enough, so none is a stall.
      overall_utilisation: MACs by what the array could do in these cycles.
      mapping_efficiency: mean share of the array that holds values.
      compute_utilisation: mean over folds, whose cycles count differently.
      ifmap_reads: values from the on-chip memory.
      filter_reads: values from the on-chip memory.
      ofmap_writes: values to the on-chip memory.
    """

    cycles: int
    overall_utilisation: float
    mapping_efficiency: float
    compute_utilisation: float
    ifmap_reads: int
    filter_reads: int
    ofmap_writes: int


def gemm_of(call: workload.Call) -> Gemm:
    """A call's convolution for one image; pooling and shift are left out."""
    return Gemm(
        call.name, call.convolved_pixels, call.out_channels, call.in_channels
    )


def count(gemm: Gemm, rows: int, columns: int, dataflow: str) -> Counts:
    """Cycles, utilisations and accesses of one layer.

    Ours: closed forms of what SCALE-Sim 2 (Samajdar et al., "A Systematic
    Methodology for Characterizing Scalability of DNN Accelerators using
    SCALE-Sim", ISPASS 2020) finds by listing all accesses. The array of
    R rows and C columns holds a part of one matrix, a fold, while T values
    stream past it:
      dataflow          rows take  columns take  T
      ws  filter stays  k          n             m
      os  output stays  m          n             k
      is  input stays   k          m             n
      folds = ceil(rows' / R) ceil(columns' / C)
      fold  = 2 R + C + T - 2, of os R + C + T - 2
      cycles = folds * fold - 1
      overall = MACs / (cycles R C)
      mapping = rows' columns' / (folds R C)
      compute = mapping T / (2 R + 2 C + T - 3), of os mapping T / fold
    What does not stay is read again for every fold beside it; outputs that do
    not stay are written for every fold of k. Oddities are SCALE-Sim's and kept:
    a cycle less than all folds have, and with os R + C writes more for every
    fold.

    Args:
      gemm: the layer.
      rows: of the array.
      columns: of the array.
      dataflow: one of DATAFLOWS.

    Raises:
      ValueError: the dataflow is not known, or the array has less than two
        cells, where a cycle less would be too few.
    """
    if dataflow not in DATAFLOWS:
        raise ValueError(
            f"dataflow must be one of {', '.join(DATAFLOWS)}; got {dataflow!r}"
        )
    if rows < 1 or columns < 1 or rows * columns < 2:
        raise ValueError(
            f"array must have at least two cells; got {rows} x {columns}"
        )
    m, n, k = gemm.m, gemm.n, gemm.k
    held_rows, held_columns, streamed = {
        "ws": (k, n, m),
        "os": (m, n, k),
        "is": (k, m, n),
    }[dataflow]
    down = math.ceil(held_rows / rows)
    across = math.ceil(held_columns / columns)
    fold = rows + columns + streamed - 2
    counted = fold
    if dataflow != "os":
        fold, counted = fold + rows, fold + rows + columns - 1
    cycles, cells = down * across * fold - 1, rows * columns
    mapping = held_rows * held_columns / (down * across * cells)
    ifmap, filters, ofmap = {
        "ws": (m * k * across, k * n, m * n * down),
        "os": (
            m * k * across,
            k * n * down,
            m * n + down * across * (rows + columns),
        ),
        "is": (m * k, k * n * across, m * n * down),
    }[dataflow]
    return Counts(
        cycles=cycles,
        overall_utilisation=gemm.macs / (cycles * cells),
        mapping_efficiency=mapping,
        compute_utilisation=mapping * streamed / counted,
        ifmap_reads=ifmap,
        filter_reads=filters,
        ofmap_writes=ofmap,
    )
