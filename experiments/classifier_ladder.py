"""Accuracy against parameters and MACs (Ch. 6 Figs. 4-5, Tables 2, 4-6).

    python -m experiments.classifier_ladder --workdir=DIR
    python -m experiments.classifier_ladder --config=cifar100_resnet20 \
        --set=train_data=DIR --depths=20,56,110 --expansions=1,3,6,9 \
        --workdir=DIR

Trains ShiftResNet, ResNet reduced in its modules and as a whole, and DWResNet
with one recipe and, in each group, about as many parameters. A run that is
finished is kept, so a ladder that was stopped goes on and a longer one adds to
it. Writes ladder.csv and ladder.png. The first line needs no data; RESULTS.md
says how long it takes and what came out.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from absl import flags

from experiments import classification_evaluation, classification_run
from squeeze_tf import command_line, whole_file
from squeeze_tf import config as config_lib
from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import ladder, plots
from squeeze_tf.efficiency import metrics, workload

_CONFIG = flags.DEFINE_enum(
    "config",
    "digits_resnet",
    sorted(classification_config.CONFIGS),
    "Whose data and recipe.",
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the runs are kept.")
_KINDS = flags.DEFINE_list("kinds", list(ladder.KINDS), "Which networks.")
_DEPTHS = flags.DEFINE_list("depths", ["8"], "6 n + 2 each.")
_EXPANSIONS = flags.DEFINE_list("expansions", ["1", "3"], "E of each.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Of the runs.")


def main(_: list[str]) -> None:
    """Trains with the flags' settings."""
    base = config_lib.override(
        classification_config.CONFIGS[_CONFIG.value], _SET.value
    )
    run(
        base,
        _WORKDIR.value,
        kinds=_KINDS.value,
        depths=[int(depth) for depth in _DEPTHS.value],
        expansions=[float(expansion) for expansion in _EXPANSIONS.value],
        seeds=[int(seed) for seed in _SEEDS.value],
    )


def run(
    base: classification_run.ClassificationConfig,
    workdir: str,
    *,
    kinds: Sequence[str],
    depths: Sequence[int],
    expansions: Sequence[float],
    seeds: Sequence[int],
) -> list[ladder.Summary]:
    """Trains what is missing, prints the table and writes the files.

    Args:
      base: data and recipe of all runs.
      workdir: gets a folder for each run.
      kinds: of ladder.KINDS.
      depths: 6 n + 2 each.
      expansions: E of each ShiftResNet, whose size the others have.
      seeds: of the runs of each network.
    """
    classification_config.check(base)
    if not seeds:
        raise ValueError("seeds must be at least one; got none")
    found = classification_run.images(base, "train")
    if classification_run.held_out(base, found) is None:
        raise ValueError("the ladder needs validation images")
    designs = ladder.designs(
        kinds,
        depths,
        expansions,
        channels=base.channels,
        num_classes=len(found.class_names),
    )
    folder = pathlib.Path(workdir)
    rows = [_summary(base, design, seeds, folder) for design in designs]
    whole_file.write(folder / "ladder.csv", ladder.to_csv(rows))
    plots.tradeoff(folder / "ladder.png", rows, base.dataset)
    print(
        f"\n{ladder.table(rows)}\nladder.csv and ladder.png lie in "
        f"{folder.resolve()}"
    )
    return rows


def _summary(
    base: classification_run.ClassificationConfig,
    design: ladder.Design,
    seeds: Sequence[int],
    folder: pathlib.Path,
) -> ladder.Summary:
    """Trains a design with all seeds, or reads what is there."""
    results = []
    for seed in seeds:
        config = dataclasses.replace(base, seed=seed, **design.changes())
        place = folder / f"{design.label}_seed{seed}"
        if not (place / "result.json").exists():
            print(f"\n== {design.line}, E {design.expansion:g}, seed {seed}")
        results.append(_result(config, place))
    return ladder.Summary(
        design,
        results[0]["parameters"],
        results[0]["macs"],
        tuple(result["top1"] for result in results),
    )


def _result(
    config: classification_run.ClassificationConfig, place: pathlib.Path
) -> dict[str, float]:
    """What a run gave; it is trained where that is not written down."""
    path = place / "result.json"
    if path.exists():
        names = classification_run.class_names(place)
        classification_run.prepare_workdir(config, place, names)  # is the same
        return json.loads(path.read_text(encoding="utf-8"))
    model = classification_run.train(config, place, verbose=2)
    total = metrics.total(workload.workloads(model))
    summary = classification_evaluation.run(str(place))
    result = {
        "top1": summary["top1"],
        "parameters": sum(
            weight.shape.num_elements() for weight in model.trainable_weights
        ),
        "macs": total.macs,
    }
    whole_file.write(path, json.dumps(result))
    return result


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
