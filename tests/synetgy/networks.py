"""Small quantised networks with random normalisations, and images."""

import numpy as np
import tensorflow as tf

from squeeze_tf.classification import diracdeltanet
from squeeze_tf.layers import quantization

keras = tf.keras


def dirac(seed=0, **settings):
    """A DiracDeltaNet of 8 x 8 pixels."""
    keras.utils.set_random_seed(seed)
    model = diracdeltanet.diracdeltanet(
        **{
            "input_shape": (8, 8, 1),
            "num_classes": 10,
            "weight_bits": 4,
            "activation_bits": 4,
            "end_bits": 4,
            "stem": (4, 8),
            "stage_channels": (16, 32),
            "stage_blocks": (2, 1),
            "last": 24,
            "stem_pools": False,
        }
        | settings
    )
    return unsettled(model, seed)


def chain(middle=(), *, seed=0, dense=None, **shift):
    """Image, 1x1 convolution, pooling, shift and convolution, classifier.

    Args:
      middle: further layers before the average pooling.
      seed: of all weights.
      dense: the last layer, a quantised one if not given.
      shift: settings of the second convolution's shift.
    """
    keras.utils.set_random_seed(seed)
    bits = quantization.Bits(4, 3, 2.0)
    x = inputs = keras.Input((9, 8, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaled")(x)
    first = quantization.Bits(3, 8, 1.0)
    x = quantization.QuantConv2D(10, 1, bits=first, name="one")(x)
    x = keras.layers.BatchNormalization(name="one_bn")(x)
    x = quantization.ActQuant(bits=3, name="one_act")(x)
    x = keras.layers.MaxPooling2D(2, name="one_pool")(x)
    shift = {"convention": "cardinal"} | shift
    x = quantization.QuantShiftConv2D(6, bits=bits, name="two", **shift)(x)
    x = quantization.ActQuant(bits=3, initial_alpha=0.7, name="two_act")(x)
    for layer in middle:
        x = layer(x)
    count = x.shape[1] * x.shape[2]
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    dense = dense or quantization.QuantDense(
        5, bits=bits, count=count, bias_initializer="normal", name="dense"
    )
    return unsettled(keras.Model(inputs, dense(x), name="chain"), seed)


def unsettled(model, seed=0):
    """The model with random normalisations, some of which turn signs."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            gamma = random.normal(size=size)
            gamma[0] = 0.0  # a constant level
            layer.set_weights(
                [
                    gamma,
                    random.normal(size=size) + 0.5,
                    random.normal(size=size) / 10,
                    random.random(size) + 0.1,
                ]
            )
    return model


def images(model, count=20, seed=1):
    """[N, H, W, C] float32, whole numbers from 0 to 255."""
    shape = (count, *model.input_shape[1:])
    random = np.random.default_rng(seed)
    return random.integers(0, 256, shape).astype(np.float32)
