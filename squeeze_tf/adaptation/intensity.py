"""Learned intensity rendering, Ch. 5 §4.2."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.segmentation import models

keras = tf.keras

LOSSES = ("hybrid", "l2")
NUM_REGIONS = 10  # n of Ch. 5 §4.2
NO_RETURN = -1.0  # intensity of cells without a return; they carry no loss
_INTENSITY = 3  # channel of a grid


@dataclasses.dataclass(frozen=True)
class Regions:
    """Intervals of the intensity, each with the reference in its middle.

    Ours: of equal width, from 0 to `top`; the thesis does not say.

    Args:
      top: end of the last; what is beyond belongs to it.
      count: n.
    """

    top: float
    count: int = NUM_REGIONS

    def __post_init__(self) -> None:
        if not 0 < self.top < np.inf or self.count < 1:
            raise ValueError(
                "top must be above 0 and count at least 1; got "
                f"{self.top} and {self.count}"
            )

    @property
    def width(self) -> float:
        """Of each interval."""
        return self.top / self.count

    def references(self) -> np.ndarray:
        """[n] float32 middles."""
        return ((np.arange(self.count) + 0.5) * self.width).astype(np.float32)

    def of(self, intensity: tf.Tensor) -> tf.Tensor:
        """Index of the interval of each intensity, int32."""
        index = tf.cast(intensity / self.width, tf.int32)
        return tf.clip_by_value(index, 0, self.count - 1)


@keras.utils.register_keras_serializable("squeeze_tf")
class HybridLoss(keras.losses.Loss):
    """Which region, and how far from its reference.

    Source: Ch. 5 §4.2. Mean over the returns of the cross-entropy of the region
    and the squared deviation, in widths of a region, that is predicted for the
    true one. Ours: the two have equal weight.

    Call it with intensities [B, H, W] float, NO_RETURN where there is none, and
    [B, H, W, 2 n] float: scores of the regions, then the deviation that each
    would have, in widths. It returns a scalar.

    Args:
      top: of Regions.
      count: of Regions.
    """

    def __init__(
        self,
        top: float,
        count: int = NUM_REGIONS,
        name: str = "hybrid_loss",
        **kwargs: object,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.regions = Regions(top, count)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of a batch; see the class for shapes."""
        y_true = tf.cast(y_true, tf.float32)
        scores, deviations = tf.split(tf.cast(y_pred, tf.float32), 2, axis=-1)
        region = self.regions.of(y_true)
        one_hot = tf.one_hot(region, self.regions.count)
        entropy = -tf.reduce_sum(one_hot * tf.nn.log_softmax(scores), axis=-1)
        reference = tf.gather(self.regions.references(), region)
        wanted = (y_true - reference) / self.regions.width
        deviation = tf.reduce_sum(one_hot * deviations, axis=-1)
        return _mean_of_returns(entropy + (wanted - deviation) ** 2, y_true)

    def get_config(self) -> dict:
        """Everything __init__ takes."""
        return super().get_config() | dataclasses.asdict(self.regions)


@keras.utils.register_keras_serializable("squeeze_tf")
class SquaredLoss(keras.losses.Loss):
    """The ℓ2 loss over the returns, Ch. 5 §4.2.

    Call it as HybridLoss, with predictions [B, H, W, 1]: the intensity.
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of a batch."""
        y_true = tf.cast(y_true, tf.float32)
        error = y_true - tf.cast(y_pred, tf.float32)[..., 0]
        return _mean_of_returns(error**2, y_true)


