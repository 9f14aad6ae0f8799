"""The results of an evaluation as text, numbers and CSV."""

import csv
import io

import numpy as np

from squeeze_tf.classification import metrics

_SHOWN = 40  # classes in the table on the screen


def table(results: list[metrics.ClassResult]) -> str:
    """Recall and precision of every class; of many, the worst ones."""
    width = max(12, *(len(row.name) + 2 for row in results))
    lines = [
        f"{'class':{width}}{'images':>8}{'recall':>9}{'precision':>11}"
        "  mostly taken for"
    ]
    shown = results
    if len(results) > _SHOWN:
        known = [row for row in results if row.num_images]
        shown = sorted(known, key=lambda row: row.recall)[:_SHOWN]
    for row in shown:
        lines.append(
            f"{row.name:{width}}{row.num_images:8d}{_percent(row.recall, 9)}"
            f"{_percent(row.precision, 11)}  {row.confused_with}"
        )
    if len(shown) < len(results):
        lines.append(f"the {len(shown)} worst of {len(results)} classes")
    return "\n".join(lines)


def summary(
    scores: np.ndarray, class_ids: np.ndarray, class_names: tuple[str, ...]
) -> dict[str, object]:
    """What is written down: accuracies, loss, the table by class.

    Args:
      scores: [N, C] float logits.
      class_ids: [N] int.
      class_names: of the C classes.

    Returns:
      A dict that JSON can hold; values that do not exist are None.
    """
    count = len(class_names)
    matrix = metrics.confusion(class_ids, scores.argmax(1), count)
    shifted = scores - scores.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return {
        "num_images": len(scores),
        "top1": metrics.top_accuracy(scores, class_ids, 1),
        "top5": metrics.top_accuracy(scores, class_ids, 5),
        "cross_entropy": float(-logs[np.arange(len(scores)), class_ids].mean()),
        "classes": [
            {
                key: None if value != value else value
                for key, value in vars(row).items()
            }
            for row in metrics.by_class(matrix, class_names)
        ],
    }


def confusion_csv(matrix: np.ndarray, class_names: tuple[str, ...]) -> str:
    """Rows are true classes, columns what they were taken for."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *class_names])
    for name, row in zip(class_names, matrix.tolist(), strict=True):
        writer.writerow([name, *row])
    return text.getvalue()


def _percent(value: float, width: int) -> str:
    return f"{'-':>{width}}" if value != value else f"{value:{width}.1%}"
