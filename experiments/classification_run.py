"""What the classifier scripts share: a config unpacked into plain calls."""

import dataclasses
import json
import os
import pathlib

import tensorflow as tf
from absl import logging

from experiments import detection_run, kept_config
from squeeze_tf import config as config_lib
from squeeze_tf import training, whole_file
from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import (
    distillation,
    inputs,
    models,
    progressive,
    schedules,
)
from squeeze_tf.data import classification

ClassificationConfig = classification_config.ClassificationConfig
CONFIG, CLASS_NAMES = kept_config.FILE, "class_names.json"
STRATEGIES = {
    "none": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
}
_OF_THE_NETWORK = (
    *("model", "input_height", "input_width", "channels", "mean", "std"),
    *("expansion", "form", "reduction", "rule"),
    *models.OPTIONS["diracdeltanet"],
    *models.OPTIONS["fbnet"],
    *models.OPTIONS["precision_resnet"],
)


def read_run(
    workdir: str | os.PathLike, settings: list[str] = ()
) -> ClassificationConfig:
    """The config of a run, with `settings` of data and evaluation.

    Raises:
      ValueError: it is no run of train_classifier, or a setting is of the
        network itself.
      FileNotFoundError: there is no run.
    """
    workdir = pathlib.Path(workdir)
    if (workdir / CONFIG).exists() and not (workdir / CLASS_NAMES).exists():
        raise ValueError(
            f"{workdir} has no {CLASS_NAMES}; expected a run of "
            "train_classifier"
        )
    for setting in settings:
        if setting.partition("=")[0].strip() in _OF_THE_NETWORK:
            raise ValueError(
                f"--set={setting} cannot change a trained network; these "
                f"fields are its own: {', '.join(_OF_THE_NETWORK)}"
            )
    config = config_lib.read(ClassificationConfig, workdir / CONFIG)
    config = config_lib.override(config, settings)
    classification_config.check(config)
    return config


def with_architecture(
    config: ClassificationConfig, path: str | os.PathLike
) -> ClassificationConfig:
    """A config whose network is one that a search has found.

    Args:
      config: of data and training.
      path: architecture.json of a search.

    Raises:
      ValueError: the file does not hold fields of the network.
      OSError: it cannot be read.
    """
    try:
        fields = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        unknown = sorted(set(fields) - set(_OF_THE_NETWORK))
        if unknown or "model" not in fields:
            raise ValueError(
                "expected fields of the network, with model; got "
                f"{unknown or sorted(fields)}"
            )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: no architecture: {error}") from error
    return dataclasses.replace(
        config,
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        },
    )


def class_names(workdir: str | os.PathLike) -> tuple[str, ...]:
    """The classes of a run."""
    path = pathlib.Path(workdir) / CLASS_NAMES
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, list) or not all(
        isinstance(name, str) for name in found
    ):
        raise ValueError(f"{path}: expected a list of names; got {found!r}")
    return tuple(found)


def images(
    config: ClassificationConfig, part: str, data: str | None = None
) -> inputs.LabelledImages:
    """The images that train or validate, or all of `data`.

    Raises:
      ValueError: no data is given, or it is not as it should be.
      OSError: it is not there.
    """
    own = data or (config.validation_data if part == "validation" else "")
    folder = own or config.train_data
    if not folder and config.dataset not in inputs.NEEDS_NO_FOLDER:
        raise ValueError(
            "no data is given: --set=train_data=DIR to train, --data=DIR or "
            "--set=validation_data=DIR to evaluate"
        )
    whole = bool(own or config.validation_data)
    given = {
        "share": 0.0 if whole else config.validation_share,
        "channels": config.channels,
    }
    options = {
        key: given[key] for key in inputs.OPTIONS.get(config.dataset, ())
    }
    found = inputs.DATASETS[config.dataset](folder, part, **options)
    if found.channels != config.channels:
        raise ValueError(
            f"channels is {config.channels}; images of dataset "
            f"{config.dataset} have {found.channels}"
        )
    return found


def held_out(
    config: ClassificationConfig, trained: inputs.LabelledImages
) -> inputs.LabelledImages | None:
    """The validation images with the classes of `trained`, None if none."""
    found = images(config, "validation")
    if found.paths and found.paths == trained.paths:
        logging.warning(
            "no images are held out: set validation_data or, for folders, "
            "validation_share"
        )
        return None
    return classification.with_classes(found, trained.class_names)


def is_held_out(
    config: ClassificationConfig, found: inputs.LabelledImages
) -> bool:
    """Whether validation images are others than trained the network.

    A warning says so where they are not.
    """
    trained = images(config, "train")
    if not found.paths or found.paths != trained.paths:
        return True
    logging.warning("these images also trained the network: none are held out")
    return False


