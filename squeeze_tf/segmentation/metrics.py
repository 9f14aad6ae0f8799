"""Class- and instance-level precision, recall and IoU, Ch. 3 §4.1."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from squeeze_tf.geometry import clustering

DBSCAN_RADIUS = 0.3  # metres, Ch. 3 §4.2
DBSCAN_MIN_POINTS = 20  # Ch. 3 §4.2
DISTANCE_BANDS = (0.0, 10.0, 20.0, 30.0, 50.0, np.inf)  # metres, Ours


@dataclasses.dataclass(frozen=True)
class Scores:
    """Precision, recall and IoU, each [C] float64; NaN where undefined.

    Precision is undefined for a class never predicted, recall for one that
    does not occur, IoU for one that is neither predicted nor there.
    """

    precision: np.ndarray
    recall: np.ndarray
    iou: np.ndarray


def confusion_matrix(
    label_ids: np.ndarray, predicted_ids: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts of (true class, predicted class) over labelled points.

    Args:
      label_ids: [...] int; negative ids do not count.
      predicted_ids: [...] int in [0, num_classes), of the same shape.
      num_classes: C.

    Returns:
      [C, C] int64, true classes in rows.

    Raises:
      ValueError: shapes differ or an id is out of range.
    """
    if label_ids.shape != predicted_ids.shape:
        raise ValueError(
            f"labels {label_ids.shape} and predictions {predicted_ids.shape} "
            "must have one shape"
        )
    valid = label_ids >= 0
    label_ids = label_ids[valid].astype(np.int64)
    predicted_ids = predicted_ids[valid].astype(np.int64)
    for name, ids in (("label", label_ids), ("predicted", predicted_ids)):
        if ids.size and not 0 <= ids.min() <= ids.max() < num_classes:
            raise ValueError(
                f"{name} ids must lie in [0, {num_classes}); got "
                f"{ids.min()} to {ids.max()}"
            )
    pairs = label_ids * num_classes + predicted_ids
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def class_scores(confusion: np.ndarray) -> Scores:
    """Class-level scores: Ch. 3 §4.1, first equation.

    Args:
      confusion: [C, C], true classes in rows, as from confusion_matrix().
    """
    return _scores(
        np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    )


def by_distance(
    label_ids: np.ndarray,
    predicted_ids: np.ndarray,
    distances: np.ndarray,
    num_classes: int,
    bands: Sequence[float] = DISTANCE_BANDS,
) -> np.ndarray:
    """Confusion matrices of the points in each band of distance.

    Args:
      label_ids: [...] int; negative ids do not count.
      predicted_ids: [...] int.
      distances: [...] metres.
      num_classes: C.
      bands: increasing limits; band k is [bands[k], bands[k + 1]).

    Returns:
      [len(bands) - 1, C, C] int64.
    """
    matrices = []
    for low, high in zip(bands[:-1], bands[1:]):
        inside = (distances >= low) & (distances < high)
        matrices.append(
            confusion_matrix(
                label_ids[inside], predicted_ids[inside], num_classes
            )
        )
    return np.stack(matrices)


def instances(
    points: np.ndarray,
    class_ids: np.ndarray,
    instance_class_ids: Sequence[int],
    radius: float = DBSCAN_RADIUS,
    min_points: int = DBSCAN_MIN_POINTS,
) -> np.ndarray:
    """Instances by DBSCAN within each class, Ch. 3 §4.2.

    Args:
      points: [N, >= 3] x, y, z in metres.
      class_ids: [N] int.
      instance_class_ids: classes to cluster.
      radius: metres.
      min_points: within the radius, the point itself included.

    Returns:
      [N] int32: 0 for no instance, else 1, 2, ... over all classes.
    """
    instance_ids = np.zeros(len(points), np.int32)
    for class_id in instance_class_ids:
        chosen = np.flatnonzero(class_ids == class_id)
        clusters = clustering.dbscan(points[chosen, :3], radius, min_points)
        found = clusters >= 0
        instance_ids[chosen[found]] = (
            clusters[found] + 1 + instance_ids.max(initial=0)
        )
    return instance_ids


def match_instances(
    label_instances: np.ndarray, predicted_instances: np.ndarray
) -> dict[int, int]:
    """Matches predicted with true instances of one class and scan.

    Source: Ch. 3 §4.1: ground-truth instances sorted by size, largest first,
    each takes the predicted instance of largest IoU. A prediction that is
    taken stays taken, since M maps each prediction to one ground truth.

    Args:
      label_instances: [N] int, 0 for none.
      predicted_instances: [N] int, 0 for none.

    Returns:
      Predicted instance id to true instance id; the unmatched are absent.
    """
    pairs, overlaps = np.unique(
        np.stack([label_instances, predicted_instances]),
        axis=1,
        return_counts=True,
    )
    true_size = dict(zip(*np.unique(label_instances, return_counts=True)))
    size = dict(zip(*np.unique(predicted_instances, return_counts=True)))
    matches: dict[int, int] = {}
    for true_id in sorted(true_size, key=lambda i: (-true_size[i], i)):
        if true_id == 0:
            continue
        best, best_iou = None, 0.0
        for predicted_id, overlap in zip(
            pairs[1][pairs[0] == true_id], overlaps[pairs[0] == true_id]
        ):
            if predicted_id == 0 or predicted_id in matches:
                continue
            union = true_size[true_id] + size[predicted_id] - overlap
            if overlap / union > best_iou:
                best, best_iou = predicted_id, overlap / union
        if best is not None:
            matches[best] = true_id
    return matches


def instance_counts(
    label_ids: np.ndarray,
    label_instances: np.ndarray,
    predicted_ids: np.ndarray,
    predicted_instances: np.ndarray,
    num_classes: int,
) -> np.ndarray:
    """The sums that instance-level scores of one scan consist of.

    Source: Ch. 3 §4.1, last three equations. P_c and G_c are all points that
    belong to an instance of the class, as the sets P_i,c and G_j,c make up
    their class.

    Args:
      label_ids: [N] int class of each point; negative ids do not count.
      label_instances: [N] int, 0 for no instance.
      predicted_ids: [N] int.
      predicted_instances: [N] int, 0 for no instance.
      num_classes: C.

    Returns:
      [3, C] int64: Σ_i |P_i,c ∩ G_M(i),c|, |P_c| and |G_c|. Add them up over
      scans and hand them to instance_scores().
    """
    counts = np.zeros((3, num_classes), np.int64)
    valid = label_ids >= 0
    for class_id in range(num_classes):
        truth = np.where(label_ids == class_id, label_instances, 0)[valid]
        guess = np.where(predicted_ids == class_id, predicted_instances, 0)
        guess = guess[valid]
        for predicted_id, true_id in match_instances(truth, guess).items():
            counts[0, class_id] += np.count_nonzero(
                (guess == predicted_id) & (truth == true_id)
            )
        counts[1, class_id] = np.count_nonzero(guess)
        counts[2, class_id] = np.count_nonzero(truth)
    return counts


def instance_scores(counts: np.ndarray) -> Scores:
    """Instance-level scores of [3, C] sums of instance_counts()."""
    return _scores(*counts)


def _scores(
    hits: np.ndarray, predicted: np.ndarray, true: np.ndarray
) -> Scores:
    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        part = part.astype(np.float64)
        return np.divide(
            part, whole, out=np.full_like(part, np.nan), where=whole > 0
        )

    return Scores(
        precision=ratio(hits, predicted),
        recall=ratio(hits, true),
        iou=ratio(hits, predicted + true - hits),
    )
