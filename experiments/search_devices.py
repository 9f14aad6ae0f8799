"""Networks searched for several devices, each measured on all (Ch. 7 Table 9).

    python -m tools.measure_operators --engine=xla --output=xla.json
    python -m tools.measure_operators --engine=tflite_int8 --output=int8.json
    python -m experiments.search_fbnet --workdir=for_xla \
        --set=cost=latency --set=latency_table=xla.json
    python -m experiments.search_fbnet --workdir=for_int8 \
        --set=cost=latency --set=latency_table=int8.json
    python -m experiments.search_devices --searches=for_xla,for_int8 \
        --workdir=DIR

Of each search, all of one space, it takes the most probable architecture,
measures it whole by the engine, threads and batch size of each search's table,
and prints milliseconds (the table's estimate in brackets), parameters, MACs and
accuracy. Nothing else should run meanwhile. What is measured already is not
measured again.
"""

import pathlib
from collections.abc import Sequence

import tensorflow as tf
from absl import flags

from experiments import search_children, search_problems, search_run
from squeeze_tf import command_line, whole_file
from squeeze_tf import config as config_lib
from squeeze_tf.search import config as search_config
from squeeze_tf.search import (
    latency_costs,
    latency_table,
    latency_verification,
    operator_benchmark,
)

_SEARCHES = flags.DEFINE_list("searches", None, "Workdirs.", required=True)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Gets measurements and devices.txt.", required=True
)
_REPEATS = flags.DEFINE_integer("repeats", 100, "Calls of each network.")


def main(_: list[str]) -> None:
    """Measures and prints the table."""
    folders = [pathlib.Path(x) for x in _SEARCHES.value]
    if len({x.name for x in folders}) < len(folders):
        raise ValueError(
            f"--searches must have different names; got {_SEARCHES.value}"
        )
    configs = [
        config_lib.read(search_config.SearchConfig, x / "config.json")
        for x in folders
    ]
    tables = [_table(x, y) for x, y in zip(folders, configs)]
    threads = {x.num_threads for x in tables}
    if len(threads) > 1:
        raise ValueError(
            f"tables must have one number of threads; got {sorted(threads)}"
        )
    tf.config.threading.set_intra_op_parallelism_threads(*threads)
    tf.config.threading.set_inter_op_parallelism_threads(*threads)
    networks = [_found(x, y) for x, y in zip(folders, configs)]
    workdir = pathlib.Path(_WORKDIR.value)
    workdir.mkdir(parents=True, exist_ok=True)
    text = compared([x.name for x in folders], networks, tables, workdir)
    whole_file.write(workdir / "devices.txt", text + "\n")
    print(f"\n{text}\n\ndevices.txt lies in {workdir.resolve()}")


def compared(
    names: Sequence[str],
    networks: Sequence[tuple[search_problems.Problem, search_children.Child]],
    tables: Sequence[latency_table.LatencyTable],
    workdir: pathlib.Path,
) -> str:
    """A line for each network, a column for each device.

    Args:
      names: of the searches.
      networks: what each found.
      tables: of the device of each.
      workdir: gets what is measured.
    """
    heads = [f"{name} ({x.engine})" for name, x in zip(names, tables)]
    lines = [
        f"{'ms on the device of':24}"
        + "".join(f"{head:>26}" for head in heads)
        + f"{'parameters':>12}{'MACs':>13}{'top-1, %':>10}"
    ]
    for name, (problem, child) in zip(names, networks):
        cells = []
        for device, table in zip(names, tables):
            path = workdir / f"{device}.json"
            measured = _measured(problem, child, table, path)
            estimate = latency_costs.estimate(
                table, problem.space, child.architecture
            )
            cells.append(f"{1e-3 * measured:.3f} ({1e-3 * estimate:.3f})")
        lines.append(
            f"{'network of ' + name:24}"
            + "".join(f"{cell:>26}" for cell in cells)
            + f"{child.parameters:12,}{child.macs:13,}{100 * child.top1:10.2f}"
        )
    return "\n".join(lines)


def _table(
    folder: pathlib.Path, config: search_config.SearchConfig
) -> latency_table.LatencyTable:
    if not config.latency_table:
        raise ValueError(
            f"{folder} must be a search by a latency table; it is by "
            f"{config.cost}"
        )
    table = latency_table.read(config.latency_table)
    here = operator_benchmark.device()
    for field in ("processor", "cores", "accelerators"):
        if table.device.get(field) != here[field]:
            raise ValueError(
                f"{config.latency_table}: expected a table of this machine, of "
                f"{field} {here[field]!r}; got {table.device.get(field)!r}"
            )
    return table


def _found(
    folder: pathlib.Path, config: search_config.SearchConfig
) -> tuple[search_problems.Problem, search_children.Child]:
    """The most probable architecture of a search."""
    audit = search_run.read_audit(folder)
    make = search_problems.PROBLEMS[audit["space"]]
    problem = make(config, audit["num_classes"])
    child = search_children.trained(
        config, problem, audit["architectures"][0], folder / "children"
    )
    return problem, child


def _measured(
    problem: search_problems.Problem,
    child: search_children.Child,
    table: latency_table.LatencyTable,
    path: pathlib.Path,
) -> float:
    """Median microseconds of the whole network."""
    models = latency_verification.network_models(
        problem.space, [child.architecture]
    )
    found = operator_benchmark.measure(
        models,
        operator_benchmark.Settings(
            engine=table.engine,
            num_threads=table.num_threads,
            batch_size=table.batch_size,
            repeats=_REPEATS.value,
        ),
        path,
        table.name,
    )
    (key,) = models
    return found.entries[key].p50


if __name__ == "__main__":
    command_line.run(main)
