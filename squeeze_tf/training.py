"""Fits a compiled Keras model, with exact resume and a record."""

import importlib
import json
import os
import pathlib
import re
from collections.abc import Callable, Mapping

import tensorflow as tf

from squeeze_tf import weight_average, whole_file

keras = tf.keras

ARCHITECTURE = "model.json"
CHECKPOINTS = "checkpoints"
RECORD = "record.jsonl"
_EPOCH_NAME = "epoch/.ATTRIBUTES/VARIABLE_VALUE"


def optimizer(
    name: str,
    *,
    learning_rate: float,
    total_steps: int,
    schedule: str = "cosine",
    warmup_steps: int = 0,
    decay_steps: int = 10_000,
    decay_rate: float = 0.5,
    clip_norm: float | None = None,
    weight_decay: float | None = None,
) -> keras.optimizers.Optimizer:
    """An optimiser with a learning-rate schedule.

    Args:
      name: "momentum" (0.9, as the released code), "adam" or "adamw".
      learning_rate: the largest one.
      total_steps: length of the "cosine" schedule.
      schedule: "cosine" (to 0, after a linear warm-up), "steps" (times
        `decay_rate` every `decay_steps`, as the released code) or "constant".
      warmup_steps: of the cosine schedule.
      decay_steps: of the step schedule.
      decay_rate: of the step schedule.
      clip_norm: largest norm of each variable's own gradient.
      weight_decay: of "adamw".

    Raises:
      ValueError: `name` or `schedule` is unknown.
    """
    schedules = keras.optimizers.schedules
    rates = {
        "cosine": lambda: schedules.CosineDecay(
            0.0 if warmup_steps else learning_rate,
            max(total_steps - warmup_steps, 1),
            warmup_target=learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        ),
        "steps": lambda: schedules.ExponentialDecay(
            learning_rate, decay_steps, decay_rate, staircase=True
        ),
        "constant": lambda: learning_rate,
    }
    if schedule not in rates:
        raise ValueError(f"schedule must be one of {sorted(rates)}: {schedule}")
    rate = rates[schedule]()
    makers = {
        "momentum": lambda: keras.optimizers.SGD(
            rate, momentum=0.9, clipnorm=clip_norm
        ),
        "adam": lambda: keras.optimizers.Adam(rate, clipnorm=clip_norm),
        "adamw": lambda: keras.optimizers.AdamW(
            rate, weight_decay=weight_decay, clipnorm=clip_norm
        ),
    }
    if name not in makers:
        raise ValueError(f"optimizer must be one of {sorted(makers)}: {name}")
    return makers[name]()


def set_seed(seed: int) -> None:
    """Seeds everything, and gives dropout a state that fit() can keep.

    Call it before the model is built.
    """
    keras.backend.experimental.enable_tf_random_generator()
    keras.utils.set_random_seed(seed)


def fit(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    *,
    epochs: int,
    workdir: str | os.PathLike,
    validation: tf.data.Dataset | None = None,
    average: float = 0.0,
    verbose: str | int = "auto",
) -> list[dict[str, float]]:
    """Trains up to `epochs`, going on from the last complete epoch.

    After every epoch the model, its random state and the optimiser are saved,
    so a run that was killed at any moment continues as if it had not been
    (call set_seed() before the model is built). The record gets one line of
    JSON and TensorBoard one point for each epoch.

    Args:
      model: compiled.
      batches: epoch (from 0) to its training batches, a pure function.
      epochs: how many in all.
      workdir: gets checkpoints/, record.jsonl and tensorboard/.
      validation: evaluated after every epoch.
      average: momentum of the weights' running average, which then is what
        is validated, left in `model` and loaded by load_model(); 0 for none.
      verbose: of keras.Model.fit.

    Returns:
      The record: a dict for each epoch with "epoch" and all metrics.

    Raises:
      ValueError: workdir holds a checkpoint of another model, or workers have
        checkpoints more than an epoch apart.
      OSError: workdir cannot be written.
    """
    mean = weight_average.WeightAverage(model, average) if average else None
    record = run_epochs(
        model,
        lambda epoch: _run_epoch(
            model, batches(epoch), epoch, epochs, validation, mean, verbose
        ),
        epochs=epochs,
        workdir=workdir,
        kept={
            "averages": mean.averages if mean else [],
            "num_averaged": mean.num_steps if mean else tf.Variable(0.0),
        },
    )
    if mean:
        mean.swap()
    return record


