"""ShiftNet-A, -B and -C, Ch. 6 §3.2.

Five steps of stride 2 lead to maps of 1/32: 7 x 7 of 224 pixels, 1 x 1 of 32
or less, where a channel that is shifted holds zeros.
"""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import ends
from squeeze_tf.layers import shift_modules

keras = tf.keras

# Ch. 6 Table 7: kernel size, output channels; E and how often, for the module
# of stride 2 and for those after it.
_GROUPS = (
    (5, 64, (4, 1), (4, 4)),
    (5, 128, (4, 1), (3, 5)),
    (3, 256, (3, 1), (2, 6)),
    (3, 512, (2, 1), (1, 2)),
)
_GROUPS_C = tuple(
    (3, channels, (1, 1), (1, count - 1))
    for channels, count in zip((32, 64, 128, 256), (1, 4, 4, 3))
)
# Variant to its groups, channels of the first convolution, and downsampling.
VARIANTS = {
    "a": (_GROUPS, 32, "concat"),
    "b": (tuple((k, n // 2, *e) for k, n, *e in _GROUPS), 16, "concat"),
    "c": (_GROUPS_C, 32, "convolve"),
}


def shiftnet(
    *,
    variant: str = "a",
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 1e-4,
    momentum: float = 0.9,
    name: str | None = None,
) -> keras.Model:
    """A 7x7 convolution, four groups of CSC modules, a classifier.

    Source: Ch. 6 §3.2, Table 7. "b" has half the channels of "a", also in its
    first convolution, without which the first concatenation would not fit.
    Group 1 of "c" keeps 32 channels, so its modules of stride 2 make all their
    channels by convolution, which the printed 0.78 million parameters confirm.

    The model takes `image` [B, H, W, C] float in 0 to 255 and returns logits
    [B, num_classes] float.

    Args:
      variant: key of VARIANTS.
      input_shape: H, W, C.
      num_classes: how many.
      mean: of each channel of the image, or one for all.
      std: likewise.
      weight_decay: λ of the penalty λ/2 |w|² on all kernels.
      momentum: of the batch normalisation's averages.
      name: of the model; "shiftnet_" and the variant if not given.

    Raises:
      ValueError: an argument is not as described.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"variant must be one of {sorted(VARIANTS)}; got {variant!r}"
        )
    groups, stem, downsampling = VARIANTS[variant]
    settings = shift_modules.Settings(weight_decay, momentum)
    image, x = ends.image(input_shape, mean, std)
    x = shift_modules.convolution(
        x, stem, 7, name="conv1", settings=settings, strides=2
    )
    x = shift_modules.batch_norm(x, name="bn1", settings=settings)
    for group, (kernel_size, filters, first, rest) in enumerate(groups, 1):
        expansions = [e for e, count in (first, rest) for _ in range(count)]
        for i, expansion in enumerate(expansions):
            x = shift_modules.csc(
                x,
                filters,
                expansion=expansion,
                name=f"group{group}_{i}",
                settings=settings,
                kernel_size=kernel_size,
                strides=2 if i == 0 else 1,
                downsampling=downsampling,
            )
    logits = ends.logits(x, num_classes, settings)
    return keras.Model(image, logits, name=name or f"shiftnet_{variant}")
