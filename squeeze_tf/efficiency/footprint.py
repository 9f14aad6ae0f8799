"""Memory that a network's activations need while it runs, Ch. 1 §2.2."""

import dataclasses
import math
from collections.abc import Sequence

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.efficiency import metrics


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Peaks of the memory for activations.

    Args:
      pair_bytes: most that one layer's input and output take: enough for a
        chain of layers under the "double-buffer" strategy of Ch. 1 §2.2 and
        the number to compare with the on-chip memory in Ch. 2 §3.4.
      pair_layer: the layer where that is.
      live_bytes: most that all tensors take which exist at one time, skip
        connections included.
      live_layer: the layer that runs then.
    """

    pair_bytes: int
    pair_layer: str
    live_bytes: int
    live_layer: str


def footprint(
    graph: graph_lib.Graph, workloads: Sequence[metrics.Workload]
) -> Footprint:
    """Peaks of the activations' memory, by layers and by living tensors.

    Ours: Ch. 1 defines it for chains. Layers run in the order of the graph,
    none in place: a layer's output is a new tensor, which lives until the
    last layer that reads it has run, or to the end if the model returns it.
    The model's inputs exist from the start. The output of a layer that moves
    no data (Workload.moves_data) is its first input.

    Args:
      graph: from graph.trace().
      workloads: of its calls, in their order; they say how many bits a value
        takes.
    """
    pairs = [load.activation_bytes * load.moves_data for load in workloads]
    widest = max(range(len(pairs)), key=pairs.__getitem__)
    live = live_bytes(graph, workloads)
    fullest = max(range(len(live)), key=live.__getitem__)
    return Footprint(
        pair_bytes=pairs[widest],
        pair_layer=graph.calls[widest].name,
        live_bytes=live[fullest],
        live_layer=graph.calls[fullest].name,
    )


def live_bytes(
    graph: graph_lib.Graph, workloads: Sequence[metrics.Workload]
) -> list[int]:
    """Bytes of all tensors that exist while each call runs; see footprint()."""
    root: dict[graph_lib.Value, graph_lib.Value] = {}
    born: dict[graph_lib.Value, int] = {}
    dies: dict[graph_lib.Value, int] = {}
    size: dict[graph_lib.Value, int] = {}
    for step, (call, load) in enumerate(zip(graph.calls, workloads)):
        for value in call.inputs:
            dies[root[value]] = step
        for value in call.outputs:
            is_view = bool(call.inputs) and not load.moves_data
            root[value] = root[call.inputs[0]] if is_view else value
            if not is_view:
                born[value] = step if call.inputs else 0
                dies[value] = step
                bits = math.prod(value.shape) * load.activation_bits
                size[value] = -(-bits // 8)
    for value in graph.outputs:
        dies[root[value]] = len(graph.calls) - 1
    return [
        sum(size[x] for x in born if born[x] <= step <= dies[x])
        for step in range(len(graph.calls))
    ]
