"""Reads the reference sets of labels, detections and official answers."""

import dataclasses
import functools
import gzip
import json
import pathlib
import tarfile
import tempfile

from squeeze_tf.data import image_labels
from tests import shared_files

NAMES = ("seed101", "seed202", "seed606")
_FOLDER = "reference/kitti_ap"


@dataclasses.dataclass(frozen=True)
class KittiSet:
    """One set: labels and detections of each image, and the answers."""

    images: list[str]
    truth: list[image_labels.ImageLabels]
    found: list[image_labels.ImageLabels]
    expected: dict
    error_lines: dict[bool, list[str]]  # by exclude_hard


@functools.cache
def load(name: str) -> KittiSet:
    archive = shared_files.path(f"{_FOLDER}/{name}.tar.gz")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(archive) as files:
            files.extractall(scratch, filter="data")
        root = pathlib.Path(scratch) / name
        images = (root / "ImageSets/val.txt").read_text().split()
        return KittiSet(
            images,
            [_read(root / "training/label_2", image) for image in images],
            [_read(root / "detections/data", image) for image in images],
            json.loads((root / "expected.json").read_text()),
            {
                hard: (root / f"expected/det_error_exclude_hard_{text}.txt")
                .read_text()
                .splitlines()
                for hard, text in ((True, "true"), (False, "false"))
            },
        )


@functools.cache
def tiny_cases() -> list[tuple[list, list, dict]]:
    """Labels, detections and answers of each of the small dense cases."""
    path = shared_files.path(f"{_FOLDER}/tiny_cases_A.jsonl.gz")
    cases = []
    with tempfile.TemporaryDirectory() as scratch, gzip.open(path) as lines:
        file = pathlib.Path(scratch) / "image.txt"
        for line in lines:
            case = json.loads(line)
            labels = {"label_2": [], "detections": []}
            for image in case["images"]:
                for kind, texts in labels.items():
                    file.write_text(image[kind])
                    texts.append(image_labels.read_kitti(file))
            cases.append((*labels.values(), case["expected"]))
    return cases


def _read(folder, image):
    return image_labels.read_kitti(folder / f"{image}.txt")
