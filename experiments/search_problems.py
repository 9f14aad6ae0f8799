"""What the search scripts search: spaces with their costs."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from experiments import classification_run
from squeeze_tf.classification import models
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import config as search_config
from squeeze_tf.search import (
    dirac_space,
    fbnet_space,
    latency_caffe2,
    latency_costs,
    latency_formats,
    latency_table,
    precision_space,
)
from squeeze_tf.search import space as space_lib

SearchConfig = search_config.SearchConfig


@dataclasses.dataclass(frozen=True)
class Problem:
    """A space and what its networks cost.

    Args:
      space: of the architectures.
      costs: of each candidate of each layer.
      fixed: of what is not searched.
      unit: of the costs.
      full: cost of the network with 32 bits, None where bits are not searched.
      source: where they come from, for the audit.
      fields: of ClassificationConfig that make the network of an architecture.
    """

    space: space_lib.Space
    costs: Sequence[np.ndarray]
    fixed: float
    unit: str
    source: Mapping[str, object]
    fields: Callable[[Sequence[str]], dict[str, object]]
    full: float | None = None

    def cost(self, architecture: Sequence[str]) -> float:
        """Of a network, Eq. 19."""
        self.space.check(architecture)
        return self.fixed + sum(
            float(row[kinds.index(kind)])
            for row, kinds, kind in zip(
                self.costs, self.space.candidates, architecture
            )
        )


def fbnet(config: SearchConfig, num_classes: int) -> Problem:
    """The FBNets, Ch. 7 §6, by latency or MACs."""
    space = fbnet_space.fbnet_space(
        **_common(config, num_classes),
        width=config.width,
        last_filters=config.last_filters,
    )
    return _timed_or_counted(
        config,
        space,
        lambda blocks: {"model": "fbnet", "blocks": tuple(blocks)},
    )


def dirac(config: SearchConfig, num_classes: int) -> Problem:
    """DiracDeltaNets for an accelerator, Ch. 6 §4-5, by latency or MACs."""
    return _timed_or_counted(
        config,
        dirac_networks(config, num_classes),
        lambda blocks: {
            "model": "diracdeltanet",
            "block_kinds": dirac_space.block_kinds(blocks),
            # A quantised first layer needs these, whatever data comes next.
            **{"mean": config.mean, "std": config.std},
        },
    )


def dirac_networks(config: SearchConfig, num_classes: int) -> space_lib.Space:
    """The space of dirac()."""
    options = set(models.OPTIONS["diracdeltanet"]) - {"block_kinds"}
    return dirac_space.dirac_space(
        **_common(config, num_classes),
        **{name: getattr(config, name) for name in options},
    )


def precision(config: SearchConfig, num_classes: int) -> Problem:
    """Bits of a ResNet's blocks, Ch. 7 §4, by Eq. 13 or 14."""
    space = precision_space.precision_space(
        **_common(config, num_classes),
        depth=config.depth,
        widths=config.widths,
    )
    units = {"size": "bits", "compute": "bit operations"}
    if config.cost not in units:
        raise ValueError(
            f"cost of bits must be size or compute; got {config.cost!r}"
        )
    return Problem(
        space,
        precision_space.costs(space, config.cost),
        0.0,
        units[config.cost],
        {},
        lambda bits: {"model": "precision_resnet", "bits": tuple(bits)},
        precision_space.full_cost(space, config.cost),
    )


# By the name of the format. NNI and "text" hold means of the candidates alone.
_READERS = {
    "squeeze_tf": lambda path, _: latency_table.read(path),
    "facebook": latency_caffe2.read_facebook,
    "nni": functools.partial(
        latency_formats.read_nni, names=latency_formats.FBNET_NAMES
    ),
    "text": latency_formats.read_text,
}
# By the name of the space.
PROBLEMS = {
    "diracdeltanet": dirac,
    "fbnet": fbnet,
    "precision_resnet": precision,
}


def _common(config: SearchConfig, num_classes: int) -> dict[str, object]:
    """Arguments that all spaces have."""
    size = classification_run.image_size(config)
    return {
        "input_shape": (*size, config.channels),
        "num_classes": num_classes,
        "kinds": config.kinds,
        "mean": config.mean,
        "std": config.std,
        "weight_decay": config.weight_decay,
        "momentum": config.batch_norm_momentum,
    }


def _timed_or_counted(
    config: SearchConfig,
    space: space_lib.Space,
    fields: Callable[[Sequence[str]], dict[str, object]],
) -> Problem:
    """A problem whose cost is a table's latency, or MACs."""
    if config.cost == "latency":
        has_ends = config.latency_format in ("squeeze_tf", "facebook")
        table = _READERS[config.latency_format](config.latency_table, space)
        if config.device:
            latency_table.check_device(table, config.device)
        costs = latency_costs.costs(table, space, "p50" if has_ends else "mean")
        fixed = latency_costs.fixed_cost(table, space) if has_ends else 0.0
        source = {"device": table.name, "engine": table.engine}
        return Problem(space, costs, fixed, "us", source, fields)
    if config.cost == "macs":
        return Problem(space, *macs(space), "MACs", {}, fields)
    raise ValueError(
        f"cost of {space.name} must be latency or macs; got {config.cost!r}"
    )


def macs(space: space_lib.Space) -> tuple[list[np.ndarray], float]:
    """MACs of each candidate of each layer, and of both ends."""
    found: dict[str, float] = {}
    rows = []
    for layer, operators in enumerate(space_lib.operators(space)):
        for operator in operators:
            if operator.key not in found:
                model = space_lib.block_model(space, layer, operator.kind)
                found[operator.key] = _macs(model)
        rows.append(np.array([found[x.key] for x in operators], float))
    return rows, sum(_macs(model) for model in space_lib.end_models(space))


def _macs(model: tf.keras.Model) -> float:
    return float(metrics.total(workload.workloads(model)).macs)
