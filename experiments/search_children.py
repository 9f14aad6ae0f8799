"""Networks of a search, trained from scratch and compared."""

import csv
import dataclasses
import io
import json
import pathlib
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib import figure

from experiments import (
    classification_evaluation,
    classification_run,
    search_problems,
)
from squeeze_tf import training, whole_file
from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import metrics as class_metrics
from squeeze_tf.classification import models
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import config as search_config
from squeeze_tf.search import front, sample

RESULT, ARCHITECTURE = "result.json", "architecture.json"


@dataclasses.dataclass(frozen=True)
class Child:
    """A network of the space, trained.

    Args:
      architecture: its candidates.
      cost: estimated, in the unit of the search.
      top1: of the validation images, 0 to 1.
      parameters: trainable ones.
      macs: of an image.
      seconds: of the processor, in training.
    """

    architecture: tuple[str, ...]
    cost: float
    top1: float
    parameters: int
    macs: int
    seconds: float


def trained(
    config: search_config.SearchConfig,
    problem: search_problems.Problem,
    architecture: Sequence[str],
    folder: pathlib.Path,
    strategy: str = "none",
) -> Child:
    """Trains a network, or reads what is there.

    Its folder is a run of train_classifier with an architecture.json that
    train_classifier takes for other runs.

    Args:
      config: of the search.
      problem: likewise.
      architecture: of the space.
      folder: gets a folder for it.
      strategy: as of classification_run.train().
    """
    architecture = tuple(architecture)
    place = folder / sample.digest(architecture)
    path = place / RESULT
    if path.exists():
        values = json.loads(path.read_text(encoding="utf-8"))
        values["architecture"] = tuple(values["architecture"])
        return Child(**values)
    fields = problem.fields(architecture)
    own = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(
            classification_config.ClassificationConfig
        )
    }
    run = classification_config.ClassificationConfig(**(own | fields))
    tf.keras.backend.clear_session()  # many networks, one after the other
    before = training.num_epochs_done(place)
    start = time.process_time()
    model = classification_run.train(run, place, 2, strategy)
    seconds = time.process_time() - start
    # What a process that was killed has used is not known, only its epochs.
    seconds *= run.epochs / max(run.epochs - before, 1)
    images = classification_run.held_out(
        run, classification_run.images(run, "train")
    )
    scores, class_ids = classification_evaluation.predict(
        model, classification_run.evaluation_batches(run, images), False
    )
    child = Child(
        architecture,
        problem.cost(architecture),
        class_metrics.top_accuracy(scores, class_ids, 1),
        sum(x.shape.num_elements() for x in model.trainable_weights),
        metrics.total(workload.workloads(model)).macs,
        seconds,
    )
    write_architecture(run, fields, place / ARCHITECTURE)
    whole_file.write(path, json.dumps(dataclasses.asdict(child), indent=1))
    return child


def write_architecture(
    run: classification_config.ClassificationConfig,
    fields: dict[str, object],
    path: pathlib.Path,
) -> None:
    """Writes what makes this network, for train_classifier --architecture."""
    options = {name: getattr(run, name) for name in models.OPTIONS[run.model]}
    whole_file.write(path, json.dumps(options | fields, indent=1))


def table(
    children: Sequence[Child], unit: str, full: float | None = None
) -> str:
    """A line for each network, those of the front marked.

    Args:
      children: the networks.
      unit: of the costs.
      full: cost with 32 bits; "rate" is how many times less one has, as in
        Ch. 7 Tables 1-4.
    """
    lines = [
        f"  top-1, %  {'cost, ' + unit:>20}  {'rate  ' if full else ''}"
        "parameters        MACs  blocks"
    ]
    is_front = front.pareto(_goals(children))
    for child, best in zip(children, is_front):
        lines.append(
            f"{'*' if best else ' '} {100 * child.top1:8.2f}  "
            f"{child.cost:20,.0f}  "
            f"{f'{full / child.cost:4.1f}  ' if full else ''}"
            f"{child.parameters:10,}  {child.macs:10,}  "
            f"{' '.join(child.architecture)}"
        )
    return "\n".join([*lines, "* no other is better and cheaper"])


def to_csv(children: Sequence[Child]) -> str:
    """All of them."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(Child)]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for child in children:
        row = dataclasses.asdict(child)
        writer.writerow(row | {"architecture": " ".join(child.architecture)})
    return text.getvalue()


def picture(
    path: pathlib.Path, groups: dict[str, Sequence[Child]], unit: str
) -> None:
    """Accuracy against cost with the fronts, as in Ch. 7 Fig. 5, as a PNG."""
    drawing = figure.Figure(figsize=(7, 4.5), layout="tight")
    panel = drawing.subplots()
    for number, (name, children) in enumerate(groups.items()):
        costs = np.array([x.cost for x in children])
        scores = 100 * np.array([x.top1 for x in children])
        color, marker = f"C{number}", "os^Dv*"[number % 6]
        panel.scatter(costs, scores, 22, color, marker, label=name)
        kept = np.flatnonzero(front.pareto(_goals(children)))
        kept = kept[np.argsort(costs[kept])]
        panel.step(costs[kept], scores[kept], color, where="post", alpha=0.5)
    panel.set(xlabel=f"cost, {unit}", ylabel="top-1 accuracy, %")
    panel.grid(alpha=0.3)
    panel.legend(loc="lower right", fontsize=8)
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=120)
    whole_file.write(path, content.getvalue())


def _goals(children: Sequence[Child]) -> np.ndarray:
    """[N, 2] of which more is better."""
    return np.array([(-child.cost, child.top1) for child in children])
