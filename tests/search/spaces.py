"""A small space of three layers, for tests."""

import tensorflow as tf

from squeeze_tf.search import space

keras = tf.keras
WIDTH = 4


def small(num_classes: int = 3) -> space.Space:
    """Layers of none, a 1x1 or a 3x3 convolution; the second has no "skip"."""

    def first():
        image = keras.Input((6, 6, 1), name="image")
        return image, keras.layers.Conv2D(WIDTH, 1, name="first")(
            keras.layers.Rescaling(1 / 255)(image)
        )

    def block(x, layer, kind, name):
        if kind == "skip":
            return x
        size, strides = int(kind), 2 if layer == 1 else 1
        x = keras.layers.Conv2D(
            WIDTH, size, strides, "same", name=f"{name}_conv"
        )(x)
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
        return keras.layers.ReLU(name=f"{name}_relu")(x)

    def last(x):
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.layers.Dense(num_classes, name="fc")(x)

    kinds = ("skip", "1", "3")
    return space.Space("small", (kinds, kinds[1:], kinds), first, block, last)
