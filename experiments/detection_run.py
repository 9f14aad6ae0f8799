"""What the detection scripts share: a config unpacked into plain calls."""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl import logging

from experiments import kept_config
from squeeze_tf import caffe_weights, training, whole_file
from squeeze_tf import config as config_lib
from squeeze_tf.data import class_lists, image_folders, splits
from squeeze_tf.detection import anchors, augmentation, decode, inputs, models
from squeeze_tf.detection import config as detection_config
from squeeze_tf.detection import loss as loss_lib

DetectionConfig = detection_config.DetectionConfig
CONFIG, CLASS_LIST = kept_config.FILE, "class_list.yaml"
_OF_THE_NETWORK = (
    "model",
    "input_height",
    "input_width",
    "num_anchors",
    "anchors",
    "mean",
    "std",
    "batch_norm",
    "padding",
)


def read_run(
    workdir: str | os.PathLike, settings: list[str] = ()
) -> DetectionConfig:
    """The config of a run, with the class list it was made with.

    The list is the workdir's copy, unless `settings` say otherwise, so that a
    run stays whole when the original changes or moves.
    """
    workdir = pathlib.Path(workdir)
    if (workdir / "label_map.yaml").exists():
        raise ValueError(
            f"{workdir} is a run of train_segmentation; expected one of "
            "train_detection"
        )
    for setting in settings:
        if setting.partition("=")[0].strip() in _OF_THE_NETWORK:
            raise ValueError(
                f"--set={setting} cannot change a trained network; these "
                f"fields are its own: {', '.join(_OF_THE_NETWORK)}"
            )
    config = config_lib.read(DetectionConfig, workdir / CONFIG)
    own = []
    if (workdir / CLASS_LIST).exists():
        own.append(f"class_list={workdir / CLASS_LIST}")
    config = config_lib.override(config, [*own, *settings])
    detection_config.check(config)
    return config


def samples(
    config: DetectionConfig, part: str, data: str | None = None
) -> list[image_folders.ImageSample]:
    """The samples that train or validate, or all of `data`.

    Raises:
      ValueError: no data is given.
    """
    if data:
        return image_folders.read(data, config.dataset)
    if not config.train_data and not config.validation_data:
        raise ValueError(
            "no data is given: --set=train_data=DIR to train, --data=DIR or "
            "--set=validation_data=DIR to evaluate"
        )
    if part == "validation" and config.validation_data:
        return image_folders.read(config.validation_data, config.dataset)
    if not config.train_data:
        raise ValueError("train_data is not given: --set=train_data=DIR")
    found = image_folders.read(config.train_data, config.dataset)
    if config.validation_data:
        return found
    if part == "validation" and not config.split:
        logging.warning(
            "neither split nor validation_data is set: these images also "
            "trained the network"
        )
    return splits.select(found, config.split, part, config.validation_share)


def objects(
    config: DetectionConfig, found: list[image_folders.ImageSample]
) -> inputs.Objects:
    """The objects that samples teach.

    Raises:
      ValueError: there is none; the message names the types that there are.
    """
    classes = class_lists.load(config.class_list)
    learned = inputs.objects(found, classes, config.inclusive)
    if not len(learned.boxes):
        types = sorted({str(t) for s in found for t in s.labels.types})
        raise ValueError(
            f"no image holds an object of class list {config.class_list}; "
            f"their types are {', '.join(types[:20]) or 'none'}"
        )
    return learned


def image_size(config: DetectionConfig) -> tuple[int, int]:
    """H, W of the network's input."""
    return config.input_height, config.input_width


def with_anchors(
    config: DetectionConfig, found: list[image_folders.ImageSample]
) -> DetectionConfig:
    """Fills the anchor shapes from the data where they are empty."""
    if config.anchors:
        return config
    sizes = np.concatenate(object_sizes(config, found))[:, 2:]
    shapes = anchors.cluster(sizes, config.num_anchors, seed=config.seed)
    text = ",".join(f"{value:.2f}" for value in shapes.ravel())
    return config_lib.override(config, [f"anchors={text}"])


