"""Evaluates a trained detector and writes down what came out."""

import json
import pathlib
import shutil
from collections.abc import Iterable, Sequence

import tensorflow as tf
from tqdm import tqdm

from experiments import detection_run
from squeeze_tf import config as config_lib
from squeeze_tf import whole_file
from squeeze_tf.data import class_lists, image_folders, image_labels
from squeeze_tf.detection import (
    average_precision,
    bootstrap,
    coco_metrics,
    error_types,
    evaluation,
    inference,
    pictures,
    plots,
    recall,
)

_Labels = image_labels.ImageLabels


def run(
    workdir: str,
    data: str | None = None,
    output: str | None = None,
    settings: list[str] = (),
    *,
    height_rule: str = "original",
    num_resamples: int = 200,
    with_recall: bool = True,
    num_pictures: int = 4,
) -> list[average_precision.Curve]:
    """Evaluates, prints the tables and writes the files."""
    config = detection_run.read_run(workdir, settings)
    classes = class_lists.load(config.class_list)
    model = detection_run.load(config, workdir)
    samples = detection_run.samples(config, "validation", data)
    detection_run.objects(config, samples)  # there must be some
    truth = [sample.labels for sample in samples]
    folder = pathlib.Path(output or pathlib.Path(workdir) / "evaluation")
    for name in ("detections", "errors"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    found = list(_detect(config, model, samples))
    names = [sample.name.replace("/", "_") for sample in samples]
    for i, (name, labels) in enumerate(zip(names, found)):
        if names.count(name) > 1:
            name = f"{i:06d}_{name}"
        image_labels.write_kitti(folder / "detections" / f"{name}.txt", labels)

    rules = evaluation.rules(classes)
    levels = evaluation.difficulties(config.dataset)
    curves = average_precision.evaluate(
        truth, found, rules, levels, height_rule
    )
    interval = None
    if num_resamples:
        interval = bootstrap.bootstrap(
            truth,
            found,
            rules,
            levels,
            height_rule,
            num_resamples=num_resamples,
        )
    coco = coco_metrics.evaluate(truth, found, rules)
    errors, kinds = error_types.analyze(
        truth, found, rules, exclude_hard=config.dataset == "kitti"
    )
    print(
        evaluation.precision_table(curves, 11, interval),
        evaluation.precision_table(curves, 40),
        "COCO, %\n" + evaluation.coco_table(coco),
        evaluation.error_table(kinds),
        sep="\n\n",
    )
    summary = evaluation.summary(curves, interval) | {
        "coco": evaluation.numbers(coco),
        "errors": evaluation.numbers(kinds),
        "data": data or config.validation_data or config.train_data,
        "height_rule": height_rule,
    }
    plots.precision_recall(folder / "precision_recall.png", curves)
    if with_recall:
        summary["recall"] = _recall(config, model, samples, folder)
    _draw(folder, samples, found, errors, classes, num_pictures)
    whole_file.write(folder / "evaluation.json", json.dumps(summary, indent=2))
    print(
        f"\nTables, curves, boxes and pictures of errors lie in "
        f"{folder.resolve()}"
    )
    return curves


def _detect(
    config: detection_run.DetectionConfig,
    model: tf.keras.Model,
    samples: Sequence[image_folders.ImageSample],
) -> Iterable[_Labels]:
    """Detections of every sample, with progress."""
    paths = [sample.path for sample in samples]
    classes = class_lists.load(config.class_list)
    detector = detection_run.detector(config, model)
    found = inference.detect(detector, paths, classes)
    return tqdm(found, total=len(paths), unit="image")


def _recall(
    config: detection_run.DetectionConfig,
    model: tf.keras.Model,
    samples: Sequence[image_folders.ImageSample],
    folder: pathlib.Path,
) -> dict[str, float]:
    """Recall by the boxes kept, from all boxes of the network."""
    count = len(detection_run.anchor_grid(config, model))
    every = config_lib.override(
        config, [f"max_detections={count}", "suppression=none"]
    )
    needed = recall.needed_boxes(
        [sample.labels for sample in samples],
        _detect(every, model, samples),
        evaluation.rules(class_lists.load(config.class_list)),
        evaluation.difficulties(config.dataset),
    )
    kept = recall.sweep(count)
    recalls = needed.recall(kept)
    print("\n" + evaluation.recall_table(kept, recalls))
    plots.recall_by_boxes(folder / "recall.png", kept, recalls)
    return evaluation.numbers(dict(zip(map(str, kept), recalls.tolist())))


def _draw(
    folder: pathlib.Path,
    samples: Sequence[image_folders.ImageSample],
    found: Sequence[_Labels],
    errors: Sequence[error_types.Error],
    classes: tuple[class_lists.ImageClass, ...],
    count: int,
) -> None:
    """Some errors of each kind, the worst first, and some whole images."""
    colors = pictures.colors(classes)
    for kind in sorted({error.kind for error in errors}):
        of_kind = [error for error in errors if error.kind == kind]
        for i, error in enumerate(
            sorted(of_kind, key=lambda e: -e.score)[:count]
        ):
            sample = samples[error.image]
            box = image_labels.make(
                [f"{kind}: {error.class_name}"],
                error.corners[None],
                scores=None if kind == "missed" else [error.score],
            )
            image = pictures.read(sample.path)
            image = pictures.draw(
                image, sample.labels, {}, width=1, captions=False
            )
            image = pictures.draw(
                image, box, {str(box.types[0]).lower(): (255, 0, 255)}
            )
            pictures.write(folder / "errors" / f"{kind}_{i}.png", image)
    for i, (sample, labels) in enumerate(zip(samples[:count], found)):
        image = pictures.read(sample.path)
        image = pictures.draw(image, sample.labels, {}, captions=False)
        best = inference.above(labels, 0.3)
        pictures.write(
            folder / f"image_{i:04d}.png", pictures.draw(image, best, colors)
        )
