"""What runs an operator whose latency is measured, by the engine's name."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

keras = tf.keras

Call = Callable[[], object]
_CALIBRATION = 8  # inputs that 8-bit activations are scaled by


def _graph(
    model: keras.Model, batch_size: int, num_threads: int, xla: bool = False
) -> Call:
    """The model as a TensorFlow graph of its input; weights are variables."""
    x = tf.random.normal((batch_size, *model.input_shape[1:]))
    function = tf.function(
        lambda x: model(x, training=False), jit_compile=xla, autograph=False
    )
    run = function.get_concrete_function(x)

    def call(_: object = function) -> None:  # which keeps the variables
        run(x)
        tf.test.experimental.sync_devices()

    return call


def _tflite(
    model: keras.Model,
    batch_size: int,
    num_threads: int,
    integers: bool = False,
) -> Call:
    """The model under the TFLite interpreter, whose input is set once."""
    shape = (batch_size, *model.input_shape[1:])
    function = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec(shape)],
        autograph=False,
    )
    weights = tf.Module()  # a model brings its graphs: many times slower
    weights.kept = model.weights
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], weights
    )
    if integers:
        _quantise(converter, shape)
    with _silent():
        content = converter.convert()
    interpreter = tf.lite.Interpreter(
        model_content=content, num_threads=num_threads
    )
    interpreter.allocate_tensors()
    (x,) = interpreter.get_input_details()
    values = 20 * np.random.default_rng(0).normal(size=shape)
    interpreter.set_tensor(x["index"], values.astype(x["dtype"]))
    return interpreter.invoke


def _quantise(
    converter: tf.lite.TFLiteConverter, shape: tuple[int, ...]
) -> None:
    """Sets 8-bit weights and activations, input and output."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(_CALIBRATION, *shape)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x] for x in inputs)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps the converter's many lines from the error stream."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# What makes a call of a model, for so many images and threads. Graphs have the
# threads that TensorFlow was given before its first operator.
ENGINES: dict[str, Callable[[keras.Model, int, int], Call]] = {
    "keras": _graph,
    "xla": functools.partial(_graph, xla=True),
    "tflite": _tflite,
    "tflite_int8": functools.partial(_tflite, integers=True),
}
