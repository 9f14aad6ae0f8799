"""ClassificationConfig and its named settings; CONFIGS."""

import dataclasses

from squeeze_tf.classification import (
    diracdeltanet,
    ends,
    fbnet_architectures,
    inputs,
    models,
    schedules,
    shift_resnet,
)
from squeeze_tf.ops import quantization

# Of the released CIFAR code, times 255.
CIFAR_MEAN, CIFAR_STD = (125.3, 123.0, 113.9), (51.6, 50.8, 51.3)
# ImageNet's, as is usual, times 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
DIGITS_MEAN, DIGITS_STD = (77.8,), (95.9,)  # of all 1797 images


@dataclasses.dataclass(frozen=True)
class ClassificationConfig:
    """Everything one classification run is made of.

    Defaults are CIFAR-10 and the recipe of Ch. 6 §3.1, which is the released
    code's.
    """

    # Data: see classification.inputs. validation_share is of "folders" without
    # a folder for each part; without it and validation_data all images train.
    dataset: str = "cifar10"
    train_data: str = ""
    validation_data: str = ""
    validation_share: float = 0.0

    # Model: see classification.models, whose OPTIONS say which of these fields
    # a model takes.
    model: str = "shift_resnet"
    input_height: int = 32
    input_width: int = 32
    channels: int = 3
    mean: tuple[float, ...] = CIFAR_MEAN
    std: tuple[float, ...] = CIFAR_STD
    depth: int = 20
    expansion: float = 3.0
    form: str = "released"
    reduction: float = 1.0
    rule: str = "net"
    width: float = 1.0
    weight_bits: int = 32
    activation_bits: int = 32
    end_bits: int = 32
    weight_form: str = "thesis"
    stem: tuple[int, ...] = diracdeltanet.STEM
    stage_channels: tuple[int, ...] = diracdeltanet.STAGE_CHANNELS
    stage_blocks: tuple[int, ...] = diracdeltanet.STAGE_BLOCKS
    block_kinds: tuple[str, ...] = ()
    last: int = diracdeltanet.LAST
    stem_pools: bool = True
    blocks: tuple[str, ...] = fbnet_architectures.ARCHITECTURES[
        "fbnet_a"
    ].blocks
    last_filters: int = fbnet_architectures.ARCHITECTURES[
        "fbnet_a"
    ].last_filters
    bits: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    batch_norm_momentum: float = 0.9

    # Training: see training and classification.schedules. initial_weights is a
    # workdir of another run; teacher is one too, whose probabilities take the
    # place of the labels (classification.distillation).
    initial_weights: str = ""
    teacher: str = ""
    batch_size: int = 128
    epochs: int = 164
    learning_rate: float = 0.1
    schedule: str = "steps"
    decay_epochs: tuple[int, ...] = (82, 123)  # 32k and 48k iterations
    decay_rate: float = 0.1
    weight_decay: float = 5e-4
    seed: int = 0

    # Augmentation, and the share of the image that is evaluated: see
    # classification.inputs.
    pad: int = 4
    flip: bool = True
    min_crop: float = 1.0
    crop_share: float = 1.0


