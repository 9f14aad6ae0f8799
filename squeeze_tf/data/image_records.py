"""Images with one class each in TFRecords, as ImageNet is often kept.

Source: TensorFlow's ImageNet scripts: examples with `image/encoded` (PNG, JPEG
or BMP) and `image/class/label`.
"""

import pathlib
import struct
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from squeeze_tf.data import classification, image_folders

LABELS = "labels.txt"
_SHUFFLE = 10_000  # records held while they are mixed, some 1 GB of JPEGs
_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}


def read(
    folder: str, part: str, channels: int = 3
) -> classification.LabelledImages:
    """TFRecords of a folder, whose file names say to which part they belong.

    Args:
      folder: holds train* and validation* (or val*, valid*, test*), or files
        of any names, which then are of both parts; and labels.txt with a line
        "LABEL:NAME" for each class, which need not count from 0.
      part: of classification.PARTS.
      channels: to decode, 1 or 3.

    Raises:
      FileNotFoundError: there is no such folder or no labels.txt.
      ValueError: no records, a file that is cut, or lines of labels.txt that
        are not as described; the message names the file.
    """
    place = pathlib.Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no such folder of TFRecords")
    names = _names(place / LABELS)
    paths = _files(place, part)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(names), tf.int64),
            tf.range(len(names), dtype=tf.int32),
        ),
        default_value=-1,
    )

    def load(path: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_single_example(record, _FEATURES)
        class_id = table.lookup(found["image/class/label"])
        with tf.control_dependencies(
            [
                tf.debugging.Assert(
                    class_id >= 0,
                    [
                        path,
                        f"label not in {LABELS}",
                        found["image/class/label"],
                    ],
                )
            ]
        ):
            image = classification.decode(found["image/encoded"], channels)
        return {"image": image, "class_id": class_id}

    def dataset(seed: int | None) -> tf.data.Dataset:
        return _records(paths, seed).map(
            load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    return classification.LabelledImages(
        tuple(names.values()),
        sum(count(path) for path in paths),
        channels,
        dataset,
        paths=tuple(paths),
    )


def count(path: pathlib.Path) -> int:
    """How many records a file holds, by skipping from one to the next.

    Source: TFRecord format: 8 bytes of length, 4 of checksum, the record, 4 of
    checksum.

    Raises:
      ValueError: the file ends within a record.
    """
    size, found = path.stat().st_size, 0
    with open(path, "rb") as file:
        while file.tell() < size:
            head = file.read(8)
            step = struct.unpack("<Q", head)[0] + 8 if len(head) == 8 else size
            if file.tell() + step > size:
                raise ValueError(f"{path}: not a whole TFRecord file")
            file.seek(step, 1)
            found += 1
    return found


def problem(path: pathlib.Path, channels: int) -> str | None:
    """What is wrong with an image file or a TFRecord of images, if anything.

    To be asked when reading has failed already.
    """
    is_image = path.suffix.lower() in image_folders.SUFFIXES
    try:
        if is_image:
            classification.decode(tf.io.read_file(str(path)), channels)
            return None
        where = ""
        for number, record in enumerate(tf.data.TFRecordDataset(str(path))):
            where = f" in record {number}"
            found = tf.io.parse_single_example(record, _FEATURES)
            classification.decode(found["image/encoded"], channels)
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        return (
            f"not a whole image (PNG, JPEG or BMP){'' if is_image else where}: "
            f"{error.message}"
        )
    return None


def write(
    path: pathlib.Path, images: Iterable[np.ndarray], labels: Iterable[int]
) -> None:
    """Writes a file of PNG images that read() reads.

    Args:
      path: of the file.
      images: [H, W, 1 or 3] uint8 each.
      labels: of the images, as in labels.txt.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in zip(images, labels, strict=True):
            encoded = tf.io.encode_png(image).numpy()
            features = {
                "image/encoded": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[encoded])
                ),
                "image/class/label": tf.train.Feature(
                    int64_list=tf.train.Int64List(value=[label])
                ),
            }
            example = tf.train.Example(
                features=tf.train.Features(feature=features)
            )
            writer.write(example.SerializeToString())


def _records(paths: list[pathlib.Path], seed: int | None) -> tf.data.Dataset:
    """Pairs of a file's path and a record, mixed by the seed if given."""
    names = [str(path) for path in paths]
    if seed is not None:
        names = np.random.default_rng(seed).permutation(names).tolist()

    def of_file(path: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(path).map(lambda x: (path, x))

    found = tf.data.Dataset.from_tensor_slices(names)
    if seed is None:
        return found.flat_map(of_file)
    mixed = found.interleave(
        of_file,
        cycle_length=4,  # whatever the machine, so that orders are equal
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return mixed.shuffle(_SHUFFLE, seed=seed)


def _files(place: pathlib.Path, part: str) -> list[pathlib.Path]:
    """The record files of a part."""
    prefixes = {
        "train": ("train",),
        "validation": classification.VALIDATION_NAMES,
    }
    if part not in prefixes:
        raise ValueError(
            f"part must be one of {classification.PARTS}; got {part!r}"
        )
    files = sorted(
        path
        for path in place.iterdir()
        if path.is_file()
        and path.name != LABELS
        and not path.name.startswith(".")
    )
    if not files:
        raise ValueError(f"{place}: expected TFRecord files; got none")
    named = {
        key: [path for path in files if path.name.startswith(words)]
        for key, words in prefixes.items()
    }
    return named[part] if all(named.values()) else files


def _names(path: pathlib.Path) -> dict[int, str]:
    """Labels of the records to the names of their classes, in file order."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: expected a line LABEL:NAME for each class; there is no "
            "such file"
        )
    names = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        label, colon, name = line.partition(":")
        if not line.strip():
            continue
        if not colon or not label.strip().isdigit() or not name.strip():
            raise ValueError(
                f"{path}:{number}: expected LABEL:NAME, as 7:cat; got {line!r}"
            )
        if int(label) in names or name.strip() in names.values():
            raise ValueError(f"{path}:{number}: {line!r} is there already")
        names[int(label)] = name.strip()
    if not names:
        raise ValueError(f"{path}: expected a line for each class; got none")
    return names
