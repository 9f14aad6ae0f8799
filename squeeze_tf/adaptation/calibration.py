"""Progressive domain calibration of batch normalisation, Ch. 5 §4.4."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from squeeze_tf.efficiency import graph

keras = tf.keras
Mask = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class LayerShift:
    """How far a normalisation's statistics are from those of its input.

    Args:
      name: of the layer.
      mean: root mean square over its channels of the difference of the means,
        in standard deviations of the layer.
      deviation: factor between the standard deviations, input over layer,
        geometric mean over the channels.
      channels: how many.
    """

    name: str
    mean: float
    deviation: float
    channels: int


@dataclasses.dataclass(frozen=True)
class Report:
    """What calibrate() did.

    Args:
      before: of every normalisation in the order of its calls, the network as
        it was.
      after: likewise, calibrated.
      entropy_before: of the held-out outputs, in nats; None without them.
      entropy_after: likewise.
      kept: whether the new statistics stayed.
    """

    before: tuple[LayerShift, ...]
    after: tuple[LayerShift, ...]
    entropy_before: float | None
    entropy_after: float | None
    kept: bool


@dataclasses.dataclass
class _Moments:
    """Sums over the batches, for each channel, in float64."""

    count: float = 0.0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0

    def add(self, count: float, mean: np.ndarray, variance: np.ndarray) -> None:
        """Takes a batch in."""
        mean, variance = np.float64(mean), np.float64(variance)
        self.count += count
        self.total = self.total + count * mean
        self.squares = self.squares + count * (variance + mean**2)

    def mean_and_variance(self) -> tuple[np.ndarray, np.ndarray]:
        """Over all that was added."""
        mean = self.total / self.count
        return mean, np.maximum(self.squares / self.count - mean**2, 0)


def calibrate(
    model: keras.Model,
    inputs: tf.data.Dataset,
    *,
    held_out: tf.data.Dataset | None = None,
    mask: Mask | None = None,
    verbose: bool = True,
) -> Report:
    """Gives each batch normalisation the statistics of other data.

    Source: Ch. 5 §4.4, Algorithm 2. Layer after layer: what reaches a layer has
    gone through layers that are calibrated already. Layers that do not feed
    each other share a pass over the data. No labels are needed.

    Args:
      model: of any layers; its batch normalisations are changed in place.
      inputs: batches of what the model takes, finite; read many times.
      held_out: likewise, other samples. If the mean entropy of the softmax of
        the outputs is higher after than before, the old statistics come back.
      mask: inputs to the outputs' [...] bool that count for the entropy; None
        for all.
      verbose: whether to show progress.

    Returns:
      What it did. All statistics are those of before if it was interrupted.

    Raises:
      ValueError: there is no batch normalisation or no input, or held_out is
        given and the model has several outputs.
    """
    if not normalizations(model):
        raise ValueError(f"model {model.name} has no batch normalisation")
    listen = _Listener(model)
    found = listen(inputs)
    order, before = list(found), _shifts(found)
    groups = _groups(model, order)
    old = [(x.moving_mean.numpy(), x.moving_variance.numpy()) for x in order]

    def entropy() -> float | None:
        return None if held_out is None else mean_entropy(model, held_out, mask)

    steps = tqdm.tqdm(groups, "calibrate", unit="pass", disable=not verbose)
    entropy_before = entropy()
    try:
        for group in steps:
            found = listen(inputs)
            for layer in group:
                _assign(layer, *found[layer].mean_and_variance())
        after = _shifts(listen(inputs))
        entropy_after = entropy()
    except BaseException:
        _restore(order, old)
        raise
    kept = entropy_before is None or entropy_after <= entropy_before
    if not kept:
        _restore(order, old)
    return Report(before, after, entropy_before, entropy_after, kept)


def normalizations(
    model: keras.Model,
) -> tuple[keras.layers.BatchNormalization, ...]:
    """Batch normalisations of a model and of those in it, in no order."""
    return tuple(
        layer
        for layer in model.submodules
        if isinstance(layer, keras.layers.BatchNormalization)
    )


def mean_entropy(
    model: keras.Model, inputs: tf.data.Dataset, mask: Mask | None = None
) -> float:
    """Mean over the outputs of -Σ p log p, p their softmax, in nats.

    Args:
      model: with one output [..., C].
      inputs: batches of what it takes.
      mask: as in calibrate().

    Raises:
      ValueError: nothing counts.
    """

    @tf.function
    def sums(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = model(x, training=False)
        if not tf.is_tensor(scores):
            raise ValueError(f"model {model.name} must have one output")
        scores = tf.cast(scores, tf.float32)
        log_p = tf.nn.log_softmax(scores)
        entropy = -tf.reduce_sum(tf.exp(log_p) * log_p, axis=-1)
        counted = tf.ones_like(entropy)
        if mask is not None:
            counted = tf.cast(mask(x), tf.float32)
        return tf.reduce_sum(entropy * counted), tf.reduce_sum(counted)

    total = np.sum([[float(y) for y in sums(x)] for x in inputs], axis=0)
    if not np.any(total) or total[1] == 0:
        raise ValueError(f"no output of {model.name} counts for its entropy")
    return float(total[0] / total[1])


def format_report(report: Report) -> str:
    """A line for each layer, then what became of the calibration."""
    lines = [f"{'batch normalisation':32}{'mean shift':>19}{'deviation':>19}"]
    for before, after in zip(report.before, report.after, strict=True):
        lines.append(
            f"{before.name:32}{before.mean:9.3f} -> {after.mean:6.3f}"
            f"{before.deviation:9.3f} -> {after.deviation:6.3f}"
        )
    if report.entropy_before is not None:
        lines.append(
            f"entropy on held-out inputs {report.entropy_before:.4f} -> "
            f"{report.entropy_after:.4f} nats"
        )
    lines.append(
        "the new statistics stay"
        if report.kept
        else "the entropy rose: the old statistics are back"
    )
    return "\n".join(lines)


def _shifts(
    moments_of: dict[keras.layers.Layer, _Moments],
) -> tuple[LayerShift, ...]:
    found = []
    for layer, moments in moments_of.items():
        mean, variance = moments.mean_and_variance()
        scale = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        ratio = np.sqrt(variance + layer.epsilon) / scale
        difference = (mean - layer.moving_mean.numpy()) / scale
        found.append(
            LayerShift(
                layer.name,
                float(np.sqrt(np.mean(difference**2))),
                float(np.exp(np.mean(np.log(ratio)))),
                len(mean),
            )
        )
    return tuple(found)


def _groups(
    model: keras.Model, order: Sequence[keras.layers.Layer]
) -> list[list[keras.layers.Layer]]:
    """Normalisations by how many others lie before them at most.

    Args:
      model: whose they are.
      order: in the order of their calls.
    """
    try:
        calls = graph.trace(model).calls
    except ValueError:  # not functional: nobody knows who feeds whom
        return [[layer] for layer in order]
    depth_of_value: dict[int, int] = {}
    depth_of_layer: dict[int, int] = {}
    for call in calls:
        depth = max((depth_of_value[id(x)] for x in call.inputs), default=0)
        if any(call.layer is layer for layer in order):
            known = depth_of_layer.get(id(call.layer), 0)
            depth_of_layer[id(call.layer)] = max(known, depth)
            depth += 1
        depth_of_value |= {id(x): depth for x in call.outputs}
    if len(depth_of_layer) < len(order):  # some lie within a layer of a user
        return [[layer] for layer in order]
    groups: dict[int, list[keras.layers.Layer]] = {}
    for layer in order:
        groups.setdefault(depth_of_layer[id(layer)], []).append(layer)
    return [groups[depth] for depth in sorted(groups)]


class _Listener:
    """Runs a model and notes what reaches its normalisations."""

    def __init__(self, model: keras.Model) -> None:
        self._heard: list[keras.layers.Layer] = []  # in the order of calls

        @tf.function  # traced once, for all passes of a calibration
        def run(x: tf.Tensor) -> list[tuple[tf.Tensor, ...]]:
            with _listening(normalizations(model)) as heard:
                model(x, training=False)
            self._heard = [layer for layer, _ in heard]
            return [seen for _, seen in heard]

        self._run = run

    def __call__(
        self, inputs: tf.data.Dataset
    ) -> dict[keras.layers.Layer, _Moments]:
        """By layer, in the order of their calls."""
        found: dict[keras.layers.Layer, _Moments] = {}
        for x in inputs:
            seen = self._run(x)
            for layer, moments in zip(self._heard, seen, strict=True):
                sums = found.setdefault(layer, _Moments())
                sums.add(*(y.numpy() for y in moments))
        if not found:
            raise ValueError("there are no inputs to calibrate with")
        return found


@contextlib.contextmanager
def _listening(
    layers: Sequence[keras.layers.Layer],
) -> Iterator[list[tuple[keras.layers.Layer, tuple[tf.Tensor, ...]]]]:
    """Notes count, mean and variance of what each call of a layer is given."""
    heard = []

    def hook(layer: keras.layers.Layer) -> Callable:
        inner = layer.call

        def call(x: tf.Tensor, *args: object, **kwargs: object) -> tf.Tensor:
            wide = tf.cast(x, tf.float32)
            channels = tf.nest.flatten(layer.axis)
            axes = [i for i in range(x.shape.rank) if i not in channels]
            mean, variance = tf.nn.moments(wide, axes)
            count = tf.size(x) / tf.size(mean)
            heard.append((layer, (count, mean, variance)))
            return inner(x, *args, **kwargs)

        return call

    try:
        for layer in layers:
            layer.call = hook(layer)
        yield heard
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)


def _assign(
    layer: keras.layers.Layer, mean: np.ndarray, variance: np.ndarray
) -> None:
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)


def _restore(
    layers: Sequence[keras.layers.Layer],
    statistics: Sequence[tuple[np.ndarray, np.ndarray]],
) -> None:
    for layer, (mean, variance) in zip(layers, statistics, strict=True):
        _assign(layer, mean, variance)
