"""Exports a trained face embedder."""

import pathlib

import tensorflow as tf

from experiments import faces_run, kept_config, model_export
from squeeze_tf import config as config_lib
from squeeze_tf import export, training
from squeeze_tf.data import face_folders
from squeeze_tf.shift_applications import face_inputs, images, parity


def run(
    workdir: str,
    output: str,
    data: str | None = None,
    formats: list[str] = model_export.FORMATS,
    num_images: int = 4,
) -> list[export.Parity]:
    """Exports and compares on faces of the training data or of `data`."""
    model_export.check(formats, num_images)
    folder = pathlib.Path(workdir)
    config = config_lib.read(faces_run.FaceConfig, folder / kept_config.FILE)
    embedder = training.load_model(folder / faces_run.EMBEDDER)
    faces = data or faces_run.with_data(config, folder).train_data
    paths, _ = face_inputs.labelled(face_folders.read(faces))
    paths = paths[:num_images]
    with images.naming_damaged(paths):
        batches = list(
            face_inputs.image_batches(
                paths, config.image_size, batch_size=1
            ).as_numpy_iterator()
        )
    named = tf.keras.Model(embedder.input, {"embedding": embedder.output})
    return model_export.run(
        named, batches, output, formats, parity.embeddings, parity.MIN_AGREEMENT
    )
