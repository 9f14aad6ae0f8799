"""Learned intensity rendering: training, rendering, errors (Ch. 5 §4.2)."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tqdm

from experiments import segmentation_run
from squeeze_tf import training, whole_file
from squeeze_tf.adaptation import config as adaptation_config
from squeeze_tf.adaptation import intensity
from squeeze_tf.data import lidar_grids
from squeeze_tf.segmentation import augmentation, inputs

AdaptationConfig = adaptation_config.AdaptationConfig
FOLDER = "rendering"
_TELLING = 4  # scans by which one simulation is told from another


def check(config: AdaptationConfig) -> None:
    """Refuses settings that fit nothing.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    if config.rendering_loss not in intensity.LOSSES:
        raise ValueError(
            f"rendering_loss must be one of {intensity.LOSSES}; got "
            f"{config.rendering_loss!r}"
        )
    if config.rendering_epochs < 1:
        raise ValueError(
            "rendering_epochs must be at least 1; got "
            f"{config.rendering_epochs}"
        )
    intensity.Regions(config.rendering_top)


def trained(
    config: AdaptationConfig, folder: pathlib.Path, real: tf.data.Dataset
) -> tf.keras.Model:
    """The rendering network of real scans; goes on where it stopped.

    Args:
      config: of the ladder.
      folder: of this network.
      real: unlabelled scans; their intensities are what it learns.

    Raises:
      ValueError: intensities are not in 0..rendering_top.
    """
    training.set_seed(0)  # one network for the ladders of all seeds
    model = _network(config, real)
    loss = intensity.SquaredLoss()
    if config.rendering_loss == "hybrid":
        loss = intensity.HybridLoss(config.rendering_top)
    changes = dataclasses.replace(
        segmentation_run.changes(config),
        **{"mix": 0.0, "paste_ids": (), "intensity": 0.0, "scale": 0.0},
    )
    count = int(real.cardinality())
    repeats = -(-8 * config.batch_size // count)  # at least 8 steps an epoch
    num_steps = -(-repeats * count // config.batch_size)
    model.compile(
        training.optimizer(
            "adamw",
            learning_rate=config.rendering_learning_rate,
            total_steps=num_steps * config.rendering_epochs,
            warmup_steps=num_steps,
            clip_norm=config.clip_norm,
            weight_decay=config.weight_decay,
        ),
        loss=loss,
    )
    training.save_architecture(model, folder)
    training.fit(
        model,
        lambda epoch: _batches(
            real.repeat(repeats), changes, config.batch_size, epoch
        ),
        epochs=config.rendering_epochs,
        workdir=folder,
        average=config.average,
    )
    return model


def _network(config: AdaptationConfig, real: tf.data.Dataset) -> tf.keras.Model:
    """Untrained, for scans of this size and scale."""
    found = lidar_grids.statistics(real.as_numpy_iterator(), 1)
    mean = found["mean"][3]
    if not 0 <= mean <= config.rendering_top:
        raise ValueError(
            "rendering_top must be the intensity of the brightest return, "
            f"which is above the mean {mean:.4g} of the scans without labels; "
            f"got {config.rendering_top}"
        )
    return intensity.rendering_network(
        config.rendering_loss,
        input_shape=real.element_spec["grid"].shape,
        mean=found["mean"],
        std=found["std"],
        batch_norm=True,
        mask_channel=True,
        dropout=config.rendering_dropout,
        weight_decay=0.0,
        batch_norm_momentum=config.batch_norm_momentum,
    )


def _batches(
    real: tf.data.Dataset,
    changes: augmentation.Augmentation,
    batch_size: int,
    epoch: int,
) -> tf.data.Dataset:
    """Changed scans without intensity, and the intensities."""
    batches = inputs.training_batches(
        real, batch_size=batch_size, augmentation=changes, seed=0, epoch=epoch
    )
    return batches.map(
        lambda grid, _: intensity.training_pair(
            {"grid": grid, "mask": grid[..., 4] > 0}
        )
    )


def rendered(
    config: AdaptationConfig,
    workdir: pathlib.Path,
    simulated: tf.data.Dataset,
    real: tf.data.Dataset,
) -> tf.data.Dataset:
    """Simulated scans with the intensities that a real sensor would give.

    The network and the scans are kept in the workdir, those of other simulated
    scans beside them; the first scans tell.
    """
    model = trained(config, workdir / FOLDER, real)
    kind = [config.rendering_loss, config.rendering_draws]
    digest = hashlib.sha256(json.dumps(kind).encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    for scan in simulated.take(_TELLING).as_numpy_iterator():
        digest.update(scan["grid"].tobytes())
    path = workdir / f"{FOLDER}_{digest.hexdigest()[:16]}.tfrecord"
    if not path.exists():
        lidar_grids.write_records(
            path, _with_intensities(config, model, simulated)
        )
    channels = 7 if "instance_ids" in simulated.element_spec else 6
    shape = (*simulated.element_spec["grid"].shape[:2], channels)
    known = tf.data.experimental.assert_cardinality(simulated.cardinality())
    return lidar_grids.read_records(path, shape).apply(known).cache()


def _with_intensities(
    config: AdaptationConfig,
    model: tf.keras.Model,
    simulated: tf.data.Dataset,
) -> Iterator[dict[str, tf.Tensor]]:
    @tf.function
    def render(grid: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        outputs = model(intensity.without(grid)[tf.newaxis], training=False)
        found = intensity.prediction(
            outputs[0],
            config.rendering_top,
            seed if config.rendering_draws else None,
        )
        return intensity.with_intensity(grid, found)

    for index, sample in enumerate(simulated):
        seed = tf.constant([0, index], tf.int32)
        yield sample | {"grid": render(sample["grid"], seed)}


def errors(
    config: AdaptationConfig,
    model: tf.keras.Model,
    samples: tf.data.Dataset,
    num_classes: int,
    decode: Callable[[tf.Tensor, float], tf.Tensor] = intensity.prediction,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squared errors and counts by class over labelled real scans."""
    total = np.zeros((2, num_classes))
    for sample in tqdm.tqdm(samples, "errors"):
        outputs = model(
            intensity.without(sample["grid"])[tf.newaxis], training=False
        )
        found = decode(outputs[0], config.rendering_top)
        total += intensity.squared_errors(
            found.numpy(),
            sample["grid"].numpy(),
            sample["label_ids"].numpy(),
            num_classes,
        )
    return total[0], total[1]


def compare(
    config: AdaptationConfig,
    workdir: pathlib.Path,
    real: tf.data.Dataset,
    labelled: tf.data.Dataset,
    names: tuple[str, ...],
) -> str:
    """Mean squared error of each loss by class, as in Ch. 5 §4.2.

    That of the hybrid loss comes twice: of the most probable region, as the
    thesis has it, and of the expectation.

    Args:
      config: of the ladder.
      workdir: keeps both networks, and rendering_errors.json.
      real: unlabelled scans to learn from.
      labelled: real scans held out.
      names: of the classes.
    """
    found: dict[str, dict[str, float]] = {}
    for loss in intensity.LOSSES:
        own = dataclasses.replace(config, rendering_loss=loss)
        folder = workdir / (
            FOLDER if loss == config.rendering_loss else f"{FOLDER}_{loss}"
        )
        model = trained(own, folder, real)
        decodings = {loss: intensity.prediction}
        if loss == "hybrid":
            decodings["expectation"] = intensity.expectation
        for column, decode in decodings.items():
            sums, counts = errors(own, model, labelled, len(names), decode)
            found[column] = {
                name: sums[i] / counts[i]
                for i, name in enumerate(names)
                if counts[i]
            } | {"all": sums.sum() / counts.sum()}
    whole_file.write(
        workdir / "rendering_errors.json", json.dumps(found, indent=2)
    )
    lines = [f"{'mean squared error':24}" + "".join(f"{x:>12}" for x in found)]
    lines += [
        f"{name:24}" + "".join(f"{x[name]:12.5f}" for x in found.values())
        for name in found[intensity.LOSSES[0]]
    ]
    return "\n".join(lines)
