"""Quantises a trained classifier step by step and writes whole numbers."""

import dataclasses
import json
import os
import pathlib

import tensorflow as tf

from experiments import classification_evaluation, classification_run
from squeeze_tf import config as config_lib
from squeeze_tf import whole_file
from squeeze_tf.classification import (
    inputs,
    integer,
    metrics,
    packed_weights,
    progressive,
)
from squeeze_tf.data import classification

FILE, NETWORK = "quantization.json", "integer.npz"
# Of the released code: 50 epochs, a fifth of the rate from 20, 30 and 40 on.
EPOCHS, DECAY_SHARES, DECAY_RATE = 50, (0.4, 0.6, 0.8), 0.2


def run(
    workdir: str,
    output: str | None = None,
    *,
    bits: str = "16/16,8/8,4/4",
    end_bits: int = 32,
    settings: list[str] = (),
    verbose: str | int = "auto",
) -> dict[str, object]:
    """Trains each step from the one before; steps that are done are kept.

    Args:
      workdir: of train_classifier, a model with quantised layers.
      output: where the runs go, one folder for each step; WORKDIR/quantized.
      bits: of every step, see progressive.parse().
      end_bits: of the first and the last layer's weights.
      settings: field=value of the fine-tuning.
      verbose: as in keras.Model.fit.

    Returns:
      What is written as quantization.json.

    Raises:
      ValueError: the run's model cannot be quantised, or bits are no path.
    """
    steps = progressive.parse(bits)
    config = classification_run.read_run(workdir)
    if config.model != "diracdeltanet":
        raise ValueError(
            f"{workdir} holds a {config.model}; only a diracdeltanet has "
            "layers that can be quantised"
        )
    folder = pathlib.Path(output or pathlib.Path(workdir) / "quantized")
    base = _fine_tuning(config, end_bits, settings)
    images = _images(config, workdir)
    results = [
        _result("full", config, classification_run.load(workdir), images)
    ]
    before = os.path.abspath(workdir)
    for weight_bits, activation_bits in steps:
        name = f"w{weight_bits}a{activation_bits}"
        step = dataclasses.replace(
            base,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            initial_weights=before,
        )
        print(f"{name}: from {before}")
        before = os.path.abspath(folder / name)
        model = classification_run.train(step, before, verbose)
        model = classification_run.load(before)
        results.append(_result(name, step, model, images))
    held_out = classification_run.is_held_out(config, images)
    summary = {"held_out": held_out, "steps": results}
    if max(steps[-1]) < 32:
        summary["integer"] = _whole_numbers(model, step, folder, images)
    whole_file.write(folder / FILE, json.dumps(summary, indent=2))
    _print(summary)
    print(f"All steps and {FILE} lie in {folder.resolve()}")
    return summary


def _fine_tuning(
    config: classification_run.ClassificationConfig,
    end_bits: int,
    settings: list[str],
) -> classification_run.ClassificationConfig:
    """The released schedule at a tenth of the run's rate (ours)."""
    config = dataclasses.replace(
        config,
        end_bits=end_bits,
        epochs=EPOCHS,
        schedule="steps",
        decay_epochs=(),
        decay_rate=DECAY_RATE,
        learning_rate=config.learning_rate / 10,
    )
    config = config_lib.override(config, settings)
    if config.schedule == "steps" and not config.decay_epochs:
        at = {round(config.epochs * share) for share in DECAY_SHARES} - {0}
        config = dataclasses.replace(config, decay_epochs=tuple(sorted(at)))
    return config


def _images(
    config: classification_run.ClassificationConfig, workdir: str
) -> inputs.LabelledImages:
    return classification.with_classes(
        classification_run.images(config, "validation"),
        classification_run.class_names(workdir),
    )


def _result(
    name: str,
    config: classification_run.ClassificationConfig,
    model: tf.keras.Model,
    images: inputs.LabelledImages,
) -> dict[str, object]:
    """Accuracies on the validation images."""
    batches = classification_run.evaluation_batches(config, images)
    scores, class_ids = classification_evaluation.predict(
        model, batches, progress=False
    )
    return {
        "name": name,
        "weight_bits": config.weight_bits,
        "activation_bits": config.activation_bits,
        "end_bits": config.end_bits,
        "num_images": len(scores),
        "top1": metrics.top_accuracy(scores, class_ids, 1),
        "top5": metrics.top_accuracy(scores, class_ids, 5),
    }


def _whole_numbers(
    model: tf.keras.Model,
    config: classification_run.ClassificationConfig,
    folder: pathlib.Path,
    images: inputs.LabelledImages,
) -> dict[str, object]:
    """Writes the packed network and compares it on all images."""
    try:
        size = packed_weights.save(integer.convert(model), folder / NETWORK)
    except ValueError as error:  # the steps are worth keeping without it
        return {"refused": str(error)}
    whole = packed_weights.load(folder / NETWORK)
    batches = classification_run.evaluation_batches(config, images)
    scores = [
        classification_evaluation.predict(x, batches, progress=False)[0]
        for x in (model, whole)
    ]
    return {
        "file": NETWORK,
        "bytes": size,
        "float_bytes": 4 * model.count_params(),
        "num_images": len(scores[0]),
        "equal_images": int((scores[0] == scores[1]).all(axis=1).sum()),
    }


def _print(summary: dict[str, object]) -> None:
    print(
        f"\n{'step':>8}{'weights':>9}{'activations':>13}{'top-1':>9}{'top-5':>9}"
    )
    for row in summary["steps"]:
        print(
            f"{row['name']:>8}{row['weight_bits']:>9}"
            f"{row['activation_bits']:>13}{row['top1']:>9.2%}{row['top5']:>9.2%}"
        )
    found = summary.get("integer")
    if found and "refused" in found:
        print(f"No network of whole numbers: {found['refused']}")
    elif found:
        print(
            f"Whole numbers: {found['bytes'] / 1e3:.1f} kB (float32 "
            f"{found['float_bytes'] / 1e3:.1f} kB); logits equal to the bit "
            f"for {found['equal_images']} of {found['num_images']} images"
        )
