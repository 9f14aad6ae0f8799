"""What is searched: the layers of a network and the candidates of each."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

keras = tf.keras

# Keras tensor, index of the layer, candidate and prefix of its layers' names.
BlockFunction = Callable[[tf.Tensor, int, str, str], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Operator:
    """A block of a space, as it is measured by itself.

    Args:
      kind: name of the candidate, or one of Space.ends.
      input_shape: H, W, C, without the batch; C alone after pooling.
      output_shape: likewise.
    """

    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def key(self) -> str:
        """Its name in a table: two layers with one key cost the same."""
        shapes = (self.input_shape, self.output_shape)
        ends = ["x".join(map(str, shape)) for shape in shapes]
        return f"{self.kind} {ends[0]} {ends[1]}"


FIRST, LAST = "first", "last"  # kinds of the operators that are not searched


@dataclasses.dataclass(frozen=True)
class Space:
    """A network each layer of which is to be chosen among candidates.

    Source: Ch. 7 §3.2: all nodes are kept, one edge between two of them is
    chosen.

    Args:
      name: of the networks.
      candidates: of each layer.
      first: makes the image and the first layer's input, Keras tensors.
      block: applies a candidate. The candidates of one layer must give the same
        shape; one that gives its input back does nothing.
      last: makes the logits of the last layer's output.
      ends: kinds of the operators before and after the searched layers; they
        begin with FIRST and LAST and say what their shapes do not.
    """

    name: str
    candidates: tuple[tuple[str, ...], ...]
    first: Callable[[], tuple[tf.Tensor, tf.Tensor]]
    block: BlockFunction
    last: Callable[[tf.Tensor], tf.Tensor]
    ends: tuple[str, str] = (FIRST, LAST)

    @property
    def num_layers(self) -> int:
        """L."""
        return len(self.candidates)

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """H, W, C of the L + 1 nodes."""
        _, x = self.first()
        found = [x.shape[1:]]
        for layer, kinds in enumerate(self.candidates):
            x = self.block(x, layer, kinds[0], f"layer{layer + 1}")
            found.append(x.shape[1:])
        return tuple(tuple(shape) for shape in found)

    def check(self, architecture: Sequence[str]) -> None:
        """Refuses what is not one of the space's networks.

        Raises:
          ValueError: says which layer, what it may be and what came.
        """
        if len(architecture) != self.num_layers:
            raise ValueError(
                f"an architecture of {self.name} has {self.num_layers} "
                f"blocks; got {len(architecture)}"
            )
        for layer, (kinds, kind) in enumerate(
            zip(self.candidates, architecture)
        ):
            if kind not in kinds:
                raise ValueError(
                    f"layer {layer + 1} of {self.name} must be one of "
                    f"{', '.join(kinds)}; got {kind!r}"
                )


def network(space: Space, architecture: Sequence[str]) -> keras.Model:
    """One network of the space with new weights, image to logits.

    Args:
      space: the space.
      architecture: a candidate for each layer.

    Raises:
      ValueError: it is not of the space.
    """
    space.check(architecture)
    image, x = space.first()
    for layer, kind in enumerate(architecture):
        x = space.block(x, layer, kind, f"layer{layer + 1}")
    return keras.Model(image, space.last(x), name=space.name)


def operators(space: Space) -> list[list[Operator]]:
    """Those of each layer, in the order of its candidates."""
    nodes = space.shapes
    return [
        [Operator(kind, nodes[layer], nodes[layer + 1]) for kind in kinds]
        for layer, kinds in enumerate(space.candidates)
    ]


def ends(space: Space) -> tuple[Operator, Operator]:
    """What comes before and after the searched layers."""
    image, _ = space.first()
    logits = space.last(keras.Input(space.shapes[-1]))
    return (
        Operator(space.ends[0], tuple(image.shape[1:]), space.shapes[0]),
        Operator(space.ends[1], space.shapes[-1], tuple(logits.shape[1:])),
    )


def block_model(space: Space, layer: int, kind: str) -> keras.Model:
    """A candidate by itself, with new weights.

    Args:
      space: the space.
      layer: from 0.
      kind: of its candidates.
    """
    x = keras.Input(space.shapes[layer])
    name = f"layer{layer + 1}_{kind}"
    return keras.Model(x, space.block(x, layer, kind, name), name=name)


def end_models(space: Space) -> tuple[keras.Model, keras.Model]:
    """What comes before and after the searched layers, with new weights."""
    image, first = space.first()
    x = keras.Input(space.shapes[-1])
    return (
        keras.Model(image, first, name=FIRST),
        keras.Model(x, space.last(x), name=LAST),
    )
