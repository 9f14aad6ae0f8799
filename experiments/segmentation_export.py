"""Exports a trained network, compares the files and says what came out."""

import dataclasses
import itertools
import json
import os
import pathlib
import shutil

import numpy as np

from experiments import segmentation_run
from squeeze_tf import export, training


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = ("saved_model", *export.TFLITE_KINDS),
    num_scans: int = 4,
) -> list[export.Parity]:
    """Exports, compares, prints the report; raises below the bounds."""
    config = segmentation_run.read_run(workdir)
    model = training.load_model(workdir)
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    samples = segmentation_run.samples(config, data or config.validation_data)
    scans = [
        sample["grid"][np.newaxis]
        for sample in itertools.islice(samples.as_numpy_iterator(), num_scans)
    ]
    reports, refused = [], []
    print(
        f"{'format':14}{'largest difference':>20}{'labels equal':>15}{'MB':>8}"
    )
    for kind in formats:
        path = folder / kind
        if kind == "saved_model":
            export.saved_model(model, path)
        else:
            path = path.with_suffix(".tflite")
            export.tflite(model, path, kind)
        parity = export.compare(
            model, path, kind, scans, lambda grid: grid[..., 4] > 0
        )
        reports.append(parity)
        print(
            f"{kind:14}{parity.largest_difference:20.2e}"
            f"{parity.agreement:15.4%}{parity.size / 1e6:8.2f}"
        )
        try:
            export.check(parity)
        except ValueError as error:
            refused.append(str(error))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    report = [
        dataclasses.asdict(parity) | {"path": parity.path.name}
        for parity in reports
    ]
    scratch = folder / "parity.tmp"
    scratch.write_text(json.dumps(report, indent=2))
    os.replace(scratch, folder / "parity.json")
    print(f"Exports and parity.json lie in {folder.resolve()}")
    if refused:
        raise ValueError("refused: " + "; ".join(refused))
    return reports
