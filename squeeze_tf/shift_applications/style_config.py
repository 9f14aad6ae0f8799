"""StyleConfig and its named settings; STYLE_CONFIGS."""

import dataclasses

from squeeze_tf.shift_applications import perceptual_loss, style_transfer


@dataclasses.dataclass(frozen=True)
class StyleConfig:
    """Everything one style is learned from.

    Defaults are Ch. 6 §3.4; what the thesis leaves open is Johnson et al.
    2016 §4.1: 40,000 steps of Adam, batches of 4.
    """

    # Data: the picture whose style to learn, a folder of images to repaint
    # (the thesis: COCO), and VGG16's weights, see vgg_features.load_weights().
    style: str = ""
    content: str = ""
    vgg_weights: str = ""
    image_size: int = 256
    # Largest shorter side of the style. Ours: it bounds the memory.
    style_size: int = 512

    # Network and loss: see style_transfer and perceptual_loss.
    form: str = "shift"
    content_weight: float = perceptual_loss.CONTENT_WEIGHT
    style_weight: float = perceptual_loss.STYLE_WEIGHTS[0]
    variation_weight: float = 0.0

    # Training: see training. An epoch is what a killed run repeats at most.
    batch_size: int = 4
    steps_per_epoch: int = 500
    epochs: int = 80
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    seed: int = 0


STYLE_CONFIGS = {
    # Ch. 6 §3.4, Figure 6: which λ_s depends on the style.
    "shift": StyleConfig(),
    "shift_5e10": dataclasses.replace(StyleConfig(), style_weight=5e10),
    "shift_1e11": dataclasses.replace(StyleConfig(), style_weight=1e11),
    "original": dataclasses.replace(StyleConfig(), form="original"),
    # Two steps, for tests.
    "smoke": dataclasses.replace(
        StyleConfig(),
        image_size=32,
        style_size=32,
        batch_size=1,
        steps_per_epoch=1,
        epochs=2,
    ),
}


def check(config: StyleConfig) -> None:
    """Refuses settings that make no sense.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    if config.form not in style_transfer.FORMS:
        raise ValueError(
            f"form must be one of {sorted(style_transfer.FORMS)}; got "
            f"{config.form!r}"
        )
    for field, least in (
        ("image_size", style_transfer.MIN_SIZE),
        ("style_size", style_transfer.MIN_SIZE),
        ("batch_size", 1),
        ("steps_per_epoch", 1),
        ("epochs", 1),
    ):
        if getattr(config, field) < least:
            raise ValueError(
                f"{field} must be {least} or more; got {getattr(config, field)}"
            )
    if config.image_size % style_transfer.MULTIPLE:
        raise ValueError(
            f"image_size must be a multiple of {style_transfer.MULTIPLE}; got "
            f"{config.image_size}"
        )
    for field in ("content_weight", "style_weight", "variation_weight"):
        if not 0 <= getattr(config, field) < float("inf"):
            raise ValueError(
                f"{field} must be a number from 0; got {getattr(config, field)}"
            )
