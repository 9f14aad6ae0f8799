"""The scans of a ladder of domain adaptation, noise and batches of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from experiments import segmentation_run
from squeeze_tf.adaptation import config as adaptation_config
from squeeze_tf.adaptation import dropout_noise
from squeeze_tf.adaptation import inputs as real_inputs
from squeeze_tf.data import label_maps
from squeeze_tf.segmentation import inputs

AdaptationConfig = adaptation_config.AdaptationConfig
NOISES = ("map", "conditional")


@dataclasses.dataclass(frozen=True)
class Data:
    """What all rows of a ladder read.

    Attributes:
      simulated: labelled scans.
      real: unlabelled scans that are adapted to.
      intensities: unlabelled scans to learn intensities from.
      held_out: others of them, for the guard of calibration; the rendering
        network alone has seen them.
      validation: labelled real scans, only measured; None where there are none.
    """

    simulated: tf.data.Dataset
    real: tf.data.Dataset
    intensities: tf.data.Dataset
    held_out: tf.data.Dataset
    validation: tf.data.Dataset | None


def read(config: AdaptationConfig) -> Data:
    """The scans, projected.

    Raises:
      ValueError: a folder is not given, or grids differ in size.
    """
    for field in ("train_data", "real_data"):
        if not getattr(config, field):
            raise ValueError(f"no data is given: --set={field}=DIR")
    simulated = segmentation_run.samples(config, config.train_data)
    real, intensities = (
        real_inputs.unlabelled(
            config.real_dataset,
            config.real_data,
            inputs.find_projection(config.projection),
            turns,
        )
        for turns in (1, config.rendering_turns)
    )
    scans = {"train_data": simulated, "real_data": real}
    if config.validation_data:
        scans["validation_data"] = inputs.samples(
            config.validation_dataset,
            config.validation_data,
            label_map=label_maps.load(config.validation_label_map),
            projection=config.projection,
        )
    shapes = {
        field: tuple(samples.element_spec["grid"].shape)
        for field, samples in scans.items()
    }
    if len(set(shapes.values())) > 1:
        raise ValueError(f"grids must have one size; got {shapes}")
    kept, held_out = real_inputs.split(real, config.held_out_every)
    validation = scans.get("validation_data")
    return Data(simulated, kept, intensities, held_out, validation)


def noise_rates(
    config: AdaptationConfig,
    real: tf.data.Dataset,
    simulated: tf.data.Dataset,
) -> np.ndarray:
    """Which share of simulated returns to lose, float32.

    Returns:
      [H, W] of each cell, or for "conditional" noise the table that
      dropout_noise.rates_of_cells() takes.
    """
    view = inputs.find_projection(config.projection)

    def missing(samples: tf.data.Dataset) -> np.ndarray:
        scans = samples.as_numpy_iterator()
        if config.noise == "conditional":
            return dropout_noise.conditional_rates(
                scan["grid"] for scan in scans
            ).missing
        return dropout_noise.smoothed(
            dropout_noise.frequency_map(scan["mask"] for scan in scans),
            config.noise_columns,
            view.is_full_turn,
        )

    rates = dropout_noise.rates_to_add(missing(real), missing(simulated))
    return rates.astype(np.float32)


def noisy(
    config: AdaptationConfig,
    simulated: tf.data.Dataset,
    rates: np.ndarray,
    epoch: int,
) -> tf.data.Dataset:
    """Scans that miss as many returns as real ones do, anew each epoch."""

    def inject(
        index: tf.Tensor, sample: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        place = index + epoch * 2**32
        seed = tf.stack([tf.constant(config.seed, tf.int64), place])
        cells = rates
        if config.noise == "conditional":
            cells = dropout_noise.rates_of_cells(sample["grid"], rates)
        return dropout_noise.inject(sample, cells, seed)

    return simulated.enumerate().map(inject, tf.data.AUTOTUNE)


def simulated_batches(
    config: AdaptationConfig, simulated: tf.data.Dataset, epoch: int
) -> tf.data.Dataset:
    """One augmented epoch of (grids, labels)."""
    return inputs.training_batches(
        simulated,
        batch_size=config.batch_size,
        augmentation=segmentation_run.changes(config),
        seed=config.seed,
        epoch=epoch,
        ignored_ids=config.ignored_ids,
        projection=inputs.find_projection(config.projection),
    )


def real_batches(
    config: AdaptationConfig,
    real: tf.data.Dataset,
    epoch: int,
    num_steps: int,
) -> tf.data.Dataset:
    """At least `num_steps` batches of grids, turned and mirrored."""
    count = int(real.cardinality())
    changes = dataclasses.replace(
        segmentation_run.changes(config), mix=0.0, paste_ids=(), drop=0.0
    )
    return inputs.training_batches(
        real.repeat(-(-num_steps * config.batch_size // count)),
        batch_size=config.batch_size,
        augmentation=changes,
        seed=config.seed + 1,
        epoch=epoch,
    ).map(lambda grid, _: grid)