def build(config: ClassificationConfig, num_classes: int) -> tf.keras.Model:
    """The uncompiled model of a config."""
    return models.MODELS[config.model](
        input_shape=(*image_size(config), config.channels),
        num_classes=num_classes,
        mean=config.mean,
        std=config.std,
        weight_decay=config.weight_decay,
        momentum=config.batch_norm_momentum,
        **{
            name: getattr(config, name)
            for name in models.OPTIONS.get(config.model, ())
        },
    )


def augmentation(config: ClassificationConfig) -> inputs.Augmentation:
    """How training images are changed."""
    fields = dataclasses.fields(inputs.Augmentation)
    return inputs.Augmentation(
        **{x.name: getattr(config, x.name) for x in fields}
    )


def image_size(config: ClassificationConfig) -> tuple[int, int]:
    """H, W of the network's input."""
    return config.input_height, config.input_width


def load(workdir: str | os.PathLike) -> tf.keras.Model:
    """The trained model of a run.

    Raises:
      ValueError: it has another output than the run has classes.
      FileNotFoundError: there is no trained model.
    """
    model = training.load_model(workdir)
    count = len(class_names(workdir))
    if model.output_shape[1:] != (count,):
        raise ValueError(
            f"{workdir}: expected a network of {count} classes ({CLASS_NAMES});"
            f" got outputs {model.output_shape[1:]}"
        )
    return model


def evaluation_batches(
    config: ClassificationConfig, found: inputs.LabelledImages
) -> tf.data.Dataset:
    """Batches to evaluate."""
    return inputs.evaluation_batches(
        found,
        image_size=image_size(config),
        batch_size=config.batch_size,
        crop_share=config.crop_share,
    )


def train(
    config: ClassificationConfig,
    workdir: str | os.PathLike,
    verbose: str | int = "auto",
    strategy: str = "none",
) -> tf.keras.Model:
    """Trains, or goes on training, and returns the model.

    Args:
      config: of the network, its data and training.
      workdir: gets the run.
      verbose: as of training.fit().
      strategy: key of STRATEGIES.

    Raises:
      ValueError: settings, data or workdir do not fit.
    """
    scope = STRATEGIES[strategy]()
    workdir = pathlib.Path(workdir)
    classification_config.check(config)
    training.set_seed(config.seed)
    found = images(config, "train")
    validation = held_out(config, found)
    with scope.scope():
        model = build(config, len(found.class_names))
        if config.initial_weights:
            detection_run.start(model, config.initial_weights)
            progressive.reset_bounds(model)
        compile_model(config, model, -(-found.num_images // config.batch_size))
    teacher = None
    if config.teacher:
        teacher = _teacher(config.teacher, found.class_names)

    def batches(epoch: int) -> tf.data.Dataset:
        made = inputs.training_batches(
            found,
            image_size=image_size(config),
            batch_size=config.batch_size,
            augmentation=augmentation(config),
            seed=config.seed,
            epoch=epoch,
        )
        return distillation.refined(made, teacher) if teacher else made

    batches(0)  # a teacher that does not fit is refused here
    prepare_workdir(config, workdir, found.class_names)  # all is in order
    training.save_architecture(model, workdir)
    with inputs.naming_damaged(found, validation):
        training.fit(
            model,
            batches,
            epochs=config.epochs,
            workdir=workdir,
            validation=validation and evaluation_batches(config, validation),
            verbose=verbose,
        )
    return model


def compile_model(
    config: ClassificationConfig, model: tf.keras.Model, steps_per_epoch: int
) -> None:
    """Gives a model the optimiser, loss and metrics of its config."""
    rate = schedules.learning_rate(
        config.schedule,
        start=config.learning_rate,
        epochs=config.epochs,
        steps_per_epoch=steps_per_epoch,
        decay_epochs=config.decay_epochs,
        decay_rate=config.decay_rate,
    )
    model.compile(
        schedules.momentum(rate),
        loss=tf.keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[
            tf.keras.metrics.CategoricalAccuracy(name="top1"),
            tf.keras.metrics.TopKCategoricalAccuracy(5, name="top5"),
        ],
    )


def prepare_workdir(
    config: ClassificationConfig, workdir: pathlib.Path, names: tuple[str, ...]
) -> None:
    """Writes what the other scripts need to know of a run.

    Raises:
      ValueError: the folder holds a run of another config or other classes.
    """
    kept_config.check(config, workdir)
    kept = workdir / CLASS_NAMES
    if kept.exists() and class_names(workdir) != names:
        raise ValueError(
            f"{kept} names other classes than the data; take a new workdir"
        )
    kept_config.keep(config, workdir)
    whole_file.write(kept, json.dumps(names, indent=2), shared=True)
    logging.info("the run's settings lie in %s", workdir / CONFIG)


def _teacher(workdir: str, names: tuple[str, ...]) -> tf.keras.Model:
    """The network of another run with the same classes."""
    if class_names(workdir) != names:
        raise ValueError(
            f"teacher {workdir} has other classes ({CLASS_NAMES}) than the data"
        )
    teacher = load(workdir)
    teacher.trainable = False
    return teacher
