"""Files of what operators take on a device, Ch. 7 §6.2."""

import dataclasses
import json
import math
import os
import pathlib
import re
from collections.abc import Mapping

from squeeze_tf import whole_file

STATISTICS = ("p0", "p10", "p50", "p90", "p100", "mean")
_FORMAT = {"format": "squeeze_tf latency table", "version": 1}
_KEY = re.compile(r"(\S+) (\d+(?:x\d+)*) (\d+(?:x\d+)*)")


@dataclasses.dataclass(frozen=True)
class Entry:
    """Microseconds that calls of one operator took; None where not known.

    Args:
      p0: the fastest.
      p10: percentile: one call in ten is faster.
      p50: the median.
      p90: one call in ten is slower.
      p100: the slowest.
      mean: of all.
      repeats: how many calls were measured; 0 where not known.
    """

    p0: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    p100: float | None = None
    mean: float | None = None
    repeats: int = 0

    @property
    def known(self) -> dict[str, float]:
        """The statistics that are known, by their names."""
        values = {name: getattr(self, name) for name in STATISTICS}
        return {name: x for name, x in values.items() if x is not None}


@dataclasses.dataclass(frozen=True)
class LatencyTable:
    """What a device takes for each operator that was measured on it.

    Args:
      name: of the device.
      device: what else is known of it, as JSON has it.
      engine: that ran the operators.
      num_threads: that each could use; None where not known.
      batch_size: images.
      entries: as measured, by Operator.key.
      overhead_us: of a call that does nothing, part of every entry; None where
        entries have no such part.

    Raises:
      ValueError: an entry has another name than operators have, no number, or
        one that cannot be true.
    """

    name: str
    device: Mapping[str, object]
    engine: str
    num_threads: int | None
    batch_size: int
    entries: Mapping[str, Entry]
    overhead_us: Entry | None = None

    def __post_init__(self) -> None:
        """Checks the entries."""
        for key, entry in self.entries.items():
            _, source, target = split(key)
            # Only what keeps the shape can do nothing.
            _check_entry(f"entry {key!r}", entry, source == target)
        if self.overhead_us is not None:
            _check_entry("overhead_us", self.overhead_us, True)


def write(table: LatencyTable, path: str | os.PathLike) -> None:
    """Writes a table as JSON, whole or not at all."""
    content = json.dumps(_FORMAT | dataclasses.asdict(table), indent=1)
    whole_file.write(path, content)


def read(path: str | os.PathLike) -> LatencyTable:
    """Reads what write() wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it holds no table; names the file and what is wrong in it.
    """
    try:
        return _table(json.loads(pathlib.Path(path).read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path} is no latency table: {error}") from error


def check_device(table: LatencyTable, expected: str) -> None:
    """Refuses the table of another device.

    Args:
      table: to look at.
      expected: name that its device must have.

    Raises:
      ValueError: names both.
    """
    if table.name != expected:
        raise ValueError(
            f"the latency table must be of {expected!r}; got one of "
            f"{table.name!r}"
        )


def split(key: str) -> tuple[str, str, str]:
    """Kind and both shapes of an Operator.key.

    Raises:
      ValueError: it is none.
    """
    parts = _KEY.fullmatch(key)
    if not parts:
        raise ValueError(
            f"entry {key!r} must be named by a kind and two shapes, as "
            "'k3_e1 8x8x16 8x8x24'"
        )
    return parts[1], parts[2], parts[3]


def _check_entry(what: str, entry: Entry, may_be_zero: bool) -> None:
    """Refuses numbers that no measurement gives."""
    if not entry.known:
        raise ValueError(f"{what} has none of {', '.join(STATISTICS)}")
    for name, value in entry.known.items():
        if not _is_number(value) or not 0 <= value < math.inf:
            raise ValueError(
                f"{what}: {name} must be finite microseconds, not negative; "
                f"got {value!r}"
            )
        if not value and not may_be_zero:
            raise ValueError(
                f"{what}: {name} is 0, which only an operator that does "
                "nothing takes"
            )
    percentiles = [x for name, x in entry.known.items() if name != "mean"]
    if percentiles != sorted(percentiles):
        raise ValueError(f"{what}: percentiles must rise; got {percentiles}")
    _check_count(f"{what}: repeats", entry.repeats, 0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_count(what: str, value: object, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(
            f"{what} must be a whole number of at least {least}; got {value!r}"
        )


def _table(content: object) -> LatencyTable:
    """Of what the JSON holds."""
    if not isinstance(content, dict) or any(
        content.get(name) != value for name, value in _FORMAT.items()
    ):
        raise ValueError(f"it must be an object with {_FORMAT}")
    values = {name: x for name, x in content.items() if name not in _FORMAT}
    _check_fields("the table", values, LatencyTable)
    _check_count("batch_size", values["batch_size"], 1)
    if values["num_threads"] is not None:
        _check_count("num_threads", values["num_threads"], 1)
    for name, kind in {"name": str, "engine": str, "device": dict}.items():
        if not isinstance(values[name], kind):
            raise ValueError(f"{name} must be {kind}; got {values[name]!r}")
    if not isinstance(values["entries"], dict):
        raise ValueError(f"entries must be {dict}; got {values['entries']!r}")
    values["entries"] = {
        key: _entry(f"entry {key!r}", value)
        for key, value in values["entries"].items()
    }
    if values["overhead_us"] is not None:
        values["overhead_us"] = _entry("overhead_us", values["overhead_us"])
    return LatencyTable(**values)


def _entry(what: str, value: object) -> Entry:
    _check_fields(what, value, Entry)
    return Entry(**value)


def _check_fields(what: str, value: object, kind: type) -> None:
    """Refuses what is no object of exactly the dataclass's fields."""
    fields = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object; got {value!r}")
    if value.keys() != fields:
        raise ValueError(
            f"{what} must have the fields {', '.join(sorted(fields))}; "
            f"missing: {sorted(fields - value.keys())}, unknown: "
            f"{sorted(value.keys() - fields)}"
        )
