"""Power and energy for each frame, measured as in Ch. 2 §4.3."""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

INTERVAL = 0.1  # seconds, Ch. 2 §4.3
THRESHOLD = 20.0  # watts, Ch. 2 §4.3; the authors' GPU idles at 15
_RAPL = "/sys/class/powercap"
_NVML = "libnvidia-ml.so.1"

Reader = Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Power:
    """A network's power at work.

    Args:
      watts: average of the working period's middle third.
      frames_per_second: over the whole run.
      num_samples: readings of the whole run.
    """

    watts: float
    frames_per_second: float
    num_samples: int

    @property
    def joules_per_frame(self) -> float:
        """Ch. 2 §4.3."""
        return energy_per_frame(self.watts, self.frames_per_second)


def energy_per_frame(watts: float, frames_per_second: float) -> float:
    """Joules for each frame: the equation of Ch. 2 §4.3."""
    return watts / frames_per_second


def middle_third(watts: Sequence[float], threshold: float = THRESHOLD) -> float:
    """Average power of the middle of the working period.

    Source: Ch. 2 §4.3 and Fig. 7. The working period is made of the readings
    of at least `threshold`; of its three equal parts the middle one counts.

    Args:
      watts: [N] readings at a fixed interval.
      threshold: in watts.

    Raises:
      ValueError: fewer than three readings reach the threshold.
    """
    watts = np.asarray(watts, np.float64)
    working = watts[watts >= threshold]
    if len(working) < 3:
        top = f"the highest is {watts.max():.1f} W" if len(watts) else "none"
        raise ValueError(
            f"{len(working)} of {len(watts)} readings reach {threshold} W, "
            f"{top}; needed are 3: run longer or lower the threshold"
        )
    third = len(working) // 3
    return float(working[third : len(working) - third].mean())


def measure(
    function: Callable[[], object],
    frames_per_call: int,
    reader: Reader,
    *,
    seconds: float = 10.0,
    interval: float = INTERVAL,
    threshold: float = THRESHOLD,
) -> Power:
    """Repeats a call for a while and reads the power meanwhile.

    Source: Ch. 2 §4.3.

    Args:
      function: returns when its work is done.
      frames_per_call: inputs that one call takes.
      reader: watts at the time of the call.
      seconds: how long.
      interval: between readings, in seconds.
      threshold: of middle_third(), in watts.

    Raises:
      ValueError: as middle_third().
      OSError: of the reader.
    """
    calls, elapsed = 0, 0.0
    start = time.monotonic()
    with sampling(reader, interval) as samples:
        while elapsed < seconds:
            function()
            calls += 1
            elapsed = time.monotonic() - start
    return Power(
        middle_third(samples, threshold),
        calls * frames_per_call / elapsed,
        len(samples),
    )


@contextlib.contextmanager
def sampling(
    reader: Reader, interval: float = INTERVAL
) -> Iterator[list[float]]:
    """Reads the power in a thread while the body runs.

    Args:
      reader: watts at the time of the call.
      interval: seconds between readings; those that a slow reader misses are
        left out.

    Yields:
      The list that the readings are added to.

    Raises:
      Exception: whatever the reader raised, at the end of the body.
    """
    samples: list[float] = []
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        due = time.monotonic()
        try:
            while not done.wait(max(due - time.monotonic(), 0)):
                samples.append(float(reader()))
                due = max(due + interval, time.monotonic())
        except Exception as error:  # for the thread that waits
            errors.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()
    if errors:
        raise errors[0]


def find_reader() -> Reader:
    """NVIDIA's GPU if there is one, else the Intel or AMD processor.

    Raises:
      OSError: neither can be read; it says what was looked for.
    """
    problems = []
    for make in (nvml_reader, rapl_reader):
        try:
            return make()
        except OSError as error:
            problems.append(str(error))
    raise OSError(f"no power can be read here: {'; '.join(problems)}")


def nvml_reader(index: int = 0, library: ctypes.CDLL | None = None) -> Reader:
    """Power of an NVIDIA GPU in watts, what nvidia-smi prints.

    The driver's own library is asked; no Python package is needed.

    Args:
      index: of the GPU.
      library: NVML; the driver's if None.

    Raises:
      OSError: there is no driver, no such GPU, or no reading.
    """
    if library is None:
        try:
            library = ctypes.CDLL(_NVML)
        except OSError as error:
            raise OSError(f"NVIDIA GPU: {_NVML} is not there") from error

    def call(name: str, *arguments: object) -> None:
        code = getattr(library, name)(*arguments)
        if code:
            raise OSError(f"NVIDIA GPU {index}: {name} returned {code}")

    handle = ctypes.c_void_p()
    call("nvmlInit_v2")
    call(
        "nvmlDeviceGetHandleByIndex_v2",
        ctypes.c_uint(index),
        ctypes.byref(handle),
    )

    def read() -> float:
        milliwatts = ctypes.c_uint()
        call("nvmlDeviceGetPowerUsage", handle, ctypes.byref(milliwatts))
        return milliwatts.value / 1000

    read()
    return read


def rapl_reader(
    folder: str | os.PathLike = _RAPL,
    clock: Callable[[], float] = time.monotonic,
) -> Reader:
    """Power of all processor packages in watts, by Linux's energy counters.

    Each reading is the average since the one before it, or since now.

    Args:
      folder: with the zones intel-rapl:0, intel-rapl:1, ...
      clock: seconds.

    Raises:
      OSError: there is no package zone, or it cannot be read.
    """
    zones = [
        path
        for path in sorted(pathlib.Path(folder).glob("intel-rapl:*"))
        # Others are parts of a package, or the package and more.
        if (path / "name").read_text().startswith("package")
    ]
    if not zones:
        raise OSError(f"processor: no intel-rapl:* package zone in {folder}")
    limits = [_microjoules(zone / "max_energy_range_uj") for zone in zones]
    last = [_microjoules(zone / "energy_uj") for zone in zones]
    last_time = clock()

    def read() -> float:
        nonlocal last, last_time
        now, now_time = [_microjoules(x / "energy_uj") for x in zones], clock()
        used = sum(
            # Counters start again at 0 after their limit.
            new - old if new >= old else new - old + limit
            for new, old, limit in zip(now, last, limits)
        )
        watts = used * 1e-6 / max(now_time - last_time, 1e-9)
        last, last_time = now, now_time
        return watts

    return read


def _microjoules(path: pathlib.Path) -> int:
    try:
        return int(path.read_text())
    except PermissionError as error:
        raise OSError(
            f"processor: {path} may be read by root only; allow it with "
            "chmod a+r"
        ) from error
