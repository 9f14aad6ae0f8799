"""AdaptationConfig and its named settings; CONFIGS."""

import dataclasses

from squeeze_tf.segmentation import config as segmentation_config


@dataclasses.dataclass(frozen=True)
class AdaptationConfig(segmentation_config.SegmentationConfig):
    """Everything one ladder of Ch. 5 Table 2 is made of.

    The fields of SegmentationConfig are those of each network that is trained;
    `context_aggregation` is set by the stage "cam". `validation_data` are the
    labelled real scans that are measured, with a data set and label map of
    their own.
    """

    # Data: see adaptation.inputs. Every so many of the real scans are held out
    # of calibration, for its guard.
    dataset: str = "simulated"
    label_map: str = "kitti"
    real_dataset: str = "grids"
    real_data: str = ""
    held_out_every: int = 5
    validation_dataset: str = "grids"
    validation_label_map: str = "kitti_grids"

    # Dropout noise, see adaptation.dropout_noise: "map", "conditional", "none".
    noise: str = "map"
    noise_columns: int = 65

    # Learned intensity rendering: see adaptation.intensity; turns as in
    # adaptation.inputs. Rows without it see no intensity, unless told so.
    see_simulated_intensity: bool = False
    rendering_turns: int = 1
    rendering_loss: str = "hybrid"
    rendering_top: float = 1.0
    rendering_draws: bool = True
    rendering_epochs: int = 60
    rendering_learning_rate: float = 2e-3
    rendering_dropout: float = 0.0

    # Alignment: see adaptation.train.
    distance: str = "geodesic"
    alignment_weight: float = 10.0

    # Self-training: see adaptation.self_training.
    confidence: float = 0.85
    labelled_share: float = 0.5
    teacher_momentum: float = 0.99
    guessed_excess: float = 2.0
    self_training_epochs: int = 4
    self_training_learning_rate: float = 5e-4

    precision: str = "float32"


def network(
    config: AdaptationConfig, **changes: object
) -> segmentation_config.SegmentationConfig:
    """The settings of one network of the ladder, with changes.

    The real scans are left out: they are of another data set.
    """
    fields = dataclasses.fields(segmentation_config.SegmentationConfig)
    kept = {field.name: getattr(config, field.name) for field in fields}
    kept |= {"validation_data": ""} | changes
    return segmentation_config.SegmentationConfig(**kept)


_SMALL = AdaptationConfig(
    # As segmentation's settings for few minutes; found there.
    crf="none",
    batch_norm_momentum=0.95,
    loss_scale=1.0,
    optimizer="adamw",
    schedule="cosine",
    learning_rate=3e-3,
    warmup_epochs=1,
    weight_decay=0.01,
    batch_size=8,
    epochs=4,
    scale=0.1,
    tilt=0.04,
    intensity=0.05,
    mix=0.5,
    precision="mixed_bfloat16",
)
CONFIGS = {
    # The front 90 degrees of an HDL-64E, as in the thesis.
    "kitti_front": dataclasses.replace(
        _SMALL, real_dataset="plain", rendering_turns=4
    ),
    # Full turns of SemanticKITTI as they are published projected.
    "semantic_kitti": dataclasses.replace(
        _SMALL,
        projection="semantic_kitti_1024",
        validation_label_map="grids_to_kitti",
        roll=True,
    ),
    # Two steps, for tests.
    "smoke": dataclasses.replace(
        _SMALL,
        batch_size=2,
        epochs=2,
        rendering_epochs=1,
        self_training_epochs=1,
        precision="float32",
        mix=0.0,
    ),
}
