"""Evaluates a trained classifier and writes down what came out."""

import json
import pathlib

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from experiments import classification_run
from squeeze_tf import whole_file
from squeeze_tf.classification import evaluation, inputs, metrics, plots
from squeeze_tf.data import classification


def run(
    workdir: str,
    data: str | None = None,
    output: str | None = None,
    settings: list[str] = (),
) -> dict[str, object]:
    """Evaluates, prints the tables and writes the files."""
    config = classification_run.read_run(workdir, settings)
    model = classification_run.load(workdir)
    names = classification_run.class_names(workdir)
    images = classification.with_classes(
        classification_run.images(config, "validation", data), names
    )
    batches = classification_run.evaluation_batches(config, images)
    with inputs.naming_damaged(images):
        scores, class_ids = predict(model, batches)
    summary = evaluation.summary(scores, class_ids, names)
    summary["data"] = data or config.validation_data or config.train_data
    summary["dataset"] = config.dataset
    if not data:
        held_out = classification_run.is_held_out(config, images)
        summary["held_out"] = held_out
    matrix = metrics.confusion(class_ids, scores.argmax(1), len(names))
    folder = pathlib.Path(output or pathlib.Path(workdir) / "evaluation")
    folder.mkdir(parents=True, exist_ok=True)
    whole_file.write(
        folder / "confusion.csv", evaluation.confusion_csv(matrix, names)
    )
    plots.confusion(folder / "confusion.png", matrix, names)
    whole_file.write(folder / "evaluation.json", json.dumps(summary, indent=2))
    print(evaluation.table(metrics.by_class(matrix, names)))
    print(
        f"\n{summary['num_images']} images: top-1 {summary['top1']:.2%}, top-5 "
        f"{summary['top5']:.2%}, cross-entropy {summary['cross_entropy']:.4f}"
        f"\nTables and confusions lie in {folder.resolve()}"
    )
    return summary


def predict(
    model: tf.keras.Model, batches: tf.data.Dataset, progress: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, C] and true class ids [N] of all images."""
    call = tf.function(lambda image: model(image, training=False))
    scores, class_ids = [], []
    for image, target in tqdm(batches, unit="batch", disable=not progress):
        scores.append(call(image).numpy())
        class_ids.append(target.numpy().argmax(1))
    return np.concatenate(scores), np.concatenate(class_ids)
