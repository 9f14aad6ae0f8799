"""What the command lines say, as devices, batch sizes, networks and images."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from experiments import classification_run
from squeeze_tf import config as config_lib
from squeeze_tf import training
from squeeze_tf.classification import diracdeltanet, inputs
from squeeze_tf.data import classification
from tools.synetgy import hardware

keras = tf.keras

_PIXELS = 2**19  # Ours: of a batch to simulate, some 100 MB for each map


def device(name: str, settings: Sequence[str] = ()) -> hardware.Device:
    """A device known by its name or in a file, with some fields changed.

    Args:
      name: of hardware.DEVICES, or a .json file of a Device's fields.
      settings: "field=value" texts.

    Raises:
      ValueError: the name is unknown, or a field is not as it should be.
      OSError: there is no such file.
    """
    if name in hardware.DEVICES:
        found = hardware.DEVICES[name]
    elif name.endswith(".json"):
        found = config_lib.read(hardware.Device, name)
    else:
        raise ValueError(
            f"device must be one of {', '.join(sorted(hardware.DEVICES))} or a "
            f".json file of its fields; got {name!r}"
        )
    return config_lib.override(found, settings)


def batch_sizes(texts: Sequence[str]) -> list[int]:
    """Numbers of images.

    Raises:
      ValueError: there are none, or one is not a whole number above 0.
    """
    try:
        sizes = [int(text) for text in texts]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise ValueError(
            f"batch must be whole numbers above 0; got {','.join(texts)!r}"
        )
    return sizes


def network(workdir: str | None) -> keras.Model:
    """A trained model, or without a workdir the thesis' DiracDeltaNet.

    The latter has random weights of 4 bits throughout and activations of 4
    (Ch. 6 Table 13), so that all of it runs on the accelerator.

    Raises:
      ValueError: the workdir holds another model than its checkpoint is of.
      OSError: it holds no trained model.
    """
    if workdir is not None:
        return training.load_model(workdir)
    keras.utils.set_random_seed(0)
    return diracdeltanet.diracdeltanet(
        weight_bits=4, activation_bits=4, end_bits=4
    )


@dataclasses.dataclass(frozen=True)
class Images:
    """What a network is run on.

    Args:
      source: in words.
      batches: of images [B, H, W, C] float32 and class ids [B] int, or None
        where there are none.
    """

    source: str
    batches: Iterator[tuple[np.ndarray, np.ndarray | None]]


def has_data(workdir: str | None) -> bool:
    """Whether a folder is a run of a classifier, which knows its images."""
    if workdir is None:
        return False
    return (pathlib.Path(workdir) / classification_run.CLASS_NAMES).exists()


def random_images(shape: Sequence[int], count: int, seed: int = 0) -> Images:
    """Images of equally likely whole numbers from 0 to 255.

    Args:
      shape: H, W, C.
      count: how many.
      seed: of the generator.
    """
    random = np.random.default_rng(seed)

    def batches() -> Iterator[tuple[np.ndarray, None]]:
        for size in _sizes(shape, count):
            images = random.integers(0, 256, (size, *shape))
            yield images.astype(np.float32), None

    return Images(f"random images of seed {seed}", batches())


def _sizes(shape: Sequence[int], count: int) -> Iterator[int]:
    most = _batch(shape)
    for start in range(0, count, most):
        yield min(most, count - start)


def _batch(shape: Sequence[int]) -> int:
    return max(_PIXELS // (shape[0] * shape[1]), 1)


def validation_images(
    workdir: str,
    count: int = 0,
    data: str | None = None,
    settings: Sequence[str] = (),
) -> Images:
    """The validation images of a classifier's run, in their order.

    Args:
      workdir: of train_classifier or a step of quantize.
      count: the first so many; 0 for all.
      data: folder to take all images of instead.
      settings: "field=value" texts of the run's data.

    Raises:
      ValueError: it is no such run, or the data are not of its classes.
      OSError: something is not there.
    """
    config = classification_run.read_run(workdir, list(settings))
    names = classification_run.class_names(workdir)
    found = classification.with_classes(
        classification_run.images(config, "validation", data), names
    )
    size = _batch(classification_run.image_size(config))
    dataset = classification_run.evaluation_batches(
        dataclasses.replace(config, batch_size=size), found
    )
    if count:
        dataset = dataset.unbatch().take(count).batch(size)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with inputs.naming_damaged(found):
            for image, target in dataset:
                yield image.numpy(), target.numpy().argmax(1)

    return Images(f"validation images of {workdir}", batches())
