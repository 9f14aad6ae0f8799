"""A network's costs as text, JSON and CSV."""

import csv
import dataclasses
import io
import json
import os
import pathlib
from collections.abc import Sequence

from squeeze_tf import whole_file
from squeeze_tf.efficiency import counters, metrics, timing
from squeeze_tf.efficiency import footprint as footprint_lib
from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.efficiency import machine as machine_lib
from squeeze_tf.efficiency import power as power_lib
from squeeze_tf.efficiency import workload as workload_lib

JSON, CSV = "efficiency.json", "layers.csv"
_MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Report:
    """All that is known of one network on one machine.

    Args:
      model: its name.
      batch_size: of the layers' counts.
      loads: the layers.
      footprint: of their activations.
      activation_counter: values, as Ch. 2 Tables 4 and 6 count them.
      flop_counter: operations, as Ch. 2 Tables 4 and 6 count them.
      machine: that bounds and energies hold for.
      speeds: measured, one for each batch size.
      power: measured, None if it was not.
    """

    model: str
    batch_size: int
    loads: tuple[metrics.Workload, ...]
    footprint: footprint_lib.Footprint
    activation_counter: int
    flop_counter: int
    machine: machine_lib.Machine
    speeds: tuple[timing.Throughput, ...] = ()
    power: power_lib.Power | None = None


def count(
    graph: graph_lib.Graph,
    model: str,
    batch_size: int,
    machine: machine_lib.Machine,
) -> Report:
    """The report of a traced network before anything is measured."""
    loads = tuple(workload_lib.of_calls(graph.calls))
    return Report(
        model=model,
        batch_size=batch_size,
        loads=loads,
        footprint=footprint_lib.footprint(graph, loads),
        activation_counter=counters.activation_counter(graph.calls),
        flop_counter=counters.flop_counter(graph.calls),
        machine=machine,
    )


def rows(report: Report) -> list[dict[str, object]]:
    """One dict for each layer; seconds and joules are estimates.

    Bounds are None where the machine has no roofline or the layer does
    nothing, MACs and what follows from them where they are not known.
    """
    energies = machine_lib.energies(report.loads, report.machine)
    found = []
    for load, energy in zip(report.loads, energies):
        row = dataclasses.asdict(load) | {
            "memory_accesses": load.memory_accesses,
            "arithmetic_intensity": load.arithmetic_intensity,
            "joules": energy.joules,
            "is_compute_bound": None,
            "least_seconds": None,
        }
        if report.machine.has_roofline:
            bound = machine_lib.roofline(load, report.machine)
            row["least_seconds"] = bound.seconds
            if bound.seconds:
                row["is_compute_bound"] = bound.is_compute_bound
        if not load.is_counted:
            unknown = ("macs", "arithmetic_intensity", "is_compute_bound")
            row |= dict.fromkeys(unknown)
        found.append(row)
    return found


def summary(report: Report) -> dict[str, object]:
    """All numbers as JSON can hold them."""
    total = metrics.total(report.loads)
    energies = machine_lib.energies(report.loads, report.machine)
    layers = rows(report)
    least = [row["least_seconds"] for row in layers]
    watts = report.power
    return {
        "model": report.model,
        "batch_size": report.batch_size,
        "total": dataclasses.asdict(total)
        | {
            "arithmetic_intensity": total.arithmetic_intensity,
            "joules": sum(x.joules for x in energies),
            "off_chip_joules": sum(x.off_chip for x in energies),
            "least_seconds": None if None in least else sum(least),
        },
        "footprint": dataclasses.asdict(report.footprint),
        "activation_counter": report.activation_counter,
        "flop_counter": report.flop_counter,
        "machine": dataclasses.asdict(report.machine),
        "speeds": [dataclasses.asdict(x) for x in report.speeds],
        "power": watts
        and dataclasses.asdict(watts)
        | {"joules_per_frame": watts.joules_per_frame},
        "layers": layers,
    }


