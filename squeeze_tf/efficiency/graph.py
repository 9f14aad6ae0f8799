"""A functional Keras model as the list of its layers' calls."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

keras = tf.keras


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """One tensor of a run, known by its identity.

    Args:
      shape: with the batch.
      bits: of one element.
    """

    shape: tuple[int, ...]
    bits: int


@dataclasses.dataclass(frozen=True)
class Call:
    """One layer at work.

    Args:
      name: of the layer, after the names of the models around it and a slash;
        ":2" is appended at its second call, and so on.
      layer: no model of layers.
      inputs: tensors that it is called with.
      outputs: tensors that it makes.
    """

    name: str
    layer: keras.layers.Layer
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
    """All calls in the order in which Keras runs them, and what they yield.

    Args:
      calls: the model's input layers first.
      outputs: of the whole model, kept to the end.
    """

    calls: tuple[Call, ...]
    outputs: tuple[Value, ...]


def trace(model: keras.Model, batch_size: int = 1) -> Graph:
    """Walks a model and the models in it.

    Args:
      model: functional, or a sequential one that is built. Models used as
        layers are entered where they are functional too.
      batch_size: takes the place of the open first axis.

    Raises:
      ValueError: the model is not of these kinds, its input has open axes
        besides the first, its batch is fixed to another size, or batch_size
        is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    if not _is_walkable(model):
        raise ValueError(
            f"model {model.name} must be functional or a built sequential "
            f"model; got {type(model).__name__}"
        )
    inputs = [_input(model, x, batch_size) for x in model.inputs]
    calls, outputs = _walk(model, inputs, "")
    layers = [x._keras_history.layer for x in model.inputs]
    first = [Call(y.name, y, (), (x,)) for x, y in zip(inputs, layers)]
    return Graph(tuple(_numbered([*first, *calls])), tuple(outputs))


def _is_walkable(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.Model) and hasattr(layer, "_nodes_by_depth")


def _input(model: keras.Model, tensor: tf.Tensor, batch_size: int) -> Value:
    shape = tuple(tensor.shape)
    if shape[0] not in (None, batch_size):
        raise ValueError(
            f"model {model.name} has a fixed batch of {shape[0]}; got "
            f"batch_size {batch_size}"
        )
    if None in shape[1:]:
        raise ValueError(
            f"model {model.name} leaves its input shape open: {shape}; build "
            "it with a fixed one"
        )
    return Value((batch_size, *shape[1:]), 8 * tf.as_dtype(tensor.dtype).size)


def _walk(
    model: keras.Model, inputs: Sequence[Value], prefix: str
) -> tuple[list[Call], list[Value]]:
    """The calls inside `model` when it is given `inputs`; its outputs."""
    nodes = [
        node
        for depth in sorted(model._nodes_by_depth, reverse=True)
        for node in model._nodes_by_depth[depth]
        if not node.is_input
    ]
    values = _made(model, nodes, inputs)
    values |= {id(x): value for x, value in zip(model.inputs, inputs)}
    calls: list[Call] = []
    for node in nodes:
        name = prefix + node.layer.name
        given = [values[id(x)] for x in node.keras_inputs]
        made = tf.nest.flatten(node.outputs)
        if _is_walkable(node.layer):
            inner, outputs = _walk(node.layer, given, f"{name}/")
            calls += inner
            values |= {id(x): value for x, value in zip(made, outputs)}
        else:
            outputs = tuple(values[id(x)] for x in made)
            calls.append(Call(name, node.layer, tuple(given), outputs))
    return calls, [values[id(x)] for x in model.outputs]


def _made(
    model: keras.Model, nodes: Sequence[object], inputs: Sequence[Value]
) -> dict[int, Value]:
    """Shape and type of what every node makes, by the id of its tensor.

    TensorFlow says them: it traces a model of all these tensors.
    """
    made = [x for node in nodes for x in tf.nest.flatten(node.outputs)]
    if not made:
        return {}
    probe = keras.Model(model.inputs, made, name="probe")
    specs = [
        tf.TensorSpec(value.shape, x.dtype)
        for x, value in zip(model.inputs, inputs, strict=True)
    ]
    traced = tf.function(
        lambda *tensors: probe(list(tensors), training=False)
    ).get_concrete_function(*specs)
    found = tf.nest.flatten(traced.structured_outputs)
    return {
        id(x): Value(tuple(y.shape), 8 * tf.as_dtype(y.dtype).size)
        for x, y in zip(made, found, strict=True)
    }


def _numbered(calls: Sequence[Call]) -> list[Call]:
    """Appends ":2" to the name of a layer's second call, and so on."""
    seen: dict[str, int] = {}
    found = []
    for call in calls:
        seen[call.name] = count = seen.get(call.name, 0) + 1
        name = call.name if count == 1 else f"{call.name}:{count}"
        found.append(dataclasses.replace(call, name=name))
    return found
