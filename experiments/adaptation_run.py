"""The ladder of Ch. 5 Table 2: each stage trained, measured, and kept."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from experiments import (
    adaptation_data,
    kept_config,
    rendering_run,
    segmentation_run,
)
from squeeze_tf import training, whole_file
from squeeze_tf.adaptation import calibration, geodesic, self_training, train
from squeeze_tf.adaptation import config as adaptation_config
from squeeze_tf.data import label_maps
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.segmentation import evaluation, loss

AdaptationConfig = adaptation_config.AdaptationConfig
SegmentationConfig = segmentation_config.SegmentationConfig
# In the order of Table 2, noise (Ch. 3 §3.4) before them.
STAGES = ("noise", "lir", "gca", "pdc", "cam")
SELF_TRAINING = "self"  # the baseline, after noise and lir
# Ours: an intensity divided by so much is 0 to the network.
_UNSEEN = 1e6


def rows(stages: Sequence[str], with_baseline: bool) -> list[tuple[str, ...]]:
    """The stages of each row: none, then one more each time.

    Args:
      stages: of STAGES, in their order.
      with_baseline: whether self-training is a row as well.

    Raises:
      ValueError: an unknown stage, or they are not in order.
    """
    if list(stages) != [x for x in STAGES if x in stages]:
        raise ValueError(
            f"stages must be among {','.join(STAGES)}, in this order; got "
            f"{','.join(stages)}"
        )
    found = [tuple(stages[:i]) for i in range(len(stages) + 1)]
    if with_baseline:
        before = [x for x in stages if x in ("noise", "lir")]
        found.append((*before, SELF_TRAINING))
    return found


def run(
    config: AdaptationConfig,
    workdir: pathlib.Path,
    stages: Sequence[str],
    seeds: Sequence[int],
    with_baseline: bool = True,
) -> dict[str, list[dict[str, object]]]:
    """All rows for all seeds; what is done already is not done again.

    Returns:
      Name of the row to what each seed scored (evaluation.summary), empty
      where there is no validation data.

    Raises:
      ValueError: settings that do not fit, or the workdir is of another run.
    """
    wanted = rows(stages, with_baseline)
    check(config)
    data = adaptation_data.read(config)
    kept_config.keep(config, workdir)
    found: dict[str, list[dict[str, object]]] = {}
    for seed in seeds:
        own = dataclasses.replace(config, seed=seed)
        ladder = _Ladder(own, workdir, data)
        for row in wanted:
            found.setdefault(name(row), []).append(ladder.scores(row))
    return found


def name(row: Sequence[str]) -> str:
    """Of a row, and of its folder."""
    return "+".join(row) or "none"


def check(config: AdaptationConfig) -> None:
    """Refuses settings that fit nothing.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    segmentation_run.check_choices(adaptation_config.network(config))
    if config.held_out_every < 2:
        raise ValueError(
            f"held_out_every must be at least 2; got {config.held_out_every}"
        )
    for field, known in (
        ("noise", adaptation_data.NOISES),
        ("distance", sorted(geodesic.DISTANCES)),
        ("precision", ("float32", "mixed_bfloat16")),
    ):
        if getattr(config, field) not in known:
            raise ValueError(
                f"{field} must be one of {list(known)}; got "
                f"{getattr(config, field)!r}"
            )
    rendering_run.check(config)
    names = label_maps.load(config.label_map).names
    theirs = label_maps.load(config.validation_label_map).names
    if config.validation_data and names != theirs:
        raise ValueError(
            f"validation_label_map must have the classes of label_map, "
            f"{names}; got {theirs}"
        )


