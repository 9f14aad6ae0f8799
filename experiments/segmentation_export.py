"""Exports a trained network, compares the files and says what came out."""

import dataclasses
import itertools
import json
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from experiments import segmentation_run
from squeeze_tf import export, training, whole_file


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = ("saved_model", *export.TFLITE_KINDS),
    num_scans: int = 4,
) -> list[export.Parity]:
    """Exports, compares, prints the report; raises below the bounds."""
    known = ("saved_model", *export.TFLITE_KINDS)
    if not formats or not set(formats) <= set(known) or num_scans < 1:
        raise ValueError(
            f"formats must be of {known} and num_scans 1 or more; got "
            f"{formats} and {num_scans}"
        )
    config = segmentation_run.read_run(workdir)
    model = training.load_model(workdir)
    samples = segmentation_run.samples(config, data or config.validation_data)
    segmentation_run.check_shape(model, samples)
    scans = [
        sample["grid"][np.newaxis]
        for sample in itertools.islice(samples.as_numpy_iterator(), num_scans)
    ]
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    reports, refused = [], []
    print(
        f"{'format':14}{'largest difference':>20}{'labels equal':>15}{'MB':>8}"
    )
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as unchecked:
        for kind in formats:
            name = kind if kind == "saved_model" else f"{kind}.tflite"
            path, written = folder / name, pathlib.Path(unchecked) / name
            if path.exists():
                raise FileExistsError(
                    f"{path} exists; remove it or take another folder"
                )
            try:
                parity = _export(model, kind, written, scans)
                parity = dataclasses.replace(parity, path=path)
                reports.append(parity)
                print(
                    f"{kind:14}{parity.largest_difference:20.2e}"
                    f"{parity.agreement:15.4%}{parity.size / 1e6:8.2f}"
                )
                export.check(parity)
                os.replace(written, path)
            except ValueError as error:
                refused.append(f"{kind}: {error}")
    report = [
        dataclasses.asdict(parity) | {"path": parity.path.name}
        for parity in reports
    ]
    whole_file.write(folder / "parity.json", json.dumps(report, indent=2))
    print(f"Exports and parity.json lie in {folder.resolve()}")
    if refused:
        raise ValueError("refused: " + "; ".join(refused))
    return reports


def _export(
    model: tf.keras.Model,
    kind: str,
    path: pathlib.Path,
    scans: list[np.ndarray],
) -> export.Parity:
    """Writes one file and compares it."""
    if kind == "saved_model":
        export.saved_model(model, path)
    else:
        export.tflite(model, path, kind)
    return export.compare(
        model, path, kind, scans, lambda grid: grid[..., 4] > 0
    )
