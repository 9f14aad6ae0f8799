"""Networks of whole numbers as one file, their weights at k bits each.

Ours: a NumPy .npz of the model's configuration and, for each layer, its
weights. A kernel of k bits takes k bits per weight: which of 2^k steps above
the lowest of its filter it is.
"""

import os
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from squeeze_tf import whole_file
from squeeze_tf.layers import channels, integer, quantization, shift

keras = tf.keras

# Whose layers a stored model may have; Keras must know them.
_LAYERS = (channels, integer, quantization, shift)
_KERNELS = integer.IntegerConv2D | integer.IntegerDense


def save(model: keras.Model, path: str | os.PathLike) -> int:
    """Writes a model of classification.integer.convert().

    Args:
      model: whose weights are kept exactly.
      path: of the file, which is replaced as a whole.

    Returns:
      The file's size in bytes.
    """
    content = {"model": np.array(model.to_json())}
    for layer in model.layers:
        for index, value in enumerate(layer.get_weights()):
            key = f"{layer.name}/{index}"
            if isinstance(layer, _KERNELS) and index == 0:
                content |= _packed(key, value, layer.weight_bits)
            else:
                content[key] = value
    with whole_file.replacing(path) as scratch, open(scratch, "wb") as file:
        np.savez_compressed(file, **content)
    return os.path.getsize(path)


def load(path: str | os.PathLike) -> keras.Model:
    """The model that save() wrote.

    Raises:
      ValueError: the file is not one of save()'s.
      OSError: there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            model = keras.models.model_from_json(str(content["model"]))
            for layer in model.layers:
                weights = [
                    _whole(content, f"{layer.name}/{i}", weight.shape)
                    for i, weight in enumerate(layer.weights)
                ]
                layer.set_weights(weights)
    except (
        *(KeyError, EOFError, ValueError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise ValueError(
            f"{path} holds no network of whole numbers as quantize writes "
            f"them: {error}"
        ) from error
    return model


def _packed(key: str, kernel: np.ndarray, bits: int) -> dict[str, np.ndarray]:
    """A kernel [C, N] as bits, with what they count from and in which steps."""
    lowest = kernel.min(axis=0)
    above = kernel.astype(np.int64) - lowest
    step = max(int(np.gcd.reduce(above, axis=None)), 1)
    digits = (above // step)[..., np.newaxis] >> np.arange(bits) & 1
    return {
        f"{key}/bits": np.packbits(digits.astype(np.uint8)),
        f"{key}/lowest": lowest,
        f"{key}/form": np.array([bits, step]),
    }


def _whole(
    content: np.lib.npyio.NpzFile, key: str, shape: tuple[int, ...]
) -> np.ndarray:
    if key in content:
        return content[key]
    bits, step = content[f"{key}/form"]
    count = int(np.prod(shape)) * bits
    digits = np.unpackbits(content[f"{key}/bits"], count=count)
    above = digits.reshape(*shape, bits).astype(np.int64) @ (
        1 << np.arange(bits)
    )
    return (content[f"{key}/lowest"] + step * above).astype(np.int8)
