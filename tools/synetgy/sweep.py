"""Other tile sizes, clocks and buses, and which of them are worth building."""

import csv
import dataclasses
import io
import itertools
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib

from squeeze_tf import whole_file
from squeeze_tf.search import front as front_lib
from tools.synetgy import hardware, timing, workload

_LABELLED = 20  # points of the front with their names in the picture


@dataclasses.dataclass(frozen=True)
class Point:
    """One device of a sweep.

    Args:
      tile_in: as of hardware.Device.
      tile_out: as of hardware.Device.
      clock_mhz: as of hardware.Device.
      bus_bits: as of hardware.Device.
      frames_per_second: of the network.
      utilisation: of the array while the accelerator runs.
      peak_gops: attainable.
      dsps: of the multipliers.
      fits: whether the chip has so many; true where that is unknown.
    """

    tile_in: int
    tile_out: int
    clock_mhz: float
    bus_bits: int
    frames_per_second: float
    utilisation: float
    peak_gops: float
    dsps: int
    fits: bool

    @property
    def label(self) -> str:
        """Short name for the picture."""
        size = f"{self.tile_in}x{self.tile_out}"
        return f"{size}, {self.clock_mhz:g} MHz, {self.bus_bits} b"


def sweep(
    frame: workload.Frame,
    base: hardware.Device,
    *,
    tiles: Sequence[tuple[int, int]],
    clocks_mhz: Sequence[float],
    bus_bits: Sequence[int],
    batch: int = 1,
) -> list[Point]:
    """All combinations, in the order of the arguments.

    Everything else is as of `base`. Constants in cycles stay so many cycles
    and those in microseconds so many microseconds; whether a chip closes
    timing at a clock is not asked.

    Args:
      frame: the network.
      base: the device to vary.
      tiles: tile_in and tile_out.
      clocks_mhz: of the accelerator.
      bus_bits: of one port.
      batch: images.

    Raises:
      ValueError: a device cannot be, or there is none.
    """
    found = []
    for tile, clock, bits in itertools.product(tiles, clocks_mhz, bus_bits):
        device = dataclasses.replace(
            base,
            tile_in=tile[0],
            tile_out=tile[1],
            clock_mhz=clock,
            bus_bits=bits,
        )
        timed = timing.time_frame(frame, device, batch)
        dsps = device.multiplier_dsps
        point = Point(
            *tile,
            clock_mhz=clock,
            bus_bits=bits,
            frames_per_second=timed.frames_per_second,
            utilisation=timed.utilisation,
            peak_gops=device.peak_gops,
            dsps=dsps,
            fits=not device.dsps or dsps <= device.dsps,
        )
        found.append(point)
    if not found:
        raise ValueError("a sweep needs tiles, clocks_mhz and bus_bits")
    return found


def pareto(points: Sequence[Point]) -> list[bool]:
    """Which points no other one beats.

    A point beats another one if it has at least its frames a second, at least
    its utilisation and at most its DSP slices, and not all three the same.
    """
    goals = np.array(
        [(x.frames_per_second, x.utilisation, -x.dsps) for x in points]
    ).reshape(len(points), 3)
    return front_lib.pareto(goals).tolist()


def write_csv(points: Sequence[Point], path: str | os.PathLike) -> None:
    """Writes a line for each point, and whether it is on the Pareto front.

    Raises:
      OSError: `path` cannot be written.
    """
    names = [field.name for field in dataclasses.fields(Point)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "is_on_front"])
    for point, is_on_front in zip(points, pareto(points)):
        writer.writerow([*dataclasses.astuple(point), is_on_front])
    whole_file.write(path, text.getvalue())


def write_picture(
    points: Sequence[Point],
    path: str | os.PathLike,
    *,
    title: str,
    dsps: int = 0,
) -> None:
    """Writes frame rates and utilisations over DSP slices as PNG.

    Args:
      points: of a sweep; those of the Pareto front are marked.
      path: of the file.
      title: above both panels.
      dsps: that the chip has, drawn as a line; 0 draws none.

    Raises:
      OSError: `path` cannot be written.
    """
    figure = figure_lib.Figure((10, 8), layout="constrained")
    figure.suptitle(title)
    upper, lower = figure.subplots(2, sharex=True)
    panel(upper, points, "frames_per_second", dsps)
    panel(lower, points, "utilisation", dsps)
    _label(upper, points)
    lower.set_xlabel("DSP slices of the multipliers")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    whole_file.write(path, content.getvalue())


def panel(
    axis: axes_lib.Axes, points: Sequence[Point], name: str, dsps: int = 0
) -> None:
    """Draws one field of all points over their DSP slices."""
    front = np.array(pareto(points))
    x = np.array([point.dsps for point in points])
    y = np.array([getattr(point, name) for point in points])
    axis.scatter(x[~front], y[~front], 15, "silver", label="beaten")
    axis.scatter(x[front], y[front], 40, "tab:blue", label="Pareto front")
    if dsps:
        axis.axvline(dsps, color="tab:red", linestyle="--", label="chip")
    axis.set_xscale("log", base=2)
    axis.set_ylabel(name.replace("_", " "))
    axis.grid(True, which="both", alpha=0.2)
    axis.legend(fontsize=7)


def _label(axis: axes_lib.Axes, points: Sequence[Point]) -> None:
    """Names beside the fastest points of the front."""
    front = [x for x, is_on in zip(points, pareto(points)) if is_on]
    front.sort(key=lambda point: -point.frames_per_second)
    for point in front[:_LABELLED]:
        axis.annotate(
            point.label,
            (point.dsps, point.frames_per_second),
            (4, 2),
            textcoords="offset points",
            fontsize=5,
        )
