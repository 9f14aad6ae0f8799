"""Counts and measures a network's costs and writes down what came out."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Callable, Sequence

import tensorflow as tf
import tqdm

from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.classification import models as classification_models
from squeeze_tf.detection import models as detection_models
from squeeze_tf.efficiency import (
    graph,
    measured_machine,
    picture,
    power,
    report,
    timing,
)
from squeeze_tf.efficiency import machine as machine_lib
from squeeze_tf.segmentation import models as segmentation_models
from squeeze_tf.shift_applications import face, style_transfer

keras = tf.keras

# Topic to its models and the channels of their inputs.
MODELS: dict[str, tuple[dict[str, Callable[..., keras.Model]], int]] = {
    "classification": (
        classification_models.MODELS
        | {
            "diracdeltanet_w4a4": functools.partial(
                classification_models.MODELS["diracdeltanet"],
                weight_bits=4,
                activation_bits=4,
            )
        },
        3,
    ),
    "detection": (detection_models.MODELS, 3),
    "segmentation": (segmentation_models.MODELS, 5),
    "faces": ({"shift_facenet": face.shift_facenet}, 3),
    "style": (
        {
            form: functools.partial(style_transfer.style_transformer, form=form)
            for form in style_transfer.FORMS
        },
        3,
    ),
}
PICTURE = "efficiency.png"
_MEASURED = "measured"


def run(
    *,
    workdir: str | None = None,
    model: str | None = None,
    input_size: str | None = None,
    batch_sizes: Sequence[str] = ("1",),
    machine: str = _MEASURED,
    repeats: int = 50,
    with_power: bool = False,
    threshold: float = power.THRESHOLD,
    output: str | None = None,
) -> report.Report:
    """Counts, measures, prints the tables and writes the files.

    Raises:
      ValueError: not exactly one of workdir and model is given, or a name,
        size or file is not as it should be.
      OSError: power is asked for and cannot be read, or files are at fault.
    """
    sizes = _batch_sizes(batch_sizes)
    if repeats < 0:
        raise ValueError(f"repeats must not be negative; got {repeats}")
    folder = _folder(workdir, output)
    read_power = power.find_reader() if with_power else None
    network = _network(workdir, model, input_size)
    folder.mkdir(parents=True, exist_ok=True)
    found = report.count(
        graph.trace(network, sizes[0]),
        network.name,
        sizes[0],
        _machine(machine),
    )
    make_call = functools.partial(timing.model_call, network)
    if repeats:
        steps = tqdm.tqdm(sizes, "time")
        speeds = timing.throughput(make_call, steps, repeats=repeats)
        found = dataclasses.replace(found, speeds=tuple(speeds))
    if read_power:
        watts = measure_power(make_call(1), read_power, threshold)
        found = dataclasses.replace(found, power=watts)
    print(report.table(found))
    report.write(found, folder)
    picture.write(found, folder / PICTURE)
    print(f"\nTables and picture lie in {folder.resolve()}")
    return found


def _batch_sizes(texts: Sequence[str]) -> list[int]:
    try:
        sizes = [int(text) for text in texts]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise ValueError(
            f"batch_sizes must be numbers of at least 1; got {list(texts)}"
        )
    return sizes


def _folder(workdir: str | None, output: str | None) -> pathlib.Path:
    if not output and not workdir:
        raise ValueError("--model needs --output=DIR, where to write")
    return pathlib.Path(output or pathlib.Path(workdir) / "efficiency")


def _network(
    workdir: str | None, model: str | None, input_size: str | None
) -> keras.Model:
    """The trained network of a workdir, or an untrained one by its name."""
    if (workdir is None) == (model is None):
        raise ValueError("give one of --workdir=DIR and --model=TOPIC/NAME")
    if workdir is not None:
        if input_size is not None:
            raise ValueError(
                "--input_size goes with --model: a trained network has its own"
            )
        return training.load_model(workdir)
    topic, _, name = model.partition("/")
    if topic not in MODELS or name not in MODELS[topic][0]:
        known = [f"{t}/{n}" for t, (made, _) in MODELS.items() for n in made]
        raise ValueError(f"model must be one of {', '.join(known)}: {model}")
    made, channels = MODELS[topic]
    if input_size is None:
        return made[name]()
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", input_size):
        raise ValueError(
            f"input_size must be HEIGHTxWIDTH, as 64x512; got {input_size}"
        )
    height, width = map(int, input_size.split("x"))
    return made[name](input_shape=(height, width, channels))


def _machine(name: str) -> machine_lib.Machine:
    """A machine that is measured, known by its name, or in a file."""
    if name == _MEASURED:
        print("measuring the peak and bandwidth of this machine")
        return measured_machine.measure()
    if name in machine_lib.PRESETS:
        return machine_lib.PRESETS[name]
    if not name.endswith(".json"):
        raise ValueError(
            f"machine must be {_MEASURED}, one of "
            f"{sorted(machine_lib.PRESETS)} or a .json file; got {name}"
        )
    return config_lib.read(machine_lib.Machine, name)


def measure_power(
    call: Callable[[], object], reader: power.Reader, threshold: float
) -> power.Power:
    """Of calls of one input, as in Ch. 2 §4.3, for ten seconds."""

    def finished() -> None:
        call()
        tf.test.experimental.sync_devices()

    finished()  # traces outside the measurement
    print(f"measuring power every {power.INTERVAL} s for 10 s")
    return power.measure(finished, 1, reader, seconds=10.0, threshold=threshold)
