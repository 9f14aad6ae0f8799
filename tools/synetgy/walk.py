"""The state of one walk over a Keras model: maps, steps, and who reads what."""

import dataclasses
from collections import Counter, defaultdict
from typing import NoReturn

import tensorflow as tf

from squeeze_tf.efficiency import graph as graph_lib
from tools.synetgy import program

keras = tf.keras

SUPPORTED = (
    "1x1 QuantConv2D and QuantShiftConv2D, read by ActQuant or by "
    "BatchNormalization and ActQuant, 2x2 MaxPooling2D, Shift, Concatenate, "
    "ChannelSplit, ChannelShuffle, ChannelRotation, GlobalAveragePooling2D, "
    "QuantDense; full precision only before the first and after the last"
)


class Walk:
    """What is known while the calls of a graph are read in their order.

    Args:
      graph: all calls.
    """

    def __init__(self, graph: graph_lib.Graph) -> None:
        self.readers: dict[graph_lib.Value, list[graph_lib.Call]] = defaultdict(
            list
        )
        for call in graph.calls:
            for value in call.inputs:
                self.readers[value].append(call)
        self.uses = Counter(x for call in graph.calls for x in call.inputs)
        self.uses.update(graph.outputs)
        self.maps: dict[graph_lib.Value, program.Map] = {}
        self.steps: list[program.Step] = []
        self.done: set[str] = set()  # calls that an earlier one took along

    def refuse(self, call: graph_lib.Call, why: str) -> NoReturn:
        """Ends the walk: ValueError with the layer, its class and `why`."""
        raise ValueError(f"layer {name_of(call)} {why}; supported: {SUPPORTED}")

    def add(self, step: program.Step, value: graph_lib.Value) -> None:
        """Appends a step that makes a value."""
        self.steps.append(step)
        self.maps[value] = step.output

    def add_levels(
        self, source: program.Map, name: str, bits: int, scale: float
    ) -> program.Map:
        """Appends the step from floats to levels; returns the levels."""
        output = program.Map(f"{name}_levels", source.shape, bits, scale)
        self.steps.append(program.ToLevels(output.name, (source,), output))
        return output

    def maker(self, value: graph_lib.Value) -> program.Step | None:
        """The step that makes a value, if one call alone reads that."""
        if self.uses[value] != 1:
            return None
        found = (x for x in self.steps if x.output == self.maps[value])
        return next(found, None)

    def extend(
        self, step: program.Step, output: program.Map, **changes: object
    ) -> None:
        """Lets a step take along what follows it and makes `output`."""
        self.steps[self.steps.index(step)] = dataclasses.replace(
            step, output=output, **changes
        )


def name_of(call: graph_lib.Call) -> str:
    """A call's name and its layer's class."""
    return f"{call.name} ({type(call.layer).__name__})"
