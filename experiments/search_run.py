"""What the search scripts share: super net, samples, training, the table."""

import hashlib
import json
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from experiments import (
    classification_run,
    kept_config,
    search_children,
    search_problems,
)
from squeeze_tf import training, whole_file
from squeeze_tf.classification import inputs
from squeeze_tf.data import classification
from squeeze_tf.search import config as search_config
from squeeze_tf.search import cost as cost_lib
from squeeze_tf.search import gumbel, sample, supernet, train

SearchConfig = search_config.SearchConfig
AUDIT, COSTS = "audit.json", "costs.json"


def run(
    config: SearchConfig,
    make_problem: Callable[[SearchConfig, int], search_problems.Problem],
    workdir: pathlib.Path,
    strategy: str = "none",
) -> list[search_children.Child]:
    """Searches, draws architectures, trains them; goes on where it stopped.

    Args:
      config: of the search and of the networks that it finds.
      make_problem: of a config and the number of classes.
      workdir: gets search/, costs.json, audit.json and children/.
      strategy: key of classification_run.STRATEGIES.

    Returns:
      What each architecture is like, the most probable first.

    Raises:
      ValueError: settings, data or the latency table do not fit.
    """
    search_config.check(config)
    scope = classification_run.STRATEGIES[strategy]()
    images = classification_run.images(config, "train")
    if classification_run.held_out(config, images) is None:
        raise ValueError("a search needs validation images to compare networks")
    parts = dict(
        zip(
            train.PHASES,
            classification.split(images, config.weights_share, config.seed),
        )
    )
    problem = make_problem(config, len(images.class_names))
    kept_config.check(config, workdir)
    keep_costs(problem, workdir / COSTS)
    kept_config.keep(config, workdir)
    record, trajectory = _searched(
        config, problem, parts, workdir / "search", scope
    )
    found = _drawn(config, problem, trajectory[-1])
    if not (workdir / AUDIT).exists():
        _audit(config, problem, parts, record, trajectory, found, workdir)
    return [
        search_children.trained(
            config, problem, x, workdir / "children", strategy
        )
        for x in found
    ]


def finish(
    config: SearchConfig,
    make_problem: Callable[[SearchConfig, int], search_problems.Problem],
    workdir: pathlib.Path,
    strategy: str = "none",
) -> None:
    """run(), its table, csv and picture."""
    found = run(config, make_problem, workdir, strategy)
    cost = read_audit(workdir)["cost"]
    unit = cost["unit"]
    text = search_children.table(found, unit, cost["full"])
    whole_file.write(workdir / "table.txt", text + "\n")
    whole_file.write(workdir / "table.csv", search_children.to_csv(found))
    search_children.picture(workdir / "front.png", {"DNAS": found}, unit)
    best = max(found, key=lambda child: child.top1)
    print(
        f"\n{text}\n\ntable.txt, table.csv, front.png and {AUDIT} lie in "
        f"{workdir.resolve()}, the networks in children/; "
        f"children/{sample.digest(best.architecture)} has the best accuracy: "
        "evaluate_classifier and export_model take it as --workdir"
    )


def read_audit(workdir: pathlib.Path) -> dict[str, object]:
    """What run() wrote down.

    Raises:
      ValueError: it is not there or no JSON.
    """
    path = workdir / AUDIT
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a search that ended: {error}"
        ) from error


