"""Confidence intervals of average precision, by resampling images."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """Average precision of resampled images.

    Attributes:
      estimates: [K], of the images themselves, in the order of
        average_precision.evaluate().
      samples: [B, K], of resamples; a row is one set of images, so that
        functions of several columns (a mean) have intervals too.
    """

    estimates: np.ndarray
    samples: np.ndarray

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Percentile intervals [K, 2]: Efron & Tibshirani 1993, ch. 13."""
        return _percentiles(self.samples, level)

    def mean_interval(self, level: float = 0.95) -> np.ndarray:
        """Interval [2] of the mean over the K, the mAP of Ch. 2."""
        return _percentiles(self.samples.mean(axis=1), level)


def bootstrap(
    truth: Sequence[image_labels.ImageLabels],
    found: Sequence[image_labels.ImageLabels],
    classes: Sequence[average_precision.ClassRule] = (
        average_precision.KITTI_CLASSES
    ),
    difficulties: Sequence[average_precision.Difficulty] = (
        average_precision.KITTI
    ),
    height_rule: str = "original",
    *,
    points: int = 11,
    num_resamples: int = 200,
    seed: int = 0,
) -> Bootstrap:
    """How far average precision would vary with the choice of images.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 6
    and 13: images are drawn with replacement, as many as there are. Nothing
    is approximated: boxes are matched within their image, so one drawn k
    times counts k times, and thresholds are chosen anew in every resample.
    But images of one drive resemble each other, and drawing them singly
    makes the interval narrower than new drives would.

    Args:
      truth: as in average_precision.evaluate(), with all that follows.
      found: see above.
      classes: see above.
      difficulties: see above.
      height_rule: see above.
      points: see average_precision.Curve.average_precision().
      num_resamples: B.
      seed: of the draws.

    Raises:
      ValueError: as evaluate(); an unknown number of points; no resamples.
    """
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be positive; got {num_resamples}")
    tallies = average_precision.tallies(
        truth, found, classes, difficulties, height_rule
    )
    num_images = len(truth)
    draws = np.random.default_rng(seed).multinomial(
        num_images, np.full(num_images, 1 / num_images), size=num_resamples
    )

    def results(times: np.ndarray) -> list[float]:
        curves = (
            average_precision.curve(*counted, weights=times)
            for counted in tallies
        )
        return [curve.average_precision(points) for curve in curves]

    return Bootstrap(
        estimates=np.array(results(np.ones(num_images, np.int64))),
        samples=np.array([results(times) for times in draws]),
    )


def _percentiles(samples: np.ndarray, level: float) -> np.ndarray:
    """Limits [..., 2] of the middle part of samples [B, ...]."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
    tails = [(1 - level) / 2, (1 + level) / 2]
    return np.moveaxis(np.quantile(samples, tails, axis=0), 0, -1)
