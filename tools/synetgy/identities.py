"""What the thesis prints of Synetgy, beside what follows from other numbers."""

import dataclasses

from tools.synetgy import hardware, report

# Ch. 6 §5.2 and Tables 11 and 13; [42] is there the only other accelerator of
# about the same accuracy.
MACS = 330e6
RATE, RATE_OF_42, TIMES_42 = 66.3, 5.7, 11.6
LOAD_WATTS, IDLE_WATTS = 5.5, 5.3
PEAK_GOPS, AVERAGE_GOPS, CLOCK_MHZ = 418.0, 47.09, 250.0


@dataclasses.dataclass(frozen=True)
class Identity:
    """A number and how it follows.

    Args:
      name: what it is.
      unit: of both numbers.
      printed: in the thesis; None where it prints none.
      found: from the others.
      formula: how.
    """

    name: str
    unit: str
    printed: float | None
    found: float
    formula: str


def identities(macs: int) -> list[Identity]:
    """Numbers of Ch. 6 §5.2 that must fit each other.

    Args:
      macs: of one image.
    """
    one, sixteen = hardware.TABLE_14[1], hardware.TABLE_14[16]
    return [
        Identity("work", "M MACs", 1e-6 * MACS, 1e-6 * macs, "counted"),
        Identity(
            "array",
            "MACs/cycle",
            None,
            1e3 * PEAK_GOPS / 2 / CLOCK_MHZ,
            f"{PEAK_GOPS:g} GOPs / 2 / {CLOCK_MHZ:g} MHz",
        ),
        Identity(
            "throughput",
            "GOPs",
            AVERAGE_GOPS,
            2e-9 * macs * RATE,
            f"2 MACs * {RATE:g} fps",
        ),
        Identity(
            "share of peak",
            "%",
            None,
            100 * AVERAGE_GOPS / PEAK_GOPS,
            f"{AVERAGE_GOPS:g} / {PEAK_GOPS:g} GOPs",
        ),
        Identity(
            "latency",
            "ms",
            None,
            1e3 / one,
            f"1 / {one:g} fps of batch 1",
        ),
        Identity(
            "batch 1 by 16",
            "%",
            None,
            100 * one / sixteen,
            f"{one:g} / {sixteen:g} fps",
        ),
        Identity(
            "board",
            "mJ/image",
            None,
            1e3 * LOAD_WATTS / RATE,
            f"{LOAD_WATTS:g} W / {RATE:g} fps",
        ),
        Identity(
            "above idle",
            "mJ/image",
            None,
            1e3 * (LOAD_WATTS - IDLE_WATTS) / RATE,
            f"({LOAD_WATTS:g} - {IDLE_WATTS:g}) W / {RATE:g} fps",
        ),
        Identity(
            "faster than [42]",
            "times",
            TIMES_42,
            RATE / RATE_OF_42,
            f"{RATE:g} / {RATE_OF_42:g} fps",
        ),
    ]


def text(macs: int) -> str:
    """All of them as a table."""
    head = ("Ch. 6 §5.2", "printed", "follows", "unit", "from")
    lines = [
        (
            x.name,
            "-" if x.printed is None else f"{x.printed:.2f}",
            f"{x.found:.2f}",
            x.unit,
            x.formula,
        )
        for x in identities(macs)
    ]
    return report.aligned([head, *lines], left=(0, 3, 4))
