"""Exports a trained model as SavedModel and TFLite, and checks each export.

    python -m experiments.export_model --workdir=DIR --output=DIR

Every file needs plain TensorFlow or the TFLite interpreter alone: input
`grid` [1, H, W, 5] (x, y, z, intensity, range, 0 where there is no return),
output `scores` [1, H, W, C]. Each is compared with the live model on scans of
the validation data; one whose labels agree less than the bound is removed and
the exit code is 1.
"""

import itertools
import pathlib
import shutil

import numpy as np
from absl import flags

from experiments import segmentation_run
from squeeze_tf import config as config_lib
from squeeze_tf import export, training

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_segmentation.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_DATA = flags.DEFINE_string("data", None, "Scans to compare on.")
_FORMATS = flags.DEFINE_list(
    "formats", ["saved_model", *export.TFLITE_KINDS], "Which to write."
)
_NUM_SCANS = flags.DEFINE_integer("num_scans", 4, "Scans to compare on.")


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = ("saved_model", *export.TFLITE_KINDS),
    num_scans: int = 4,
) -> list[export.Parity]:
    """Exports, compares, prints the report; raises below the bounds."""
    config = config_lib.read(
        segmentation_run.SegmentationConfig,
        pathlib.Path(workdir) / segmentation_run.CONFIG,
    )
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
        parity = export.compare(model, path, kind, scans)
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
    print(f"Exports lie in {folder.resolve()}")
    if refused:
        raise ValueError("refused: " + "; ".join(refused))
    return reports


def main(_: list[str]) -> None:
    """Exports with the flags' settings."""
    run(
        _WORKDIR.value,
        _OUTPUT.value,
        _DATA.value,
        _FORMATS.value,
        _NUM_SCANS.value,
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    segmentation_run.run(main)
