"""What the search scripts search: spaces with their costs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from experiments import classification_run
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.search import config as search_config
from squeeze_tf.search import (
    fbnet_space,
    latency_costs,
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
      source: where they come from, for the audit.
      fields: of ClassificationConfig that make the network of an architecture.
    """

    space: space_lib.Space
    costs: Sequence[np.ndarray]
    fixed: float
    unit: str
    source: Mapping[str, object]
    fields: Callable[[Sequence[str]], dict[str, object]]

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
    size = classification_run.image_size(config)
    space = fbnet_space.fbnet_space(
        input_shape=(*size, config.channels),
        num_classes=num_classes,
        width=config.width,
        last_filters=config.last_filters,
        kinds=config.kinds,
        mean=config.mean,
        std=config.std,
        weight_decay=config.weight_decay,
        momentum=config.batch_norm_momentum,
    )
    if config.cost == "latency":
        table = latency_table.read(config.latency_table)
        if config.device:
            latency_table.check_device(table, config.device)
        costs = latency_costs.costs(table, space)
        fixed = latency_costs.fixed_cost(table, space)
        unit = "us"
        source = {"device": table.name, "engine": table.engine}
    elif config.cost == "macs":
        costs, fixed = macs(space)
        unit, source = "MACs", {}
    else:
        raise ValueError(
            f"cost of FBNets must be latency or macs; got {config.cost!r}"
        )
    return Problem(
        space,
        costs,
        fixed,
        unit,
        source,
        lambda blocks: {"model": "fbnet", "blocks": tuple(blocks)},
    )


def precision(config: SearchConfig, num_classes: int) -> Problem:
    """Bits of a ResNet's blocks, Ch. 7 §4, by Eq. 13 or 14."""
    size = classification_run.image_size(config)
    space = precision_space.precision_space(
        depth=config.depth,
        input_shape=(*size, config.channels),
        num_classes=num_classes,
        widths=config.widths,
        kinds=config.kinds,
        mean=config.mean,
        std=config.std,
        weight_decay=config.weight_decay,
        momentum=config.batch_norm_momentum,
    )
    of_blocks = {
        "size": precision_space.size_costs,
        "compute": precision_space.compute_costs,
    }
    if config.cost not in of_blocks:
        raise ValueError(
            f"cost of bits must be size or compute; got {config.cost!r}"
        )
    return Problem(
        space,
        of_blocks[config.cost](space),
        0.0,
        {"size": "bits", "compute": "bit operations"}[config.cost],
        {},
        lambda bits: {"model": "precision_resnet", "bits": tuple(bits)},
    )


PROBLEMS = {"fbnet": fbnet, "precision": precision}


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
