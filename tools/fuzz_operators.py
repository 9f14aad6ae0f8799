"""Calls the fused shift with random arguments, most of them bad.

    python -m tools.fuzz_operators [--tuples=10000] [--seed=0]

Each call must return a finite result or raise an error of TensorFlow that says
what was wrong; anything else ends the program, and so does a crash. Run it
under valgrind, or with a library built with -fsanitize=address, to look for
wrong accesses to memory as well (CONTRIBUTING.md).
"""

import collections

import numpy as np
import tensorflow as tf
from absl import app, flags
from tqdm import tqdm

from squeeze_tf.ops import custom_ops

_TUPLES = flags.DEFINE_integer("tuples", 10_000, "How many calls.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the arguments.")
_REFUSED = (tf.errors.InvalidArgumentError, ValueError, TypeError)


def main(_: list[str]) -> None:
    """Calls all, and counts what became of them."""
    if custom_ops.library() is None:
        raise SystemExit("the operators are not built")
    random = np.random.default_rng(_SEED.value)
    counts: collections.Counter[str] = collections.Counter()
    for _ in tqdm(range(_TUPLES.value), unit="call", mininterval=5):
        name, arguments = tuple_of(random)
        counts[f"{name}: {outcome(name, arguments)}"] += 1
    for line, count in sorted(counts.items()):
        print(f"{count:7d}  {line}")


def outcome(name: str, arguments: dict[str, object]) -> str:
    """ "computed" or "refused".

    Raises:
      AssertionError: a result is not finite, or an error says nothing.
    """
    operator = getattr(custom_ops.library(), f"squeeze_tf_{name}")
    try:
        results = operator(**arguments)
    except _REFUSED as error:
        assert len(str(error)) > 10, f"{name}({arguments}): {error!r}"
        return "refused"
    for result in tf.nest.flatten(results):
        finite = np.isfinite(result.numpy()).all()
        assert finite, f"{name}({arguments}) gave {result}"
    return "computed"


def tuple_of(
    random: np.random.Generator,
) -> tuple[str, dict[str, object]]:
    """An operator and arguments that fit it, but for up to three of them."""
    batch, height, width, channels, filters = random.integers(
        [0, 0, 0, 0, 0], [3, 12, 34, 40, 40]
    )
    strides = int(random.choice([1, 1, 2, 3]))
    out = (batch, -(-height // strides), -(-width // strides), filters)
    map_shape = (batch, height, width, channels)
    name = random.choice(
        [
            "shift_conv2d",
            "shift_conv2d_input_grad",
            "shift_conv2d_kernel_grad",
            "integer_shift_conv2d",
        ]
    )
    offsets = random.integers(-4, 5, 2 * channels)
    if random.integers(4) == 0:
        offsets = random.choice([0, 1, -1, 256, -256], 2 * channels)
    relu = bool(random.integers(2))
    arguments: dict[str, object] = {
        "offsets": offsets.tolist(),
        "strides": strides,
    }
    if name != "integer_shift_conv2d":
        arguments["relu"] = relu
    if name == "shift_conv2d":
        arguments |= {
            "x": _floats(random, map_shape),
            "kernel": _floats(random, (channels, filters)),
            "bias": _floats(random, (filters * random.integers(2),)),
        }
    elif name == "shift_conv2d_input_grad":
        arguments |= {
            "shape": np.array(map_shape, np.int32),
            "gradient": _floats(random, out),
            "kernel": _floats(random, (channels, filters)),
            "output": _floats(random, out if relu else (0,)),
        }
    elif name == "shift_conv2d_kernel_grad":
        arguments |= {
            "x": _floats(random, map_shape),
            "gradient": _floats(random, out),
            "output": _floats(random, out if relu else (0,)),
        }
    else:
        levels = random.integers(3)
        arguments |= {
            "x": random.integers(0, 256, map_shape).astype(np.uint8),
            "kernel": random.integers(-128, 128, (channels, filters)).astype(
                np.int8
            ),
            "thresholds": random.integers(
                -5000, 5000, (filters, 7 * levels)
            ).astype(np.int32),
            "Tout": tf.uint8 if levels else tf.int32,
        }
    for _ in range(random.integers(4)):
        key = random.choice(list(arguments))
        arguments[key] = _changed(random, arguments[key])
    return name, arguments


def _floats(random: np.random.Generator, shape: tuple) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def _changed(random: np.random.Generator, value: object) -> object:
    """Something of the same kind that probably does not fit."""
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and value.dtype == np.int32:  # a shape
            return random.integers(-2, 20, random.integers(6)).astype(np.int32)
        shape = list(value.shape)
        kind = random.integers(3)
        if kind == 0 and shape:
            axis = random.integers(len(shape))
            shape[axis] = int(random.integers(0, 20))
        elif kind == 1:
            shape.append(2)
        else:
            shape = shape[1:]
        return np.ones(shape, value.dtype)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int(random.choice([-1, 0, 2, 5, 2**20, 2**31, 2**62]))
    if isinstance(value, list):
        if random.integers(2):
            return [*value[1:], int(random.choice([257, 2**31, -(2**62)]))]
        return random.integers(-9, 9, random.integers(90)).tolist()
    return random.choice([tf.uint8, tf.int32, tf.float32])


if __name__ == "__main__":
    app.run(main)
