"""How well distances tell pairs of one person from pairs of two.

Everything here is NumPy on float64; a pair counts as one person where its
distance is at most a threshold.
"""

import dataclasses

import numpy as np

# Field practice: shares of wrongly accepted pairs at which systems are run.
FALSE_ACCEPT_RATES = (1e-1, 1e-2, 1e-3)


@dataclasses.dataclass(frozen=True)
class OverFolds:
    """A share, measured in each fold.

    Attributes:
      mean: over the folds.
      std: population standard deviation over the folds, as the field prints
        after "±"; LFW's own rule prints it divided by sqrt(F - 1).
      folds: [F] each fold's.
      thresholds: [F] chosen on the other folds.
    """

    mean: float
    std: float
    folds: np.ndarray
    thresholds: np.ndarray


@dataclasses.dataclass(frozen=True)
class Curve:
    """Receiver operating characteristic.

    Attributes:
      thresholds: [T] ascending, the first below all distances.
      false_accepts: [T] share of the pairs of two persons accepted.
      true_accepts: [T] share of the pairs of one person accepted.
    """

    thresholds: np.ndarray
    false_accepts: np.ndarray
    true_accepts: np.ndarray

    def area(self) -> float:
        """Under the curve, by trapezoids.

        It is the probability that a pair of one person is nearer than a pair
        of two, equal distances counting half.
        """
        heights = (self.true_accepts[1:] + self.true_accepts[:-1]) / 2
        return float(np.sum(heights * np.diff(self.false_accepts)))


def accuracy(
    distances: np.ndarray, is_same: np.ndarray, folds: np.ndarray
) -> OverFolds:
    """Share of pairs told right, each fold by a threshold of the others.

    Source: Huang et al. 2007, "View 2" of LFW; Ch. 6 §3.3 and Table 9.

    Args:
      distances: [N] float.
      is_same: [N] bool.
      folds: [N] int from 0.

    Raises:
      ValueError: shapes differ, a distance is not finite, a fold is empty,
        there is one fold only, or pairs of one kind are missing.
    """
    distances, is_same, folds = _checked(distances, is_same, folds)
    shares, thresholds = [], []
    for fold in range(folds.max() + 1):
        here = folds == fold
        threshold = best_threshold(distances[~here], is_same[~here])
        told = (distances[here] <= threshold) == is_same[here]
        shares.append(told.mean())
        thresholds.append(threshold)
    return _over_folds(shares, thresholds)


