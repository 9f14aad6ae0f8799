"""Exports a trained style network, for pictures of the size it learned on."""

import pathlib

import tensorflow as tf

from experiments import kept_config, model_export, style_run
from squeeze_tf import config as config_lib
from squeeze_tf import export, training
from squeeze_tf.data import image_folders
from squeeze_tf.shift_applications import images, parity, style_inputs


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = model_export.FORMATS,
    num_images: int = 4,
) -> list[export.Parity]:
    """Exports and compares on images it learned on, or of `data`."""
    model_export.check(formats, num_images)
    path = pathlib.Path(workdir) / kept_config.FILE
    config = config_lib.read(style_run.StyleConfig, path)
    model = training.load_model(workdir)
    paths = image_folders.find(data or config.content)
    batches = style_inputs.training_batches(
        paths,
        image_size=config.image_size,
        batch_size=1,
        steps=num_images,
        seed=config.seed,
        epoch=0,
    )
    with images.naming_damaged(paths):
        given = [image for image, _ in batches.as_numpy_iterator()]
    clipped = tf.keras.layers.ReLU(max_value=255.0, name="clip")(model.output)
    named = tf.keras.Model(model.input, {"picture": clipped})
    return model_export.run(
        named, given, output, formats, parity.pictures, parity.MIN_AGREEMENT
    )
