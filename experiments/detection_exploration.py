"""The design space of Ch. 2 Table 4, measured on one's own device and data."""

import csv
import dataclasses
import io
import json
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from experiments import detection_evaluation, detection_run, efficiency_run
from squeeze_tf import config as config_lib
from squeeze_tf import whole_file
from squeeze_tf.detection import config as detection_config
from squeeze_tf.detection import evaluation
from squeeze_tf.efficiency import (
    counters,
    graph,
    metrics,
    power,
    timing,
    workload,
)

DetectionConfig = detection_config.DetectionConfig
# Row to the scale of the image, the number of anchors (None: as it is) and
# the model (likewise), Ch. 2 §4.2.
ROWS: dict[str, tuple[float, int | None, str | None]] = {
    "base": (1.0, None, None),
    "scale_up": (1.5, None, None),
    "scale_down": (0.75, None, None),
    "16_anchors": (1.0, 16, None),
    "squeezedet_plus": (1.0, None, "squeezedet_plus"),
    "vgg16": (1.0, None, "vgg16"),
    "resnet50": (1.0, None, "resnet50"),
}
_COLUMNS = {  # of the table: heading and format
    "row": ("", "<18"),
    "mean_ap": ("mAP %", ">8.1f"),
    "frames_per_second": ("FPS", ">8.1f"),
    "flops": ("GFLOP", ">8.1f"),
    "macs": ("GMAC", ">8.1f"),
    "size": ("MB", ">8.1f"),
    "activations": ("act. MB", ">9.1f"),
    "joules": ("J/frame", ">9.2f"),
}
_SCALES = {"flops": 1e9, "macs": 1e9, "size": 2**20, "activations": 2**20}


@dataclasses.dataclass(frozen=True)
class Row:
    """One design, as Ch. 2 Tables 4 and 6 list it.

    Attributes:
      row: key of ROWS.
      mean_ap: percent, mean over classes and difficulties; NaN without data.
      frames_per_second: measured for a batch of one, final boxes included.
      latency_p90: seconds, measured.
      flops: of the network, as the authors count them.
      macs: of the network.
      size: bytes of its float32 parameters.
      activations: bytes, as the authors count them.
      joules: measured energy of a frame; NaN if it was not.
    """

    row: str
    mean_ap: float
    frames_per_second: float
    latency_p90: float
    flops: int
    macs: int
    size: int
    activations: int
    joules: float


def design(base: DetectionConfig, row: str) -> DetectionConfig:
    """The settings of a row; shapes of anchors scale with the image.

    Another number of anchors means shapes clustered from the data.
    """
    scale, num_anchors, model = ROWS[row]
    changes = {
        "input_height": int(base.input_height * scale),
        "input_width": int(base.input_width * scale),
        "anchors": tuple(scale * value for value in base.anchors),
    }
    if num_anchors is not None and num_anchors != base.num_anchors:
        changes |= {"num_anchors": num_anchors, "anchors": ()}
    if model is not None:
        changes["model"] = model
        changes["batch_norm"] = base.batch_norm or model == "resnet50"
        changes["padding"] = (
            "valid" if model == "squeezedet_plus" else base.padding
        )
    return dataclasses.replace(base, **changes)


def run(
    base: DetectionConfig,
    workdir: str,
    rows: Sequence[str] = tuple(ROWS),
    *,
    train: bool = False,
    repeats: int = 20,
    with_power: bool = False,
    threshold: float = power.THRESHOLD,
) -> list[Row]:
    """Trains where asked, counts and measures each row, and writes a table.

    Args:
      base: the design that the others change.
      workdir: gets a run for each row that is trained, exploration.json and
        exploration.csv; rows trained before are evaluated again.
      rows: keys of ROWS.
      train: whether to train; else rows without a run have no accuracy.
      repeats: timed calls.
      with_power: whether to measure energy.
      threshold: watts below which the device idles.

    Raises:
      ValueError: an unknown row.
      OSError: power is asked for and cannot be read.
    """
    if not rows or not set(rows) <= set(ROWS):
        raise ValueError(f"rows must be of {list(ROWS)}; got {list(rows)}")
    read_power = power.find_reader() if with_power else None
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in rows:
        print(f"\n== {name}")
        config, place = design(base, name), folder / name
        detection_config.check(config)
        if train:
            detection_run.train(config, place)
        accuracy = float("nan")
        if (place / detection_run.CONFIG).exists():
            config = detection_run.read_run(place)
            model = detection_run.load(config, place)
            curves = detection_evaluation.run(
                str(place), num_resamples=0, with_recall=False
            )
            accuracy = 100 * evaluation.mean_precision(curves, 11)
        else:
            model = detection_run.build(_with_any_anchors(config))
        found.append(
            _measured(
                name, config, model, accuracy, repeats, read_power, threshold
            )
        )
    _write(folder, found)
    print(
        f"\n{table(found)}\nexploration.json and .csv lie in {folder.resolve()}"
    )
    return found


def table(rows: Sequence[Row]) -> str:
    """The rows as text, in the units of Ch. 2 Tables 4 and 6."""
    lines = []
    heads = [f"{head:{spec.split('.')[0]}}" for head, spec in _COLUMNS.values()]
    lines.append("".join(heads))
    for row in rows:
        cells = []
        for name, (_, spec) in _COLUMNS.items():
            value = getattr(row, name)
            value = value / _SCALES[name] if name in _SCALES else value
            width = spec.split(".")[0]
            missing = isinstance(value, float) and np.isnan(value)
            cells.append(f"{'-':{width}}" if missing else f"{value:{spec}}")
        lines.append("".join(cells))
    return "\n".join(lines)


def _with_any_anchors(config: DetectionConfig) -> DetectionConfig:
    """Costs depend on how many anchors there are, not on their shapes."""
    if config.anchors:
        return config
    return config_lib.override(
        config, ["anchors=" + ",".join(["32,32"] * config.num_anchors)]
    )


def _measured(
    name: str,
    config: DetectionConfig,
    model: tf.keras.Model,
    accuracy: float,
    repeats: int,
    read_power: power.Reader | None,
    threshold: float,
) -> Row:
    calls = graph.trace(model, 1).calls
    total = metrics.total(workload.of_calls(calls))
    detector = detection_run.detector(_with_any_anchors(config), model)
    call = timing.model_call(detector, 1)
    speed = timing.latency(call, warmup=3, repeats=repeats)
    joules = float("nan")
    if read_power:
        watts = efficiency_run.measure_power(call, read_power, threshold)
        joules = watts.joules_per_frame
    return Row(
        row=name,
        mean_ap=accuracy,
        frames_per_second=1 / speed.mean,
        latency_p90=speed.p90,
        flops=counters.flop_counter(calls),
        macs=total.macs,
        size=4 * total.parameters,
        activations=4 * counters.activation_counter(calls),
        joules=joules,
    )


def _write(folder: pathlib.Path, rows: Sequence[Row]) -> None:
    values = [dataclasses.asdict(row) for row in rows]
    plain = [
        {k: None if v != v else v for k, v in row.items()} for row in values
    ]
    whole_file.write(folder / "exploration.json", json.dumps(plain, indent=2))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(values[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain)
    whole_file.write(folder / "exploration.csv", text.getvalue())
