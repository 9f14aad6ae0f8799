"""Exports a model in several formats, compares each and says what came out."""

import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from squeeze_tf import export, whole_file

FORMATS = ("saved_model", *export.TFLITE_KINDS)


def check(formats: list[str], num_inputs: int) -> None:
    """Refuses unknown formats, and nothing to compare on."""
    if not formats or not set(formats) <= set(FORMATS) or num_inputs < 1:
        raise ValueError(
            f"formats must be of {FORMATS} and num_inputs 1 or more; got "
            f"{formats} and {num_inputs}"
        )


def run(
    model: tf.keras.Model,
    inputs: list[np.ndarray],
    output: str,
    formats: list[str],
    agreement: export.Agreement,
    bounds: Mapping[str, float] = export.MIN_AGREEMENT,
) -> list[export.Parity]:
    """Exports, compares, prints the report; raises below the bounds.

    Args:
      model: the live one.
      inputs: [1, ...] each, to compare on.
      output: folder to write to.
      formats: of FORMATS.
      agreement: how outputs compare.
      bounds: least agreement of each format.
    """
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    reports, refused = [], []
    print(f"{'format':14}{'largest difference':>20}{'agreement':>15}{'MB':>8}")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as unchecked:
        for kind in formats:
            name = kind if kind == "saved_model" else f"{kind}.tflite"
            path, written = folder / name, pathlib.Path(unchecked) / name
            if path.exists():
                raise FileExistsError(
                    f"{path} exists; remove it or take another folder"
                )
            try:
                _write(model, kind, written)
                parity = export.compare(model, written, kind, inputs, agreement)
                parity = dataclasses.replace(parity, path=path)
                reports.append(parity)
                print(
                    f"{kind:14}{parity.largest_difference:20.2e}"
                    f"{parity.agreement:15.4%}{parity.size / 1e6:8.2f}"
                )
                export.check(parity, bounds[kind])
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


def _write(model: tf.keras.Model, kind: str, path: pathlib.Path) -> None:
    if kind == "saved_model":
        export.saved_model(model, path)
    else:
        export.tflite(model, path, kind)
