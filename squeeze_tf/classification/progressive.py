"""From full precision to few bits, step by step, Ch. 6 §4.3, Fig. 11."""

import tensorflow as tf

from squeeze_tf.layers import quantization
from squeeze_tf.ops import quantization as quantize_ops

keras = tf.keras

# Bounds α outside of these start each step at 1, as in the released code.
LEAST_BOUND, MOST_BOUND = 0.1, 10.0


def parse(path: str) -> tuple[tuple[int, int], ...]:
    """The configurations C_{w,a} of a path through Fig. 11.

    Args:
      path: weight and activation bits of each step, for instance
        "16/16,8/8,4/4".

    Returns:
      (weight bits, activation bits) of each.

    Raises:
      ValueError: the text is none of this form, or a step uses more bits than
        the one before.
    """
    steps = []
    for text in path.split(","):
        weight, slash, activation = text.strip().partition("/")
        if not (slash and weight.isdecimal() and activation.isdecimal()):
            raise ValueError(
                "bits must be pairs such as 16/16,8/8,4/4 (weights/"
                f"activations); got {text!r} in {path!r}"
            )
        steps.append((int(weight), int(activation)))
        for bits in steps[-1]:
            if bits != quantize_ops.FULL_PRECISION:
                quantize_ops.num_steps(bits)
    for before, after in zip(steps, steps[1:]):
        if after[0] > before[0] or after[1] > before[1]:
            raise ValueError(
                "no step may use more bits than the one before; got "
                f"{before[0]}/{before[1]} and then {after[0]}/{after[1]}"
            )
    return tuple(steps)


def reset_bounds(model: keras.Model) -> list[str]:
    """Sets α of ActQuant layers to 1 where training has led it astray.

    Source: released code: α is kept from step to step if 0.1 < α < 10.

    Returns:
      Names of the layers that were changed.
    """
    changed = []
    for layer in model.layers:
        if not isinstance(layer, quantization.ActQuant):
            continue
        if not LEAST_BOUND < float(layer.alpha[0]) < MOST_BOUND:
            layer.alpha.assign([1.0])
            changed.append(layer.name)
    return changed
