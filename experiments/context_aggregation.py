"""Output error against dropout, with and without CAM (Ch. 5 §3.1, Fig. 4).

    python -m experiments.context_aggregation --workdir=DIR

Feeds random tensors and copies with dropped pixels through a 3x3 convolution,
alone and behind context aggregation modules; squeeze_tf/adaptation/
dropout_error.py says exactly what is measured. Prints tables and writes
dropout_error.json and dropout_error.png, in half a minute on two cores.
"""

import io
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import flags
from matplotlib import figure

from squeeze_tf import command_line, whole_file
from squeeze_tf.adaptation import dropout_error

_WORKDIR = flags.DEFINE_string("workdir", None, "Gets the files.")
_PROBABILITIES = flags.DEFINE_list(
    "probabilities",
    ["0", "0.05", "0.1", "0.2", "0.3", "0.4", "0.5"],
    "Of dropping a pixel.",
)
_INPUTS = flags.DEFINE_list(
    "inputs", list(dropout_error.INPUTS), "Kinds of tensors."
)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Convolutions and modules.")
_DRAWS = flags.DEFINE_integer("draws", 8, "Tensors of each repeat.")
_STEPS = flags.DEFINE_integer("steps", 200, "Of training each module.")
_SEED = flags.DEFINE_integer("seed", 0, "Of everything.")


def main(_: list[str]) -> None:
    """Measures, prints and writes."""
    settings = {
        "probabilities": [float(p) for p in _PROBABILITIES.value],
        "repeats": _REPEATS.value,
        "draws": _DRAWS.value,
        "steps": _STEPS.value,
        "seed": _SEED.value,
    }
    found = {}
    for inputs in _INPUTS.value:
        found[inputs] = dropout_error.measure(
            inputs=inputs, verbose=True, **settings
        )
    for inputs, errors in found.items():
        text = dropout_error.table(settings["probabilities"], errors)
        print(f"\n{inputs} pixels\n{text}")
    folder = pathlib.Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        inputs: [
            {name: np.asarray(x).tolist() for name, x in vars(row).items()}
            for row in errors
        ]
        for inputs, errors in found.items()
    }
    whole_file.write(
        folder / "dropout_error.json",
        json.dumps({"settings": settings, "errors": content}, indent=1),
    )
    draw(folder / "dropout_error.png", settings["probabilities"], found)
    print(f"\ndropout_error.json and .png lie in {folder.resolve()}")


def draw(
    path: pathlib.Path,
    probabilities: Sequence[float],
    found: dict[str, tuple[dropout_error.Errors, ...]],
) -> None:
    """Both errors over the probability, a column for each kind of input."""
    drawing = figure.Figure((4 * len(found), 7), layout="constrained")
    panels = drawing.subplots(
        2, len(found), sharex=True, sharey=True, squeeze=False
    )
    for column, (inputs, errors) in zip(panels.T, found.items()):
        column[0].set_title(f"{inputs} pixels")
        for panel, field in zip(column, ("relative", "unscaled")):
            for row, style in zip(errors, ("k-", "C0--", "C1-", "C3:", "C2-.")):
                draws = getattr(row, field)
                panel.errorbar(
                    *(probabilities, draws.mean(1), draws.std(1)),
                    fmt=style,
                    capsize=2,
                    label=dropout_error.MODULES[row.module],
                )
            panel.grid(alpha=0.3)
        column[1].set(xlabel="probability of dropping a pixel")
    panels[0, 0].set(ylabel="change / own output", ylim=0)
    panels[1, 0].set(ylabel="change / the convolution's output")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", fontsize=8)
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=120)
    whole_file.write(path, content.getvalue())


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
