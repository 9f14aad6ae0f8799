"""Which images train and which validate: by the hash of their names."""

import hashlib
import os
import pathlib
from collections.abc import Sequence

from squeeze_tf.data import image_folders

Sample = image_folders.ImageSample
FOLDER = pathlib.Path(__file__).parent / "splits"
KITTI_OBJECT = FOLDER / "kitti_object_validation.txt"


def is_validation(name: str, share: float = 0.5) -> bool:
    """Whether an image of this name is kept for validation.

    Ours: the first 8 bytes of the name's SHA-256 as a fraction of 1, below
    `share`. The thesis splits KITTI's training images in half at random (Ch. 2
    §4.1) and does not say how; this half is the same everywhere, for any data
    set, and does not change when images are added.
    """
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def select(
    samples: Sequence[Sample], split: str, part: str, share: float = 0.5
) -> list[Sample]:
    """One part of the samples.

    Args:
      samples: all.
      split: "" for all of them in either part, "hash" for is_validation(), or
        a .txt file of the names that validate, one a line.
      part: "train" or "validation".
      share: of "hash".

    Raises:
      ValueError: an unknown split, a name of the file that no sample has, or
        no sample is left.
      OSError: the file cannot be read.
    """
    if not split:
        return list(samples)
    if split == "hash":
        kept = {s.name for s in samples if is_validation(s.name, share)}
    else:
        kept = _read(split, {sample.name for sample in samples})
    wanted = part == "validation"
    chosen = [s for s in samples if (s.name in kept) == wanted]
    if not chosen:
        raise ValueError(
            f"split {split} leaves none of {len(samples)} images for {part}"
        )
    return chosen


def _read(path: str | os.PathLike, known: set[str]) -> set[str]:
    """The names in a file, all of them known."""
    path = pathlib.Path(path)
    if path.suffix != ".txt":
        raise ValueError(f"split must be '', 'hash' or a .txt file; got {path}")
    lines = path.read_text(encoding="utf-8").splitlines()
    names = {line.strip() for line in lines if line.strip()}
    if names - known:
        raise ValueError(
            f"{path}: {len(names - known)} names are of no image, for "
            f"instance {sorted(names - known)[0]}"
        )
    return names
