"""A quantised network as one of whole numbers alone, Ch. 6 §4.3.

convert() replaces each quantised convolution, its batch normalisation and its
ActQuant by whole weights and a table of thresholds. The thresholds are found by
asking the layers themselves, so both networks agree bit for bit.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.efficiency import graph as graph_lib
from squeeze_tf.layers import channels, integer, quantization, shift
from squeeze_tf.ops import quantization as quantize_ops

keras = tf.keras

_EXACT = 2**24  # whole numbers up to here are float32
_NEVER = np.iinfo(np.int32).max
_ALWAYS = np.iinfo(np.int32).min
_MOVING = (
    keras.layers.MaxPooling2D,
    keras.layers.Concatenate,
    channels.ChannelSplit,
    channels.ChannelShuffle,
    channels.ChannelRotation,
)


@dataclasses.dataclass(frozen=True)
class _Levels:
    """A tensor of levels, and what they stand for."""

    tensor: tf.Tensor
    bits: int
    scale: float


def convert(model: keras.Model) -> keras.Model:
    """The network of whole numbers.

    Layers in full precision stay as they are: before the first quantised
    convolution, and after the last ActQuant.

    Args:
      model: of layers.quantization's layers, max-pooling, shifts,
        concatenations and layers.channels.

    Returns:
      A model with the same input and equal outputs; its layers in between are
      those of layers.integer.

    Raises:
      ValueError: a layer is not supported, named with what was expected.
    """
    graph = graph_lib.trace(model)
    return _Conversion(model, graph).run()


class _Conversion:
    """One walk over the calls of a model."""

    def __init__(self, model: keras.Model, graph: graph_lib.Graph) -> None:
        self.model, self.graph = model, graph
        self.readers: dict[graph_lib.Value, list[graph_lib.Call]] = defaultdict(
            list
        )
        for call in graph.calls:
            for value in call.inputs:
                self.readers[value].append(call)
        # Keras tensors of floats, or levels, by the value that they stand for.
        self.made: dict[graph_lib.Value, tf.Tensor | _Levels] = {}
        self.done: set[str] = set()  # calls that an earlier one took along

    def run(self) -> keras.Model:
        """Walks, and returns the new model."""
        inputs = []
        for call in self.graph.calls:
            if isinstance(call.layer, keras.layers.InputLayer):
                (value,) = call.outputs
                image = keras.Input(value.shape[1:], name=call.name)
                inputs.append(image)
                self.made[value] = image
            elif call.name not in self.done:
                self._convert(call)
        outputs = [self._floats(value) for value in self.graph.outputs]
        name = f"{self.model.name}_integer"
        return keras.Model(inputs, outputs, name=name)

    def _convert(self, call: graph_lib.Call) -> None:
        layer = call.layer
        is_convolution = isinstance(
            layer, quantization.QuantConv2D | quantization.QuantShiftConv2D
        )
        if is_convolution and layer.bits.are_levels:
            return self._convolution(call)
        found = [self.made[value] for value in call.inputs]
        if all(isinstance(x, _Levels) for x in found):
            if isinstance(layer, keras.layers.GlobalAveragePooling2D):
                return self._pooling(call)
            if isinstance(layer, shift.Shift):
                return self._moving(call, _integer_shift(layer))
            if type(layer) in _MOVING:
                return self._moving(call, _again(layer))
            raise ValueError(
                f"layer {call.name} ({type(layer).__name__}) cannot be run "
                "with whole numbers; expected a quantised convolution, "
                "pooling, shift, concatenation or reordering of channels"
            )
        self._keep(call)

    def _keep(self, call: graph_lib.Call) -> None:
        """The layer itself, in full precision."""
        inputs = [self._floats(value) for value in call.inputs]
        outputs = call.layer(inputs[0] if len(inputs) == 1 else inputs)
        for value, x in zip(call.outputs, tf.nest.flatten(outputs)):
            self.made[value] = x
        layer = call.layer
        quantised = (
            isinstance(layer, quantization.ActQuant)
            and layer.bits < quantize_ops.FULL_PRECISION
            and layer.scale is not None  # else no two layers share levels
        )
        if quantised:
            (value,) = call.outputs
            self.made[value] = self._to_levels(
                self.made[value], layer.bits, layer.scale, f"{call.name}_levels"
            )

    def _floats(self, value: graph_lib.Value) -> tf.Tensor:
        x = self.made[value]
        if not isinstance(x, _Levels):
            return x
        return integer.FromLevels(bits=x.bits, scale=x.scale)(x.tensor)

    def _to_levels(
        self, x: tf.Tensor, bits: int, scale: float, name: str
    ) -> _Levels:
        layer = integer.ToLevels(bits=bits, scale=scale, name=name)
        return _Levels(layer(x), bits, scale)

    def _moving(self, call: graph_lib.Call, layer: keras.layers.Layer) -> None:
        """What only moves or compares levels does so with any of one scale."""
        found = [self.made[value] for value in call.inputs]
        kinds = {(x.bits, x.scale) for x in found}
        if len(kinds) > 1:
            raise ValueError(
                f"inputs of layer {call.name} must have the same bits and "
                f"scale; got {sorted(kinds)}"
            )
        tensors = [x.tensor for x in found]
        made = layer(tensors[0] if len(tensors) == 1 else tensors)
        for value, x in zip(call.outputs, tf.nest.flatten(made)):
            self.made[value] = dataclasses.replace(found[0], tensor=x)

    def _convolution(self, call: graph_lib.Call) -> None:
        """Takes batch normalisation and ActQuant along."""
        layer = call.layer
        normalise = self._follower(call, keras.layers.BatchNormalization)
        quantise = self._follower(normalise, quantization.ActQuant)
        self.done |= {normalise.name, quantise.name}
        x = self.made[call.inputs[0]]
        if not isinstance(x, _Levels):
            x = self._to_levels(
                x, layer.bits.inputs, layer.bits.scale, f"{call.name}_levels"
            )
        if (x.bits, x.scale) != (layer.bits.inputs, layer.bits.scale):
            raise ValueError(
                f"layer {call.name} expects {layer.bits.inputs} bits of scale "
                f"{layer.bits.scale}; its input has {x.bits} of {x.scale}"
            )
        activation = quantise.layer
        levels = _whole_kernel(layer, call.name)
        table, signs = thresholds(
            [normalise.layer, activation],
            activation.bits,
            activation.scale,
            layer.bits.unit(),
            levels,
            layer.bits.inputs,
        )
        made = integer.IntegerConv2D(
            layer.filters,
            out_bits=activation.bits,
            weight_bits=layer.bits.weights,
            name=call.name.replace("/", "_"),
            **_shift_settings(layer),
        )
        tensor = made(x.tensor)
        made.set_weights([_bytes(levels * signs, call.name), table])
        (value,) = quantise.outputs
        self.made[value] = _Levels(tensor, activation.bits, activation.scale)

    def _follower(
        self, call: graph_lib.Call, kind: type[keras.layers.Layer]
    ) -> graph_lib.Call:
        """The one call that reads another's output."""
        (value,) = call.outputs
        readers = self.readers[value]
        if len(readers) != 1 or not isinstance(readers[0].layer, kind):
            raise ValueError(
                f"layer {call.name} must be read by one {kind.__name__}; got "
                f"{[type(reader.layer).__name__ for reader in readers]}"
            )
        return readers[0]

    def _pooling(self, call: graph_lib.Call) -> None:
        """Sums for a quantised dense layer, else means in full precision."""
        (value,) = call.outputs
        readers = self.readers[value]
        follows = len(readers) == 1 and isinstance(
            readers[0].layer, quantization.QuantDense
        )
        if not follows or not readers[0].layer.bits.are_levels:
            return self._keep(call)
        dense = readers[0]
        self.done.add(dense.name)
        layer, bits = dense.layer, dense.layer.bits
        unit = bits.unit(layer.count)
        levels = _whole_kernel(layer, dense.name)
        places = call.inputs[0].shape[1] * call.inputs[0].shape[2]
        if layer.count != places:
            raise ValueError(
                f"count of layer {dense.name} must be {places}, the places "
                f"that {call.name} averages; got {layer.count}"
            )
        made = integer.IntegerDense(
            layer.units, unit=unit, weight_bits=bits.weights, name=dense.name
        )
        x = integer.LevelSum(name=call.name)(self.made[call.inputs[0]].tensor)
        self.made[dense.outputs[0]] = made(x)
        bias = np.rint(layer.bias.numpy() / np.float32(unit))
        made.set_weights([_bytes(levels, dense.name), bias.astype(np.int32)])


