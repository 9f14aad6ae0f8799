"""Runs several networks on the same images and says how far they agree."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tools.synetgy import program, simulator

keras = tf.keras

Network = Callable[[np.ndarray], np.ndarray]  # images [B, ...] to outputs


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Of two networks' outputs for the same images.

    Args:
      num_images: that both have seen.
      equal_images: whose outputs are equal bit for bit.
      same_class: whose largest output is that of the same class.
      largest_difference: of any output.
    """

    num_images: int
    equal_images: int
    same_class: int
    largest_difference: float

    def __str__(self) -> str:
        return (
            f"of {self.num_images} images {self.equal_images} have equal "
            f"outputs bit for bit and {self.same_class} the same class; "
            f"outputs differ by at most {self.largest_difference:g}"
        )


def simulated(network: program.Program) -> Network:
    """A program on the functional simulator."""
    return lambda images: simulator.run(network, images).output


def eager(model: keras.Model) -> Network:
    """A Keras model as it is: a traced one might be rewritten."""
    return lambda images: model(tf.constant(images), training=False).numpy()


def outputs(
    networks: Mapping[str, Network],
    batches: Iterable[tuple[np.ndarray, np.ndarray | None]],
    *,
    progress: bool = False,
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """All networks' outputs, reading the images once.

    Args:
      networks: by their names.
      batches: images [B, H, W, C] float32, class ids [B] int or None.
      progress: whether to show it.

    Returns:
      outputs: [N, ...] float32 of each network.
      class_ids: [N] int, or None where there are none.

    Raises:
      ValueError: there are no images, or as simulator.run().
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    class_ids: list[np.ndarray] = []
    for images, ids in tqdm(batches, unit="batch", disable=not progress):
        for name, network in networks.items():
            found[name].append(network(images))
        if ids is not None:
            class_ids.append(ids)
    if not all(found.values()):
        raise ValueError("there are no images to run")
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    return joined, np.concatenate(class_ids) if class_ids else None


def compare(first: np.ndarray, second: np.ndarray) -> Agreement:
    """Agreement of two outputs [N, ..., C]."""
    axes = tuple(range(1, first.ndim))
    classes = first.argmax(-1) == second.argmax(-1)  # [N, ...]
    return Agreement(
        len(first),
        int((first == second).all(axis=axes).sum()),
        int(classes.reshape(len(first), -1).all(axis=1).sum()),
        float(np.abs(first.astype(np.float64) - second).max()),
    )
