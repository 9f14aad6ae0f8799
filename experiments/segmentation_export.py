"""Exports a trained segmentation network."""

import itertools

import numpy as np

from experiments import model_export, segmentation_run
from squeeze_tf import export, training


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = model_export.FORMATS,
    num_scans: int = 4,
) -> list[export.Parity]:
    """Exports and compares on scans of the validation data or of `data`."""
    model_export.check(formats, num_scans)
    config = segmentation_run.read_run(workdir)
    model = training.load_model(workdir)
    samples = segmentation_run.samples(config, data or config.validation_data)
    segmentation_run.check_shape(model, samples)
    scans = [
        sample["grid"][np.newaxis]
        for sample in itertools.islice(samples.as_numpy_iterator(), num_scans)
    ]
    returns = export.cell_labels(lambda grid: grid[..., 4] > 0)
    return model_export.run(model, scans, output, formats, returns)
