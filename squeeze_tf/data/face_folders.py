"""Faces on disk: a folder of images for each person."""

import dataclasses
import os
import pathlib
from collections.abc import Collection, Sequence

import numpy as np

from squeeze_tf.data import image_folders


@dataclasses.dataclass(frozen=True)
class Identity:
    """One person.

    Attributes:
      name: of the folder.
      paths: of the images, at least one.
    """

    name: str
    paths: tuple[pathlib.Path, ...]


def read(folder: str | os.PathLike, least: int = 1) -> list[Identity]:
    """All persons of a folder, NAME/*.jpg, sorted by name.

    Source: the layout of LFW, CASIA-WebFace and MS-Celeb-1M. Images are taken
    as they are: faces must be cut out and aligned before, as the thesis does
    with MTCNN (Ch. 6 §3.3).

    Args:
      folder: with a folder of images for each person.
      least: persons that there must be.

    Raises:
      ValueError: a person has no image, or there are fewer than `least`; the
        message names the folder.
      OSError: there is no such folder.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of faces")
    found = [
        Identity(path.name, tuple(image_folders.find(path)))
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    ]
    if len(found) < least:
        raise ValueError(
            f"{folder}: expected folders of images of {least} or more persons; "
            f"got {len(found)}"
        )
    return found


def choose(
    identities: Sequence[Identity], count: int, seed: int
) -> list[Identity]:
    """Some persons at random, in their order; all of them if count is 0.

    Source: Ch. 6 §3.3, "we randomly select 10,000 entities from MSC".

    Args:
      identities: to choose from.
      count: how many.
      seed: of the choice.

    Raises:
      ValueError: there are fewer.
    """
    if not 0 <= count <= len(identities):
        raise ValueError(
            f"cannot choose {count} persons; there are {len(identities)}"
        )
    if count == 0:
        return list(identities)
    random = np.random.default_rng(seed)
    chosen = random.choice(len(identities), count, replace=False)
    return [identities[i] for i in sorted(chosen)]


def without(
    identities: Sequence[Identity], names: Collection[str]
) -> list[Identity]:
    """Those persons whose name is none of `names`."""
    return [identity for identity in identities if identity.name not in names]
