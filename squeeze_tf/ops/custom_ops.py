"""Finds and loads the compiled operators; stock_ops_only() does without."""

import contextlib
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

    Ours: wrap what must not hold custom operators, that is export and
    functions compiled with `jit_compile=True`.
    """
    before = getattr(_state, "stock_only", False)
    _state.stock_only = True
    try:
        yield
    finally:
        _state.stock_only = before


def active_library() -> ModuleType | None:
    """The operators to use here: None means their stock twins.

    They have kernels for the CPU alone, so where TensorFlow sees a GPU the
    twins, which run on it, are used.
    """
    if getattr(_state, "stock_only", False) or _has_gpu():
        return None
    return library()


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.get_visible_devices("GPU"))
