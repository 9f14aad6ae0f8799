"""Tables and summaries of how well a detector does."""

from collections.abc import Sequence

import numpy as np

from squeeze_tf.data import class_lists
from squeeze_tf.detection import average_precision, bootstrap

_Curves = Sequence[average_precision.Curve]
# Outside KITTI nothing says how occluded objects are.
ALL = average_precision.Difficulty("all", 0, 3, 1.0)


def rules(
    classes: Sequence[class_lists.ImageClass],
) -> list[average_precision.ClassRule]:
    """What the evaluators need to know of the classes."""
    return [
        average_precision.ClassRule(
            c.name, c.types, c.neighbours, c.min_overlap
        )
        for c in classes
    ]


def difficulties(dataset: str) -> tuple[average_precision.Difficulty, ...]:
    """KITTI's three levels for its layout; one of all objects for others."""
    return average_precision.KITTI if dataset == "kitti" else (ALL,)


def precision_table(
    curves: _Curves, points: int, interval: bootstrap.Bootstrap | None = None
) -> str:
    """Average precision, percent, of each class at each difficulty.

    Args:
      curves: of average_precision.evaluate().
      points: 11, 40 or 41.
      interval: of the same curves, for the 95 % intervals.
    """
    levels = list(dict.fromkeys(curve.difficulty for curve in curves))
    lines = [
        f"{f'AP, {points} points, %':22}"
        + "".join(f"{level:>24}" for level in levels)
    ]
    low_high = interval.interval() if interval else None
    for start in range(0, len(curves), len(levels)):
        row = curves[start : start + len(levels)]
        cells = []
        for i, curve in enumerate(row, start=start):
            text = f"{100 * curve.average_precision(points):.1f}"
            if low_high is not None:
                low, high = 100 * low_high[i]
                text += f" [{low:.1f}, {high:.1f}]"
            cells.append(f"{text if curve.num_objects else '-':>24}")
        lines.append(f"{row[0].class_name:22}{''.join(cells)}")
    text = f"{100 * mean_precision(curves, points):.1f}"
    if interval is not None:
        low, high = 100 * mean_interval(curves, interval)
        text += f" [{low:.1f}, {high:.1f}]"
    lines.append(f"{'mean':22}{text:>24}")
    few = min(curve.num_objects for curve in curves)
    if few < average_precision.NUM_STEPS:
        lines.append(
            f"(KITTI's AP of fewer than {average_precision.NUM_STEPS} objects "
            "stays below 100 even if all are found)"
        )
    return "\n".join(lines)


def mean_precision(curves: _Curves, points: int) -> float:
    """mAP of Ch. 2: the mean over classes and difficulties with objects.

    Raises:
      ValueError: none has any.
    """
    found = [c.average_precision(points) for c in curves if c.num_objects]
    if not found:
        raise ValueError(
            "no image holds an object to be found of the classes "
            f"{', '.join(dict.fromkeys(c.class_name for c in curves))}"
        )
    return float(np.mean(found))


def mean_interval(
    curves: _Curves, interval: bootstrap.Bootstrap, level: float = 0.95
) -> np.ndarray:
    """[2] percentile interval of mean_precision()."""
    counted = np.array([curve.num_objects > 0 for curve in curves])
    means = interval.samples[:, counted].mean(axis=1)
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])


def error_table(summary: dict[str, float]) -> str:
    """The errors by kind, percent of the detections looked at, Ch. 2 Fig. 4."""
    lines = [
        f"{int(summary['num_detections'])} best boxes, as many in each image "
        f"as it has objects ({int(summary['num_objects'])})"
    ]
    for name, value in summary.items():
        if not name.startswith("num_"):
            lines.append(f"  {name:20}{100 * value:6.1f} %")
    return "\n".join(lines)


def recall_table(kept: np.ndarray, recalls: np.ndarray) -> str:
    """Overall recall by the boxes kept, Ch. 2 Fig. 5."""
    cells = [f"{n:>8}{100 * r:>9.1f} %" for n, r in zip(kept, recalls)]
    return "\n".join([f"{'boxes':>8}{'recall':>11}", *cells])


def coco_table(found: dict[str, float]) -> str:
    """COCO's twelve numbers, percent."""
    return "\n".join(f"  {name:12}{100 * v:6.1f}" for name, v in found.items())


def summary(
    curves: _Curves,
    interval: bootstrap.Bootstrap | None = None,
    points: Sequence[int] = (11, 40),
) -> dict[str, object]:
    """Everything of the curves that JSON can hold."""
    bounds = interval.interval().tolist() if interval else [None] * len(curves)
    mean = {str(p): mean_precision(curves, p) for p in points}
    if interval:
        mean["interval"] = mean_interval(curves, interval).tolist()
    return {
        "mean": mean,
        "curves": [
            {
                "class": curve.class_name,
                "difficulty": curve.difficulty,
                "num_objects": curve.num_objects,
                "average_precision": {
                    str(p): curve.average_precision(p) for p in points
                },
                "interval": bound,
                "precision": curve.precision.tolist(),
                "thresholds": curve.thresholds.tolist(),
                "tp": curve.tp.tolist(),
                "fp": curve.fp.tolist(),
                "fn": curve.fn.tolist(),
            }
            for curve, bound in zip(curves, bounds)
        ],
    }


def numbers(values: dict[str, float]) -> dict[str, float | None]:
    """The values, with None for NaN, which JSON has not."""
    return {k: None if np.isnan(v) else v for k, v in values.items()}
