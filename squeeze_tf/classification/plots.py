"""Confusions, and accuracy against cost, drawn."""

import io
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import figure

from squeeze_tf import whole_file
from squeeze_tf.classification import ladder

_NAMED = 40  # classes whose names fit beside the picture


def confusion(
    path: str | os.PathLike, matrix: np.ndarray, class_names: Sequence[str]
) -> None:
    """Share of each true class (row) by what it was taken for, as a PNG."""
    count = len(class_names)
    side = min(max(4.0, 0.3 * count + 2), 14)
    drawing = figure.Figure(figsize=(side + 1, side), layout="tight")
    panel = drawing.subplots()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    shown = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    drawing.colorbar(shown, ax=panel, fraction=0.046)
    panel.set(xlabel="taken for", ylabel="class")
    if count <= _NAMED:
        panel.set_xticks(range(count), class_names, rotation=90)
        panel.set_yticks(range(count), class_names)
    if count <= _NAMED // 2:
        for i, j in zip(*np.nonzero(matrix)):
            panel.text(
                *(j, i, str(matrix[i, j])),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if shares[i, j] > 0.5 else "black",
            )
    _write(path, drawing)


def tradeoff(
    path: str | os.PathLike, summaries: Sequence[ladder.Summary], title: str
) -> None:
    """Accuracy against parameters and MACs, Ch. 6 Figs. 4 and 5, as a PNG.

    Bars are the standard deviation over the seeds.
    """
    drawing = figure.Figure(figsize=(11, 4.2), layout="tight")
    panels = drawing.subplots(1, 2, sharey=True)
    lines = list(dict.fromkeys(row.design.line for row in summaries))
    for number, line in enumerate(lines):
        rows = [row for row in summaries if row.design.line == line]
        for panel, cost in zip(panels, ("parameters", "macs")):
            chosen = sorted(rows, key=lambda row: getattr(row, cost))
            panel.errorbar(
                [getattr(row, cost) for row in chosen],
                [100 * row.mean for row in chosen],
                [100 * row.deviation for row in chosen],
                marker="os^Dv*"[number % 6],
                markersize=4,
                capsize=3,
                label=line,
            )
    for panel, label in zip(panels, ("parameters", "MACs of an image")):
        panel.set(xscale="log", xlabel=label)
        panel.grid(alpha=0.3, which="both")
    panels[0].set(ylabel="top-1 accuracy, %", title=title)
    panels[1].legend(loc="lower right", fontsize=8)
    _write(path, drawing)


def _write(path: str | os.PathLike, drawing: figure.Figure) -> None:
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=120)
    whole_file.write(path, content.getvalue())