def write(report: Report, folder: str | os.PathLike) -> None:
    """Writes efficiency.json and layers.csv into a folder.

    Raises:
      OSError: the folder is not there or cannot be written.
    """
    folder = pathlib.Path(folder)
    content = json.dumps(summary(report), indent=2)
    whole_file.write(folder / JSON, content)
    layers = rows(report)
    for row in layers:
        row["input_shapes"] = " ".join(map(_shape, row["input_shapes"]))
        row["output_shape"] = _shape(row["output_shape"])
    text = io.StringIO()
    writer = csv.DictWriter(text, layers[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(layers)
    whole_file.write(folder / CSV, text.getvalue())


def table(report: Report) -> str:
    """The layers, their sum, the footprints and what was measured, as text."""
    head = ("layer", "kind", "output", "MACs", "params", "activations")
    head += ("MACs/access", "bound", "least us", "uJ")
    lines = [head, *(_line(row) for row in rows(report))]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = [
        "  ".join(
            cell.ljust(width) if index < 3 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, "", *_sums(report), *_measured(report)])


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _line(row: dict[str, object]) -> tuple[str, ...]:
    least = row["least_seconds"]
    bound = {None: "-", True: "compute", False: "memory"}
    counted = row["macs"] is not None
    return (
        row["name"],
        row["kind"],
        _shape(row["output_shape"][1:]),
        f"{row['macs']:,}" if counted else "?",
        f"{row['parameters']:,}",
        f"{row['input_values'] + row['output_values']:,}",
        f"{row['arithmetic_intensity']:.1f}" if counted else "?",
        bound[row["is_compute_bound"]],
        "-" if least is None else f"{1e6 * least:.1f}",
        f"{1e6 * row['joules']:.1f}",
    )


def _sums(report: Report) -> list[str]:
    total = metrics.total(report.loads)
    joules = [
        x.joules for x in machine_lib.energies(report.loads, report.machine)
    ]
    peaks, counted = report.footprint, 4 * report.activation_counter / _MIB
    lines = [
        f"{report.model}, batch {report.batch_size}, {report.machine.name}",
        f"MACs                {total.macs:,}",
        f"parameters          {total.parameters:,} "
        f"({total.weight_bytes / _MIB:.2f} MiB)",
        f"memory accesses     {total.memory_accesses:,} "
        f"({total.arithmetic_intensity:.1f} MACs each)",
        f"activations         {peaks.pair_bytes / _MIB:.2f} MiB in and out of "
        f"{peaks.pair_layer}, {peaks.live_bytes / _MIB:.2f} MiB alive at "
        f"{peaks.live_layer}",
        f"as Ch. 2 Table 6    {report.flop_counter / 1e9:.2f} GFLOP, "
        f"{counted:.1f} MiB of activations for each input",
        f"estimated energy    {1e3 * sum(joules):.3f} mJ",
    ]
    if report.machine.has_roofline:
        bounds = [machine_lib.roofline(x, report.machine) for x in report.loads]
        seconds = sum(x.seconds for x in bounds)
        lines.append(f"least time          {1e3 * seconds:.3f} ms")
    if total.uncounted:
        names = ", ".join(total.uncounted)
        lines.append(f"not in the MACs     {names}: not known")
    return lines


def _measured(report: Report) -> Sequence[str]:
    lines = []
    for speed in report.speeds:
        times = [
            f"{name} {1e3 * getattr(speed.latency, name):.2f}"
            for name in ("mean", "p10", "p50", "p90", "p99")
        ]
        lines.append(
            f"batch {speed.batch_size:<14}{speed.frames_per_second:.1f} "
            f"frames/s; ms: {', '.join(times)}"
        )
    if report.power:
        lines.append(
            f"power               {report.power.watts:.1f} W at "
            f"{report.power.frames_per_second:.1f} frames/s: "
            f"{report.power.joules_per_frame:.3f} J/frame"
        )
    return lines
