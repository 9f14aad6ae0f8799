"""The curve of face verification, drawn."""

import io
import os

from matplotlib import figure

from squeeze_tf import whole_file
from squeeze_tf.shift_applications import verification


def write(path: str | os.PathLike, curve: verification.Curve) -> None:
    """True against false accepts, plain and with few false ones in sight.

    Args:
      path: of the PNG; its folder must exist.
      curve: of verification.roc().
    """
    drawing = figure.Figure(figsize=(8, 3.6), layout="tight")
    plain, logarithmic = drawing.subplots(1, 2)
    for panel in (plain, logarithmic):
        panel.plot(
            curve.false_accepts, curve.true_accepts, drawstyle="steps-post"
        )
        panel.set(
            xlabel="false accepts",
            ylabel="true accepts",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        panel.grid(alpha=0.3)
    plain.set(title=f"area {curve.area():.2%}")
    smallest = min(verification.FALSE_ACCEPT_RATES) / 10
    logarithmic.set(xscale="log", xlim=(smallest, 1))
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=120)
    whole_file.write(path, content.getvalue())