# The released code's r for the E of Ch. 6 Tables 5 and 6 and the depth, by
# rule; those of depthwise convolutions are smaller than 1 for more channels.
REDUCTIONS = {
    "module": {
        20: {1: 7.8, 3: 2.9, 6: 1.5, 9: 0.98},
        56: {1: 8.4, 3: 2.9, 6: 1.5, 9: 0.98},
        110: {1: 8.5, 3: 2.9, 6: 1.5, 9: 0.98},
    },
    "net": {
        20: {1: 7.2, 3: 2.8, 6: 1.5, 9: 0.98},
        56: {1: 7.6, 3: 2.9, 6: 1.5, 9: 0.98},
        110: {1: 7.8, 3: 2.9, 6: 1.5, 9: 0.98},
    },
    "dw": {
        20: {1: 1.12, 3: 0.38, 6: 0.19, 9: 0.125},
        56: {1: 1.12, 3: 0.37, 6: 0.19, 9: 0.124},
        110: {1: 1.1, 3: 0.37, 6: 0.19, 9: 0.123},
    },
}
_IMAGENET = dataclasses.replace(
    ClassificationConfig(),
    dataset="records",
    input_height=224,
    input_width=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    pad=0,
    min_crop=0.2,
    crop_share=0.875,
    epochs=90,
    weight_decay=1e-4,  # of the cited ResNet; the thesis prints none
)
# Ch. 6 §3.2.
_SHIFTNET = dataclasses.replace(
    _IMAGENET, batch_size=2048, learning_rate=0.8, decay_epochs=(30, 60)
)
# Ch. 6 §4.2.
_DIRACDELTANET = dataclasses.replace(
    _IMAGENET,
    batch_size=1024,
    learning_rate=0.5,
    schedule="linear",
    decay_epochs=(),
    weight_decay=4e-5,
)
# The thesis prints no recipe for FBNet: rate, decay and cosine are what public
# code of the search gives the weights; the batch is the cited ResNet's.
_FBNET = dataclasses.replace(
    _IMAGENET,
    batch_size=256,
    learning_rate=0.1,
    schedule="cosine",
    decay_epochs=(),
)
# The recipe of Ch. 6 §3.1 in a fifth of its epochs. Ours: see RESULTS.md.
_DIGITS = dataclasses.replace(
    ClassificationConfig(),
    dataset="digits",
    input_height=8,
    input_width=8,
    channels=1,
    mean=DIGITS_MEAN,
    std=DIGITS_STD,
    depth=8,
    expansion=1.0,
    batch_size=64,
    epochs=33,
    decay_epochs=(17, 25),
    pad=1,
    flip=False,
)


def _cifar_rows() -> dict[str, ClassificationConfig]:
    """The rows of Ch. 6 Tables 5 and 6, also those that they do not print."""
    rows = {}
    for dataset in ("cifar10", "cifar100"):
        base = dataclasses.replace(ClassificationConfig(), dataset=dataset)
        for depth, by_expansion in REDUCTIONS["net"].items():
            for e in by_expansion:
                end = f"{depth}_{e}"
                rows[f"{dataset}_shift_resnet{end}"] = dataclasses.replace(
                    base, depth=depth, expansion=float(e)
                )
                rows[f"{dataset}_dw_resnet{end}"] = dataclasses.replace(
                    base,
                    model="dw_resnet",
                    depth=depth,
                    reduction=REDUCTIONS["dw"][depth][e],
                )
                for rule in shift_resnet.RULES:
                    rows[f"{dataset}_resnet_{rule}{end}"] = dataclasses.replace(
                        base,
                        model="resnet",
                        depth=depth,
                        rule=rule,
                        reduction=REDUCTIONS[rule][depth][e],
                    )
            rows[f"{dataset}_resnet{depth}"] = dataclasses.replace(
                base, model="resnet", depth=depth
            )
    return rows