class _Ladder:
    """The rows of one seed."""

    def __init__(
        self,
        config: AdaptationConfig,
        workdir: pathlib.Path,
        data: adaptation_data.Data,
    ) -> None:
        self._config = config
        self._workdir = workdir
        self._folder = workdir / f"seed{config.seed}"
        self._data = data
        self._rates: np.ndarray | None = None  # of dropout noise
        self._rendered: tf.data.Dataset | None = None
        self._shape = tuple(data.real.element_spec["grid"].shape)

    def scores(self, row: tuple[str, ...]) -> dict[str, object]:
        """What the row scores on labelled real scans; empty without them."""
        path = self._folder / name(row) / "scores.json"
        if path.exists():
            return json.loads(path.read_text())
        logging.info("seed %d: %s", self._config.seed, name(row))
        model = self._model(row)
        if self._data.validation is None:
            return {}
        names = label_maps.load(self._config.label_map).names
        found = evaluation.evaluate(
            model.predict_on_batch,
            self._data.validation.as_numpy_iterator(),
            num_classes=len(names),
            ignored_ids=self._config.ignored_ids,
        )
        summary = evaluation.summary(found, names, self._config.ignored_ids)
        whole_file.write(path, json.dumps(summary, indent=2))
        return summary

    def _model(self, row: tuple[str, ...]) -> tf.keras.Model:
        """Trained and, where that is a stage, calibrated."""
        trained = tuple(stage for stage in row if stage != "pdc")
        model = self._trained(trained)
        if trained == row:
            return model
        report = calibration.calibrate(
            model,
            self._real_grids(self._data.real),
            held_out=self._real_grids(self._data.held_out),
            mask=lambda grid: grid[..., 4] > 0,
        )
        text = calibration.format_report(report)
        logging.info("\n%s", text)
        folder = self._folder / name(row)
        self._prepare(self._settings(trained), folder)
        training.save_model(model, folder)
        whole_file.write(folder / "calibration.txt", text + "\n")
        return model

    def _trained(self, row: tuple[str, ...]) -> tf.keras.Model:
        """A network trained with the stages of a row, resumed if need be.

        It computes in float32, in whatever precision it was trained.
        """
        source = None
        if SELF_TRAINING in row:
            source = self._trained(row[:-1])
        folder, settings = self._folder / name(row), self._settings(row)
        simulated = self._simulated(row)
        training.set_seed(self._config.seed)
        with _precision(self._config.precision):
            network = segmentation_run.build(settings, self._shape)
        if source is not None:
            network.set_weights(source.get_weights())
        model = self._wrapped(row, network)
        num_steps = -(-int(simulated.cardinality()) // settings.batch_size)
        model.compile(
            segmentation_run.optimizer(settings, num_steps),
            loss=loss.FocalLoss(
                settings.class_weights, settings.gamma, settings.loss_scale
            ),
            metrics=segmentation_run.metrics(settings),
        )
        plain = network
        if self._config.precision != "float32":
            plain = segmentation_run.build(settings, self._shape)
        self._prepare(settings, folder)
        training.save_architecture(plain, folder)
        training.fit(
            model,
            lambda epoch: self._batches(row, simulated, epoch, num_steps),
            epochs=settings.epochs,
            workdir=folder,
            average=settings.average,
        )
        plain.set_weights(network.get_weights())
        return plain

    def _wrapped(
        self, row: tuple[str, ...], network: tf.keras.Model
    ) -> tf.keras.Model:
        """What trains the network."""
        config = self._config
        if SELF_TRAINING in row:
            return self_training.SelfTrainingModel(
                network,
                config.confidence,
                config.labelled_share,
                config.teacher_momentum,
                config.guessed_excess,
                config.seed,
            )
        if "gca" in row:
            return train.AlignedModel(
                network, config.distance, config.alignment_weight
            )
        return network

    def _settings(self, row: tuple[str, ...]) -> SegmentationConfig:
        """Of a row's network, with what its data say."""
        config = self._config
        changes: dict[str, object] = {"context_aggregation": "cam" in row}
        if SELF_TRAINING in row:
            changes |= {
                "epochs": config.self_training_epochs,
                "learning_rate": config.self_training_learning_rate,
                "warmup_epochs": 0,
                "average": 0.0,
            }
        settings = adaptation_config.network(config, **changes)
        settings = segmentation_run.with_statistics(
            settings, self._simulated(row)
        )
        if "lir" in row or config.see_simulated_intensity:
            return settings
        return dataclasses.replace(
            settings, std=(*settings.std[:3], _UNSEEN, settings.std[4])
        )

    def _simulated(self, row: tuple[str, ...]) -> tf.data.Dataset:
        """Labelled scans, with rendered intensities from "lir" on."""
        if "lir" not in row:
            return self._data.simulated
        if self._rendered is None:
            self._rendered = rendering_run.rendered(
                self._config,
                self._workdir,
                self._data.simulated,
                self._data.intensities,
            )
        return self._rendered

    def _batches(
        self,
        row: tuple[str, ...],
        simulated: tf.data.Dataset,
        epoch: int,
        num_steps: int,
    ) -> tf.data.Dataset:
        """One epoch: simulated scans, real ones beside them where needed."""
        config, real = self._config, self._data.real
        if "noise" in row:
            if self._rates is None:
                self._rates = adaptation_data.noise_rates(
                    config, real, simulated
                )
            simulated = adaptation_data.noisy(
                config, simulated, self._rates, epoch
            )
        labelled = adaptation_data.simulated_batches(config, simulated, epoch)
        if not {"gca", SELF_TRAINING} & set(row):
            return labelled
        return tf.data.Dataset.zip(
            (
                labelled,
                adaptation_data.real_batches(config, real, epoch, num_steps),
            )
        ).map(lambda a, b: ((a[0], b[: tf.shape(a[0])[0]]), a[1]))

    def _real_grids(self, samples: tf.data.Dataset) -> tf.data.Dataset:
        return samples.map(lambda x: x["grid"]).batch(self._config.batch_size)

    def _prepare(
        self, settings: SegmentationConfig, folder: pathlib.Path
    ) -> None:
        """What makes the folder a run that the other scripts can read."""
        segmentation_run.prepare_workdir(settings, folder, self._shape)


def table(
    scores: dict[str, list[dict[str, object]]], classes: Sequence[str]
) -> str:
    """IoU in % of some classes by row, mean and deviation over seeds.

    A row without scores has a dash.
    """
    lines = [f"{'stages':32}" + "".join(f"{x:>22}" for x in classes)]
    for row, found in scores.items():
        line = f"{row:32}"
        for class_name in classes:
            values = [x["classes"][class_name]["iou"] for x in found if x]
            line += f"{_spread(values):>22}"
        lines.append(line)
    return "\n".join(lines)


def _spread(values: Sequence[float | None]) -> str:
    if not values or None in values:
        return "-"
    percent = 100 * np.array(values)
    if len(percent) == 1:
        return f"{percent[0]:.1f}"
    return f"{percent.mean():.1f} ± {percent.std(ddof=1):.1f}"


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers made meanwhile compute so; their weights are float32."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
