"""Curves of precision and recall, drawn."""

import io
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import figure

from squeeze_tf import whole_file
from squeeze_tf.detection import average_precision


def precision_recall(
    path: str | os.PathLike, curves: Sequence[average_precision.Curve]
) -> None:
    """Precision against recall, one panel for each class, as a PNG."""
    names = list(dict.fromkeys(curve.class_name for curve in curves))
    drawing = figure.Figure(figsize=(4 * len(names), 3.6), layout="tight")
    panels = drawing.subplots(1, len(names), squeeze=False)[0]
    for panel, name in zip(panels, names):
        for curve in curves:
            if curve.class_name == name:
                label = (
                    f"{curve.difficulty} {curve.average_precision(11):.1%} "
                    f"of {curve.num_objects}"
                )
                panel.plot(curve.recall, curve.precision, label=label)
        panel.set(
            title=name,
            xlabel="recall",
            ylabel="precision",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        panel.grid(alpha=0.3)
        panel.legend(loc="lower left", fontsize=8)
    _write(path, drawing)


def recall_by_boxes(
    path: str | os.PathLike, kept: np.ndarray, recalls: np.ndarray
) -> None:
    """Overall recall against the boxes kept, Ch. 2 Fig. 5, as a PNG."""
    drawing = figure.Figure(figsize=(5, 3.6), layout="tight")
    panel = drawing.subplots()
    panel.plot(kept, recalls, marker="o", markersize=3)
    panel.set(
        xscale="log",
        xlabel="boxes kept of each image",
        ylabel="overall recall",
        ylim=(0, 1.02),
    )
    panel.grid(alpha=0.3)
    _write(path, drawing)


def _write(path: str | os.PathLike, drawing: figure.Figure) -> None:
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=120)
    whole_file.write(path, content.getvalue())
