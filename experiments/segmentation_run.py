"""What the segmentation scripts share: a config unpacked into plain calls."""

import dataclasses
import os
import pathlib

import tensorflow as tf
from absl import logging

from experiments import kept_config
from squeeze_tf import config as config_lib
from squeeze_tf import training, whole_file
from squeeze_tf.data import label_maps, lidar_grids
from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import augmentation, crf, inputs, loss, models
from squeeze_tf.segmentation import config as segmentation_config

SegmentationConfig = segmentation_config.SegmentationConfig
CONFIG, LABEL_MAP, PROJECTION = (
    kept_config.FILE,
    "label_map.yaml",
    "projection.json",
)
STRATEGIES = {
    "none": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
}


def read_run(
    workdir: str | os.PathLike, settings: list[str] = ()
) -> SegmentationConfig:
    """The config of a run, with the label map and projection it was made with.

    Both are the workdir's copies, unless `settings` say otherwise, so that a
    run stays whole when the originals change or move.
    """
    workdir = pathlib.Path(workdir)
    if (workdir / "class_list.yaml").exists():
        raise ValueError(
            f"{workdir} is a run of train_detection; expected one of "
            "train_segmentation"
        )
    config = config_lib.read(SegmentationConfig, workdir / CONFIG)
    kept = {"label_map": LABEL_MAP, "projection": PROJECTION}
    own = [
        f"{field}={workdir / name}"
        for field, name in kept.items()
        if (workdir / name).exists()
    ]
    return config_lib.override(config, [*own, *settings])


def samples(config: SegmentationConfig, folder: str) -> tf.data.Dataset:
    """Samples of one folder of the configured data set.

    Raises:
      ValueError: `folder` is empty, which would be the current one; only
        generated scans need none.
    """
    if not folder and config.dataset != "synthetic":
        raise ValueError(
            "no data is given: --set=train_data=DIR to train, --data=DIR or "
            "--set=validation_data=DIR to evaluate or export"
        )
    cache = config.cache if config.cache != "none" else None
    return inputs.samples(
        config.dataset,
        folder,
        label_map=label_maps.load(config.label_map),
        projection=config.projection,
        cache=cache,
    )


def with_statistics(
    config: SegmentationConfig, train: tf.data.Dataset
) -> SegmentationConfig:
    """Fills mean, std and class weights from the data where they are empty."""
    if config.mean and config.std and config.class_weights:
        return config
    names = label_maps.load(config.label_map).names
    found = lidar_grids.statistics(train.as_numpy_iterator(), len(names))
    found["frequencies"][list(config.ignored_ids)] = 0
    found["std"][:2] *= config.xy_std_factor
    weights = inputs.class_weights(
        found["frequencies"], config.class_weight_power
    )
    settings = []
    for field, values in (
        ("mean", found["mean"]),
        ("std", found["std"]),
        ("class_weights", weights),
    ):
        if not getattr(config, field):
            text = ",".join(f"{value:.6g}" for value in values)
            settings.append(f"{field}={text}")
    return config_lib.override(config, settings)


def build(
    config: SegmentationConfig, input_shape: tuple[int, ...]
) -> tf.keras.Model:
    """The uncompiled model of a config whose statistics are filled in."""
    layer = None
    if config.crf != "none":
        layer = crf.RecurrentCRF(
            form=config.crf,
            num_iterations=config.crf_iterations,
            angular_theta=config.angular_theta,
            bilateral_angular_theta=config.angular_theta,
            bilateral_theta=config.bilateral_theta,
            dtype="float32",
        )
    decoupled = config.optimizer == "adamw"
    return models.MODELS[config.model](
        input_shape=input_shape,
        num_classes=len(label_maps.load(config.label_map).names),
        mean=config.mean,
        std=config.std,
        batch_norm=config.batch_norm,
        mask_channel=config.mask_channel,
        context_aggregation=config.context_aggregation,
        crf=layer,
        dropout=config.dropout,
        weight_decay=0.0 if decoupled else config.weight_decay,
        batch_norm_momentum=config.batch_norm_momentum,
        batch_norm_synchronized=config.batch_norm_synchronized,
    )


