"""Times a network on a device, prints the tables and writes the files."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

from squeeze_tf import whole_file
from tools.synetgy import (
    agreement,
    front_end,
    hardware,
    identities,
    program,
    report,
    scalesim,
    scalesim_reports,
    settings,
    sweep,
    timing,
    workload,
)

REPORT, TIMES = "report.txt", "timing.json"
SWEEP, PICTURE = "sweep.csv", "sweep.png"
# Ours: powers of two around 32 x 32; clocks and ports around Synetgy's.
TILES = tuple((i, o) for i in (8, 16, 32, 64) for o in (8, 16, 32, 64))
CLOCKS_MHZ = (100.0, 150.0, 200.0, 250.0, 300.0)
BUS_BITS = (32, 64, 128, 256)


def run(
    *,
    model: str | None = None,
    batches: Sequence[str] = ("1",),
    device: str = "ultra96",
    overrides: Sequence[str] = (),
    simulate: int = 0,
    data: str | None = None,
    scalesim_folder: str | None = None,
    with_sweep: bool = False,
    output: str | None = None,
) -> list[timing.FrameTiming]:
    """Does what the command line asks for.

    Args:
      model: workdir of a trained, quantised network; None for the thesis'.
      batches: images of each batch; tables of layers are of the first.
      device: see settings.device().
      overrides: "field=value" of the device.
      simulate: images to run through the functional simulator.
      data: folder of images for that; those of the run if not given.
      scalesim_folder: gets SCALE-Sim's topology, configuration and reports.
      with_sweep: whether to try other tiles, clocks and ports.
      output: folder for tables and sweep.

    Raises:
      ValueError: an argument or a layer of the network is not as needed.
      OSError: a file cannot be read or written.
    """
    sizes = settings.batch_sizes(batches)
    found_device = settings.device(device, overrides)
    if simulate < 0:
        raise ValueError(f"simulate must be 0 or more images; got {simulate}")
    if with_sweep and output is None:
        raise ValueError("--sweep needs --output=DIR, where to write")
    keras_model = settings.network(model)
    network = front_end.read(keras_model)
    program.check_accumulators(network, found_device.accumulator_bits)
    timings = timing.time_batches(network.frame, found_device, sizes)
    parts = [tables(network, timings)]
    print(parts[0])
    if simulate:
        parts.append(_simulated(network, keras_model, model, simulate, data))
        print(f"\n{parts[1]}")
    if scalesim_folder:
        write_scalesim(network.frame, found_device, scalesim_folder)
        print(f"\nSCALE-Sim's files lie in {scalesim_folder}")
    if output:
        folder = pathlib.Path(output)
        _write(network, timings, "\n\n".join(parts) + "\n", folder)
        if with_sweep:
            write_sweep(network.frame, found_device, sizes[0], folder)
        print(f"\nTables lie in {folder.resolve()}")
    return timings


def tables(
    network: program.Program, timings: Sequence[timing.FrameTiming]
) -> str:
    """All tables; for the thesis' network beside Table 14 and its numbers."""
    is_thesis = workload.is_diracdeltanet(network.frame)
    parts = [report.text(timings, hardware.TABLE_14 if is_thesis else None)]
    if is_thesis:
        parts.append("measured: Ch. 6 Table 14, Synetgy on Ultra96")
        parts.append(identities.text(network.frame.macs))
    parts.append(report.uncounted(network, timings[0].device))
    return "\n\n".join(filter(None, parts))


def _simulated(
    network: program.Program,
    model: settings.keras.Model,
    workdir: str | None,
    count: int,
    data: str | None,
) -> str:
    """Agreement with the quantised model, in words."""
    if data or settings.has_data(workdir):
        if workdir is None:
            raise ValueError("--data needs --model=DIR, a run with its classes")
        images = settings.validation_images(workdir, count, data)
    else:
        images = settings.random_images(network.image.shape, count)
    networks = {
        "simulated": agreement.simulated(network),
        "quantised": agreement.eager(model),
    }
    found, _ = agreement.outputs(networks, images.batches, progress=True)
    return (
        f"Simulator and quantised model, {images.source}: "
        f"{agreement.compare(*found.values())}"
    )


def rows(timings: Sequence[timing.FrameTiming]) -> list[dict[str, float]]:
    """Rate, latency and energy of each batch size, for JSON."""
    return [
        {
            "batch": timed.batch,
            "latency_us": timed.latency_us,
            "frames_per_second": timed.frames_per_second,
            "gops": timed.gops,
            "utilisation": timed.utilisation,
            "cpu_share": timed.cpu_share,
            "energy_uj_per_image": timed.energy_uj / timed.batch,
            "board_uj_per_image": timed.board_uj / timed.batch,
        }
        for timed in timings
    ]


def _write(
    network: program.Program,
    timings: Sequence[timing.FrameTiming],
    text: str,
    folder: pathlib.Path,
) -> None:
    """The tables as text; network, device and times as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    whole_file.write(folder / REPORT, text)
    content = {
        "network": network.name,
        "calls": len(network.calls),
        "macs": network.frame.macs,
        "shuffled_values": network.frame.shuffled_values,
        "pooled_values": network.frame.pooled_values,
        "device": dataclasses.asdict(timings[0].device),
        "batches": rows(timings),
        "not_timed": [step.name for step in network.uncounted],
    }
    whole_file.write(folder / TIMES, json.dumps(content, indent=2))


def write_scalesim(
    frame: workload.Frame, device: hardware.Device, folder: str | os.PathLike
) -> None:
    """Writes topology and configuration for SCALE-Sim, and its reports.

    Raises:
      OSError: the folder cannot be written.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    layers = scalesim.convolutions(frame)
    config = scalesim.Config(
        "synetgy", array_height=device.tile_in, array_width=device.tile_out
    )
    scalesim.write_topology(folder / "topology.csv", layers)
    scalesim.write_config(folder / "scale.cfg", config)
    counts = scalesim_reports.counts(layers, config)
    scalesim_reports.write_reports(folder, counts)


def write_sweep(
    frame: workload.Frame,
    device: hardware.Device,
    batch: int,
    folder: pathlib.Path,
) -> None:
    """Writes other devices' rates as CSV and the Pareto front as a picture.

    Raises:
      OSError: a file cannot be written.
    """
    points = sweep.sweep(
        frame,
        device,
        tiles=TILES,
        clocks_mhz=CLOCKS_MHZ,
        bus_bits=BUS_BITS,
        batch=batch,
    )
    sweep.write_csv(points, folder / SWEEP)
    title = f"{frame.name} on {device.name}, batch {batch}"
    sweep.write_picture(points, folder / PICTURE, title=title, dsps=device.dsps)
