"""Pairs of faces that show one person or two: LFW's list, CSV, random ones."""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from squeeze_tf.data import face_folders, image_folders

NUM_FOLDS = 10  # of LFW and YTF
COLUMNS = ("first", "second", "same", "fold")
_SAME = {"1": True, "true": True, "0": False, "false": False}
_ATTEMPTS = 20  # draws for each pair wanted, before giving up


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of images, or of folders with the frames of a video.

    Attributes:
      first: [N] paths.
      second: [N] paths.
      is_same: [N] bool, whether both show one person.
      folds: [N] int64, the part of the data that a pair belongs to, from 0.
    """

    first: tuple[pathlib.Path, ...]
    second: tuple[pathlib.Path, ...]
    is_same: np.ndarray
    folds: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def read(path: str | os.PathLike, folder: str | os.PathLike) -> Pairs:
    """Pairs of a .csv, see table(), or of any other file as LFW's, see lfw().

    Args:
      path: of the list.
      folder: of the images or videos.

    Raises:
      ValueError: a line is not as described; the message names file and line.
      OSError: a file is not there; likewise.
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of pairs")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of faces")
    return (table if path.suffix.lower() == ".csv" else lfw)(path, folder)


def lfw(path: pathlib.Path, folder: pathlib.Path) -> Pairs:
    """Pairs as LFW lists them.

    Source: Huang et al. 2007, README of pairs.txt. The first line has the
    number of folds and n, or n alone for one fold. Each fold has n lines
    "name i j" of one person, then n lines "name i other j" of two;
    image i is NAME/NAME_000i.jpg, or of another suffix that can be read.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        head = [int(word) for word in lines[0].split()]
        num_folds, count = head if len(head) == 2 else (1, *head)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"{path}:1: expected the number of folds and of pairs; got "
            f"{lines[0] if lines else 'nothing'!r}"
        ) from error
    body = [(i, x.split()) for i, x in enumerate(lines[1:], 2) if x.strip()]
    if len(body) != 2 * num_folds * count or not body:
        raise ValueError(
            f"{path}: expected {num_folds} folds of {count} pairs of one "
            f"person and {count} of two, {2 * num_folds * count} lines; got "
            f"{len(body)}"
        )
    rows = []
    for place, (number, words) in enumerate(body):
        fold, within = divmod(place, 2 * count)
        is_same, where = within < count, f"{path}:{number}"
        rows.append((*_lfw_ends(folder, words, is_same, where), is_same, fold))
    return _pairs(rows)


def table(path: pathlib.Path, folder: pathlib.Path) -> Pairs:
    """Pairs of a CSV with the columns first, second, same and perhaps fold.

    Ours: first and second are paths in `folder`, of an image or of a folder
    with a video's frames, as YTF has them; same is 1, 0, true or false; fold
    counts from 1. Without folds, pairs of each kind are dealt to ten in turn.
    """
    rows, dealt = [], {True: 0, False: 0}
    for number, row in _csv_rows(path):
        where = f"{path}:{number}"
        same = _SAME.get((row["same"] or "").strip().lower())
        if same is None:
            raise ValueError(
                f"{where}: same must be one of {', '.join(_SAME)}; got "
                f"{row['same']!r}"
            )
        fold = dealt[same] % NUM_FOLDS
        dealt[same] += 1
        if "fold" in row:
            try:
                fold = int(row["fold"]) - 1
            except (TypeError, ValueError):
                fold = -1
            if fold < 0:
                raise ValueError(
                    f"{where}: fold must be a number from 1; got "
                    f"{row['fold']!r}"
                )
        rows.append((*_table_ends(folder, row, where), same, fold))
    if not rows:
        raise ValueError(f"{path}: expected pairs; got none")
    return _pairs(rows)


def random_pairs(
    identities: Sequence[face_folders.Identity], count: int, seed: int
) -> Pairs:
    """Different pairs drawn at random, half of them of one person.

    Source: Ch. 6 §3.3, "100,000 pairs randomly generated from MSC". Ours: a
    person, or two, is drawn first and then an image of each, so that persons
    with many images are not favoured; pairs are dealt to ten folds in turn.

    Args:
      identities: persons; give none that trained the network.
      count: pairs, even, at least two for each fold.
      seed: of the draws.

    Raises:
      ValueError: `count` is odd or too small, or there are not as many pairs.
    """
    if count % 2 or count < 2 * NUM_FOLDS:
        raise ValueError(
            f"random pairs must be an even number from {2 * NUM_FOLDS}; got "
            f"{count}"
        )
    sizes = [len(identity.paths) for identity in identities]
    several = [i for i, size in enumerate(sizes) if size > 1]
    random = np.random.default_rng(seed)
    rows = []
    for is_same in (True, False):
        found: dict[tuple, None] = {}  # in order, each once
        if _num_pairs(sizes, is_same) >= count // 2:
            for _ in range(_ATTEMPTS * count):
                first, second = _draw(
                    sizes, several if is_same else None, random
                )
                if first != second:
                    found[first, second] = None
                if len(found) == count // 2:
                    break
        if len(found) < count // 2:
            raise ValueError(
                f"expected images for {count // 2} different pairs of "
                f"{'one person' if is_same else 'two persons'}; "
                f"{len(sizes)} persons with {sum(sizes)} images give too few; "
                "ask for fewer pairs"
            )
        for place, ((p, i), (q, j)) in enumerate(found):
            paths = identities[p].paths[i], identities[q].paths[j]
            rows.append((*paths, is_same, place % NUM_FOLDS))
    return _pairs(rows)


def _num_pairs(sizes: list[int], is_same: bool) -> int:
    """How many pairs there are among persons with so many images."""
    same = sum(size * (size - 1) // 2 for size in sizes)
    return same if is_same else sum(sizes) * (sum(sizes) - 1) // 2 - same


def _draw(
    sizes: list[int], one_of: list[int] | None, random: np.random.Generator
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Person and image, twice and in order: of one person, or of any two."""
    if one_of is None:
        persons = random.choice(len(sizes), 2, replace=False).tolist()
    else:
        persons = [one_of[random.integers(len(one_of))]] * 2
    first, second = sorted((p, int(random.integers(sizes[p]))) for p in persons)
    return first, second


