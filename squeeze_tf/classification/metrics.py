"""How often the right class is found: top-1, top-5, by class, confusions."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """One row of the table by class.

    Attributes:
      name: of the class.
      num_images: that are of it.
      num_predicted: that were taken for it.
      recall: share of its images that were found; NaN without any.
      precision: share of the images taken for it that are; NaN without any.
      confused_with: the class that its images are most often taken for
        instead, "" if none.
    """

    name: str
    num_images: int
    num_predicted: int
    recall: float
    precision: float
    confused_with: str


def top_accuracy(scores: np.ndarray, class_ids: np.ndarray, k: int) -> float:
    """Share of the images whose class is among the k largest scores.

    Args:
      scores: [N, C] float.
      class_ids: [N] int.
      k: 1 or more. Of equal scores those of smaller class ids come first.

    Raises:
      ValueError: there is no image, or shapes do not fit.
    """
    if len(scores) == 0 or scores.shape[:1] != class_ids.shape:
        raise ValueError(
            "scores and class_ids must be [N, C] and [N] of at least one "
            f"image; got {scores.shape} and {class_ids.shape}"
        )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((order == class_ids[:, None]).any(1).mean())


def confusion(
    class_ids: np.ndarray, predicted: np.ndarray, num_classes: int
) -> np.ndarray:
    """[C, C] int64: images of class (row) that were taken for (column)."""
    counts = np.bincount(
        class_ids * num_classes + predicted, minlength=num_classes**2
    )
    return counts.reshape(num_classes, num_classes)


def by_class(
    matrix: np.ndarray, class_names: tuple[str, ...]
) -> list[ClassResult]:
    """Recall and precision of every class.

    Args:
      matrix: of confusion().
      class_names: of its rows.
    """
    found = []
    for i, name in enumerate(class_names):
        row, column = matrix[i], matrix[:, i]
        others = np.where(np.arange(len(row)) == i, 0, row)
        found.append(
            ClassResult(
                name,
                int(row.sum()),
                int(column.sum()),
                _share(row[i], row.sum()),
                _share(row[i], column.sum()),
                class_names[others.argmax()] if others.any() else "",
            )
        )
    return found


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
