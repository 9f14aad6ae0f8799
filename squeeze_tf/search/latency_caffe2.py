"""FBNets as Caffe2 runs them, and the authors' table of its operators."""

import collections
import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.classification import fbnet
from squeeze_tf.search import latency_costs, latency_table
from squeeze_tf.search import space as space_lib

keras = tf.keras

_TIMES = tuple(f"runtime_us_{x}" for x in ("p0", "p10", "p50", "p90", "p100"))
_FIELDS = (
    *("op_type", "op_args", "input_shapes", "input_dtypes", "device"),
    *_TIMES,
)
_ARGUMENT = re.compile(r'name: "(\w+)"\s+[a-z]+: "?([^"\s]*)"?\s*')
# Their quantisation, which does not change the time, and a limit of memory.
_IGNORED = ("Y_scale", "Y_zero_point", "ws_nbytes_limit")
_ORDER = ("order", "NHWC")

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Call:
    """An operator of Caffe2 and what it is given.

    Args:
      op_type: its name.
      arguments: name and value, by name.
      shapes: of its inputs, weights included.
    """

    op_type: str
    arguments: tuple[tuple[str, str], ...]
    shapes: tuple[Shape, ...]


def read_facebook(
    path: str | os.PathLike, space: space_lib.Space
) -> latency_table.LatencyTable:
    """Reads the table of single operators that the FBNets were released with.

    Source: runtime_lut of facebookresearch/mobile-vision: a JSON object a line,
    microseconds at batch 1. As its api.py does, records that agree in all but
    the times are averaged, and Int8ConvRelu stands in for an Int8Conv that is
    not there. An entry sums the operators of calls(), percentile by percentile.

    Ours: input_dtypes, which the released text does not tell, are not compared,
    but must be the same in records that agree otherwise. A candidate
    one of whose operators is missing is left out, so that
    latency_costs.costs() names it.

    Args:
      path: of the unpacked file.
      space: of fbnet_space().

    Raises:
      ValueError: a line is of another form, the space has other candidates, or
        the file is of several devices.
      OSError: the file cannot be read.
    """
    records = _records(path)
    devices = sorted(
        {record["device"] for x in records.values() for record in x}
    )
    if len(devices) != 1:
        raise ValueError(f"{path} must be of one device; got {devices}")
    entries = {}
    for key, wanted in _all_calls(space).items():
        times = [_times(path, records, call) for call in wanted]
        if times and None not in times:
            total = map(float, np.sum(times, axis=0))
            entries[key] = latency_table.Entry(*total)
    try:
        return latency_table.LatencyTable(
            devices[0], {}, "caffe2 int8", None, 1, entries
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def calls(operator: space_lib.Operator, last_filters: int) -> list[Call]:
    """What one operator of fbnet_space() is in Caffe2 with 8 bits.

    Source: model.pbtxt of the released FBNet-A. Normalisations are part of the
    convolutions. The first operator turns the image to NHWC and quantises it,
    the last one ends in the softmax as floats.

    Ours: "skip" where the shape changes, which no released network has, is the
    convolution of fbnet.block(); where it stays there is no call. The weights
    of Int8FC may have sizes of 1, which the released text does not tell, so
    they are left out of its shapes. (The released FBNet-B and -96 have no ReLU
    behind depthwise convolutions; Ch. 7 Fig. 6 has one.)

    Args:
      operator: a candidate or an end.
      last_filters: channels of the last 1x1 convolution.

    Raises:
      ValueError: it is no operator of that space.
    """
    source, target = operator.input_shape, operator.output_shape
    if operator.kind == space_lib.FIRST:
        return [
            Call("NCHW2NHWC", (), ((1, source[2], *source[:2]),)),
            Call("Int8Quantize", (), ((1, *source),)),
            _convolution(source, target, 3),
        ]
    if operator.kind.startswith(space_lib.LAST):
        return _last(source, last_filters, target[0])
    fbnet.check_kinds("kind", [operator.kind])
    block = (fbnet.BLOCKS | fbnet.RELEASED_BLOCKS)[operator.kind]
    if block is None:
        return [] if source == target else [_convolution(source, target, 1)]
    return _block(source, target, block)


def _block(source: Shape, target: Shape, block: fbnet.Block) -> list[Call]:
    """1x1, shuffle, depthwise, 1x1 and sum, Ch. 7 Fig. 6."""
    channels = block.expansion * source[2]
    wide = (*source[:2], channels)
    small = (*target[:2], channels)
    found = [_convolution(source, wide, 1, block.groups)]
    if block.groups > 1:
        arguments = _arguments(group=block.groups, kernel=1)
        found.append(Call("Int8ChannelShuffle", arguments, ((1, *wide),)))
    for x in (wide, *[small] * (block.depthwise - 1)):
        found.append(_convolution(x, small, block.kernel_size, channels))
    found.append(_convolution(small, target, 1, block.groups, "Int8Conv"))
    if source == target:
        found.append(Call("Int8Sum", _arguments(), ((1, *target),) * 2))
    return found


def _last(source: Shape, filters: int, classes: int) -> list[Call]:
    wide = (*source[:2], filters)
    pool = _arguments(kernel=source[0], stride=1)
    product = ((filters,), (classes, filters), (classes,))
    return [
        _convolution(source, wide, 1),
        Call("Int8AveragePool", pool, ((1, *wide),)),
        Call("Int8FC", _arguments(), product),
        Call("Int8Softmax", _arguments(), ((1, classes),)),
        Call("Int8Dequantize", (), ((1, classes),)),
    ]


def _convolution(
    source: Shape,
    target: Shape,
    kernel: int,
    groups: int = 1,
    op_type: str = "Int8ConvRelu",
) -> Call:
    strides = -(-source[0] // target[0])
    arguments = dict(kernel=kernel, pad=kernel // 2, stride=strides)
    if groups > 1:
        arguments["group"] = groups
    weights = (target[2], kernel, kernel, source[2] // groups)
    return Call(
        op_type,
        _arguments(**arguments),
        ((1, *source), weights, (target[2],)),
    )


def _arguments(**values: int) -> tuple[tuple[str, str], ...]:
    return tuple(sorted([_ORDER, *((k, str(v)) for k, v in values.items())]))


def _all_calls(space: space_lib.Space) -> dict[str, list[Call]]:
    """Of each operator of a space, by its key."""
    operators = [x for _, x in latency_costs.distinct(space).values()]
    fbnet.check_kinds("candidates", [x.kind for x in operators])
    _, last = space_lib.end_models(space)
    filters = [
        layer.filters
        for layer in last.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    operators += space_lib.ends(space)
    return {operator.key: calls(operator, *filters) for operator in operators}


def _times(
    path: str | os.PathLike, records: dict[Call, list[dict]], call: Call
) -> list[float] | None:
    """Means of the percentiles of what agrees with a call."""
    if call not in records and call.op_type == "Int8Conv":
        call = dataclasses.replace(call, op_type="Int8ConvRelu")
    if call not in records:
        return None
    found = records[call]
    if any(x["input_dtypes"] != found[0]["input_dtypes"] for x in found):
        raise ValueError(
            f"{path}: records of {call.op_type} of {call.shapes} differ in "
            "input_dtypes alone"
        )
    return [np.mean([x[name] for x in found]) for name in _TIMES]


def _records(path: str | os.PathLike) -> dict[Call, list[dict]]:
    """The lines, by what they are of."""
    found = collections.defaultdict(list)
    lines = pathlib.Path(path).read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            found[_call(record)].append(record)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path}, line {number}, must be a JSON object of "
                f"{', '.join(_FIELDS)}: {error!r}"
            ) from error
    return dict(found)


def _call(record: dict) -> Call:
    """What a record is of; KeyError, TypeError or ValueError if of nothing."""
    values = {name: record[name] for name in _FIELDS}
    for name in _TIMES:
        float(values[name])
    shapes = tuple(tuple(map(int, x)) for x in values["input_shapes"])
    if values["op_type"] == "Int8FC":
        shapes = tuple(tuple(n for n in x if n > 1) for x in shapes)
    return Call(values["op_type"], _parsed(values["op_args"]), shapes)


def _parsed(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Of Caffe2's arguments as protocol buffer text."""
    found = []
    for text in texts:
        parts = _ARGUMENT.fullmatch(text)
        if not parts:
            raise ValueError(f"argument {text!r} is not understood")
        if parts[1] not in _IGNORED:
            found.append(parts.groups())
    return tuple(sorted(found))