def keep_costs(problem: search_problems.Problem, path: pathlib.Path) -> None:
    """Writes the costs, or makes sure that the search began with them.

    Raises:
      ValueError: the latency table has changed.
    """
    content = {"of_blocks": [x.tolist() for x in problem.costs]}
    text = json.dumps(content | {"fixed": problem.fixed}, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(
            f"{path}: the search began with other costs than the latency table "
            "has now; take a new workdir, or bring the table back"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(path, text)


def _searched(
    config: SearchConfig,
    problem: search_problems.Problem,
    parts: dict[str, inputs.LabelledImages],
    workdir: pathlib.Path,
    scope: tf.distribute.Strategy,
) -> tuple[list[dict[str, float]], np.ndarray]:
    """The record and the probabilities after each epoch."""
    training.set_seed(config.seed)
    num_steps = -(-parts["weights"].num_images // config.batch_size)
    with scope.scope():
        models = _models(config, problem, num_steps * config.search_epochs)

    def batches(epoch: int, phase: str) -> tf.data.Dataset:
        return inputs.training_batches(
            parts[phase],
            image_size=classification_run.image_size(config),
            batch_size=config.batch_size,
            augmentation=classification_run.augmentation(config),
            seed=config.seed,
            epoch=epoch,
        )

    return train.search(
        models,
        batches,
        epochs=config.search_epochs,
        warmup_epochs=config.warmup_epochs,
        temperature=lambda epoch: gumbel.temperature(
            epoch, config.initial_temperature, config.temperature_decay
        ),
        seed=config.seed,
        workdir=workdir,
        verbose=2,
    )


def _models(
    config: SearchConfig, problem: search_problems.Problem, num_steps: int
) -> dict[str, train.SearchModel]:
    """The super net, as each phase trains it, compiled."""
    space = problem.space
    costs = np.array(supernet.padded(problem.costs))
    even = float((sample.uniform(space) * costs).sum()) + problem.fixed
    cost = train.Cost(
        problem.costs,
        problem.fixed,
        cost_lib.scale(even, config.cost_power),
        config.cost_power,
    )
    network = supernet.SuperNet(space)
    gate = gumbel.GumbelGate([len(kinds) for kinds in space.candidates])
    models = {
        phase: train.SearchModel(network, gate, cost, phase)
        for phase in train.PHASES
    }
    rate = tf.keras.optimizers.schedules.CosineDecay(
        config.search_learning_rate, num_steps
    )
    models["weights"].compile(
        tf.keras.optimizers.SGD(rate, momentum=0.9, clipnorm=5.0)
    )
    models["architecture"].compile(
        tf.keras.optimizers.AdamW(
            config.architecture_learning_rate,
            weight_decay=config.architecture_weight_decay,
        )
    )
    return models


def _drawn(
    config: SearchConfig,
    problem: search_problems.Problem,
    probabilities: np.ndarray,
) -> list[sample.Architecture]:
    """The most probable architecture and others that are drawn."""
    best = sample.most_probable(problem.space, probabilities)
    others = sample.draw(
        problem.space, probabilities, config.num_samples, config.seed
    )
    kept = dict.fromkeys([best, *others])
    return list(kept)[: config.num_samples]


def _audit(
    config: SearchConfig,
    problem: search_problems.Problem,
    parts: dict[str, inputs.LabelledImages],
    record: list[dict[str, float]],
    trajectory: np.ndarray,
    found: Sequence[sample.Architecture],
    workdir: pathlib.Path,
) -> None:
    """Writes down what the architectures came from."""
    content = {
        "space": problem.space.name,
        "candidates": problem.space.candidates,
        "cost": {
            "unit": problem.unit,
            "of_blocks": [list(map(float, row)) for row in problem.costs],
            "fixed": problem.fixed,
            "full": problem.full,
            "source": problem.source,
        },
        "num_classes": len(parts["weights"].class_names),
        "seed": config.seed,
        "parts": {
            phase: {"images": x.num_images, "sha256": _hash(x)}
            for phase, x in parts.items()
        },
        "record": record,
        "probabilities": np.round(trajectory, 5).tolist(),
        "architectures": found,
    }
    whole_file.write(workdir / AUDIT, json.dumps(content, indent=1))


def _hash(images: inputs.LabelledImages) -> str:
    """Of all images and classes in the order of the source."""
    found = hashlib.sha256()
    for image in images.read(None).as_numpy_iterator():
        found.update(image["image"].tobytes())
        found.update(image["class_id"].tobytes())
    return found.hexdigest()
