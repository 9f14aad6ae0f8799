"""Simulated times as tables of text."""

from collections.abc import Mapping, Sequence

from tools.synetgy import hardware, program, timing


def text(
    timings: Sequence[timing.FrameTiming],
    measured: Mapping[int, float] | None = None,
) -> str:
    """All tables: layers and sums of the first batch size, then all sizes.

    Args:
      timings: of one frame on one device, for each batch size.
      measured: frames a second by batch size, as hardware.TABLE_14.

    Raises:
      ValueError: there are no timings.
    """
    if not timings:
        raise ValueError("a report needs a timing")
    first = timings[0]
    head = f"{first.frame.name} on {first.device.name}, batch {first.batch}"
    tables = (layers(first), sums(first), batches(timings, measured or {}))
    return "\n\n".join((head, *tables))


def layers(timed: timing.FrameTiming) -> str:
    """A line for each call, and one for all of them."""
    head = ("call", "cycles", "us", "util %", "bytes", "bound by", "uJ")
    lines = [
        (
            call.call.name,
            f"{call.cycles:,.0f}",
            f"{call.latency_us:.1f}",
            f"{100 * call.utilisation:.1f}",
            f"{call.dram_bytes:,}",
            call.bound_by,
            f"{call.energy_uj:.2f}",
        )
        for call in timed.calls
    ]
    total = (
        "all",
        f"{sum(call.cycles for call in timed.calls):,.0f}",
        f"{sum(call.latency_us for call in timed.calls):.1f}",
        f"{100 * timed.utilisation:.1f}",
        f"{timed.dram_bytes:,}",
        "",
        f"{timed.energy_uj:.2f}",
    )
    return aligned([head, *lines, total], left=(0, 5))


def sums(timed: timing.FrameTiming) -> str:
    """What the batch's time is spent on, and what comes out of it."""
    whole = timed.latency_us
    parts = {
        "accelerator": timed.accelerator_us,
        "calling it": timed.call_overhead_us,
        "CPU's shuffle": timed.shuffle_us,
        "CPU's pooling": timed.pool_us,
        "once a batch": timed.batch_overhead_us,
        "whole": whole,
    }
    times = [
        (name, f"{time:.1f}", "us", f"{time / whole:.1%}")
        for name, time in parts.items()
    ]
    device, batch = timed.device, timed.batch
    board = f"{1e-3 * timed.board_uj / batch:.2f}"
    results = [
        ("MACs", f"{timed.frame.macs:,}", "an image", ""),
        ("throughput", f"{timed.gops:.2f}", "GOPs", ""),
        ("attainable", f"{device.peak_gops:.2f}", "GOPs", ""),
        (
            "MACs and DRAM",
            f"{1e-3 * timed.energy_uj / batch:.2f}",
            "mJ/image",
            "",
        ),
        ("board", board if device.load_watts else "?", "mJ/image", ""),
    ]
    return aligned([*times, *results], left=(0, 2))


def batches(
    timings: Sequence[timing.FrameTiming], measured: Mapping[int, float]
) -> str:
    """Frames a second by batch size, beside what was measured."""
    head = ("batch", "ms", "fps", "measured", "error %", "GOPs", "CPU %")
    lines = [head]
    for timed in timings:
        rate = measured.get(timed.batch)
        error = 100 * (timed.frames_per_second / rate - 1) if rate else None
        lines.append(
            (
                str(timed.batch),
                f"{1e-3 * timed.latency_us:.2f}",
                f"{timed.frames_per_second:.1f}",
                "-" if rate is None else f"{rate:.1f}",
                "-" if error is None else f"{error:+.2f}",
                f"{timed.gops:.2f}",
                f"{100 * timed.cpu_share:.1f}",
            )
        )
    return aligned(lines)


def uncounted(network: program.Program, device: hardware.Device) -> str:
    """What else the CPU does, which is in none of the times; "" if nothing.

    Ours: the thesis does not say who pools before a skip branch's convolution,
    nor how long that takes. What the constants fitted to its frame rates hold
    of it cannot be told.
    """
    lines = []
    pools = [x for x in network.uncounted if isinstance(x, program.MaxPool)]
    if pools:
        values = sum(step.sources[0].values for step in pools)
        each = device.pool_ns_per_value
        cost = f"{1e-3 * values * each:.1f} us" if each else "unknown"
        lines.append(
            f"  max-pooling with no convolution before it, on the CPU: "
            f"{', '.join(step.name for step in pools)}; {values:,} values an "
            f"image ({cost} if one costs what average-pooling one does)"
        )
    others = [x for x in network.uncounted if x not in pools]
    if others:
        lines.append(
            "  on the CPU in floating point, time unknown: "
            + ", ".join(map(_described, others))
        )
    return "\n".join(["Not in these times:", *lines]) if lines else ""


def _described(step: program.Step) -> str:
    kind = step.layer if isinstance(step, program.FullPrecision) else step
    return f"{step.name} ({type(kind).__name__})"


def aligned(lines: Sequence[Sequence[str]], left: Sequence[int] = ()) -> str:
    """Columns side by side; those of `left` begin together, others end so."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )
