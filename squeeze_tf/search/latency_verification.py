"""Whole networks measured against what a latency table makes of them."""

import dataclasses
import functools
import io
import json
import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib import figure
from scipy import stats

from squeeze_tf import whole_file
from squeeze_tf.search import (
    latency_costs,
    latency_table,
    operator_benchmark,
    sample,
)
from squeeze_tf.search import space as space_lib

_LEAST = 3  # networks that a correlation needs


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How estimates agree with measurements.

    Args:
      spearman: correlation of the ranks.
      pearson: correlation.
      mean_absolute_percentage_error: of the estimates, in percent of the
        measurements.
      slope: of the line that the measurements lie on best.
      intercept_us: of that line.
    """

    spearman: float
    pearson: float
    mean_absolute_percentage_error: float
    slope: float
    intercept_us: float


def architectures(
    space: space_lib.Space, count: int, seed: int = 0
) -> list[tuple[str, ...]]:
    """Different ones, all equally likely; the first of more of the same seed.

    Raises:
      ValueError: fewer than three are asked for, or more than there are.
    """
    most = math.prod(map(len, space.candidates))
    if not _LEAST <= count <= most:
        raise ValueError(
            f"between {_LEAST} and {most} networks of {space.name} can be "
            f"drawn; got {count}"
        )
    return sample.draw(space, sample.uniform(space), count, seed)


def network_models(
    space: space_lib.Space, chosen: Sequence[Sequence[str]]
) -> dict[str, operator_benchmark.ModelFunction]:
    """What makes each network, by the key of one operator that is all of it."""
    first, last = space_lib.ends(space)
    found = {}
    for architecture in chosen:
        kinds = ",".join(architecture)
        whole = space_lib.Operator(kinds, first.input_shape, last.output_shape)
        found[whole.key] = functools.partial(
            space_lib.network, space, architecture
        )
    return found


def agreement(estimates: np.ndarray, measured: np.ndarray) -> Agreement:
    """Compares microseconds of the same networks.

    Args:
      estimates: [N].
      measured: [N], above 0.

    Raises:
      ValueError: all the estimates or all the measurements are the same.
    """
    if not np.ptp(estimates) or not np.ptp(measured):
        raise ValueError(
            "estimates and measurements must differ among themselves; got "
            f"{estimates} and {measured}"
        )
    slope, intercept = np.polyfit(estimates, measured, 1)
    errors = np.abs(estimates - measured) / measured
    return Agreement(
        float(stats.spearmanr(estimates, measured).statistic),
        float(stats.pearsonr(estimates, measured).statistic),
        float(100 * errors.mean()),
        float(slope),
        float(intercept),
    )


def verify(
    table: latency_table.LatencyTable,
    networks: latency_table.LatencyTable,
    space: space_lib.Space,
    chosen: Sequence[Sequence[str]],
    path: str | os.PathLike,
) -> Agreement:
    """Writes how medians agree as JSON, and as a picture beside it, .png.

    Args:
      table: of the space's operators.
      networks: of network_models(), measured likewise.
      space: of the networks.
      chosen: their architectures.
      path: of the JSON file.

    Raises:
      ValueError: something is missing in a table, or as agreement().
    """
    costs = latency_costs.costs(table, space)
    ends = latency_costs.fixed_cost(table, space)
    estimates = np.array([_total(space, costs, x) + ends for x in chosen])
    keys = network_models(space, chosen)
    measured = np.array([networks.entries[key].p50 for key in keys])
    found = agreement(estimates, measured)
    rows = [
        {"architecture": x, "estimate_us": y, "measured_us": z}
        for x, y, z in zip(chosen, estimates.tolist(), measured.tolist())
    ]
    facts = dataclasses.asdict(table)
    kept = ("name", "device", "engine", "num_threads", "batch_size")
    content = {name: facts[name] for name in kept}
    content |= {"agreement": dataclasses.asdict(found), "networks": rows}
    whole_file.write(path, json.dumps(content, indent=1))
    drawn = pathlib.Path(path).with_suffix(".png")
    picture(estimates, measured, found, table, drawn)
    return found


def picture(
    estimates: np.ndarray,
    measured: np.ndarray,
    found: Agreement,
    table: latency_table.LatencyTable,
    path: str | os.PathLike,
) -> None:
    """Draws each network, the line of equality and the best line, as a PNG."""
    drawing = figure.Figure(figsize=(6, 5), layout="tight")
    panel = drawing.subplots()
    panel.scatter(estimates, measured, alpha=0.7)
    ends = np.array([estimates.min(), estimates.max()])
    panel.plot(ends, ends, "--", color="gray", label="equal")
    panel.plot(
        ends,
        found.slope * ends + found.intercept_us,
        color="black",
        label=f"{found.slope:.2f} x + {found.intercept_us:.0f}",
    )
    panel.set_xlabel("estimate, microseconds")
    panel.set_ylabel("measured, microseconds")
    panel.set_title(
        f"{table.name}, {table.engine}, rank correlation {found.spearman:.3f}",
        fontsize=9,
    )
    panel.legend()
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=100)
    whole_file.write(path, content.getvalue())


def _total(
    space: space_lib.Space,
    costs: Sequence[np.ndarray],
    architecture: Sequence[str],
) -> float:
    """Sum over the layers, Eq. 19."""
    return sum(
        row[kinds.index(kind)]
        for row, kinds, kind in zip(costs, space.candidates, architecture)
    )
