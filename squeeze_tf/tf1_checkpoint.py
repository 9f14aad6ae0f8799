"""Reads checkpoints of the authors' TensorFlow 1 code into our models."""

import os
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

keras = tf.keras

# Our weight name -> the last part of the released variable's name; ResNet50
# names the statistics otherwise.
_LEAVES = {
    "kernel": ("kernels",),
    "bias": ("biases",),
    "gamma": ("gamma",),
    "beta": ("beta",),
    "moving_mean": ("moving_mean", "mean"),
    "moving_variance": ("moving_var", "var"),
}
_TRAINING_ONLY = ("Momentum", "global_step")


def load(
    model: keras.Model,
    path: str | os.PathLike,
    convert: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
) -> list[str]:
    """Sets every weight of `model` from a checkpoint of the released code.

    Names correspond layer by layer: "fire2/squeeze1x1/kernels" there is the
    kernel of layer "fire2_squeeze1x1" here. Nothing is set unless everything
    fits.

    Args:
      model: built by this package, with the layer names of the release.
      path: checkpoint prefix, without ".index".
      convert: released name to what is done with its value before it is set.

    Returns:
      Names of the checkpoint's variables that training alone needs, and that
      were therefore left out.

    Raises:
      FileNotFoundError: there is no such checkpoint.
      ValueError: a weight has no counterpart, or another shape, or the
        checkpoint holds variables that the model lacks.
    """
    path = os.fspath(path)
    if not os.path.exists(f"{path}.index"):
        raise FileNotFoundError(f"no checkpoint {path}: {path}.index is absent")
    reader = tf.train.load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    by_flat_name = {name.replace("/", "_"): name for name in shapes}
    found, problems = {}, []
    for layer in model.layers:
        for weight in layer.weights:
            if layer.name == "normalized":  # constants of the model
                continue
            names = _released_names(layer.name, weight)
            name = next(
                (by_flat_name[n] for n in names if n in by_flat_name), None
            )
            if name is None:
                problems.append(f"{layer.name}/{weight.name}: not there")
            elif int(np.prod(shapes[name])) != int(np.prod(weight.shape)):
                problems.append(
                    f"{name}: {shapes[name]}, wanted {tuple(weight.shape)}"
                )
            else:
                found[name] = weight
    left = sorted(set(shapes) - set(found))
    unknown = [n for n in left if n.rsplit("/", 1)[-1] not in _TRAINING_ONLY]
    problems += [f"{name}: not in the model" for name in unknown]
    if problems:
        raise ValueError(
            f"checkpoint {path} is of another model than {model.name} "
            f"({len(problems)} differences): " + "; ".join(problems[:5])
        )
    for name, weight in found.items():
        value = reader.get_tensor(name)
        if convert and name in convert:
            value = convert[name](value)
        weight.assign(value.reshape(weight.shape))
    return left


def _released_names(layer: str, weight: tf.Variable) -> list[str]:
    """What the released variable may be called, with "_" for "/"."""
    leaf = weight.name.rsplit("/", 1)[-1].split(":")[0]
    return [
        f"{layer.removesuffix('_bn')}_{name}"
        for name in _LEAVES.get(leaf, (leaf,))
    ]
