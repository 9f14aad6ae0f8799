"""SearchConfig and its named settings; CONFIGS."""

import dataclasses

from squeeze_tf.classification import config as classification_config
from squeeze_tf.classification import ends, fbnet
from squeeze_tf.search import dirac_space, precision_space

COSTS = ("latency", "macs", "size", "compute")
LATENCY_FORMATS = ("squeeze_tf", "facebook", "nni", "text")


@dataclasses.dataclass(frozen=True)
class SearchConfig(classification_config.ClassificationConfig):
    """Everything one search of Ch. 7 is made of.

    The fields of ClassificationConfig are those of each network that is
    trained from scratch; its data, sizes and batch size are also the super
    net's. Temperatures, rates and decays are those of public code (the thesis
    prints none), epochs and the share of Ch. 7 §7.1.
    """

    # Super net: see search.train. The first warm-up epochs train weights alone.
    search_epochs: int = 90
    warmup_epochs: int = 10
    weights_share: float = 0.8
    initial_temperature: float = 5.0
    temperature_decay: float = 0.045
    search_learning_rate: float = 0.1
    architecture_learning_rate: float = 0.01
    architecture_weight_decay: float = 5e-4

    # Cost: one of COSTS. "latency" reads a table of tools.measure_operators or
    # tools.synetgy.search_table, or another of LATENCY_FORMATS; `device` is the
    # name it must have, if given. cost_power is β of Eq. 18 and γ of Eq. 15.
    cost: str = "macs"
    latency_table: str = ""
    latency_format: str = "squeeze_tf"
    device: str = ""
    cost_power: float = 0.6
    kinds: tuple[str, ...] = tuple(fbnet.BLOCKS)

    # Architectures that are drawn and trained.
    num_samples: int = 6


def _fields(name: str) -> dict[str, object]:
    """Of a named setting of classification."""
    found = classification_config.CONFIGS[name]
    return {x.name: getattr(found, x.name) for x in dataclasses.fields(found)}


_FBNET = _fields("fbnet")
_DIGITS = {
    "dataset": "digits",
    "channels": 1,
    "mean": classification_config.DIGITS_MEAN,
    "std": classification_config.DIGITS_STD,
    "min_crop": 1.0,
    "crop_share": 1.0,
    "flip": False,
    "input_height": 32,
    "input_width": 32,
    "batch_size": 64,
    "width": 0.35,
    "last_filters": 128,
}
FBNET = {
    # Ch. 7 §7.1, on folders of 100 classes.
    "imagenet": SearchConfig(**(_FBNET | {"dataset": "folders"})),
    # Ours, without any download: the 8 x 8 digits as 32 x 32 images.
    "digits": SearchConfig(
        **(_FBNET | _DIGITS | {"epochs": 30, "pad": 4}),
        temperature_decay=0.04,
        architecture_learning_rate=0.05,
        cost_power=2.0,
    ),
    # In two minutes.
    "smoke": SearchConfig(
        **(_FBNET | _DIGITS | {"epochs": 2, "pad": 4, "width": 0.2}),
        search_epochs=3,
        warmup_epochs=1,
        kinds=("k3_e1", "skip"),
        num_samples=2,
    ),
}

_DIGITS_PRECISION = _fields("digits_precision_resnet20")
PRECISION = {
    # Ch. 7 §5.1, Tables 1-2.
    "cifar10_resnet20": SearchConfig(
        **_fields("cifar10_precision_resnet20"),
        cost="size",
        kinds=precision_space.CIFAR_KINDS,
    ),
    # Ch. 7 §5.2, Tables 3 and 4, on folders of images.
    **{
        f"imagenet_resnet{depth}_{cost}": SearchConfig(
            **(
                _fields("precision_resnet18")
                | {"dataset": "folders", "depth": depth}
            ),
            cost=cost,
            kinds=kinds,
        )
        for depth in (18, 34)
        for cost, kinds in (
            ("size", precision_space.IMAGENET_SIZE_KINDS),
            ("compute", precision_space.IMAGENET_COMPUTE_KINDS),
        )
    },
    # Ours, without any download; with all channels one bit is enough.
    "digits_resnet20": SearchConfig(
        **(_DIGITS_PRECISION | {"widths": (4, 8, 16)}),
        search_epochs=120,
        temperature_decay=0.03,
        architecture_learning_rate=0.05,
        cost="size",
        cost_power=6.0,
        kinds=precision_space.CIFAR_KINDS,
        num_samples=12,
    ),
    # In two minutes.
    "smoke": SearchConfig(
        **(_DIGITS_PRECISION | {"epochs": 2, "decay_epochs": (1,), "depth": 8}),
        search_epochs=3,
        warmup_epochs=1,
        cost="size",
        kinds=("0", "2", "4"),
        num_samples=2,
    ),
}

# Ours: the accelerator's bits (Ch. 6 Table 13) throughout.
_FOUR_BITS = {"weight_bits": 4, "activation_bits": 4, "end_bits": 4}
_DIGITS_DIRAC = _fields("digits_diracdeltanet") | _FOUR_BITS
DIRAC = {
    # The network of Ch. 6 Table 10, on folders of 100 classes.
    "imagenet": SearchConfig(
        **(
            _fields("diracdeltanet")
            | _FOUR_BITS
            | {"dataset": "folders", "mean": ends.MEAN, "std": ends.STD}
        ),
        kinds=dirac_space.KINDS,
    ),
    # Without any download.
    "digits": SearchConfig(
        **_DIGITS_DIRAC,
        temperature_decay=0.04,
        architecture_learning_rate=0.05,
        kinds=dirac_space.KINDS,
    ),
    # In two minutes.
    "smoke": SearchConfig(
        **(_DIGITS_DIRAC | {"epochs": 2, "decay_epochs": (1,)}),
        search_epochs=3,
        warmup_epochs=1,
        kinds=("e1", "skip"),
        num_samples=2,
    ),
}


def check(config: SearchConfig) -> None:
    """Refuses settings that fit no search.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    classification_config.check(config)
    if config.cost not in COSTS:
        raise ValueError(f"cost must be one of {COSTS}; got {config.cost!r}")
    for field in ("search_epochs", "num_samples"):
        if getattr(config, field) < 1:
            raise ValueError(
                f"{field} must be 1 or more; got {getattr(config, field)}"
            )
    for field in (
        *("initial_temperature", "search_learning_rate"),
        "architecture_learning_rate",
    ):
        if not 0 < getattr(config, field) < float("inf"):
            raise ValueError(
                f"{field} must be above 0; got {getattr(config, field)}"
            )
    for field in ("warmup_epochs", "temperature_decay", "cost_power"):
        if not 0 <= getattr(config, field) < float("inf"):
            raise ValueError(
                f"{field} must be 0 or more; got {getattr(config, field)}"
            )
    if config.warmup_epochs >= config.search_epochs:
        raise ValueError(
            f"warmup_epochs must be below search_epochs, {config.search_epochs}"
            f", or no architecture is trained; got {config.warmup_epochs}"
        )
    if config.latency_format not in LATENCY_FORMATS:
        raise ValueError(
            f"latency_format must be one of {LATENCY_FORMATS}; got "
            f"{config.latency_format!r}"
        )
    if (config.cost == "latency") != bool(config.latency_table):
        raise ValueError(
            "cost=latency goes with latency_table=FILE; got "
            f"cost={config.cost} and latency_table={config.latency_table!r}"
        )
