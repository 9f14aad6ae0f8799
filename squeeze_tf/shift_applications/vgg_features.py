"""Feature maps of VGG16, in which style and content are compared."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf import caffe_weights

keras = tf.keras

# Johnson et al. 2016 §4.1; the code that the thesis follows takes its content
# from relu2_2 and its style from all four.
NAMES = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
CONTENT = "relu2_2"
RANDOM = "random"
NEEDED = (
    "style transfer needs the ImageNet weights of VGG16, which do not come "
    "with this project: name their file, the .caffemodel of its authors' "
    "16-layer model, a .pkl of its layers' names to [kernel, bias], or the "
    '.h5 of keras.applications.VGG16. "random" goes without, to try the '
    "program out: it brings colours and some texture (Ustyuzhaninov et al. "
    "2016), no strokes or shapes"
)
# Block, convolutions, channels; nothing after conv4_3 is asked for.
_BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512))
_MEAN = (123.68, 116.779, 103.939)  # of ImageNet, red, green, blue
# Ours: the weights λ of Ch. 6 §3.4 were found with a VGG16 whose pixels have
# unit variance; those of the authors take 0 to 255 less the mean, so their
# features are about as many times larger as ImageNet's pixels spread.
_SCALE = 1 / 57.4


def vgg16_features(
    input_shape: Sequence[int | None] = (None, None, 3),
) -> keras.Model:
    """VGG16 up to conv4_3, with weights drawn at random and frozen.

    Source: Simonyan and Zisserman 2015, configuration D. The model takes
    `image` [B, H, W, 3] float, red, green and blue in 0 to 255, and returns
    the maps of NAMES, [B, H / 2^i, W / 2^i, 64 * 2^i] float for i from 0 to 3,
    divided by 57.4.

    Args:
      input_shape: H, W and 3; None for any size from 8.
    """
    x = image = keras.Input(tuple(input_shape), name="image")
    x = keras.layers.Normalization(
        mean=_MEAN, variance=[1.0] * 3, name="normalized"
    )(x)
    outputs = []
    for block, count, filters in _BLOCKS:
        if block > 1:
            x = keras.layers.MaxPooling2D(2, name=f"pool{block - 1}")(x)
        for i in range(1, count + 1):
            x = keras.layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{block}_conv{block}_{i}",
            )(x)
        name = NAMES[block - 1]
        outputs.append(keras.layers.Rescaling(_SCALE, name=name)(x))
    model = keras.Model(image, outputs, name="vgg16_features")
    model.trainable = False
    return model


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Sets the weights of vgg16_features().

    Args:
      model: of vgg16_features().
      path: .caffemodel, .pkl (squeeze_tf.caffe_weights) or .h5 file, or
        RANDOM, which leaves the model as it is.

    Raises:
      ValueError: no path is given, or the file lacks a layer or holds one of
        another shape; the message names the file.
      OSError: there is no such file.
    """
    if not os.fspath(path):
        raise ValueError(NEEDED)
    if str(path) == RANDOM:
        return
    if pathlib.Path(path).suffix == ".h5":
        _load_keras(model, path)
        return
    _, left = caffe_weights.load(model, path)
    if left:
        raise ValueError(
            f"{path}: expected all of VGG16 up to conv4_3; {', '.join(left)} "
            "are not there"
        )


def _load_keras(model: keras.Model, path: str | os.PathLike) -> None:
    """Reads the file of keras.applications, whose pixels are blue first."""
    if not pathlib.Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    other = keras.applications.VGG16(include_top=False, weights=None)
    unset = [np.full(w.shape, np.nan) for w in other.get_weights()]
    other.set_weights(unset)
    try:
        other.load_weights(str(path), by_name=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path}: expected the weights of keras.applications.VGG16; {error}"
        ) from error
    for block, count, _ in _BLOCKS:
        for i in range(1, count + 1):
            name = f"block{block}_conv{i}"
            kernel, bias = other.get_layer(name).get_weights()
            if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                raise ValueError(f"{path}: {name} is not there")
            if (block, i) == (1, 1):
                kernel = kernel[:, :, ::-1]
            layer = model.get_layer(f"conv{block}_conv{block}_{i}")
            layer.set_weights([kernel, bias])