def train(
    config: SegmentationConfig,
    workdir: str | os.PathLike,
    strategy: str = "none",
    verbose: str | int = "auto",
) -> tf.keras.Model:
    """Trains, or goes on training, and returns the model."""
    workdir = pathlib.Path(workdir)
    scope = STRATEGIES[strategy]()  # before anything else touches a device
    check_choices(config)
    training.set_seed(config.seed)
    train_samples = samples(config, config.train_data)
    config = with_statistics(config, train_samples)
    shape = train_samples.element_spec["grid"].shape
    check(config, tuple(shape))
    num_steps = -(-int(train_samples.cardinality()) // config.batch_size)
    with scope.scope():
        model = build(config, tuple(shape))
        model.compile(
            optimizer(config, num_steps),
            loss=loss.FocalLoss(
                config.class_weights, config.gamma, config.loss_scale
            ),
            metrics=metrics(config),
        )
    validation = None
    if config.validation_data:
        validation = inputs.evaluation_batches(
            samples(config, config.validation_data),
            config.batch_size,
            config.ignored_ids,
        )
    prepare_workdir(config, workdir, tuple(shape))  # all else is in order
    training.save_architecture(model, workdir)
    change = changes(config)

    def batches(epoch: int) -> tf.data.Dataset:
        return inputs.training_batches(
            train_samples,
            batch_size=config.batch_size,
            augmentation=change,
            seed=config.seed,
            epoch=epoch,
            ignored_ids=config.ignored_ids,
            projection=inputs.find_projection(config.projection),
        )

    training.fit(
        model,
        batches,
        epochs=config.epochs,
        workdir=workdir,
        validation=validation,
        average=config.average,
        verbose=verbose,
    )
    return model


def changes(config: SegmentationConfig) -> augmentation.Augmentation:
    """The augmentation of a config."""
    return augmentation.Augmentation(
        **{
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(augmentation.Augmentation)
        }
    )


def optimizer(
    config: SegmentationConfig, steps_per_epoch: int
) -> tf.keras.optimizers.Optimizer:
    """The optimiser of a config, its schedule in steps."""
    return training.optimizer(
        config.optimizer,
        learning_rate=config.learning_rate,
        total_steps=steps_per_epoch * config.epochs,
        schedule=config.schedule,
        warmup_steps=steps_per_epoch * config.warmup_epochs,
        decay_steps=config.decay_steps,
        decay_rate=config.decay_rate,
        clip_norm=config.clip_norm,
        weight_decay=config.weight_decay,
    )


def metrics(config: SegmentationConfig) -> list[tf.keras.metrics.Metric]:
    """Mean IoU over the classes, background and ignored ones left out."""
    names = label_maps.load(config.label_map).names
    return [
        tf.keras.metrics.IoU(
            num_classes=len(names),
            target_class_ids=[
                i for i in range(1, len(names)) if i not in config.ignored_ids
            ],
            ignore_class=loss.IGNORED,
            sparse_y_pred=False,
            name="mean_iou",
        )
    ]


def check_choices(config: SegmentationConfig) -> None:
    """Refuses settings that fit no data.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    if config.model not in models.MODELS:
        raise ValueError(
            f"model must be one of {sorted(models.MODELS)}; got "
            f"{config.model!r}"
        )
    num_classes = len(label_maps.load(config.label_map).names)
    for field in ("ignored_ids", "paste_ids"):
        ids = getattr(config, field)
        if not all(0 <= i < num_classes for i in ids):
            raise ValueError(
                f"{field} must be classes of {config.label_map}, 0 to "
                f"{num_classes - 1}; got {ids}"
            )
    for field in ("batch_size", "epochs"):
        if getattr(config, field) < 1:
            raise ValueError(
                f"{field} must be 1 or more; got {getattr(config, field)}"
            )
    for field in ("drop", "mix", "dropout"):
        if not 0 <= getattr(config, field) <= 1:
            raise ValueError(
                f"{field} must lie in 0..1; got {getattr(config, field)}"
            )


def check(config: SegmentationConfig, shape: tuple[int, ...]) -> None:
    """Refuses settings that do not fit the classes or the grids.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    num_classes = len(label_maps.load(config.label_map).names)
    if len(config.class_weights) != num_classes:
        raise ValueError(
            f"class_weights must hold {num_classes} values, one for each class "
            f"of {config.label_map}, or none; got {len(config.class_weights)}"
        )
    view = inputs.find_projection(config.projection)
    if config.roll and not (fits(view, shape) and view.is_full_turn):
        raise ValueError(
            "roll=true needs grids of a full turn, whose projection says so; "
            f"got {config.projection} and grids of {shape[:2]}"
        )
    if config.paste_ids and not fits(view, shape):
        raise ValueError(
            "paste_ids need the projection of the grids; got "
            f"{config.projection} and grids of {shape[:2]}"
        )


def check_shape(model: tf.keras.Model, samples: tf.data.Dataset) -> None:
    """Refuses grids of another size than the model's.

    Raises:
      ValueError: says both sizes.
    """
    needed = tuple(model.input_shape[1:])
    got = tuple(samples.element_spec["grid"].shape)
    if got != needed:
        raise ValueError(f"the model takes grids of {needed}; got {got}")


def fits(view: spherical.Projection, shape: tuple[int, ...]) -> bool:
    """Whether grids of `shape` can be of this projection."""
    return (view.rows, view.columns) == tuple(shape[:2])


def prepare_workdir(
    config: SegmentationConfig, workdir: pathlib.Path, shape: tuple[int, ...]
) -> None:
    """Writes what the other scripts need to know of a run.

    The projection is left out where the grids came from elsewhere.

    Raises:
      ValueError: the folder holds a run of another config or label map.
    """
    kept_config.check(config, workdir)
    label_map = label_maps.find(config.label_map)
    kept = workdir / LABEL_MAP
    if kept.exists() and kept.read_bytes() != label_map.read_bytes():
        raise ValueError(f"{kept} differs from {label_map}; take a new workdir")
    kept_config.keep(config, workdir)
    whole_file.write(kept, label_map.read_bytes(), shared=True)
    view = inputs.find_projection(config.projection)
    if fits(view, shape):
        config_lib.write(view, workdir / PROJECTION)
    logging.info("the run's settings lie in %s", workdir / CONFIG)