def object_sizes(
    config: DetectionConfig, found: list[image_folders.ImageSample]
) -> list[np.ndarray]:
    """Each sample's boxes [N, 4] in pixels of the network's input."""
    learned = objects(config, found)
    sizes = inputs.image_sizes([sample.path for sample in found])
    boxes = []
    for i, size in enumerate(sizes):
        scale = np.divide(image_size(config), size)[::-1]
        ours = learned.boxes[learned.starts[i] : learned.starts[i + 1]]
        boxes.append(ours * np.tile(scale, 2))
    return boxes


def build(
    config: DetectionConfig, precision: str = "float32"
) -> tf.keras.Model:
    """The uncompiled model of a config whose anchors are filled in.

    Its weights are float32 in any precision.
    """
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(precision)
    try:
        return _build(config)
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)


def _build(config: DetectionConfig) -> tf.keras.Model:
    decoupled = config.optimizer == "adamw"
    special = {}
    if config.model in ("squeezedet", "squeezedet_plus"):
        special["padding"] = config.padding
    return models.MODELS[config.model](
        input_shape=(*image_size(config), 3),
        num_classes=len(class_lists.load(config.class_list)),
        num_anchors=len(config.anchors) // 2,
        mean=config.mean,
        std=config.std,
        dropout=config.dropout,
        weight_decay=0.0 if decoupled else config.weight_decay,
        batch_norm=config.batch_norm,
        frozen=config.frozen,
        **special,
    )


def anchor_grid(config: DetectionConfig, model: tf.keras.Model) -> np.ndarray:
    """The anchors of a model's output."""
    shapes = np.reshape(config.anchors, (-1, 2))
    return anchors.grid(shapes, image_size(config), model.output_shape[1:3])


def grid_size(config: DetectionConfig) -> tuple[int, int]:
    """h, w of the model's output."""
    one = config_lib.override(config, ["anchors=1,1"])
    return tuple(build(one).output_shape[1:3])


def load(config: DetectionConfig, workdir: str | os.PathLike) -> tf.keras.Model:
    """The trained model of a run.

    Raises:
      ValueError: it has another output than the class list and the anchors.
      FileNotFoundError: there is no trained model.
    """
    model = training.load_model(workdir)
    num_classes = len(class_lists.load(config.class_list))
    num_anchors = len(config.anchors) // 2
    needed = num_anchors * (num_classes + 5)
    if model.output_shape[-1] != needed:
        raise ValueError(
            f"{workdir}: expected a detector of {num_classes} classes "
            f"({config.class_list}) and {num_anchors} anchors with {needed} "
            f"output channels; got {model.output_shape[-1]}"
        )
    return model


def detector(config: DetectionConfig, model: tf.keras.Model) -> tf.keras.Model:
    """A model from images to final boxes, class ids and scores."""
    layer = decode.Detections(
        anchors=anchor_grid(config, model),
        num_classes=len(class_lists.load(config.class_list)),
        image_size=image_size(config),
        max_detections=config.max_detections,
        iou_threshold=config.iou_threshold,
        suppression=config.suppression,
        inclusive=config.inclusive,
    )
    return tf.keras.Model(model.input, layer(model.output))


