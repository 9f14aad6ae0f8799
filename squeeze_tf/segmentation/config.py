"""SegmentationConfig and its named settings; CONFIGS."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class SegmentationConfig:
    """Everything one segmentation run is made of.

    Defaults are SqueezeSegV2 as in Ch. 5 §3; optimiser, schedule and class
    weights, which the thesis leaves to its code, are the released ones.
    """

    # Data: see segmentation.inputs. An empty class_weights means frequencies
    # ** -class_weight_power; empty mean and std mean those of the data, the
    # std of x and y times xy_std_factor.
    dataset: str = "grids"
    train_data: str = ""
    validation_data: str = ""
    label_map: str = "kitti_grids"
    projection: str = "hdl64e_front"
    cache: str = "memory"
    ignored_ids: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    xy_std_factor: float = 1.0

    # Model: see segmentation.models and segmentation.crf.
    model: str = "squeezeseg"
    batch_norm: bool = True
    mask_channel: bool = True
    context_aggregation: bool = True
    crf: str = "thesis"
    crf_iterations: int = 3
    angular_theta: tuple[float, ...] = (0.9,)
    bilateral_theta: tuple[float, ...] = (0.015,)
    dropout: float = 0.5
    batch_norm_momentum: float = 0.999
    batch_norm_synchronized: bool = False

    # Loss: see segmentation.loss.
    gamma: float = 2.0
    class_weights: tuple[float, ...] = ()
    class_weight_power: float = 0.5
    loss_scale: float = 15.0

    # Training: see training.
    batch_size: int = 40
    epochs: int = 250
    optimizer: str = "momentum"
    learning_rate: float = 0.05
    schedule: str = "steps"
    warmup_epochs: int = 0
    decay_steps: int = 10_000
    decay_rate: float = 0.5
    clip_norm: float = 1.0
    weight_decay: float = 1e-4  # on kernels; decoupled under "adamw"
    average: float = 0.0
    seed: int = 0

    # Augmentation: see segmentation.augmentation.
    flip: bool = True
    roll: bool = False
    drop: float = 0.0
    scale: float = 0.0
    tilt: float = 0.0
    intensity: float = 0.0
    mix: float = 0.0
    paste_ids: tuple[int, ...] = ()
    paste_count: int = 8
    paste_farther: float = 20.0


_KITTI = SegmentationConfig(
    class_weights=(1 / 3, 1.0, 3.5, 3.5),
    angular_theta=(0.9, 0.9, 0.6, 0.6),
    bilateral_theta=(0.015, 0.015, 0.01, 0.01),
)
_SQUEEZESEG = dataclasses.replace(
    _KITTI,
    batch_norm=False,
    mask_channel=False,
    context_aggregation=False,
    gamma=0.0,
    class_weights=(1 / 15, 1.0, 10.0, 10.0),
    batch_size=32,
    epochs=100,
    learning_rate=0.01,
)
# For few minutes. Ours: found on the real scans of RESULTS.md.
_SMALL = dataclasses.replace(
    SegmentationConfig(),
    crf="none",
    batch_norm_momentum=0.95,
    loss_scale=1.0,
    optimizer="adamw",
    schedule="cosine",
    learning_rate=2e-3,
    warmup_epochs=3,
    weight_decay=0.01,
    average=0.99,
    roll=True,
    drop=0.3,
    scale=0.1,
    tilt=0.04,
    intensity=0.05,
    mix=0.8,
)
# For few scans, which a network soon knows by heart. Ours: as _SMALL.
_FEW = dataclasses.replace(
    _SMALL,
    crf="mean_field",
    bilateral_theta=(0.1,),
    gamma=0.0,
    class_weight_power=0.1,
    weight_decay=0.5,
)
_FEW_FULL_TURNS = dataclasses.replace(
    _FEW,
    projection="semantic_kitti_1024",
    xy_std_factor=8.0,  # in a full turn they say little
    batch_size=1,
    epochs=50,
    learning_rate=4e-3,
    mix=0.3,
    paste_ids=(1,),  # cars, which the training scans show near by only
)

CONFIGS = {
    # The ladder of Ch. 5 Table 1.
    "squeezeseg": _SQUEEZESEG,
    "squeezeseg_bn": dataclasses.replace(_SQUEEZESEG, batch_norm=True),
    "squeezeseg_bn_m": dataclasses.replace(
        _SQUEEZESEG, batch_norm=True, mask_channel=True
    ),
    "squeezeseg_bn_m_fl": dataclasses.replace(
        _KITTI, context_aggregation=False
    ),
    "squeezeseg_v2": _KITTI,
    # Ch. 3 Tables 1-2 without the CRF.
    "squeezeseg_no_crf": dataclasses.replace(_SQUEEZESEG, crf="none"),
    # Any classes and any sensor, from hundreds to thousands of scans.
    "own": dataclasses.replace(
        _SMALL, crf="mean_field", batch_size=8, epochs=60, roll=False, mix=0.5
    ),
    # Few real scans from scratch: experiments/RESULTS.md.
    "semantic_kitti_few": dataclasses.replace(
        _FEW_FULL_TURNS,
        label_map="semantic_kitti_grids",
        ignored_ids=(0,),
    ),
    "semantic_kitti_few_thesis_classes": dataclasses.replace(
        _FEW_FULL_TURNS,
        label_map="grids_to_kitti",
    ),
    "vlp32_few": dataclasses.replace(
        _FEW,
        label_map="nuscenes_grids",
        ignored_ids=(0,),
        batch_size=8,
        epochs=70,
        roll=False,
    ),
    # Simulated scans, minutes on two cores: experiments/demo.py.
    "demo": dataclasses.replace(
        _SMALL,
        dataset="simulated",
        label_map="kitti",
        projection="hdl64e_front",
        crf="mean_field",
        batch_size=8,
        epochs=12,
        warmup_epochs=1,
        learning_rate=3e-3,
        average=0.0,
        roll=False,
        mix=0.5,
    ),
    # Two steps on generated samples, for tests.
    "smoke": dataclasses.replace(
        _SMALL,
        dataset="synthetic",
        label_map="kitti_grids",
        batch_size=2,
        epochs=2,
        warmup_epochs=0,
        roll=False,
    ),
}
