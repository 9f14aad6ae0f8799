"""Evaluates a trained network and writes down what came out."""

import json
import pathlib

import numpy as np

from experiments import segmentation_run
from squeeze_tf import training, whole_file
from squeeze_tf.data import label_maps
from squeeze_tf.segmentation import evaluation, pictures


def run(
    workdir: str,
    data: str | None = None,
    output: str | None = None,
    settings: list[str] = (),
    instances: list[str] = ("car", "pedestrian", "cyclist"),
    num_pictures: int = 4,
) -> evaluation.Evaluation:
    """Evaluates, prints the tables and writes the files."""
    workdir = pathlib.Path(workdir)
    config = segmentation_run.read_run(workdir, settings)
    model = training.load_model(workdir)
    samples = segmentation_run.samples(config, data or config.validation_data)
    segmentation_run.check_shape(model, samples)
    folder = pathlib.Path(output or workdir / "evaluation")
    label_map = label_maps.load(config.label_map)
    names = label_map.names
    if len(names) != model.output.shape[-1]:
        raise ValueError(
            f"label map {config.label_map} has {len(names)} classes, the "
            f"model in {workdir} {model.output.shape[-1]}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    instance_ids = [names.index(name) for name in instances if name in names]

    def draw(
        index: int, grid: np.ndarray, labels: np.ndarray, guess: np.ndarray
    ) -> None:
        if index < num_pictures:
            rows = {
                "range": pictures.depth(grid),
                "prediction": pictures.labels(grid, guess, label_map.colors),
                "truth": pictures.labels(grid, labels, label_map.colors),
            }
            path = folder / f"scan_{index:04d}.png"
            pictures.write(path, pictures.stack(rows))

    found = evaluation.evaluate(
        model.predict_on_batch,
        samples.as_numpy_iterator(),
        num_classes=len(names),
        ignored_ids=config.ignored_ids,
        instance_class_ids=instance_ids,
        on_scan=draw,
    )
    tables = (
        evaluation.class_table(found, names, config.ignored_ids, instance_ids),
        evaluation.distance_table(found, names, config.ignored_ids),
    )
    print(*tables, sep="\n\n")
    _write(
        folder,
        found,
        names,
        evaluation.summary(found, names, config.ignored_ids, instance_ids),
    )
    print(f"\nTables and pictures lie in {folder.resolve()}")
    return found


def _write(
    folder: pathlib.Path,
    found: evaluation.Evaluation,
    names: tuple[str, ...],
    summary: dict[str, object],
) -> None:
    whole_file.write(folder / "evaluation.json", json.dumps(summary, indent=2))
    np.savetxt(
        folder / "confusion.csv",
        found.confusion,
        "%d",
        ",",
        header=",".join(names),
        comments="",
    )
