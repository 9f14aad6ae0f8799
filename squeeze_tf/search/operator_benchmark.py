"""Measures operators on this machine, for latency tables, Ch. 7 §6.2."""

import dataclasses
import functools
import os
import pathlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf
import tqdm

from squeeze_tf.search import latency_costs, latency_engines, latency_table
from squeeze_tf.search import space as space_lib

keras = tf.keras

ModelFunction = Callable[[], keras.Model]
_ROUNDS = 5
_GROUP = 8  # operators that are kept ready, and written down, together
_WARMUP = 3  # calls at the start of a round, which do not count
_CPU_FACTS = "/proc/cpuinfo"
_OVERHEAD = "overhead"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How operators are measured.

    Args:
      engine: key of latency_engines.ENGINES.
      num_threads: of an operator. "keras" and "xla" have as many as TensorFlow
        was given before its first operator.
      batch_size: images.
      repeats: calls of each operator that count, at least _ROUNDS.
      seed: of the order.

    Raises:
      ValueError: one is not as described.
    """

    engine: str = "keras"
    num_threads: int = 1
    batch_size: int = 1
    repeats: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.engine not in latency_engines.ENGINES:
            raise ValueError(
                f"engine must be one of {', '.join(latency_engines.ENGINES)}; "
                f"got {self.engine!r}"
            )
        least = {"num_threads": 1, "batch_size": 1, "repeats": _ROUNDS}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(
                    f"{name} must be at least {bound}; got "
                    f"{getattr(self, name)}"
                )


def operator_models(space: space_lib.Space) -> dict[str, ModelFunction]:
    """What makes each operator of a space by itself, by its key.

    Those are the ends and every different candidate but those that give their
    input back.
    """
    first, last = space_lib.ends(space)
    found = {
        first.key: lambda: space_lib.end_models(space)[0],
        last.key: lambda: space_lib.end_models(space)[1],
    }
    for key, (layer, operator) in latency_costs.distinct(space).items():
        if not latency_costs.does_nothing(space, layer, operator):
            found[key] = functools.partial(
                space_lib.block_model, space, layer, operator.kind
            )
    return found


def measure(
    models: Mapping[str, ModelFunction],
    settings: Settings,
    path: str | os.PathLike,
    name: str | None = None,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> latency_table.LatencyTable:
    """Measures what a table lacks and writes it every few operators.

    Ours. Normalisations are at inference, inputs are normal random numbers and
    weights new ones: the time does not depend on them. The order is drawn, and
    drawn anew in each of several rounds over a group of operators, so that a
    clock that drifts does not drift with the kind of operator. Entries are as
    measured; a call that does nothing is measured too, as overhead_us.

    Args:
      models: what makes an operator, by its key.
      settings: how.
      path: of the table, new or begun; of the same device and settings.
      name: of the device; the file's or the processor's if not given.
      clock: seconds; only differences count.

    Returns:
      The table with all the models, and what else the file had.

    Raises:
      ValueError: the file holds no table, or one of another device, engine,
        number of threads or batch size.
      OSError: the file cannot be written.
    """
    table = _begun(path, settings, name)
    latency_table.write(table, path)  # or fails before anything is measured
    missing = [key for key in models if key not in table.entries]
    order = np.random.default_rng(settings.seed).permutation(missing)
    wanted = {key: models[key] for key in order.tolist()}
    if table.overhead_us is None:
        wanted = {_OVERHEAD: _nothing} | wanted
    for times in _timed(wanted, settings, clock):
        found = {key: _entry(seconds) for key, seconds in times.items()}
        overhead = found.pop(_OVERHEAD, table.overhead_us)
        table = dataclasses.replace(
            table, entries={**table.entries, **found}, overhead_us=overhead
        )
        latency_table.write(table, path)
    return table


def device() -> dict[str, object]:
    """What is known of this machine."""
    details = [
        tf.config.experimental.get_device_details(gpu).get("device_name")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "accelerators": details,
        "system": platform.platform(),
        "tensorflow": tf.__version__,
    }


def _processor() -> str:
    """Its name, as far as the system tells."""
    try:
        lines = pathlib.Path(_CPU_FACTS).read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [x.partition(":")[2] for x in lines if x.startswith("model name")]
    return names[0].strip() if names else platform.processor() or "unknown"


def _nothing() -> keras.Model:
    """Gives a single number back."""
    x = keras.Input((1,))
    return keras.Model(x, keras.layers.Activation("linear")(x))


def _begun(
    path: str | os.PathLike, settings: Settings, name: str | None
) -> latency_table.LatencyTable:
    """The file's table, which must be of the same kind, or an empty one."""
    facts = device()
    empty = latency_table.LatencyTable(
        name=name or facts["processor"],
        device=facts,
        engine=settings.engine,
        num_threads=settings.num_threads,
        batch_size=settings.batch_size,
        entries={},
    )
    if not pathlib.Path(path).exists():
        return empty
    table = latency_table.read(path)
    named = ("name",) if name else ()
    for field in (*named, "device", "engine", "num_threads", "batch_size"):
        old, new = getattr(table, field), getattr(empty, field)
        if old != new:
            raise ValueError(
                f"{path} holds another table, of {field} {old!r}, not {new!r}; "
                "remove it or take another file"
            )
    return table


def _timed(
    models: Mapping[str, ModelFunction],
    settings: Settings,
    clock: Callable[[], float],
) -> Iterator[dict[str, np.ndarray]]:
    """Seconds of every call, [repeats] for each operator, group by group."""
    random = np.random.default_rng(settings.seed)
    keys = list(models)
    shares = np.array_split(np.arange(settings.repeats), _ROUNDS)
    engine = latency_engines.ENGINES[settings.engine]
    with tqdm.tqdm(total=len(keys) * (1 + _ROUNDS), desc="measure") as bar:
        for start in range(0, len(keys), _GROUP):
            calls, times = {}, {}
            for key in keys[start : start + _GROUP]:
                calls[key] = engine(
                    models[key](), settings.batch_size, settings.num_threads
                )
                times[key] = []
                bar.update()
            for share in shares:
                for key in random.permutation(list(calls)).tolist():
                    times[key] += _times(calls[key], len(share), clock)
                    bar.update()
            yield {key: np.array(x) for key, x in times.items()}


def _times(
    call: latency_engines.Call, count: int, clock: Callable[[], float]
) -> list[float]:
    for _ in range(_WARMUP):
        call()
    times = []
    for _ in range(count):
        start = clock()
        call()
        times.append(clock() - start)
    return times


def _entry(seconds: np.ndarray) -> latency_table.Entry:
    percentiles = np.percentile(1e6 * seconds, (0, 10, 50, 90, 100)).tolist()
    return latency_table.Entry(
        *percentiles, mean=float(1e6 * seconds.mean()), repeats=len(seconds)
    )