def run_epochs(
    model: keras.Model,
    run_epoch: Callable[[int], dict[str, float]],
    *,
    epochs: int,
    workdir: str | os.PathLike,
    kept: Mapping[str, object],
) -> list[dict[str, float]]:
    """What fit() does around each epoch, for epochs of another kind.

    Args:
      model: compiled.
      run_epoch: trains epoch n, from 0, and returns its metrics.
      epochs: how many in all.
      workdir: as of fit().
      kept: what else belongs to a checkpoint, as tf.train.Checkpoint takes it.

    Returns:
      The record.

    Raises:
      ValueError: as fit().
      FloatingPointError: a metric is not finite.
    """
    workdir = _worker_folder(pathlib.Path(workdir), model)
    workdir.mkdir(parents=True, exist_ok=True)
    epoch_done = tf.Variable(0, dtype=tf.int64, trainable=False)
    checkpoint = tf.train.Checkpoint(
        model=model, epoch=epoch_done, random=_random_generators(model), **kept
    )
    manager = tf.train.CheckpointManager(
        checkpoint, str(workdir / CHECKPOINTS), max_to_keep=2
    )
    _restore(checkpoint, manager, model)
    record = _read_record(workdir / RECORD)[: int(epoch_done)]
    writer = tf.summary.create_file_writer(str(workdir / "tensorboard"))
    for epoch in range(int(epoch_done), epochs):
        line = run_epoch(epoch)
        if not all(abs(value) < float("inf") for value in line.values()):
            raise FloatingPointError(f"epoch {epoch}: not finite: {line}")
        record.append({"epoch": epoch} | line)
        epoch_done.assign(epoch + 1)
        _write_record(workdir / RECORD, record)
        manager.save()
        with writer.as_default(step=epoch):
            for name, value in line.items():
                tf.summary.scalar(name, value)
        writer.flush()
    return record


def num_epochs_done(workdir: str | os.PathLike) -> int:
    """How many epochs a run's record has, 0 where there is none."""
    return len(_read_record(pathlib.Path(workdir) / RECORD))


def save_architecture(model: keras.Model, workdir: str | os.PathLike) -> None:
    """Writes the layers of `model` for load_model()."""
    path = pathlib.Path(workdir) / ARCHITECTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(path, model.to_json(), shared=True)


def save_model(model: keras.Model, workdir: str | os.PathLike) -> None:
    """Writes architecture and weights, as if fit() had trained them."""
    save_architecture(model, workdir)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(
        checkpoint, str(pathlib.Path(workdir) / CHECKPOINTS), max_to_keep=1
    ).save()


def load_model(workdir: str | os.PathLike) -> keras.Model:
    """The trained, uncompiled model of a workdir of fit().

    Modules of this package that define its layers are imported here.

    Raises:
      FileNotFoundError: there is no model or no checkpoint.
      ValueError: the checkpoint is of another model.
    """
    workdir = pathlib.Path(workdir)
    path = workdir / ARCHITECTURE
    if not path.exists():
        raise FileNotFoundError(f"{path}: no trained model; train first")
    text = path.read_text()
    for module in sorted(set(re.findall(r'"(squeeze_tf(?:\.\w+)+)"', text))):
        importlib.import_module(module)
    try:
        model = keras.models.model_from_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    latest = tf.train.latest_checkpoint(str(workdir / CHECKPOINTS))
    if latest is None:
        raise FileNotFoundError(
            f"{workdir / CHECKPOINTS}: no checkpoint; train first"
        )
    _read_checkpoint(tf.train.Checkpoint(model=model), latest, model)
    reader = tf.train.load_checkpoint(latest)
    for index, weight in enumerate(model.weights):
        name = f"averages/{index}/.ATTRIBUTES/VARIABLE_VALUE"
        if reader.has_tensor(name):
            weight.assign(reader.get_tensor(name))
    return model


