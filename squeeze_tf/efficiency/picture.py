"""A network's layers under the roofline, and their sizes as bars."""

import io
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib

from squeeze_tf import whole_file
from squeeze_tf.efficiency import machine as machine_lib
from squeeze_tf.efficiency import metrics, report

_LABELLED = 6  # layers with their names in the roofline
_NAMES = 130  # that fit below the bars
_BARS = ("macs", "parameters", "activations")


def write(found: report.Report, path: str | os.PathLike) -> None:
    """Writes the picture as PNG, whole or not at all.

    Above, where the machine's peak and bandwidth are known, the attainable
    speed of every layer with MACs over its intensity, both logarithmic;
    below, MACs, parameters and activations layer by layer.

    Raises:
      OSError: `path` cannot be written.
    """
    loads = [x for x in found.loads if x.moves_data]
    has_roofline = found.machine.has_roofline and any(x.macs for x in loads)
    panels = len(_BARS) + has_roofline
    figure = figure_lib.Figure((10, 3 * panels), layout="constrained")
    figure.suptitle(f"{found.model}, batch {found.batch_size}")
    axes = list(figure.subplots(panels, squeeze=False)[:, 0])
    if has_roofline:
        roofline(axes.pop(0), loads, found.machine)
    for axis, name in zip(axes, _BARS):
        _bars(axis, name, loads)
    _name_bars(axes[-1], loads)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    whole_file.write(path, content.getvalue())


def roofline(
    axis: axes_lib.Axes,
    loads: Sequence[metrics.Workload],
    machine: machine_lib.Machine,
) -> None:
    """Draws the roof and a point for each layer that has MACs."""
    loads = [load for load in loads if load.macs]
    bounds = [machine_lib.roofline(load, machine) for load in loads]
    x = np.array([bound.macs_per_byte for bound in bounds])
    y = np.array([bound.macs_per_second for bound in bounds])
    ridge = machine.peak_macs_per_second / machine.bandwidth_bytes_per_second
    roof = np.array([min(x.min(), ridge) / 2, ridge, max(x.max(), ridge) * 2])
    axis.loglog(
        roof,
        np.minimum(
            machine.peak_macs_per_second,
            roof * machine.bandwidth_bytes_per_second,
        ),
        color="black",
    )
    area = np.array([load.macs for load in loads], float)
    axis.scatter(x, y, 10 + 200 * area / area.max(), alpha=0.6)
    for rank, index in enumerate(np.argsort(-area, kind="stable")[:_LABELLED]):
        axis.annotate(
            loads[index].name,
            (x[index], y[index]),
            (-20, -20 - 12 * rank),  # below each other, as many lie close by
            textcoords="offset points",
            fontsize=7,
            arrowprops={"arrowstyle": "-", "alpha": 0.3},
            horizontalalignment="right",
        )
    axis.set_xlabel("MACs per byte")
    axis.set_ylabel("attainable MACs per second")
    axis.set_title(machine.name, fontsize=9)
    axis.grid(True, which="both", alpha=0.2)


def _bars(
    axis: axes_lib.Axes, name: str, loads: Sequence[metrics.Workload]
) -> None:
    axis.bar(range(len(loads)), [getattr(load, name) for load in loads])
    axis.set_ylabel("MACs" if name == "macs" else name)
    axis.set_xticks([])
    axis.margins(x=0.01)


def _name_bars(axis: axes_lib.Axes, loads: Sequence[metrics.Workload]) -> None:
    """Names under the lowest bars; every second of very many, and so on."""
    step = -(-len(loads) // _NAMES)
    axis.set_xticks(
        range(0, len(loads), step),
        [load.name for load in loads[::step]],
        rotation=90,
        fontsize=5,
    )
