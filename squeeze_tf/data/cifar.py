"""CIFAR-10 and CIFAR-100 as they are distributed: Python pickles and binaries.

Source: cs.toronto.edu/~kriz/cifar.html. A row is the red, green and blue plane
of a 32 x 32 image, one after another.
"""

import io
import pathlib
import pickle
from collections.abc import Callable, Sequence

import numpy as np

from squeeze_tf.data import classification

_SIDE = 32
_VALUES = 3 * _SIDE**2
_CIFAR10 = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "validation": ("test_batch",),
}
_CIFAR100 = {"train": ("train",), "validation": ("test",)}
# Folders that the archives unpack to.
_INNER = {
    10: ("cifar-10-batches-py", "cifar-10-batches-bin"),
    100: ("cifar-100-python", "cifar-100-binary"),
}
# What a pickle of an array is made of, and nothing that runs anything else.
_ALLOWED = {
    *(
        (f"numpy.{core}.multiarray", "_reconstruct")
        for core in ("core", "_core")
    ),
    *(("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")),
}


def cifar10(folder: str, part: str) -> classification.LabelledImages:
    """CIFAR-10: ten classes, 50,000 images to train, 10,000 to validate.

    Args:
      folder: holds data_batch_1 to _5, test_batch and batches.meta, or the
        same as .bin and batches.meta.txt, or the folder of the archive.
      part: of classification.PARTS.

    Raises:
      FileNotFoundError: a file is not there; the message names it.
      ValueError: a file is not as described; the message names it.
    """
    return _read(folder, _CIFAR10, part, 10)


def cifar100(folder: str, part: str) -> classification.LabelledImages:
    """CIFAR-100 with its hundred "fine" classes.

    Args:
      folder: holds train, test and meta, or train.bin, test.bin and
        fine_label_names.txt, or the folder of the archive.
      part: of classification.PARTS.

    Raises:
      As cifar10().
    """
    return _read(folder, _CIFAR100, part, 100)


class _ArraysOnly(pickle.Unpickler):
    """Refuses everything but arrays, so that a file cannot run code."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which CIFAR's files do not"
            )
        return super().find_class(module, name)


def _read(
    folder: str, files: dict[str, tuple[str, ...]], part: str, num_classes: int
) -> classification.LabelledImages:
    if part not in classification.PARTS:
        raise ValueError(
            f"part must be one of {classification.PARTS}; got {part!r}"
        )
    place, is_binary = _find(folder, files["train"][0], num_classes)
    read: Callable[[pathlib.Path, int], tuple[np.ndarray, np.ndarray]]
    read = _binary if is_binary else _pickled
    suffix = ".bin" if is_binary else ""
    parts = [read(place / f"{x}{suffix}", num_classes) for x in files[part]]
    rows, class_ids = (np.concatenate(x) for x in zip(*parts, strict=True))
    images = rows.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    names = _names(place, is_binary, num_classes)
    return classification.of_arrays(
        np.ascontiguousarray(images), class_ids, names
    )


def _find(
    folder: str, first: str, num_classes: int
) -> tuple[pathlib.Path, bool]:
    """The folder of the files, and whether they are binaries."""
    top = pathlib.Path(folder)
    places = (top, *(top / name for name in _INNER[num_classes]))
    for place in places:
        for is_binary, name in ((False, first), (True, f"{first}.bin")):
            if (place / name).is_file():
                return place, is_binary
    raise FileNotFoundError(
        f"{top}: expected {first} or {first}.bin of CIFAR-{num_classes}, here "
        f"or in {' or '.join(_INNER[num_classes])}; it is in none"
    )


def _unpickled(path: pathlib.Path) -> dict[bytes, object]:
    """The dict that a pickle holds."""
    content = path.read_bytes()
    try:
        found = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # damaged pickles raise anything
        raise ValueError(f"{path}: not a pickle of CIFAR: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a dict; got {type(found).__name__}")
    return found


def _pickled(
    path: pathlib.Path, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and class ids of a pickle."""
    found = _unpickled(path)
    key = b"labels" if num_classes == 10 else b"fine_labels"
    rows, labels = found.get(b"data"), found.get(key)
    if not isinstance(rows, np.ndarray) or not isinstance(labels, list):
        raise ValueError(
            f"{path}: expected the keys data with an array and {key.decode()} "
            f"with a list; got {sorted(map(str, found))}"
        )
    if rows.shape != (len(labels), _VALUES) or rows.dtype != np.uint8:
        raise ValueError(
            f"{path}: expected data [{len(labels)}, {_VALUES}] uint8, as there "
            f"are {len(labels)} labels; got {rows.shape} {rows.dtype}"
        )
    return rows, _checked(path, labels, num_classes)


def _binary(
    path: pathlib.Path, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and class ids of a binary; CIFAR-100's have a coarse id first."""
    num_ids = 1 if num_classes == 10 else 2
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % (num_ids + _VALUES):
        raise ValueError(
            f"{path}: expected records of {num_ids + _VALUES} bytes; got "
            f"{len(content)} bytes in all"
        )
    records = content.reshape(-1, num_ids + _VALUES)
    class_ids = records[:, num_ids - 1]
    return records[:, num_ids:], _checked(path, class_ids, num_classes)


def _checked(
    path: pathlib.Path, labels: Sequence[int], num_classes: int
) -> np.ndarray:
    """[N] int64 of labels that are class ids."""
    try:
        class_ids = np.array(labels, np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: labels must be numbers: {error}") from error
    wrong = class_ids[(class_ids < 0) | (class_ids >= num_classes)]
    if len(wrong):
        raise ValueError(
            f"{path}: expected labels of 0 to {num_classes - 1}; got {wrong[0]}"
        )
    return class_ids


def _names(
    place: pathlib.Path, is_binary: bool, num_classes: int
) -> tuple[str, ...]:
    """The names of the classes, from the file that lies with the images."""
    name = {10: "batches.meta", 100: "meta"}[num_classes]
    key = {10: b"label_names", 100: b"fine_label_names"}[num_classes]
    if is_binary:
        name = {10: "batches.meta.txt", 100: "fine_label_names.txt"}[
            num_classes
        ]
        lines = (place / name).read_text(encoding="utf-8").splitlines()
        found = [line.strip() for line in lines if line.strip()]
    else:
        found = _unpickled(place / name).get(key)
    if not isinstance(found, list) or len(found) != num_classes:
        raise ValueError(
            f"{place / name}: expected {num_classes} names of classes; got "
            f"{len(found) if isinstance(found, list) else found!r}"
        )
    return tuple(x.decode() if isinstance(x, bytes) else x for x in found)