CONFIGS = {
    **_cifar_rows(),
    # Ch. 6 Table 3, with the recipe of the cited ResNet; the thesis has none.
    **{
        f"{model}_{reduction}": dataclasses.replace(
            _SHIFTNET,
            model=model,
            reduction=float(reduction),
            batch_size=256,
            learning_rate=0.1,
        )
        for model in ("resnet50", "shift_resnet50")
        for reduction in (1, 2, 4)
    },
    # Ch. 6 Table 8.
    **{
        f"shiftnet_{variant}": dataclasses.replace(
            _SHIFTNET, model=f"shiftnet_{variant}"
        )
        for variant in "abc"
    },
    # Ch. 6 Table 11.
    "shufflenet_v2": dataclasses.replace(_DIRACDELTANET, model="shufflenet_v2"),
    "diracdeltanet": dataclasses.replace(_DIRACDELTANET, model="diracdeltanet"),
    # Ch. 7 Tables 7-9. "fbnet" takes the `blocks` that a search has found.
    "fbnet": dataclasses.replace(_FBNET, model="fbnet"),
    **{
        name: dataclasses.replace(
            _FBNET,
            model=name,
            input_height=found.input_size,
            input_width=found.input_size,
        )
        for name, found in fbnet_architectures.ARCHITECTURES.items()
    },
    # Ch. 7 Tables 1 to 4, which take the `bits` that a search has found. The
    # thesis prints no recipes: these are the ones of the plain ResNets above.
    "cifar10_precision_resnet20": dataclasses.replace(
        ClassificationConfig(), model="precision_resnet"
    ),
    "precision_resnet18": dataclasses.replace(
        _SHIFTNET,
        model="precision_resnet",
        depth=18,
        batch_size=256,
        learning_rate=0.1,
    ),
    # One's own classes, a folder for each.
    "own": dataclasses.replace(
        _IMAGENET,
        dataset="folders",
        validation_share=0.2,
        model="shiftnet_c",
        input_height=64,
        input_width=64,
        min_crop=0.5,
        batch_size=32,
        learning_rate=0.05,
        schedule="cosine",
        decay_epochs=(),
        epochs=60,
    ),
    # Without any download, in half a minute on one core: RESULTS.md. Each has
    # about the 12,218 parameters of the first (classification.ladder).
    "digits_shift_resnet": _DIGITS,
    "digits_resnet_module": dataclasses.replace(
        _DIGITS, model="resnet", rule="module", reduction=8.5
    ),
    "digits_resnet_net": dataclasses.replace(
        _DIGITS, model="resnet", rule="net", reduction=6.3
    ),
    "digits_dw_resnet": dataclasses.replace(
        _DIGITS, model="dw_resnet", reduction=1.13
    ),
    # DiracDeltaNet for images of a few pixels, to be quantised (quantize); its
    # image is not centred, so that the first layer can be quantised as well.
    "digits_diracdeltanet": dataclasses.replace(
        _DIGITS,
        model="diracdeltanet",
        mean=ends.MEAN,
        std=ends.STD,
        stem=(16, 32),
        stage_channels=(64, 128),
        stage_blocks=(3, 3),
        last=256,
        stem_pools=False,
        weight_decay=4e-5,
    ),
    # All parameters that a ResNet of this depth has.
    "digits_resnet": dataclasses.replace(_DIGITS, model="resnet"),
    # Blocks of different bits (search_precision) on images of a few pixels.
    "digits_precision_resnet20": dataclasses.replace(
        _DIGITS, model="precision_resnet", depth=20
    ),
    # Two steps on whatever images there are, for tests.
    "smoke": dataclasses.replace(
        _DIGITS, batch_size=8, epochs=2, decay_epochs=(1,), learning_rate=0.01
    ),
}


def check(config: ClassificationConfig) -> None:
    """Refuses settings that fit no data.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    for field, known in (
        ("model", models.MODELS),
        ("dataset", inputs.DATASETS),
        ("schedule", schedules.SCHEDULES),
        ("form", shift_resnet.FORMS),
        ("rule", shift_resnet.RULES),
        ("weight_form", quantization.WEIGHT_FORMS),
        ("channels", (1, 3)),
    ):
        if getattr(config, field) not in known:
            raise ValueError(
                f"{field} must be one of {sorted(known)}; got "
                f"{getattr(config, field)!r}"
            )
    for field in ("batch_size", "epochs", "input_height", "input_width"):
        if getattr(config, field) < 1:
            raise ValueError(
                f"{field} must be 1 or more; got {getattr(config, field)}"
            )
    for field in ("min_crop", "crop_share", "decay_rate"):
        if not 0 < getattr(config, field) <= 1:
            raise ValueError(
                f"{field} must be above 0 and at most 1; got "
                f"{getattr(config, field)}"
            )
    if not 0 <= config.validation_share < 1:
        raise ValueError(
            "validation_share must be 0 or more and below 1; got "
            f"{config.validation_share}"
        )
    for field in ("pad", "weight_decay", "learning_rate"):
        if not 0 <= getattr(config, field) < float("inf"):
            raise ValueError(
                f"{field} must be 0 or more; got {getattr(config, field)}"
            )
