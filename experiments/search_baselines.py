"""Other ways to choose the same networks, with a search's budget (Ch. 7 §5).

    python -m experiments.search_precision --config=digits_resnet20 \
        --workdir=DIR
    python -m experiments.search_baselines --search=DIR

Random networks and NSGA-II (optuna) train networks of the space, with the
recipe of the search's own, until they have used as much processor time as the
search and its networks did; "uniform" trains the networks all of whose layers
are one candidate. Prints all of them, the area below each front and what the
best network of each lacks to the best of all. What was stopped goes on.
"""

import itertools
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import optuna
from absl import flags

from experiments import search_children, search_problems, search_run
from squeeze_tf import command_line, whole_file
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config
from squeeze_tf.search import front, sample

Child = search_children.Child
Train = Callable[[Sequence[str]], Child]
_SEARCH = flags.DEFINE_string("search", None, "Workdir of the search.")
_METHODS = flags.DEFINE_list(
    "methods", ["random", "uniform", "evolution"], "Which baselines."
)
# Ours: of NSGA-II, that a few generations fit into small budgets; and how
# often in a row it may come back to what it has seen.
_POPULATION, _REPEATS = 8, 200


def main(_: list[str]) -> None:
    """Runs the baselines and prints the comparison."""
    workdir = pathlib.Path(_SEARCH.value)
    unknown = sorted(set(_METHODS.value) - set(METHODS))
    if unknown:
        raise ValueError(
            f"methods must be among {', '.join(METHODS)}; got {unknown[0]!r}"
        )
    config = config_lib.read(
        search_config.SearchConfig, workdir / "config.json"
    )
    audit = search_run.read_audit(workdir)
    problem = search_problems.PROBLEMS[audit["space"]](
        config, audit["num_classes"]
    )

    def train(architecture: Sequence[str], folder: str = "baselines") -> Child:
        return search_children.trained(
            config, problem, architecture, workdir / folder
        )

    groups = {
        "DNAS": [train(x, "children") for x in audit["architectures"]],
    }
    budget = sum(x["processor_seconds"] for x in audit["record"])
    budget += sum(child.seconds for child in groups["DNAS"])
    for method in _METHODS.value:
        groups[method] = []
        for child in METHODS[method](problem, train, config.seed):
            groups[method].append(child)
            spent = sum(x.seconds for x in groups[method])
            print(f"{method}: {spent:.0f} of {budget:.0f} s", flush=True)
            if method != "uniform" and spent >= budget:
                break
    text = compared(groups, problem)
    whole_file.write(workdir / "baselines.txt", text + "\n")
    search_children.picture(workdir / "baselines.png", groups, problem.unit)
    print(f"\n{text}\n\nbaselines.txt and .png lie in {workdir.resolve()}")


def random(
    problem: search_problems.Problem, train: Train, seed: int
) -> Iterator[Child]:
    """Networks all of which are equally probable."""
    even = sample.uniform(problem.space)
    for architecture in sample.draw(problem.space, even, 1000, seed):
        yield train(architecture)


def uniform(
    problem: search_problems.Problem, train: Train, seed: int
) -> Iterator[Child]:
    """Networks all of whose layers are one candidate, where there are more.

    That of skips alone is none of them.
    """
    del seed  # nothing is drawn
    rows = problem.space.candidates
    for kind in dict.fromkeys(itertools.chain(*rows)):
        everywhere = all(kind in kinds for kinds in rows if len(kinds) > 1)
        if everywhere and kind != "skip":
            yield train([x[0] if len(x) == 1 else kind for x in rows])


def evolution(
    problem: search_problems.Problem, train: Train, seed: int
) -> Iterator[Child]:
    """NSGA-II of optuna on accuracy and cost.

    A second call draws the same networks, as long as they score the same. It
    ends when it finds no others any more.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.NSGAIISampler(
            population_size=_POPULATION, seed=seed
        ),
    )
    seen = set()
    repeats = 0
    while repeats < _REPEATS:
        trial = study.ask()
        architecture = tuple(
            trial.suggest_categorical(f"layer{i}", kinds)
            for i, kinds in enumerate(problem.space.candidates)
        )
        child = train(architecture)
        study.tell(trial, [child.top1, child.cost])
        repeats += 1
        if architecture not in seen:  # costs nothing the second time
            seen.add(architecture)
            repeats = 0
            yield child


METHODS = {"random": random, "uniform": uniform, "evolution": evolution}


def compared(
    groups: dict[str, Sequence[Child]], problem: search_problems.Problem
) -> str:
    """Tables, areas below the fronts and regrets."""
    children = [child for group in groups.values() for child in group]
    worst = (
        max(child.cost for child in children),
        min(child.top1 for child in children),
    )
    best = max(child.top1 for child in children)
    lines = []
    for name, group in groups.items():
        table = search_children.table(group, problem.unit, problem.full)
        lines += [name, table, ""]
    lines.append(
        f"{'':10} networks  best, %  regret, points  area below the front"
    )
    for name, group in groups.items():
        area = front.hypervolume(
            [x.cost for x in group], [x.top1 for x in group], worst
        )
        own = max(child.top1 for child in group)
        lines.append(
            f"{name:10} {len(group):8}  {100 * own:7.2f}  "
            f"{100 * (best - own):14.2f}  "
            f"{area / (worst[0] * np.maximum(best - worst[1], 1e-9)):20.4f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    flags.mark_flag_as_required("search")
    command_line.run(main)
