"""Accuracy of the simulated accelerator on a run's validation images."""

import json
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from experiments import classification_run
from squeeze_tf import whole_file
from squeeze_tf.classification import metrics
from tools.synetgy import (
    agreement,
    front_end,
    program,
    report,
    settings,
    study,
    timing,
)

keras = tf.keras

FOLDER, RESULT = "accelerator", "accelerator.json"


def run(
    workdir: str,
    *,
    full_precision: str | None = None,
    batches: Sequence[str] = ("1",),
    device: str = "ultra96",
    overrides: Sequence[str] = (),
    data: str | None = None,
    count: int = 0,
    output: str | None = None,
) -> dict[str, object]:
    """Evaluates, times, prints the tables and writes the result as JSON.

    Args:
      workdir: of a quantised classifier.
      full_precision: workdir of the same network before it was quantised.
      batches: images of each batch that is timed.
      device: see settings.device().
      overrides: "field=value" of the device.
      data: folder of images instead of the run's validation data.
      count: images to take; 0 for all.
      output: folder for the result; WORKDIR/accelerator if not given.

    Returns:
      What is written.

    Raises:
      ValueError: an argument, a run or a layer is not as needed.
      OSError: a file cannot be read or written.
    """
    sizes = settings.batch_sizes(batches)
    found_device = settings.device(device, overrides)
    if count < 0:
        raise ValueError(f"images must be 0 or more; got {count}")
    model = classification_run.load(workdir)
    network = front_end.read(model)
    networks = _networks(network, model, workdir, full_precision)
    program.check_accumulators(network, found_device.accumulator_bits)
    timings = timing.time_batches(network.frame, found_device, sizes)
    images = settings.validation_images(workdir, count, data)
    scores, class_ids = agreement.outputs(
        networks, images.batches, progress=True
    )
    agreed = agreement.compare(scores["accelerator"], scores["quantised"])
    result = {
        "workdir": workdir,
        "images": images.source,
        "agreement": vars(agreed),
        "accuracy": _accuracies(scores, class_ids),
        "device": found_device.name,
        "batches": study.rows(timings),
        "not_timed": [step.name for step in network.uncounted],
    }
    print(study.tables(network, timings))
    print(f"\n{_table(result['accuracy'])}\n\n{agreed}")
    folder = pathlib.Path(output or pathlib.Path(workdir) / FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    whole_file.write(folder / RESULT, json.dumps(result, indent=2))
    print(f"\n{RESULT} lies in {folder.resolve()}")
    return result


def _networks(
    network: program.Program,
    model: keras.Model,
    workdir: str,
    full_precision: str | None,
) -> dict[str, agreement.Network]:
    """What is evaluated, by the names of the table."""
    found = {
        "accelerator": agreement.simulated(network),
        "quantised": agreement.eager(model),
    }
    if full_precision:
        reference = _reference(full_precision, workdir)
        found["full precision"] = agreement.eager(reference)
    return found


def _reference(full_precision: str, workdir: str) -> keras.Model:
    """The network before it was quantised, of the same classes."""
    names = classification_run.class_names
    if names(full_precision) != names(workdir):
        raise ValueError(
            f"{full_precision} has other classes than {workdir}; expected the "
            "same network before it was quantised"
        )
    return classification_run.load(full_precision)


def _accuracies(
    scores: dict[str, np.ndarray], class_ids: np.ndarray
) -> dict[str, dict[str, float]]:
    return {
        name: {f"top{k}": metrics.top_accuracy(x, class_ids, k) for k in (1, 5)}
        for name, x in scores.items()
    }


def _table(accuracies: dict[str, dict[str, float]]) -> str:
    lines = [
        (name, f"{x['top1']:.2%}", f"{x['top5']:.2%}")
        for name, x in accuracies.items()
    ]
    return report.aligned([("network", "top-1", "top-5"), *lines], left=(0,))
