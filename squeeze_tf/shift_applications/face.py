"""ShiftFaceNet: faces to points whose distance tells persons apart, Ch. 6."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import shiftnet
from squeeze_tf.shift_applications import center_loss

keras = tf.keras

EMBEDDING_SIZE = 128  # Schroff et al. 2015, Table 5; the thesis names none
# Wen et al. 2016 §4.1: what is taken from pixels of 0 to 255, and divides them.
MEAN, STD = (127.5,), (128.0,)


def shift_facenet(
    *,
    input_shape: Sequence[int] = (160, 160, 3),
    embedding_size: int = EMBEDDING_SIZE,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    name: str = "shift_facenet",
) -> keras.Model:
    """ShiftNet-C whose classifier is an embedding of unit length.

    Source: Ch. 6 §3.3. The thesis gives it the 0.78 million parameters of
    ShiftNet-C, whose classifier of 1000 classes has 0.26 million of them; with
    128 numbers instead 0.56 million are left.

    The model takes `image` [B, H, W, 3] float, red, green and blue in 0 to
    255, and returns `embedding` [B, embedding_size] float.

    Args:
      input_shape: H, W, C.
      embedding_size: numbers of an embedding.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels. Ours: 5e-4, as
        is usual where faces are classified.
      momentum: of the batch normalisation's averages.
      name: of the model.

    Raises:
      ValueError: an argument is not as described.
    """
    if embedding_size < 1:
        raise ValueError(
            f"embedding_size must be 1 or more; got {embedding_size}"
        )
    trunk = shiftnet.shiftnet(
        variant="c",
        input_shape=input_shape,
        num_classes=1,  # its classifier is left out
        mean=mean,
        std=std,
        weight_decay=weight_decay,
        momentum=momentum,
    )
    features = keras.layers.Dense(
        embedding_size, kernel_regularizer=_decay(weight_decay), name="features"
    )(trunk.get_layer("pool").output)
    return keras.Model(trunk.input, _unit(features), name=name)


def classifier(
    embedder: keras.Model,
    num_classes: int,
    *,
    center_weight: float = center_loss.WEIGHT,
    center_rate: float = center_loss.RATE,
    weight_decay: float = 5e-4,
) -> keras.Model:
    """What trains an embedder: a softmax over persons, with the centre loss.

    Source: Ch. 6 §3.3. Both read the features before they are made of unit
    length, as in Wen et al. 2016 §3.

    The model takes `image` [B, H, W, 3] and `class_id` [B] int and returns
    logits [B, num_classes]; the centre loss is added within.

    Args:
      embedder: of shift_facenet(), whose layers are shared.
      num_classes: persons, two or more.
      center_weight: λ of the centre loss.
      center_rate: α of the centre loss.
      weight_decay: as of shift_facenet().

    Raises:
      ValueError: there are fewer than two persons.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be 2 or more; got {num_classes}")
    class_id = keras.Input((), dtype="int32", name="class_id")
    features = embedder.get_layer("features").output
    x = center_loss.CenterLoss(
        num_classes, weight=center_weight, rate=center_rate, name="center_loss"
    )([features, class_id])
    logits = keras.layers.Dense(
        num_classes, kernel_regularizer=_decay(weight_decay), name="fc"
    )(x)
    return keras.Model(
        [embedder.input, class_id], logits, name="face_classifier"
    )


def embedder_of(model: keras.Model) -> keras.Model:
    """The embedder within a model of classifier(), with its weights."""
    image = model.inputs[0]
    features = model.get_layer("features").output
    return keras.Model(image, _unit(features), name="shift_facenet")


def _unit(features: tf.Tensor) -> tf.Tensor:
    """Vectors of length 1; Schroff et al. 2015 §3.1."""
    return keras.layers.UnitNormalization(name="embedding")(features)


def _decay(weight_decay: float) -> keras.regularizers.Regularizer | None:
    """Keras writes λ|w|² where λ/2 |w|² is meant."""
    return keras.regularizers.L2(weight_decay / 2) if weight_decay else None
