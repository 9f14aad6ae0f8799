"""What architectures take on a device, by its table, Ch. 7 §6.2."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.search import latency_table
from squeeze_tf.search import space as space_lib

keras = tf.keras

_SHOWN = 3  # keys or shapes in a message


def costs(
    table: latency_table.LatencyTable,
    space: space_lib.Space,
    statistic: str = "p50",
) -> list[np.ndarray]:
    """LAT(b_l,i) of Ch. 7 Eq. 20, without the overhead of a call.

    Ours: a block of a network is not called by itself, so the overhead is
    taken off. What noise makes less than nothing is 0, and so is a candidate
    that gives its input back, which no table needs to hold.

    Args:
      table: of the space's operators.
      space: whose candidates are looked up.
      statistic: of latency_table.STATISTICS.

    Returns:
      [K] float64 microseconds for each layer, in the order of its candidates.

    Raises:
      ValueError: operators are missing: says how many, and what measures them.
        Or the statistic is unknown, to us or to the table.
    """
    found = _microseconds(table, space, distinct(space).values(), statistic)
    return [
        np.array([found[operator.key] for operator in row], float)
        for row in space_lib.operators(space)
    ]


def fixed_cost(
    table: latency_table.LatencyTable,
    space: space_lib.Space,
    statistic: str = "p50",
) -> float:
    """Microseconds of the two ends and of one call's overhead.

    Arguments and errors are those of costs().
    """
    ends = [(None, end) for end in space_lib.ends(space)]
    found = _microseconds(table, space, ends, statistic)
    return sum(found.values()) + _overhead(table, statistic)


def estimate(
    table: latency_table.LatencyTable,
    space: space_lib.Space,
    architecture: Sequence[str],
    statistic: str = "p50",
) -> float:
    """LAT(a) of Ch. 7 Eq. 19, with the ends.

    Args:
      table: of the architecture's operators.
      space: of the architecture.
      architecture: a candidate for each layer.
      statistic: of latency_table.STATISTICS.

    Returns:
      Microseconds.

    Raises:
      ValueError: the architecture is not of the space, else as costs().
    """
    space.check(architecture)
    chosen = [
        (layer, row[space.candidates[layer].index(architecture[layer])])
        for layer, row in enumerate(space_lib.operators(space))
    ]
    found = _microseconds(table, space, chosen, statistic)
    blocks = sum(found[operator.key] for _, operator in chosen)
    return fixed_cost(table, space, statistic) + blocks


def distinct(
    space: space_lib.Space,
) -> dict[str, tuple[int, space_lib.Operator]]:
    """Each candidate once, by its key: the first layer that has it, and it."""
    found = {}
    for layer, row in enumerate(space_lib.operators(space)):
        for operator in row:
            found.setdefault(operator.key, (layer, operator))
    return found


def does_nothing(
    space: space_lib.Space, layer: int, operator: space_lib.Operator
) -> bool:
    """Whether a candidate of a layer gives its input back."""
    if operator.input_shape != operator.output_shape:
        return False
    x = keras.Input(operator.input_shape)
    return space.block(x, layer, operator.kind, "probe") is x


def _microseconds(
    table: latency_table.LatencyTable,
    space: space_lib.Space,
    operators: Iterable[tuple[int | None, space_lib.Operator]],
    statistic: str,
) -> dict[str, float]:
    """Of operators and one layer of each, None for the ends."""
    overhead = _overhead(table, statistic)
    found, missing = {}, []
    for layer, operator in operators:
        key = operator.key
        if key in table.entries:
            value = _value(table, key, table.entries[key], statistic)
            found[key] = max(value - overhead, 0.0)
        elif layer is not None and does_nothing(space, layer, operator):
            found[key] = 0.0
        else:
            missing.append(operator)
    if missing:
        raise ValueError(_missing(table, space, missing))
    return found


def _overhead(table: latency_table.LatencyTable, statistic: str) -> float:
    if statistic not in latency_table.STATISTICS:
        raise ValueError(
            f"statistic must be one of {', '.join(latency_table.STATISTICS)}; "
            f"got {statistic!r}"
        )
    if table.overhead_us is None:
        return 0.0
    return _value(table, "overhead_us", table.overhead_us, statistic)


def _value(
    table: latency_table.LatencyTable,
    name: str,
    entry: latency_table.Entry,
    statistic: str,
) -> float:
    if statistic not in entry.known:
        raise ValueError(
            f"{name!r} of the table of {table.name!r} has no {statistic}; it "
            f"has {', '.join(entry.known)}"
        )
    return entry.known[statistic]


def _missing(
    table: latency_table.LatencyTable,
    space: space_lib.Space,
    missing: Sequence[space_lib.Operator],
) -> str:
    """Names the first, the shapes that their kind has, and what measures."""
    keys = [operator.key for operator in missing]
    kind = missing[0].kind
    others = map(latency_table.split, table.entries)
    shapes = [f"{x} to {y}" for other, x, y in others if other == kind]
    return (
        f"the table of {table.name!r} lacks {len(keys)} operators of space "
        f"{space.name}: {_first(keys)}; of {kind} it has "
        f"{_first(shapes) or 'none'}; python -m tools.measure_operators adds "
        "what its --output lacks; tools.synetgy.search_table is for Synetgy"
    )


def _first(texts: Sequence[str]) -> str:
    more = ", ..." if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
