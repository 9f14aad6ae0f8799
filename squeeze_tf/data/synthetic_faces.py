"""Drawn faces of made-up persons, for tests and runs without a download."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from squeeze_tf import whole_file

PAIRS = "pairs.txt"
_NUM_FOLDS = 10
_Paint = Callable[..., None]
# Low and high of each trait of a person, in shares of the image's side where
# it is a length. Ours: wide enough that people can be told apart.
_TRAITS = {
    "width": (0.24, 0.36),
    "height": (0.32, 0.42),
    "eye_distance": (0.08, 0.16),
    "eye_height": (-0.12, 0.0),
    "eye_size": (0.02, 0.05),
    "brow_height": (0.05, 0.1),
    "brow_tilt": (-0.5, 0.5),
    "nose": (0.06, 0.18),
    "mouth_width": (0.06, 0.16),
    "mouth_height": (0.16, 0.26),
    "hair": (0.0, 0.3),
}
_COLOURS = {  # of a person: hue (of 180), saturation, value
    "skin": ((5, 60, 110), (22, 150, 240)),
    "hair_colour": ((0, 20, 10), (179, 220, 200)),
    "eye_colour": ((0, 60, 40), (179, 255, 180)),
}


def write(
    folder: str | os.PathLike,
    *,
    num_identities: int,
    images_per_identity: int,
    size: int = 64,
    seed: int = 0,
    pairs_per_fold: int = 0,
) -> pathlib.Path:
    """Writes NAME/NAME_0001.png and so on, and LFW's pairs.txt if asked for.

    Ours: a person is some lengths and colours; images differ in pose, light,
    expression, background and noise. They are drawings: what a network scores
    on them says nothing of faces.

    Args:
      folder: is made.
      num_identities: persons, two or more with pairs.
      images_per_identity: of each, two or more with pairs.
      size: side of the square images, pixels.
      seed: of persons, images and pairs.
      pairs_per_fold: n of one person and n of two in each of ten folds; pairs
        may repeat.

    Returns:
      `folder`.
    """
    random = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    names = [f"person{seed}_{i:04d}" for i in range(num_identities)]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        person = identity(random)
        for number in range(1, images_per_identity + 1):
            path = folder / name / f"{name}_{number:04d}.png"
            encoded = cv2.imencode(".png", draw(person, size, random))[1]
            whole_file.write(path, encoded.tobytes())
    if pairs_per_fold:
        lines = [f"{_NUM_FOLDS}\t{pairs_per_fold}"]
        for _ in range(_NUM_FOLDS):
            for is_same in (True, False):
                for _ in range(pairs_per_fold):
                    lines.append(
                        _line(names, images_per_identity, is_same, random)
                    )
        whole_file.write(folder / PAIRS, "\n".join(lines) + "\n")
    return folder


def identity(random: np.random.Generator) -> dict[str, object]:
    """A person: each trait's length and each colour (blue, green, red)."""
    person = {
        name: random.uniform(low, high) for name, (low, high) in _TRAITS.items()
    }
    for name, (low, high) in _COLOURS.items():
        hsv = np.array([[random.uniform(low, high)]]).astype(np.uint8)
        person[name] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return person


def draw(
    person: dict[str, object], size: int, random: np.random.Generator
) -> np.ndarray:
    """One image of a person.

    Args:
      person: of identity().
      size: side, pixels.
      random: of pose, light, expression, background and noise.

    Returns:
      [size, size, 3] uint8 blue, green, red.
    """
    image = np.empty((size, size, 3), np.uint8)
    image[:] = random.integers(0, 256, 3)
    centre = (0.5, 0.52) + random.uniform(-0.03, 0.03, 2)
    paint = functools.partial(_ellipse, image, centre)
    turn = random.uniform(-0.03, 0.03)  # moves what is in front
    _paint_head(paint, person)
    _paint_eyes(paint, person, turn, is_closed=random.random() < 0.1)
    dark = [int(v * 0.6) for v in person["skin"]]
    nose = person["nose"] / 2
    paint(2 * turn, nose, 0.02, nose, dark)
    smile = 0.02 + abs(random.uniform(-0.03, 0.05))
    place = turn, person["mouth_height"]
    paint(*place, person["mouth_width"], smile, (60, 40, 150))
    light = random.uniform(0.75, 1.2) * (
        1 + random.uniform(-0.25, 0.25) * np.linspace(-1, 1, size)[:, None]
    )
    noise = random.normal(0, 6, image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8)


def _paint_head(paint: _Paint, person: dict[str, object]) -> None:
    """Hair behind, skin, hair above the brow."""
    width, height = person["width"], person["height"]
    grown = 1 + person["hair"]
    paint(0, -0.04, width * grown, height * grown, person["hair_colour"])
    paint(0, 0, width, height, person["skin"])
    paint(0, -0.1, width, height - 0.1, person["hair_colour"], is_half=True)
    paint(0, 0, width * 0.95, height * 0.65, person["skin"])


def _paint_eyes(
    paint: _Paint, person: dict[str, object], turn: float, is_closed: bool
) -> None:
    """Both eyes and brows."""
    y, eye = person["eye_height"], person["eye_size"]
    for side in (-1, 1):
        x = side * person["eye_distance"] + turn
        paint(x, y, 1.5 * eye, 0.004 if is_closed else eye, (245, 245, 245))
        if not is_closed:
            paint(x, y, 0.6 * eye, 0.6 * eye, person["eye_colour"])
        brow = x, y - person["brow_height"], 1.7 * eye, 0.012
        paint(*brow, person["hair_colour"], side * person["brow_tilt"])


def _ellipse(
    image: np.ndarray,
    centre: np.ndarray,
    x: float,
    y: float,
    width: float,
    height: float,
    colour: Sequence[int],
    angle: float = 0.0,
    is_half: bool = False,
) -> None:
    """Fills an ellipse, or its upper half; lengths are shares of the side."""
    size = len(image)
    place = (centre + (x, y)) * size
    cv2.ellipse(
        image,
        tuple(int(round(v)) for v in place),
        tuple(max(int(round(v * size)), 1) for v in (width, height)),
        np.degrees(angle),
        180 if is_half else 0,
        360,
        tuple(colour),
        -1,
    )


def _line(
    names: list[str], count: int, is_same: bool, random: np.random.Generator
) -> str:
    """One pair in LFW's words."""
    if is_same:
        i, j = random.choice(count, 2, replace=False) + 1
        return f"{names[random.integers(len(names))]}\t{i}\t{j}"
    first, second = random.choice(len(names), 2, replace=False)
    i, j = random.integers(count, size=2) + 1
    return f"{names[first]}\t{i}\t{names[second]}\t{j}"