def train(
    config: DetectionConfig,
    workdir: str | os.PathLike,
    verbose: str | int = "auto",
) -> tf.keras.Model:
    """Trains, or goes on training, and returns the model."""
    workdir = pathlib.Path(workdir)
    detection_config.check(config)
    training.set_seed(config.seed)
    train_samples = samples(config, "train")
    learned = objects(config, train_samples)
    config = with_anchors(config, train_samples)
    model = build(config, config.precision)
    if config.initial_weights:
        start(model, config.initial_weights)
    grid = anchor_grid(config, model)
    compile_model(config, model, -(-len(train_samples) // config.batch_size))
    held_out = []
    if config.validation_data or config.split:
        held_out = samples(config, "validation")
    prepare_workdir(config, workdir)  # all else is in order
    training.save_architecture(build(config), workdir)

    def batches(epoch: int) -> tf.data.Dataset:
        return inputs.training_batches(
            train_samples,
            learned,
            image_size=image_size(config),
            anchors=grid,
            batch_size=config.batch_size,
            augmentation=changes(config),
            fill=config.mean,
            seed=config.seed,
            epoch=epoch,
            inclusive=config.inclusive,
        )

    paths = [sample.path for sample in (*train_samples, *held_out)]
    with inputs.naming_damaged(paths):
        training.fit(
            model,
            batches,
            epochs=config.epochs,
            workdir=workdir,
            validation=validation_batches(config, held_out, grid),
            average=config.average,
            verbose=verbose,
        )
    return model


def compile_model(
    config: DetectionConfig, model: tf.keras.Model, steps_per_epoch: int
) -> None:
    """Gives a model the optimiser, loss and metrics of its config."""
    loss = loss_lib.DetectionLoss(
        anchors=anchor_grid(config, model),
        num_classes=len(class_lists.load(config.class_list)),
        image_size=image_size(config),
        form=config.loss_form,
        box_weight=config.box_weight,
        object_weight=config.object_weight,
        background_weight=config.background_weight,
        inclusive=config.inclusive,
    )
    model.compile(
        optimizer(config, steps_per_epoch),
        loss=loss,
        metrics=[loss_lib.LossTerm(loss, term) for term in loss_lib.TERMS],
    )


def validation_batches(
    config: DetectionConfig,
    held_out: list[image_folders.ImageSample],
    grid: np.ndarray,
) -> tf.data.Dataset | None:
    """The samples held out, encoded; None if there are none."""
    if not held_out:
        return None
    classes = class_lists.load(config.class_list)
    return inputs.evaluation_batches(
        held_out,
        inputs.objects(held_out, classes, config.inclusive),
        image_size=image_size(config),
        anchors=grid,
        batch_size=config.batch_size,
    )


def start(model: tf.keras.Model, path: str) -> None:
    """Sets the first weights of a model that are not random.

    Args:
      model: to be trained.
      path: workdir of a run whose layers are as the model's (images may have
        been of another size, and classes and anchors others: then the last
        layer stays random), or a .caffemodel or .pkl.

    Raises:
      ValueError: the layers differ.
      OSError: there is no such file.
    """
    if pathlib.Path(path).suffix in (".caffemodel", ".pkl"):
        done, left = caffe_weights.load(model, path)
        print(f"{path}: {len(done)} layers set; not there: {', '.join(left)}")
        return
    other = training.load_model(path)
    known = {layer.name: layer.get_weights() for layer in other.layers}
    last = [layer.name for layer in model.layers if layer.weights][-1]
    for layer in model.layers:
        ours, theirs = layer.get_weights(), known.get(layer.name, [])
        if [w.shape for w in ours] == [w.shape for w in theirs]:
            layer.set_weights(theirs)
        elif layer.name == last:
            print(f"{path}: {last} starts afresh, for other classes or anchors")
        else:
            raise ValueError(
                f"initial_weights {path}: layer {layer.name} is not that of "
                f"{model.name} as configured here"
            )


def changes(config: DetectionConfig) -> augmentation.Augmentation:
    """The augmentation of a config."""
    return augmentation.Augmentation(
        **{
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(augmentation.Augmentation)
        }
    )


def optimizer(
    config: DetectionConfig, steps_per_epoch: int
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


def prepare_workdir(config: DetectionConfig, workdir: pathlib.Path) -> None:
    """Writes what the other scripts need to know of a run.

    Raises:
      ValueError: the folder holds a run of another config or class list.
    """
    kept_config.check(config, workdir)
    class_list = class_lists.find(config.class_list)
    kept = workdir / CLASS_LIST
    if kept.exists() and kept.read_bytes() != class_list.read_bytes():
        raise ValueError(
            f"{kept} differs from {class_list}; take a new workdir"
        )
    kept_config.keep(config, workdir)
    whole_file.write(kept, class_list.read_bytes(), shared=True)
    logging.info("the run's settings lie in %s", workdir / CONFIG)
