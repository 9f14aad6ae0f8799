"""Learning a style and repainting pictures: a config in plain calls."""

import os
import pathlib

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from experiments import kept_config
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.data import image_folders
from squeeze_tf.shift_applications import (
    images,
    perceptual_loss,
    style_config,
    style_inputs,
    style_transfer,
    stylization,
    vgg_features,
)

StyleConfig = style_config.StyleConfig


def train(
    config: StyleConfig,
    workdir: str | os.PathLike,
    verbose: str | int = "auto",
) -> tf.keras.Model:
    """Learns a style, or goes on learning, and returns the network.

    Raises:
      ValueError: a setting makes no sense or a file is not as described; the
        message names it.
      OSError: a file or folder is not there.
    """
    workdir = pathlib.Path(workdir)
    style_config.check(config)
    style, paths = _data(config)
    training.set_seed(config.seed)
    features = vgg_features.vgg16_features()
    vgg_features.load_weights(features, config.vgg_weights)
    model = build(config)
    compile_model(config, model, features, style)
    kept_config.keep(config, workdir)  # all else is in order
    training.save_architecture(model, workdir)

    def batches(epoch: int) -> tf.data.Dataset:
        return style_inputs.training_batches(
            paths,
            image_size=config.image_size,
            batch_size=config.batch_size,
            steps=config.steps_per_epoch,
            seed=config.seed,
            epoch=epoch,
        )

    with images.naming_damaged(paths):
        training.fit(
            model,
            batches,
            epochs=config.epochs,
            workdir=workdir,
            verbose=verbose,
        )
    return model


def _data(config: StyleConfig) -> tuple[np.ndarray, list[pathlib.Path]]:
    """The style, and the images to learn on."""
    for field, what in (
        ("style", "the picture whose style to learn"),
        ("content", "a folder of images to learn on"),
    ):
        if not getattr(config, field):
            raise ValueError(f"--{field} is not given: {what}")
    return images.read(config.style), image_folders.find(config.content)


def build(config: StyleConfig) -> tf.keras.Model:
    """The network of a config, not yet trained."""
    return style_transfer.style_transformer(
        form=config.form, input_shape=(config.image_size, config.image_size, 3)
    )


def compile_model(
    config: StyleConfig,
    model: tf.keras.Model,
    features: tf.keras.Model,
    style: np.ndarray,
) -> None:
    """Gives a network the optimiser, loss and metrics of its config."""
    size = min(config.style_size, *style.shape[:2])
    loss = perceptual_loss.PerceptualLoss(
        features,
        images.shorter_side(tf.constant(style), size),
        content_weight=config.content_weight,
        style_weight=config.style_weight,
        variation_weight=config.variation_weight,
    )
    model.compile(
        training.optimizer(
            config.optimizer,
            learning_rate=config.learning_rate,
            total_steps=config.epochs * config.steps_per_epoch,
            schedule=config.schedule,
        ),
        loss=loss,
        metrics=[
            perceptual_loss.LossTerm(loss, term)
            for term in perceptual_loss.TERMS
        ],
    )


def load(workdir: str | os.PathLike) -> stylization.Painter:
    """A function that repaints pictures in the style of a run.

    Raises:
      FileNotFoundError: there is no trained network.
    """
    config = config_lib.read(
        StyleConfig, pathlib.Path(workdir) / kept_config.FILE
    )
    return stylization.painter(training.load_model(workdir), config.form)


def apply(
    workdir: str | os.PathLike,
    source: str | os.PathLike,
    target: str | os.PathLike,
) -> int:
    """Repaints a picture, or all of a folder, and says how many.

    Pictures keep their names and sizes; a folder's are PNG.

    Args:
      workdir: of a run.
      source: picture, or folder of them.
      target: of the picture, or folder, which is made.

    Raises:
      ValueError: a picture cannot be read, two of a folder have one name, or
        `target` is not a picture's name.
      OSError: a file is not there or cannot be written.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    if source.is_dir():
        paths = image_folders.find(source)
        targets = [target / f"{path.stem}.png" for path in paths]
        if len(set(targets)) < len(paths):
            raise ValueError(
                f"{source}: expected images of different names, suffix apart"
            )
        paint = load(workdir)
        target.mkdir(parents=True, exist_ok=True)
    else:
        images.check_suffix(target)
        paths, targets = [source], [target]
        paint = load(workdir)
    if source.resolve() == target.resolve():
        raise ValueError(f"{target}: a picture would take its original's place")
    for path, place in tqdm(
        zip(paths, targets), total=len(paths), unit="image", disable=None
    ):
        images.write(place, paint(images.read(path)))
    return len(paths)
