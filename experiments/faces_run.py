"""Training and testing a face embedder: a config in plain calls."""

import dataclasses
import json
import os
import pathlib

import tensorflow as tf

from experiments import kept_config
from squeeze_tf import training, whole_file
from squeeze_tf.data import face_folders, face_pairs, synthetic_faces
from squeeze_tf.shift_applications import (
    face,
    face_config,
    face_distances,
    face_inputs,
    images,
    roc_picture,
    verification,
)

FaceConfig = face_config.FaceConfig
EVALUATION, ROC, EMBEDDER = "evaluation.json", "roc.png", "embedder"
_DRAWN_PAIRS = 30  # of each kind and fold. Ours: as many as a test allows


def run(
    config: FaceConfig,
    workdir: str | os.PathLike,
    verbose: str | int = "auto",
) -> dict[str, object]:
    """Trains, or goes on training, tests, and writes down what came out.

    Without test_data nothing is tested.

    Returns:
      verification.summary(), or nothing.

    Raises:
      ValueError: a setting makes no sense or a file is not as described; the
        message names it.
      OSError: a file or folder is not there.
    """
    workdir = pathlib.Path(workdir)
    face_config.check(config)
    kept_config.check(config, workdir)
    settings = with_data(config, workdir)
    identities = training_identities(settings)
    pairs = test_pairs(settings, identities)  # fails before, not after hours
    model = train(settings, config, identities, workdir, verbose)
    embedder = face.embedder_of(model)
    training.save_model(embedder, workdir / EMBEDDER)
    if pairs is None:
        print("no test_data is given, so nothing is tested")
        return {}
    found = evaluate(settings, embedder, pairs, workdir)
    print(verification.table(found))
    return found


def with_data(config: FaceConfig, workdir: pathlib.Path) -> FaceConfig:
    """Settings with the folders of the faces.

    Where persons are to be drawn, some to train and others to test, they are,
    unless they are there.
    """
    if not config.drawn_identities:
        return config
    folders = [workdir / "drawn" / part for part in ("train", "test")]
    for seed, folder in enumerate(folders):
        if not (folder / synthetic_faces.PAIRS).exists():  # written last
            synthetic_faces.write(
                folder,
                num_identities=config.drawn_identities,
                images_per_identity=config.drawn_images,
                size=config.image_size,
                seed=2 * config.seed + seed,
                pairs_per_fold=_DRAWN_PAIRS,
            )
    print(
        "The faces are drawings of made-up persons: what comes out shows that "
        "everything works, and says nothing of real faces."
    )
    train, test = folders
    return dataclasses.replace(
        config,
        train_data=str(train),
        test_data=str(test),
        pairs=str(test / synthetic_faces.PAIRS),
    )


def training_identities(config: FaceConfig) -> list[face_folders.Identity]:
    """The persons that train."""
    if not config.train_data:
        raise ValueError("train_data is not given: --set=train_data=DIR")
    found = face_folders.read(config.train_data, least=2)
    return face_folders.choose(found, config.num_identities, config.seed)


def test_pairs(
    config: FaceConfig, trained: list[face_folders.Identity]
) -> face_pairs.Pairs | None:
    """The pairs of a list, or random ones of persons that did not train."""
    if not config.test_data:
        return None
    if config.pairs:
        return face_pairs.read(config.pairs, config.test_data)
    names = {identity.name for identity in trained}
    others = face_folders.without(face_folders.read(config.test_data), names)
    try:
        return face_pairs.random_pairs(others, config.num_pairs, config.seed)
    except ValueError as error:
        raise ValueError(
            f"{config.test_data}, without the persons that train: {error} "
            "(--set=num_pairs=N, or --set=pairs=FILE)"
        ) from error


def train(
    config: FaceConfig,
    kept: FaceConfig,
    identities: list[face_folders.Identity],
    workdir: pathlib.Path,
    verbose: str | int = "auto",
) -> tf.keras.Model:
    """Trains face.classifier(); `kept` are the settings as they were given."""
    paths, class_ids = face_inputs.labelled(identities)
    training.set_seed(config.seed)
    model = build(config, len(identities))
    compile_model(config, model, -(-len(paths) // config.batch_size))
    kept_config.keep(kept, workdir)  # all else is in order
    training.save_architecture(model, workdir)

    def batches(epoch: int) -> tf.data.Dataset:
        return face_inputs.training_batches(
            paths,
            class_ids,
            image_size=config.image_size,
            batch_size=config.batch_size,
            flip=config.flip,
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


def build(config: FaceConfig, num_classes: int) -> tf.keras.Model:
    """The classifier of a config, not yet trained."""
    decay = 0.0 if config.optimizer == "adamw" else config.weight_decay
    embedder = face.shift_facenet(
        input_shape=(config.image_size, config.image_size, 3),
        embedding_size=config.embedding_size,
        mean=config.mean,
        std=config.std,
        weight_decay=decay,
        momentum=config.momentum,
    )
    return face.classifier(
        embedder,
        num_classes,
        center_weight=config.center_weight,
        center_rate=config.center_rate,
        weight_decay=decay,
    )


def compile_model(
    config: FaceConfig, model: tf.keras.Model, steps_per_epoch: int
) -> None:
    """Gives a classifier the optimiser, loss and metrics of its config."""
    model.compile(
        training.optimizer(
            config.optimizer,
            learning_rate=config.learning_rate,
            total_steps=steps_per_epoch * config.epochs,
            schedule=config.schedule,
            warmup_steps=steps_per_epoch * config.warmup_epochs,
            clip_norm=config.clip_norm,
            weight_decay=config.weight_decay,
        ),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def evaluate(
    config: FaceConfig,
    embedder: tf.keras.Model,
    pairs: face_pairs.Pairs,
    folder: pathlib.Path,
) -> dict[str, object]:
    """Tests an embedder and writes evaluation.json and roc.png."""
    distances = face_distances.squared_distances(
        embedder, pairs, frame_pairs=config.frame_pairs, seed=config.seed
    )
    found = verification.summary(distances, pairs.is_same, pairs.folds)
    found |= {"test_data": config.test_data, "pairs": config.pairs or "random"}
    curve = verification.roc(distances, pairs.is_same)
    roc_picture.write(folder / ROC, curve)
    whole_file.write(folder / EVALUATION, json.dumps(found, indent=2))
    return found
