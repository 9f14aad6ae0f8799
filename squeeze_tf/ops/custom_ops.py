"""Finds and loads the compiled operators; stock_ops_only() does without."""

import contextlib
import ctypes
import functools
import os
import pathlib
import threading
from collections.abc import Iterator
from types import ModuleType

import tensorflow as tf

REQUIRE_VARIABLE = "SQUEEZE_TF_REQUIRE_CUSTOM_OPS"
_LIBRARY = pathlib.Path(__file__).with_name("_squeeze_tf_ops.so")
_state = threading.local()


@functools.cache
def library() -> ModuleType | None:
    """The compiled operators, or None where they were not built.

    Raises:
      RuntimeError: the library is absent though the environment variable
        SQUEEZE_TF_REQUIRE_CUSTOM_OPS is 1.
      tf.errors.NotFoundError: the library is there but does not load, for
        instance because it was built for another TensorFlow.
    """
    if _LIBRARY.exists():
        return tf.load_op_library(str(_LIBRARY))
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        raise RuntimeError(
            f"{_LIBRARY} is absent but {REQUIRE_VARIABLE} is 1; build it with "
            "`pip install -e .` or `python setup.py build_ext --inplace`"
        )
    return None


@contextlib.contextmanager
def stock_ops_only() -> Iterator[None]:
    """Within it, everything traced or run uses stock TensorFlow operators.

    Ours: wrap what must not hold custom operators, such as an export.
    """
    before = getattr(_state, "stock_only", False)
    _state.stock_only = True
    try:
        yield
    finally:
        _state.stock_only = before


def active_library(
    tensor: tf.Tensor, *, gpu_kernels: bool = False
) -> ModuleType | None:
    """The operators to use on `tensor`: None means their stock twins.

    The twins are used in what is compiled by XLA (`jit_compile=True`) and,
    where TensorFlow sees a GPU, unless the library has kernels for it.

    Args:
      tensor: input of the operator.
      gpu_kernels: whether the operator has kernels for GPUs in a library that
        was built with CUDA.
    """
    if getattr(_state, "stock_only", False) or _for_xla(tensor):
        return None
    if _has_gpu() and not (gpu_kernels and has_gpu_kernels()):
        return None
    return library()


@functools.cache
def has_gpu_kernels() -> bool:
    """Whether the library is there and was built with CUDA."""
    if library() is None:
        return False
    return bool(ctypes.CDLL(str(_LIBRARY)).SqueezeTfHasGpuKernels())


def _for_xla(tensor: tf.Tensor) -> bool:
    """Whether `tensor` belongs to a function that XLA will compile.

    Ours: TensorFlow marks its graph, or one around it, with a context that
    has no public name.
    """
    graph = None if tf.executing_eagerly() else tensor.graph
    while graph is not None:
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.get_visible_devices("GPU"))
