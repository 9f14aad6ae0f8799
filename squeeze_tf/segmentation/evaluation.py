"""Runs a model over a data set and adds up what the scores consist of."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tqdm

from squeeze_tf.segmentation import loss, metrics


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Sums over a data set; see segmentation.metrics for the scores.

    Attributes:
      confusion: [C, C] true and predicted classes.
      by_distance: [bands, C, C] the same in bands of distance.
      instances: [3, C] sums for instance-level scores.
    """

    confusion: np.ndarray
    by_distance: np.ndarray
    instances: np.ndarray


def evaluate(
    predict: Callable[[np.ndarray], np.ndarray],
    samples: Iterable[dict[str, np.ndarray]],
    *,
    num_classes: int,
    ignored_ids: Sequence[int] = (),
    instance_class_ids: Sequence[int] = (),
    bands: Sequence[float] = metrics.DISTANCE_BANDS,
    on_scan: Callable[[int, np.ndarray, np.ndarray, np.ndarray], None]
    | None = None,
) -> Evaluation:
    """Adds up confusion matrices and instance matches.

    Args:
      predict: [1, H, W, 5] grid to [1, H, W, C] scores.
      samples: dicts `grid`, `mask`, `label_ids` and perhaps `instance_ids`
        of single scans.
      num_classes: C.
      ignored_ids: classes that neither count as truth nor are predicted.
      instance_class_ids: classes for the instance-level scores. Predictions
        are clustered by DBSCAN, as is the truth of scans without instance ids.
      bands: of distance in metres.
      on_scan: called with index, grid [H, W, 5], labels [H, W] (IGNORED where
        nothing counts) and predicted ids [H, W].
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    banded = np.zeros((len(bands) - 1, num_classes, num_classes), np.int64)
    counts = np.zeros((3, num_classes), np.int64)
    for index, sample in enumerate(tqdm.tqdm(samples, "evaluate")):
        grid, labels = sample["grid"], sample["label_ids"]
        counted = sample["mask"] & ~np.isin(labels, ignored_ids)
        labels = np.where(counted, labels, loss.IGNORED)
        scores = np.array(predict(grid[np.newaxis])[0])
        scores[..., list(ignored_ids)] = -np.inf
        guess = np.where(sample["mask"], scores.argmax(axis=-1), 0)
        if on_scan is not None:
            on_scan(index, grid, labels, guess)
        truth, guess = labels[counted], guess[counted]
        confusion += metrics.confusion_matrix(truth, guess, num_classes)
        banded += metrics.by_distance(
            truth, guess, grid[counted][:, 4], num_classes, bands
        )
        if instance_class_ids:
            points = grid[counted]
            ids = sample.get("instance_ids", np.zeros_like(labels))[counted]
            if not ids.any():
                ids = metrics.instances(points, truth, instance_class_ids)
            counts += metrics.instance_counts(
                truth,
                np.where(np.isin(truth, instance_class_ids), ids, 0),
                guess,
                metrics.instances(points, guess, instance_class_ids),
                num_classes,
            )
    return Evaluation(confusion, banded, counts)


def class_table(
    evaluation: Evaluation,
    names: Sequence[str],
    ignored_ids: Sequence[int] = (),
    instance_class_ids: Sequence[int] = (),
) -> str:
    """Precision, recall and IoU in %, as in Ch. 3 Table 1."""
    scores = metrics.class_scores(evaluation.confusion)
    lines = [f"{'class':16}{'P':>7}{'R':>7}{'IoU':>7}{'points':>10}"]
    if instance_class_ids:
        lines[0] += "   instance P      R    IoU"
        instance = metrics.instance_scores(evaluation.instances)
    for class_id, name in enumerate(names):
        if class_id in ignored_ids:
            continue
        line = f"{name:16}{_row(scores, class_id)}"
        line += f"{evaluation.confusion[class_id].sum():10d}"
        if class_id in instance_class_ids:
            line += f"      {_row(instance, class_id)}"
        lines.append(line)
    lines.append(
        f"mean IoU over the {len(present_ids(evaluation, ignored_ids))} "
        f"classes present {_percent(mean_iou(evaluation, ignored_ids))} %, "
        f"point accuracy {_percent(point_accuracy(evaluation))} %"
    )
    return "\n".join(lines)


def distance_table(
    evaluation: Evaluation,
    names: Sequence[str],
    ignored_ids: Sequence[int] = (),
    bands: Sequence[float] = metrics.DISTANCE_BANDS,
) -> str:
    """IoU in % of every class in bands of distance; "-" where undefined."""
    head = [f"{low:g}-{high:g} m" for low, high in zip(bands[:-1], bands[1:])]
    lines = [f"{'IoU at':16}" + "".join(f"{text:>10}" for text in head)]
    banded = [
        metrics.class_scores(matrix).iou for matrix in evaluation.by_distance
    ]
    for class_id, name in enumerate(names):
        if class_id not in ignored_ids:
            cells = "".join(f"{_percent(iou[class_id]):>10}" for iou in banded)
            lines.append(f"{name:16}{cells}")
    return "\n".join(lines)


def summary(
    evaluation: Evaluation,
    names: Sequence[str],
    ignored_ids: Sequence[int] = (),
    instance_class_ids: Sequence[int] = (),
    bands: Sequence[float] = metrics.DISTANCE_BANDS,
) -> dict[str, object]:
    """What the tables hold, as JSON has it: shares of 1, None if undefined."""
    scored = [i for i in range(len(names)) if i not in ignored_ids]

    def by_class(
        scores: metrics.Scores, class_ids: Sequence[int]
    ) -> dict[str, dict[str, float | None]]:
        return {
            names[i]: {
                field: _defined(values[i])
                for field, values in dataclasses.asdict(scores).items()
            }
            for i in class_ids
        }

    return {
        "mean_iou": _defined(mean_iou(evaluation, ignored_ids)),
        "point_accuracy": _defined(point_accuracy(evaluation)),
        "points": int(evaluation.confusion.sum()),
        "classes": by_class(metrics.class_scores(evaluation.confusion), scored),
        "instances": by_class(
            metrics.instance_scores(evaluation.instances), instance_class_ids
        ),
        "distance_bands": [
            {
                "from": low,
                "to": high if np.isfinite(high) else None,
                "classes": by_class(metrics.class_scores(matrix), scored),
            }
            for low, high, matrix in zip(
                bands[:-1], bands[1:], evaluation.by_distance, strict=True
            )
        ],
    }


def mean_iou(evaluation: Evaluation, ignored_ids: Sequence[int] = ()) -> float:
    """Mean of the IoU of the classes present, NaN if there are none."""
    present = present_ids(evaluation, ignored_ids)
    iou = metrics.class_scores(evaluation.confusion).iou[present]
    return float(np.mean(iou)) if present else float("nan")


def point_accuracy(evaluation: Evaluation) -> float:
    """Share of the points whose class is right, NaN if there are none."""
    total = evaluation.confusion.sum()
    return float(np.trace(evaluation.confusion) / total) if total else np.nan


def present_ids(
    evaluation: Evaluation, ignored_ids: Sequence[int] = ()
) -> list[int]:
    """Classes that occur in the labels."""
    occurs = evaluation.confusion.sum(axis=1) > 0
    return [i for i in np.flatnonzero(occurs) if i not in ignored_ids]


def _row(scores: metrics.Scores, class_id: int) -> str:
    values = (scores.precision, scores.recall, scores.iou)
    return "".join(f"{_percent(value[class_id]):>7}" for value in values)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"
