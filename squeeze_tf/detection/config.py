"""DetectionConfig and its named settings; CONFIGS."""

import dataclasses

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
    # .caffemodel or .pkl of ImageNet weights (squeeze_tf.caffe_weights);
    # precision is "float32" or "mixed_bfloat16", with which processors that
    # have such units train up to three times as fast.
    initial_weights: str = ""
    precision: str = "float32"
    batch_size: int = 20
    epochs: int = 470  # the released checkpoint's 87,000 steps
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
    "simulated": dataclasses.replace(
        _SCRATCH, input_height=256, input_width=832
    ),
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