def thresholds(
    layers: Sequence[keras.layers.Layer],
    out_bits: int,
    scale: float,
    unit: float,
    kernel: np.ndarray,
    in_bits: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The sums at which the layers after a convolution reach each level.

    Ours: they are asked, by bisection, so that their own rounding is part of
    the answer. Where a normalisation has a negative factor the level falls as
    the sum grows; then the sign of the filter's weights turns.

    Args:
      layers: normalisation and ActQuant.
      out_bits: of the levels.
      scale: s of ActQuant.
      unit: what a sum is multiplied by before them.
      kernel: [C, N] whole levels.
      in_bits: of the input.

    Returns:
      thresholds: [N, 2^out_bits - 1] int32, rising.
      signs: [N] int, 1 or -1.
    """
    bound = int(np.abs(kernel).sum(axis=0).max())
    bound *= quantize_ops.num_steps(in_bits)
    num_filters, steps = kernel.shape[1], quantize_ops.num_steps(out_bits)

    def levels(sums: np.ndarray) -> np.ndarray:  # [L, N] to the same
        x = tf.constant(sums[np.newaxis, :, np.newaxis], tf.float32) * unit
        for layer in layers:
            x = layer(x, training=False)
        x = quantize_ops.activation_levels(x, out_bits, scale)
        return x.numpy()[0, :, 0].astype(np.int64)

    ends = np.full((1, num_filters), bound)
    signs = np.where(levels(ends) < levels(-ends), -1, 1)[0]
    wanted = np.arange(1, steps + 1)[:, np.newaxis]
    low = np.full((steps, num_filters), -bound - 1)  # not reached
    high = np.full((steps, num_filters), bound + 1)  # reached, or never
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = levels(middle * signs) >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    table = np.where(high > bound, _NEVER, high)
    table = np.where(high <= -bound, _ALWAYS, table)
    return table.T.astype(np.int32), signs


def _whole_kernel(layer: keras.layers.Layer, name: str) -> np.ndarray:
    """[C, N] levels of a layer whose sums are exact.

    Raises:
      ValueError: they are not, or the layer is no 1x1 convolution.
    """
    kernel = layer.bits.multiplied(tf.convert_to_tensor(layer.kernel)).numpy()
    if kernel.ndim == 4:
        if kernel.shape[:2] != (1, 1):
            raise ValueError(
                f"layer {name} must be a 1x1 convolution; got a kernel of "
                f"{kernel.shape[:2]}"
            )
        kernel = kernel[0, 0]
    levels = np.rint(kernel).astype(np.int64)
    steps = quantize_ops.num_steps(layer.bits.inputs)
    most = np.abs(levels).sum(axis=0).max() * steps
    most *= getattr(layer, "count", 1)
    if most >= _EXACT:
        raise ValueError(
            f"sums of layer {name} reach {most}; only below {_EXACT} does "
            "float32 hold all: use fewer bits or channels"
        )
    return levels


def _bytes(levels: np.ndarray, name: str) -> np.ndarray:
    """Levels, turned where a filter's sign did, as int8."""
    if levels.min() < -128 or levels.max() > 127:
        raise ValueError(
            f"weights of layer {name} must be -128 to 127; got "
            f"{levels.min()} to {levels.max()}: use fewer bits"
        )
    return levels.astype(np.int8)


def _shift_settings(layer: keras.layers.Layer) -> dict[str, object]:
    if isinstance(layer, quantization.QuantShiftConv2D):
        return {
            "strides": layer.strides,
            "kernel_size": layer.kernel_size,
            "dilation_rate": layer.dilation_rate,
            "convention": layer.convention,
        }
    return {"strides": layer.strides[0]}


def _integer_shift(layer: shift.Shift) -> integer.IntegerShift:
    return integer.IntegerShift(
        kernel_size=layer.kernel_size,
        dilation_rate=layer.dilation_rate,
        convention=layer.convention,
        name=layer.name,
    )


def _again(layer: keras.layers.Layer) -> keras.layers.Layer:
    return type(layer).from_config(layer.get_config())