def best_threshold(distances: np.ndarray, is_same: np.ndarray) -> float:
    """The threshold that tells most pairs right.

    Ours: all thresholds that make a difference are tried, halfway between
    distances; of equally good ones the middle one is taken.

    Args:
      distances: [N] float.
      is_same: [N] bool.
    """
    curve = roc(distances, is_same)
    num_same = int(np.sum(is_same))
    num_other = len(is_same) - num_same
    right = np.rint(
        curve.true_accepts * num_same + (1 - curve.false_accepts) * num_other
    )
    (best,) = np.nonzero(right == right.max())
    return float(_between(curve.thresholds)[best[(len(best) - 1) // 2]])


def true_accept_rate(
    distances: np.ndarray,
    is_same: np.ndarray,
    folds: np.ndarray,
    false_accept_rate: float,
) -> OverFolds:
    """Share of the pairs of one person that are accepted (VAL).

    Source: Schroff et al. 2015 §4, VAL at a FAR; each fold by the largest
    threshold at which the others accept no larger share of pairs of two.

    Args:
      distances: [N] float.
      is_same: [N] bool.
      folds: [N] int from 0.
      false_accept_rate: FAR, in (0, 1).

    Returns:
      NaN everywhere where some fold's others have fewer than 1 / FAR pairs of
      two persons, which cannot show such a rate, or a fold none of one.

    Raises:
      ValueError: as accuracy(), or the rate is not in (0, 1).
    """
    if not 0 < false_accept_rate < 1:
        raise ValueError(
            f"false_accept_rate must lie in (0, 1); got {false_accept_rate}"
        )
    distances, is_same, folds = _checked(distances, is_same, folds)
    shares, thresholds = [], []
    for fold in range(folds.max() + 1):
        here = folds == fold
        others = np.sum(~is_same & ~here)
        if others * false_accept_rate < 1 or not is_same[here].any():
            nan = np.full(folds.max() + 1, np.nan)
            return OverFolds(np.nan, np.nan, nan, nan)
        curve = roc(distances[~here], is_same[~here])
        # A share of k / n must not fail for the rounding of k / n.
        (allowed,) = np.nonzero(
            np.rint(curve.false_accepts * others)
            <= false_accept_rate * others + 1e-9
        )
        threshold = curve.thresholds[allowed[-1]]
        shares.append(np.mean(distances[here & is_same] <= threshold))
        thresholds.append(threshold)
    return _over_folds(shares, thresholds)


def roc(distances: np.ndarray, is_same: np.ndarray) -> Curve:
    """Shares accepted at every distance that occurs, and below all of them.

    Args:
      distances: [N] float.
      is_same: [N] bool, both kinds.

    Raises:
      ValueError: pairs of one kind are missing.
    """
    distances = np.asarray(distances, np.float64)
    is_same = np.asarray(is_same, bool)
    num_same = int(is_same.sum())
    num_other = len(is_same) - num_same
    if not num_same or not num_other:
        raise ValueError(
            "pairs of one person and of two are needed; got "
            f"{num_same} and {num_other}"
        )
    order = np.argsort(distances, kind="stable")
    values, last = distances[order], is_same[order]
    ends = np.append(np.nonzero(np.diff(values))[0], len(values) - 1)
    true = np.cumsum(last)[ends]
    return Curve(
        thresholds=np.append(np.nextafter(values[0], -np.inf), values[ends]),
        false_accepts=np.append(0, ends + 1 - true) / num_other,
        true_accepts=np.append(0, true) / num_same,
    )


def summary(
    distances: np.ndarray, is_same: np.ndarray, folds: np.ndarray
) -> dict[str, object]:
    """Everything of Ch. 6 Table 9 and more, as JSON can hold it."""
    told = accuracy(distances, is_same, folds)
    rates = {}
    for rate in FALSE_ACCEPT_RATES:
        found = true_accept_rate(distances, is_same, folds, rate)
        rates[f"{rate:g}"] = (
            None
            if np.isnan(found.mean)
            else {"mean": found.mean, "std": found.std}
        )
    return {
        "num_pairs": len(is_same),
        "num_same": int(np.sum(is_same)),
        "num_folds": len(told.folds),
        "accuracy": told.mean,
        "accuracy_std": told.std,
        "accuracy_folds": told.folds.tolist(),
        "thresholds": told.thresholds.tolist(),
        "area": roc(distances, is_same).area(),
        "true_accept_rates": rates,
    }


def table(found: dict[str, object]) -> str:
    """summary() as text, in the units of Ch. 6 Table 9."""
    lines = [
        f"{found['num_pairs']} pairs, {found['num_same']} of one person, "
        f"{found['num_folds']} folds",
        f"  {'accuracy':24}{100 * found['accuracy']:6.1f} ± "
        f"{100 * found['accuracy_std']:.1f} %",
        f"  {'area under the curve':24}{100 * found['area']:6.1f} %",
    ]
    for rate, value in found["true_accept_rates"].items():
        name = f"accepted at FAR {rate}"
        text = "     - (too few pairs)"
        if value is not None:
            text = f"{100 * value['mean']:6.1f} ± {100 * value['std']:.1f} %"
        lines.append(f"  {name:24}{text}")
    return "\n".join(lines)


def _checked(
    distances: np.ndarray, is_same: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arguments as arrays that fit each other."""
    distances = np.asarray(distances, np.float64)
    is_same, folds = np.asarray(is_same, bool), np.asarray(folds)
    if not distances.ndim == 1 == is_same.ndim == folds.ndim or not (
        len(distances) == len(is_same) == len(folds) > 0
    ):
        raise ValueError(
            "distances, is_same and folds must be [N] each; got "
            f"{distances.shape}, {is_same.shape} and {folds.shape}"
        )
    if not np.isfinite(distances).all():
        raise ValueError("distances must be finite; the network's are not")
    counts = np.bincount(folds)
    if len(counts) < 2 or not counts.all():
        raise ValueError(
            "pairs must be of two folds or more, none of them empty; got "
            f"folds of {counts.tolist()} pairs"
        )
    return distances, is_same, folds


def _between(thresholds: np.ndarray) -> np.ndarray:
    """Each threshold moved halfway to the next; they accept the same."""
    return np.append((thresholds[:-1] + thresholds[1:]) / 2, thresholds[-1])


def _over_folds(shares: list[float], thresholds: list[float]) -> OverFolds:
    shares = np.array(shares)
    return OverFolds(
        float(shares.mean()), float(shares.std()), shares, np.array(thresholds)
    )