def _pairs(rows: list[tuple]) -> Pairs:
    first, second, is_same, folds = zip(*rows)
    return Pairs(first, second, np.array(is_same), np.array(folds, np.int64))


def _lfw_ends(
    folder: pathlib.Path, words: list[str], is_same: bool, where: str
) -> list[pathlib.Path]:
    """The two images of a line."""
    if len(words) != (3 if is_same else 4):
        needed = "name i j" if is_same else "name i other j"
        raise ValueError(f"{where}: expected {needed}; got {' '.join(words)}")
    name, i, *rest = words
    other, j = (name, *rest) if is_same else rest
    ends = ((name, i), (other, j))
    return [_numbered(folder, *end, where) for end in ends]


def _numbered(
    folder: pathlib.Path, name: str, number: str, where: str
) -> pathlib.Path:
    """Image `number` of a person."""
    if not number.isdigit():
        raise ValueError(f"{where}: expected an image's number; got {number!r}")
    stem = folder / name / f"{name}_{int(number):04d}"
    for suffix in image_folders.SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{where}: expected {stem} with one of "
        f"{', '.join(image_folders.SUFFIXES)}; there is none"
    )


def _table_ends(
    folder: pathlib.Path, row: dict[str, str], where: str
) -> list[pathlib.Path]:
    """The two images or videos of a row."""
    paths = []
    for column in ("first", "second"):
        paths.append(folder / (row[column] or "").strip())
        if not row[column] or not paths[-1].exists():
            raise FileNotFoundError(
                f"{where}: {column} is {paths[-1]}, which is not there"
            )
    return paths


def _csv_rows(path: pathlib.Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = set(reader.fieldnames or ())
        if not set(COLUMNS[:3]) <= columns <= set(COLUMNS):
            raise ValueError(
                f"{path}:1: expected the columns {', '.join(COLUMNS[:3])} and "
                f"perhaps {COLUMNS[3]}; got {', '.join(sorted(columns))}"
            )
        for row in reader:
            yield reader.line_num, row
