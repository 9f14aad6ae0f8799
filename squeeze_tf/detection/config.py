"""DetectionConfig and its named settings; CONFIGS."""

import dataclasses

from squeeze_tf.data import image_folders
from squeeze_tf.detection import anchors as anchors_lib
from squeeze_tf.detection import loss, models


@dataclasses.dataclass(frozen=True)
class DetectionConfig:
    """Everything one detection run is made of.

    Defaults are SqueezeDet as in Ch. 2 §3-4 and the released configuration.
    """

    # Data: see detection.inputs and data.splits. Folders may be several, with
    # commas between; without validation_data the split parts train_data.
    dataset: str = "kitti"
    train_data: str = ""
    validation_data: str = ""
    split: str = ""
    validation_share: float = 0.5
    class_list: str = "kitti"

    # Model: see detection.models. anchors are widths and heights in turn, in
    # pixels of the input; none means num_anchors of them clustered from the
    # training data.
    model: str = "squeezedet"
    input_height: int = 384
    input_width: int = 1248
    num_anchors: int = 9
    anchors: tuple[float, ...] = ()
    mean: tuple[float, ...] = models.IMAGE_MEAN
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    dropout: float = 0.5
    batch_norm: bool = False
    frozen: bool = False
    padding: str = "same"

    # Loss and final boxes: see detection.loss and detection.decode.
    loss_form: str = "thesis"
    box_weight: float = loss.BOX_WEIGHT
    object_weight: float = loss.OBJECT_WEIGHT
    background_weight: float = loss.BACKGROUND_WEIGHT
    max_detections: int = 64
    iou_threshold: float = 0.4
    suppression: str = "greedy"
    inclusive: bool = False

    # Training: see training. initial_weights are a workdir of another run or a
    # .caffemodel or .pkl of ImageNet weights (squeeze_tf.caffe_weights; they
    # were made for std 1); precision is "float32" or "mixed_bfloat16", which
    # processors with such units train faster with (RESULTS.md).
    initial_weights: str = ""
    precision: str = "float32"
    batch_size: int = 20
    epochs: int = 460  # the released checkpoint's 87,000 steps on half of KITTI
    optimizer: str = "momentum"
    learning_rate: float = 0.01
    schedule: str = "steps"
    warmup_epochs: int = 0
    decay_steps: int = 10_000
    decay_rate: float = 0.5
    clip_norm: float = 1.0
    weight_decay: float = 1e-4  # on kernels; decoupled under "adamw"
    average: float = 0.0
    seed: int = 0

    # Augmentation: see detection.augmentation.
    drift_x: int = 150
    drift_y: int = 100
    flip: bool = True
    colour: float = 0.0


def _flat(shapes: tuple[tuple[float, float], ...]) -> tuple[float, ...]:
    return tuple(value for shape in shapes for value in shape)


_KITTI = DetectionConfig(anchors=_flat(anchors_lib.KITTI_SHAPES))
_FULL = dataclasses.replace(_KITTI, input_height=375, input_width=1242)
# From scratch, in an hour or two on two cores. Ours: see RESULTS.md.
_SCRATCH = dataclasses.replace(
    DetectionConfig(),
    batch_norm=True,
    dropout=0.0,
    std=(58.0, 57.0, 57.0),
    optimizer="adamw",
    schedule="cosine",
    learning_rate=2e-3,
    warmup_epochs=1,
    weight_decay=0.01,
    batch_size=8,
    epochs=30,
    colour=0.3,
)

CONFIGS = {
    # Ch. 2 Table 2.
    "squeezedet": _KITTI,
    "squeezedet_plus": dataclasses.replace(
        _FULL, model="squeezedet_plus", padding="valid"
    ),
    "vgg16": dataclasses.replace(_FULL, model="vgg16", batch_size=5),
    "resnet50": dataclasses.replace(
        _FULL,
        model="resnet50",
        batch_norm=True,
        anchors=_flat(anchors_lib.KITTI_RESNET50_SHAPES),
    ),
    # The other rows of Ch. 2 Table 4.
    "squeezedet_scale_up": dataclasses.replace(
        DetectionConfig(), input_height=562, input_width=1863, batch_size=10
    ),
    "squeezedet_scale_down": dataclasses.replace(
        DetectionConfig(), input_height=281, input_width=932
    ),
    "squeezedet_16_anchors": dataclasses.replace(
        DetectionConfig(), num_anchors=16
    ),
    # One's own classes and images, without ImageNet weights.
    "own": _SCRATCH,
    # Images of generate_data: RESULTS.md.
    "simulated": dataclasses.replace(_SCRATCH, epochs=20, box_weight=10.0),
    # Two steps on generated images, for tests.
    "smoke": dataclasses.replace(
        _SCRATCH,
        input_height=64,
        input_width=128,
        batch_size=2,
        epochs=2,
        warmup_epochs=0,
        drift_x=10,
        drift_y=5,
        num_anchors=3,
    ),
}


def check(config: DetectionConfig) -> None:
    """Refuses settings that fit no data.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    for field, known in (
        ("model", models.MODELS),
        ("loss_form", loss.FORMS),
        ("dataset", image_folders.LAYOUTS),
        ("suppression", ("greedy", "released", "none")),
        ("padding", ("same", "valid")),
        ("precision", ("float32", "mixed_bfloat16")),
    ):
        if getattr(config, field) not in known:
            raise ValueError(
                f"{field} must be one of {sorted(known)}; got "
                f"{getattr(config, field)!r}"
            )
    for field, least in (
        ("batch_size", 1),
        ("epochs", 1),
        ("num_anchors", 1),
        ("max_detections", 1),
        ("input_height", 32),  # two cells of the grid
        ("input_width", 32),
    ):
        if getattr(config, field) < least:
            raise ValueError(
                f"{field} must be {least} or more; got {getattr(config, field)}"
            )
    if len(config.anchors) % 2 or not all(
        0 < value < float("inf") for value in config.anchors
    ):
        raise ValueError(
            "anchors must be widths and heights in turn, above 0; got "
            f"{config.anchors}"
        )
    if config.anchors and len(config.anchors) != 2 * config.num_anchors:
        raise ValueError(
            f"num_anchors is {config.num_anchors}, but anchors hold "
            f"{len(config.anchors) // 2}; --set=anchors= clusters as many as "
            "num_anchors from the data"
        )
    for field, low, high in (
        ("mean", 0, 255),
        ("std", 1e-3, float("inf")),
    ):
        values = getattr(config, field)
        if len(values) != 3 or not all(low <= v <= high for v in values):
            raise ValueError(
                f"{field} must be three numbers in {low}..{high} (red, green, "
                f"blue); got {values}"
            )
    for field in ("colour", "dropout", "validation_share", "iou_threshold"):
        if not 0 <= getattr(config, field) <= 1:
            raise ValueError(
                f"{field} must lie in 0..1; got {getattr(config, field)}"
            )
    for field in ("drift_x", "drift_y"):
        if getattr(config, field) < 0:
            raise ValueError(
                f"{field} must be 0 or more; got {getattr(config, field)}"
            )
