"""Images with one class each: arrays, folders of classes, scikit-learn digits.

LabelledImages is what every reader returns; data.cifar and data.image_records
read other formats.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import sklearn.datasets
import tensorflow as tf

from squeeze_tf.data import image_folders, splits

PARTS = ("train", "validation")
# Sub-folders and file names that say which part they are.
VALIDATION_NAMES = ("val", "validation", "valid", "test")
DIGITS_VALIDATION = 597  # of 1797, Ours


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """A data set, in one part or as a whole.

    Attributes:
      class_names: unique; class ids are places in it.
      num_images: how many.
      channels: of each image.
      read: a number, or None for the order of the source, to a dataset of
        dicts `image` [H, W, channels] float32 in 0 to 255 and `class_id` int32.
        Equal numbers give equal orders.
      class_ids: [num_images] int32 in the order of the source; None where
        they are known only by reading all images.
      paths: of the images or of the files that hold them, for messages.
      load: place in the source, [] int64, to its dict; None where images can
        only be read one after the other.
    """

    class_names: tuple[str, ...]
    num_images: int
    channels: int
    read: Callable[[int | None], tf.data.Dataset]
    class_ids: np.ndarray | None = None
    paths: tuple[pathlib.Path, ...] = ()
    load: Callable[[tf.Tensor], dict[str, tf.Tensor]] | None = None


def of_arrays(
    images: np.ndarray, class_ids: np.ndarray, class_names: Sequence[str]
) -> LabelledImages:
    """Images that are in memory.

    Args:
      images: [N, H, W, C] in 0 to 255; kept in their type.
      class_ids: [N] int.
      class_names: of the ids.

    Raises:
      ValueError: shapes do not fit, or an id has no name.
    """
    if images.ndim != 4 or class_ids.shape != images.shape[:1]:
        raise ValueError(
            "images and class_ids must be [N, H, W, C] and [N]; got "
            f"{images.shape} and {class_ids.shape}"
        )
    _check_ids(class_ids, class_names)
    class_ids = class_ids.astype(np.int32)

    def load(index: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "image": tf.cast(pixels[index], tf.float32),
            "class_id": ids[index],
        }

    pixels, ids = tf.constant(images), tf.constant(class_ids)
    return LabelledImages(
        tuple(class_names),
        len(images),
        images.shape[3],
        lambda seed: _ordered(np.arange(len(images)), seed).map(load),
        class_ids,
        load=load,
    )


def of_files(
    paths: Sequence[pathlib.Path],
    class_ids: np.ndarray,
    class_names: Sequence[str],
    channels: int = 3,
) -> LabelledImages:
    """Images that are files (PNG, JPEG, BMP), decoded when they are needed.

    Args:
      paths: of the images.
      class_ids: [N] int.
      class_names: of the ids.
      channels: to decode, 1 or 3.

    Raises:
      ValueError: an id has no name.
    """
    _check_ids(class_ids, class_names)
    class_ids = class_ids.astype(np.int32)
    names = tf.constant([str(path) for path in paths])
    ids = tf.constant(class_ids)

    def load(index: tf.Tensor) -> dict[str, tf.Tensor]:
        content = tf.io.read_file(names[index])
        return {"image": decode(content, channels), "class_id": ids[index]}

    def read(seed: int | None) -> tf.data.Dataset:
        return _ordered(np.arange(len(paths)), seed).map(
            load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    return LabelledImages(
        tuple(class_names),
        len(paths),
        channels,
        read,
        class_ids,
        tuple(paths),
        load,
    )


def decode(content: tf.Tensor, channels: int) -> tf.Tensor:
    """[H, W, channels] float32 in 0 to 255 of an encoded image.

    Colours become grey as their weighted sum, rounded.
    """
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    image = tf.cast(image, tf.float32)
    if channels == 1:
        image = tf.round(tf.image.rgb_to_grayscale(image))
    return image


def digits(folder: str, part: str) -> LabelledImages:
    """scikit-learn's 1797 handwritten digits, 8 x 8, which need no download.

    Source: UCI optdigits. Values of 0 to 16 become 0 to 255. Ours: a fixed
    random order of all images; its first 597 validate and the others train.

    Args:
      folder: not used.
      part: of PARTS.
    """
    found = sklearn.datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    cut = DIGITS_VALIDATION
    chosen = _of_part(part, order[cut:], order[:cut])
    return of_arrays(
        (found.images[chosen, :, :, None] * (255 / 16)).astype(np.float32),
        found.target[chosen],
        [str(digit) for digit in range(10)],
    )


def folders(
    folder: str, part: str, share: float = 0.0, channels: int = 3
) -> LabelledImages:
    """A folder for each class with its images, as ImageNet is laid out.

    Class names are those of the folders, sorted, of whichever part is read.

    Args:
      folder: holds CLASS/**/NAME.jpg, .png or .bmp; or train/ and val/ (or
        validation, valid, test) with that. Hidden folders are left out.
      part: of PARTS.
      share: of the images, where there is no folder for each part, that
        validate by the hash of CLASS/NAME (data.splits); with 0 both parts are
        all images.
      channels: to decode, 1 or 3.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: no image, or no class folder; the message names it.
    """
    top = pathlib.Path(folder)
    if not top.is_dir():
        raise FileNotFoundError(f"{top}: no such folder of classes")
    own = folder_of_part(top, part)
    classes = _subfolders(own or top)
    if not classes:
        raise ValueError(
            f"{own or top}: expected a folder for each class with its images "
            "in it; got no folder"
        )
    paths, class_ids = [], []
    for class_id, place in enumerate(classes):
        images = _images(place)
        if not images:
            raise ValueError(
                f"{place}: expected images "
                f"({', '.join(image_folders.SUFFIXES)}) of class "
                f"{place.name}; got none"
            )
        if own is None and share:
            images = [p for p in images if _is_in(p, place, part, share)]
        paths += images
        class_ids += [class_id] * len(images)
    if not paths:
        raise ValueError(f"{top}: a share of {share} leaves none for {part}")
    names = [place.name for place in classes]
    return of_files(paths, np.array(class_ids), names, channels)


def folder_of_part(top: pathlib.Path, part: str) -> pathlib.Path | None:
    """train/ or val/ in a folder that has both, else None."""
    names = {place.name.lower(): place for place in _subfolders(top)}
    held_out = [names[name] for name in VALIDATION_NAMES if name in names]
    if "train" not in names or not held_out:
        return None
    return _of_part(part, names["train"], held_out[0])


def with_classes(
    images: LabelledImages, class_names: Sequence[str]
) -> LabelledImages:
    """The same images with the class ids of another list.

    Args:
      images: whose classes are all in the list.
      class_names: the list, for instance of the training images.

    Raises:
      ValueError: a class is not in the list.
    """
    unknown = sorted(set(images.class_names) - set(class_names))
    if unknown:
        raise ValueError(
            f"{len(unknown)} classes are not among the {len(class_names)} of "
            f"the network, for instance {unknown[0]!r}"
        )
    places = {name: i for i, name in enumerate(class_names)}
    table = np.array([places[x] for x in images.class_names], np.int32)

    def renumber(sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        class_id = tf.gather(table, sample["class_id"])
        return sample | {"class_id": class_id}

    return dataclasses.replace(
        images,
        class_names=tuple(class_names),
        class_ids=None if images.class_ids is None else table[images.class_ids],
        read=lambda seed: images.read(seed).map(renumber),
        load=images.load and (lambda place: renumber(images.load(place))),
    )


def split(
    images: LabelledImages, share: float, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """Two parts at random that have no image in common.

    Args:
      images: of which all are in one of the parts.
      share: of the first part, between 0 and 1.
      seed: of the choice.

    Raises:
      ValueError: a part is empty, or the images can only be read one after the
        other.
    """
    count = round(share * images.num_images)
    if not 0 < count < images.num_images:
        raise ValueError(
            f"a share of {share} of {images.num_images} images leaves a part "
            "without any"
        )
    if images.load is None:
        raise ValueError(
            "images of records cannot be split; expected folders, CIFAR or "
            "digits"
        )
    order = np.random.default_rng(seed).permutation(images.num_images)
    return _taken(images, order[:count]), _taken(images, order[count:])


def _taken(images: LabelledImages, places: np.ndarray) -> LabelledImages:
    """Some of the images, in the order of the source."""
    places = np.sort(places)

    def read(seed: int | None) -> tf.data.Dataset:
        return _ordered(places, seed).map(
            images.load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    kept = {"class_ids": images.class_ids[places]}
    if len(images.paths) == images.num_images:
        kept["paths"] = tuple(images.paths[place] for place in places)
    numbers = tf.constant(places)
    return dataclasses.replace(
        images,
        num_images=len(places),
        read=read,
        load=lambda place: images.load(numbers[place]),
        **kept,
    )


def _of_part(part: str, train: object, validation: object) -> object:
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}; got {part!r}")
    return train if part == "train" else validation


def _is_in(
    path: pathlib.Path, place: pathlib.Path, part: str, share: float
) -> bool:
    """Whether an image of a class folder belongs to a part by its name."""
    name = path.relative_to(place.parent).with_suffix("").as_posix()
    is_validation = splits.is_validation(name, share)
    return bool(_of_part(part, not is_validation, is_validation))


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def _images(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in image_folders.SUFFIXES
    )


def _ordered(places: np.ndarray, seed: int | None) -> tf.data.Dataset:
    """Places [N] int64, shuffled by the seed if there is one."""
    if seed is not None:
        places = np.random.default_rng(seed).permutation(places)
    return tf.data.Dataset.from_tensor_slices(places)


def _check_ids(class_ids: np.ndarray, class_names: Iterable[str]) -> None:
    names = tuple(class_names)
    if len(set(names)) != len(names):
        raise ValueError(f"class_names must be unique; got {names}")
    wrong = class_ids[(class_ids < 0) | (class_ids >= len(names))]
    if len(wrong):
        raise ValueError(
            f"class ids must be 0 to {len(names) - 1}, as there are "
            f"{len(names)} names; got {wrong[0]}"
        )
