"""FaceConfig and its named settings; FACE_CONFIGS."""

import dataclasses

from squeeze_tf.shift_applications import center_loss, face, face_distances


@dataclasses.dataclass(frozen=True)
class FaceConfig:
    """Everything one run of face verification is made of.

    Defaults are Ch. 6 §3.3; what the thesis leaves open is Wen et al. 2016
    §4.1 where nothing else is said.
    """

    # Data: folders of persons, see data.face_folders; faces cut out and
    # aligned. num_identities of train_data are drawn, 0 for all. pairs is
    # LFW's pairs.txt or a .csv of test_data, see data.face_pairs; without it
    # num_pairs are drawn from persons of test_data that did not train.
    # drawn_identities above 0 draws persons instead, into the workdir.
    train_data: str = ""
    test_data: str = ""
    pairs: str = ""
    num_identities: int = 0
    num_pairs: int = 100_000
    frame_pairs: int = face_distances.FRAME_PAIRS
    drawn_identities: int = 0
    drawn_images: int = 0

    # Network and loss: see face and center_loss.
    image_size: int = 160  # Ours: leaves 5 x 5 places after five halvings
    embedding_size: int = face.EMBEDDING_SIZE
    mean: tuple[float, ...] = face.MEAN
    std: tuple[float, ...] = face.STD
    momentum: float = 0.9
    center_weight: float = center_loss.WEIGHT
    center_rate: float = center_loss.RATE

    # Training: see training. Ours: nine epochs of the thesis's 10,000 persons
    # are about the 28,000 steps of Wen et al.; a cosine replaces their steps.
    batch_size: int = 256
    epochs: int = 9
    optimizer: str = "momentum"
    learning_rate: float = 0.1
    schedule: str = "cosine"
    warmup_epochs: int = 0
    clip_norm: float = 1.0  # Ours: the first steps are not all tame
    weight_decay: float = 5e-4  # on kernels; decoupled under "adamw"
    flip: bool = True
    seed: int = 0


_DRAWN = dataclasses.replace(
    FaceConfig(),
    image_size=64,
    batch_size=32,
    optimizer="adamw",
    learning_rate=2e-3,
    warmup_epochs=1,
    weight_decay=0.01,
)

FACE_CONFIGS = {
    # Ch. 6 Table 9; num_identities=10000 of MS-Celeb-1M.
    "shift_facenet": FaceConfig(),
    # Drawn persons, minutes on one core.
    "demo": dataclasses.replace(
        _DRAWN, drawn_identities=150, drawn_images=12, epochs=20
    ),
    # Two steps, for tests.
    "smoke": dataclasses.replace(
        _DRAWN,
        drawn_identities=4,
        drawn_images=3,
        batch_size=6,
        epochs=2,
        warmup_epochs=0,
    ),
}


def check(config: FaceConfig) -> None:
    """Refuses settings that make no sense.

    Raises:
      ValueError: says which, what was needed and what came.
    """
    least = {
        "image_size": 32,  # five halvings
        "embedding_size": 1,
        "batch_size": 1,
        "epochs": 1,
        "frame_pairs": 1,
        "num_identities": 0,
        "center_weight": 0,
    }
    if config.drawn_identities:
        least |= {"drawn_identities": 2, "drawn_images": 2}
    for field, bound in least.items():
        if getattr(config, field) < bound:
            raise ValueError(
                f"{field} must be {bound} or more; got {getattr(config, field)}"
            )
    if not 0 <= config.center_rate <= 1:
        raise ValueError(
            f"center_rate must lie in 0..1; got {config.center_rate}"
        )
    if config.num_identities == 1:
        raise ValueError("num_identities must be 0 (all), or 2 or more; got 1")
    if config.pairs and not config.test_data:
        raise ValueError("pairs need the images: --set=test_data=DIR")
    given = config.train_data or config.test_data or config.pairs
    if bool(given) == bool(config.drawn_identities):
        raise ValueError(
            "--set=train_data=DIR and --set=test_data=DIR name the faces, or "
            "--set=drawn_identities=N (--config=demo) draws them; give one"
        )