class _OneEpoch(keras.callbacks.Callback):
    """Ends keras.Model.fit after the epoch it starts with."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.stop_training = True


def _run_epoch(
    model: keras.Model,
    batches: tf.data.Dataset,
    epoch: int,
    epochs: int,
    validation: tf.data.Dataset | None,
    mean: weight_average.WeightAverage | None,
    verbose: str | int,
) -> dict[str, float]:
    """Trains one epoch; its metrics, those of validation as of `mean`."""
    history = model.fit(
        batches,
        initial_epoch=epoch,
        epochs=epochs,  # for the display; one at a time is run
        validation_data=None if mean else validation,
        callbacks=[_OneEpoch(), *([mean] if mean else [])],
        verbose=verbose,
    )
    line = {name: float(v[-1]) for name, v in history.history.items()}
    if mean and validation is not None:
        mean.swap()
        found = model.evaluate(validation, verbose=verbose, return_dict=True)
        mean.swap()
        line |= {f"val_{name}": float(v) for name, v in found.items()}
    return line


def _worker_folder(workdir: pathlib.Path, model: keras.Model) -> pathlib.Path:
    """All workers save, but only the chief into the workdir itself."""
    resolver = _cluster(model)
    if resolver is None:
        return workdir
    has_chief = "chief" in resolver.cluster_spec().jobs
    chief = ("chief" if has_chief else "worker", 0)
    if (resolver.task_type, resolver.task_id) == chief:
        return workdir
    return workdir / f"{resolver.task_type}_{resolver.task_id}"


def _cluster(
    model: keras.Model,
) -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """Who the workers are, None where there is one process."""
    resolver = model.distribute_strategy.cluster_resolver
    return resolver if resolver is not None and resolver.task_type else None


def _restore(
    checkpoint: tf.train.Checkpoint,
    manager: tf.train.CheckpointManager,
    model: keras.Model,
) -> None:
    """Reads the newest checkpoint that every worker has, if there is one."""
    # Slots that are there before the first step: it is traced once, not twice.
    with model.distribute_strategy.scope():  # they live where weights do
        model.optimizer.build(model.trainable_variables)
    paths = {
        int(tf.train.load_variable(path, _EPOCH_NAME)): path
        for path in manager.checkpoints
    }
    epochs = _of_all_workers(model, max(paths, default=0))
    epoch = min(epochs)
    # A worker that was killed while saving is one epoch behind the others.
    if max(epochs) - epoch > 1 or (epoch and epoch not in paths):
        raise ValueError(
            f"{manager.directory}: the workers have checkpoints of epochs "
            f"{epochs}; expected them to differ by one at most"
        )
    if epoch:
        _read_checkpoint(checkpoint, paths[epoch], model)


def _of_all_workers(model: keras.Model, number: int) -> list[int]:
    """Every worker's `number`, in the same order on all of them."""
    if _cluster(model) is None:
        return [number]
    strategy = model.distribute_strategy
    values = strategy.experimental_distribute_values_from_function(
        lambda _: tf.constant([number])
    )
    return strategy.gather(values, axis=0).numpy().tolist()


def _read_checkpoint(
    checkpoint: tf.train.Checkpoint, path: str, model: keras.Model
) -> None:
    """Turns TensorFlow's complaints about another model into one line."""
    try:
        status = checkpoint.restore(path)
        status.assert_existing_objects_matched().expect_partial()
    except IndexError as error:  # of a file that is cut
        raise ValueError(f"checkpoint {path} is damaged: {error}") from error
    except (AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"checkpoint {path} is of another model than {model.name}: {reason}"
        ) from error


def _random_generators(model: keras.Model) -> list[tf.random.Generator]:
    """Those of the dropout layers, which Keras leaves out of checkpoints."""
    found = [getattr(x, "_random_generator", None) for x in model.submodules]
    generators = [getattr(x, "_generator", None) for x in found]
    return [x for x in generators if isinstance(x, tf.random.Generator)]


def _read_record(path: pathlib.Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _write_record(
    path: pathlib.Path, record: list[Mapping[str, float]]
) -> None:
    lines = (json.dumps(line) + "\n" for line in record)
    whole_file.write(path, "".join(lines))
