"""Writes SavedModel and TFLite files that need nothing of this package."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from squeeze_tf import whole_file
from squeeze_tf.ops import custom_ops

keras = tf.keras

_OUR_OPERATORS = "SqueezeTf>"
Outputs = dict[str, np.ndarray]
# Input, outputs of the live model and of the file: the largest difference of
# a score, how many things agree (or the sum of their likenesses, each at most
# 1), and of how many.
Agreement = Callable[[np.ndarray, Outputs, Outputs], tuple[float, float, int]]
TFLITE_KINDS = ("float32", "float16", "int8")
# Least share of labels or boxes that stay, Ours: float formats keep the label
# wherever the two best scores differ by more than rounding; 8 bits do not, and
# are judged by how much of the map stays.
MIN_AGREEMENT = {
    "saved_model": 0.9999,
    "float32": 0.9999,
    "float16": 0.995,
    "int8": 0.95,
}
# Largest difference of any score; 8 bits are judged by their labels alone.
MAX_DIFFERENCE = {
    "saved_model": 1e-3,
    "float32": 1e-3,
    "float16": 0.2,
    "int8": float("inf"),
}


@dataclasses.dataclass(frozen=True)
class Parity:
    """How an exported file compares with the live model.

    Attributes:
      path: of the file.
      kind: "saved_model" or one of TFLITE_KINDS.
      largest_difference: of any score.
      agreement: share of what counts, as cells or boxes, that is the same, or
        its mean likeness.
      size: bytes.
    """

    path: pathlib.Path
    kind: str
    largest_difference: float
    agreement: float
    size: int


def saved_model(model: keras.Model, path: str | os.PathLike) -> None:
    """Writes `model` as a SavedModel of stock operators, traced afresh.

    The signature `serving_default` takes the model's one input, by its name,
    for any batch size and returns `scores`, or what a model with a dict of
    outputs names.

    Raises:
      ValueError: a custom operator is left in the graph.
      FileExistsError: `path` exists.
    """
    path = _new(path)
    scratch = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    serve = _serving(model, batch_size=None)
    tf.saved_model.save(_weights(model), str(scratch), signatures=serve)
    _reject_custom_operators(scratch)
    os.replace(scratch, path)


def tflite(model: keras.Model, path: str | os.PathLike, kind: str) -> None:
    """Writes `model` for the TFLite interpreter, built-in operators only.

    Args:
      model: with one input.
      path: of the .tflite file.
      kind: "float32"; "float16" weights; or "int8": 8-bit weights of the
        convolutions, whose inputs the interpreter quantises scan by scan.
        Ours: calibrated 8-bit activations agree in fewer labels, since one
        scale for metres and intensity leaves the latter few steps.

    Raises:
      ValueError: `kind` is unknown.
      FileExistsError: `path` exists.
    """
    if kind not in TFLITE_KINDS:
        raise ValueError(f"kind must be one of {TFLITE_KINDS}; got {kind!r}")
    path = _new(path)
    serve = _serving(model, batch_size=1)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve], _weights(model)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    whole_file.write(path, content)


def compare(
    model: keras.Model,
    path: str | os.PathLike,
    kind: str,
    batches: Iterable[np.ndarray],
    agreement: Agreement | None = None,
) -> Parity:
    """Runs an exported file and the live model on the same inputs.

    Args:
      model: the live one.
      path: of the exported file.
      kind: "saved_model" or one of TFLITE_KINDS.
      batches: inputs [1, ...] float32 as the model takes them.
      agreement: how outputs compare; cell_labels() if not given.

    Returns:
      The largest difference of the scores and the agreement.
    """
    agreement = agreement or cell_labels()
    (name,) = model.input_names
    runner = _saved_runner if kind == "saved_model" else _lite_runner
    run = runner(path, name)
    largest, same, count = 0.0, 0, 0
    for batch in batches:
        expected = _named(model(batch, training=False))
        got = run(batch)
        if not all(np.isfinite(value).all() for value in got.values()):
            raise ValueError(f"{path}: outputs are not finite")
        found = agreement(
            batch, {k: v.numpy() for k, v in expected.items()}, got
        )
        largest = max(largest, found[0])
        same, count = same + found[1], count + found[2]
    if not count:
        raise ValueError("comparing needs at least one input that counts")
    return Parity(
        path=pathlib.Path(path),
        kind=kind,
        largest_difference=largest,
        agreement=same / count,
        size=_size(pathlib.Path(path)),
    )


def cell_labels(
    counted: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Agreement:
    """Agreement of the labels of cells, the largest of their `scores`.

    Args:
      counted: input to the cells, bool like its labels, that count; all of
        them if not given.
    """

    def agreement(
        batch: np.ndarray, expected: Outputs, got: Outputs
    ) -> tuple[float, int, int]:
        live, file = expected["scores"], got["scores"]
        equal = live.argmax(-1) == file.argmax(-1)
        if counted is not None:
            equal = equal[counted(batch)]
        return float(np.abs(file - live).max()), int(equal.sum()), equal.size

    return agreement


def check(parity: Parity, min_agreement: float | None = None) -> None:
    """Refuses an export that departs from the live model.

    Raises:
      ValueError: fewer cells or boxes agree than the bound, or a score
        differs by more than MAX_DIFFERENCE.
    """
    bound = (
        MIN_AGREEMENT[parity.kind] if min_agreement is None else min_agreement
    )
    if parity.agreement < bound:
        raise ValueError(
            f"{parity.path}: outputs agree with the live model in "
            f"{parity.agreement:.4%} of the cases, below {bound:.4%}"
        )
    most = MAX_DIFFERENCE[parity.kind]
    if parity.largest_difference > most:
        raise ValueError(
            f"{parity.path}: scores differ by up to "
            f"{parity.largest_difference:.2e}, above {most:.0e}"
        )


def _new(path: str | os.PathLike) -> pathlib.Path:
    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; remove it or take another name")
    return path


def _weights(model: keras.Model) -> tf.Module:
    """What holds the weights; a model would bring its own graphs."""
    module = tf.Module()
    module.weights = model.weights
    return module


def _serving(
    model: keras.Model, batch_size: int | None
) -> tf.types.experimental.ConcreteFunction:
    """The forward pass, traced with stock operators."""
    (tensor,), (name,) = model.inputs, model.input_names
    spec = tf.TensorSpec((batch_size, *tensor.shape[1:]), tf.float32, name)

    @tf.function(input_signature=[spec])
    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return _named(model(x, training=False))

    with custom_ops.stock_ops_only():
        return serve.get_concrete_function()


def _reject_custom_operators(path: pathlib.Path) -> None:
    """Reads the saved graph back and looks for our operators."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    left = set()
    for graph in saved.meta_graphs:
        nodes = list(graph.graph_def.node)
        for function in graph.graph_def.library.function:
            nodes += function.node_def
        left |= {n.op for n in nodes if n.op.startswith(_OUR_OPERATORS)}
    if left:
        shutil.rmtree(path)
        raise ValueError(f"custom operators left in {path}: {sorted(left)}")


def _named(output: tf.Tensor | dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What a model returns, by name."""
    return output if isinstance(output, dict) else {"scores": output}


def _saved_runner(path: str | os.PathLike, name: str):  # noqa: ANN202
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]

    def run(x: np.ndarray) -> Outputs:
        made = serve(**{name: tf.constant(x)})
        return {key: value.numpy() for key, value in made.items()}

    return run


def _lite_runner(path: str | os.PathLike, name: str):  # noqa: ANN202
    interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    serve = interpreter.get_signature_runner()
    return lambda x: serve(**{name: x})


def _size(path: pathlib.Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