def rendering_network(
    loss: str,
    *,
    input_shape: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    regions: int = NUM_REGIONS,
    **kwargs: object,
) -> keras.Model:
    """SqueezeSeg without CRF that predicts intensity from the geometry.

    Source: Ch. 5 §4.2. It takes grids whose intensity is 0 (without()), so that
    only x, y, z and range reach it.

    Args:
      loss: of LOSSES; "hybrid" has 2 n outputs, "l2" one.
      input_shape: H, W and 5.
      mean: [5] of the channels; that of the intensity is not used.
      std: likewise.
      regions: n.
      **kwargs: of segmentation.models.squeezeseg().

    Raises:
      ValueError: an unknown loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {LOSSES}; got {loss!r}")
    mean, std = list(mean), list(std)
    mean[_INTENSITY], std[_INTENSITY] = 0.0, 1.0
    return models.squeezeseg(
        input_shape=input_shape,
        num_classes=2 * regions if loss == "hybrid" else 1,
        mean=mean,
        std=std,
        **({"name": "rendering"} | kwargs),
    )


def without(grid: tf.Tensor) -> tf.Tensor:
    """The grid [..., 5] with all intensities 0."""
    return with_intensity(grid, tf.zeros_like(grid[..., 0]))


def with_intensity(grid: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
    """The grid [..., 5] with other intensities [...]; 0 without a return."""
    intensity = tf.where(grid[..., 4] > 0, intensity, 0)[..., tf.newaxis]
    return tf.concat([grid[..., :3], intensity, grid[..., 4:]], axis=-1)


def training_pair(sample: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees of a scan, and the intensities it is to find."""
    grid = sample["grid"]
    wanted = tf.where(sample["mask"], grid[..., _INTENSITY], NO_RETURN)
    return without(grid), wanted


def prediction(
    outputs: tf.Tensor, top: float, seed: tf.Tensor | None = None
) -> tf.Tensor:
    """Outputs of a rendering network as intensities.

    Args:
      outputs: [..., 2 n] or [..., 1] float.
      top: of the regions; the largest intensity.
      seed: [2] int32. Where given, regions are drawn from their distribution,
        each cell on its own; else the most probable is taken. Ours.

    Returns:
      [...] float32, 0 to top.
    """
    outputs = tf.cast(outputs, tf.float32)
    if outputs.shape[-1] == 1:
        return tf.clip_by_value(outputs[..., 0], 0, top)
    scores, deviations = tf.split(outputs, 2, axis=-1)
    regions = Regions(top, scores.shape[-1])
    if seed is None:
        region = tf.argmax(scores, axis=-1, output_type=tf.int32)
    else:
        flat = tf.reshape(scores, [-1, regions.count])
        drawn = tf.random.stateless_categorical(flat, 1, seed, tf.int32)
        region = tf.reshape(drawn, tf.shape(scores)[:-1])
    one_hot = tf.one_hot(region, regions.count)
    deviation = tf.reduce_sum(one_hot * deviations, axis=-1) * regions.width
    reference = tf.gather(regions.references(), region)
    return tf.clip_by_value(reference + deviation, 0, top)


def expectation(outputs: tf.Tensor, top: float) -> tf.Tensor:
    """Mean of what a rendering network thinks possible.

    Ours: it is what has the least squared error where regions are uncertain;
    prediction() takes one of them, as Ch. 5 §4.2 does.

    Arguments and result are those of prediction().
    """
    outputs = tf.cast(outputs, tf.float32)
    if outputs.shape[-1] == 1:
        return prediction(outputs, top)
    scores, deviations = tf.split(outputs, 2, axis=-1)
    regions = Regions(top, scores.shape[-1])
    values = regions.references() + deviations * regions.width
    mean = tf.reduce_sum(tf.nn.softmax(scores) * values, axis=-1)
    return tf.clip_by_value(mean, 0, top)


def squared_errors(
    predicted: np.ndarray,
    grid: np.ndarray,
    label_ids: np.ndarray,
    num_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squared errors by class, for the comparison of Ch. 5 §4.2.

    Args:
      predicted: [H, W] intensities.
      grid: [H, W, 5].
      label_ids: [H, W] int.
      num_classes: C.

    Returns:
      sums, counts: [C] over the returns of each class.
    """
    mask = grid[..., 4] > 0
    errors = (predicted - grid[..., _INTENSITY])[mask].astype(np.float64) ** 2
    ids = label_ids[mask]
    counts = np.bincount(ids, minlength=num_classes)
    return np.bincount(ids, errors, minlength=num_classes), counts


def _mean_of_returns(values: tf.Tensor, y_true: tf.Tensor) -> tf.Tensor:
    has_return = tf.cast(y_true != NO_RETURN, tf.float32)
    total = tf.reduce_sum(has_return)
    return tf.math.divide_no_nan(tf.reduce_sum(values * has_return), total)
