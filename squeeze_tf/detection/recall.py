"""Recall against the number of boxes kept per image, as in Ch. 2, Fig. 5."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision, overlaps

NEVER = np.iinfo(np.int64).max
FEWEST = 8  # Ch. 2 §4.1: N_box from 8 to 15,048, all there are


@dataclasses.dataclass(frozen=True)
class Needed:
    """How many boxes of an image must be kept for each object to be found.

    Attributes:
      counts: [G] int64, the best 1, 2, ... boxes; NEVER if all are too few.
      class_names: [G] str.
      difficulties: for each name, [G] bool, the objects that count.
    """

    counts: np.ndarray
    class_names: np.ndarray
    difficulties: dict[str, np.ndarray]

    def recall(
        self,
        kept: Sequence[int] | np.ndarray,
        class_name: str | None = None,
        difficulty: str | None = None,
    ) -> np.ndarray:
        """Share of objects found among the best `kept` boxes of each image.

        Args:
          kept: [K] int, N_box.
          class_name: objects of this class only; None for all.
          difficulty: objects of this difficulty only; None for the overall
            recall, over objects of any.

        Returns:
          [K] float64; NaN where no object counts.

        Raises:
          KeyError: an unknown difficulty.
        """
        if difficulty is None:
            chosen = np.any([*self.difficulties.values()], axis=0)
        else:
            chosen = self.difficulties[difficulty].copy()
        if class_name is not None:
            chosen &= self.class_names == class_name
        counts = np.sort(self.counts[chosen])
        if not len(counts):
            return np.full(len(kept), np.nan)
        return np.searchsorted(counts, kept, side="right") / len(counts)


def sweep(num_boxes: int) -> np.ndarray:
    """Numbers of boxes to keep: 8, 16, 32, ... and at last all."""
    doubled = FEWEST * 2 ** np.arange(63 - FEWEST.bit_length(), dtype=np.int64)
    return np.append(doubled[doubled < num_boxes], num_boxes)


def needed_boxes(
    truth: Iterable[image_labels.ImageLabels],
    found: Iterable[image_labels.ImageLabels],
    classes: Sequence[average_precision.ClassRule] = (
        average_precision.KITTI_CLASSES
    ),
    difficulties: Sequence[average_precision.Difficulty] = (
        average_precision.KITTI
    ),
) -> Needed:
    """For each object, the least number of boxes with which it is found.

    Source: Ch. 2 §4.1, Recall, which leaves the matching open. Ours: the
    boxes of an image come by falling score. Each finds, of the objects of
    its class that no earlier box found and whose IoU with it is larger than
    the class asks, the one of largest IoU. So a box finds one object at
    most, an object is found once, and keeping more boxes changes nothing
    about earlier ones. Objects too hard to count take boxes as well.

    Args:
      truth: labels of each image, read one by one.
      found: all boxes of each image with scores, before any suppression,
        likewise.
      classes: see average_precision.ClassRule; neighbours are not used.
      difficulties: see average_precision.Difficulty.

    Raises:
      ValueError: lists of different length, boxes without scores.
    """
    counts, names = [np.zeros(0, np.int64)], [np.zeros(0, np.str_)]
    due = [np.zeros((len(difficulties), 0), bool)]
    for image, (objects, boxes) in enumerate(zip(truth, found, strict=True)):
        if len(boxes) and boxes.scores is None:
            raise ValueError(f"found[{image}] must have scores; got None")
        for rule in classes:
            rows = average_precision.has_type(objects, rule.type_names)
            rows &= ~objects.is_ignored
            if rows.any():
                counts.append(_needed(objects.corners[rows], boxes, rule))
                names.append(np.full(rows.sum(), rule.name))
                levels = [
                    average_precision.is_due(objects, difficulty)[rows]
                    for difficulty in difficulties
                ]
                due.append(np.reshape(levels, (-1, rows.sum())))
    return Needed(
        counts=np.concatenate(counts),
        class_names=np.concatenate(names),
        difficulties=dict(
            zip(
                [difficulty.name for difficulty in difficulties],
                np.concatenate(due, axis=1),
            )
        ),
    )


def _needed(
    corners: np.ndarray,
    boxes: image_labels.ImageLabels,
    rule: average_precision.ClassRule,
) -> np.ndarray:
    """Needed boxes [G] of one image's objects of one class."""
    needed = np.full(len(corners), NEVER)
    if not len(boxes):
        return needed
    order = np.argsort(-boxes.scores, kind="stable")
    named = average_precision.has_type(boxes, (rule.name,))
    ranks = np.flatnonzero(named[order])
    iou = overlaps.overlap(corners[:, None], boxes.corners[order[ranks]])
    iou[iou <= rule.min_overlap] = 0  # [G, boxes of the class]
    # Boxes that overlap no object still to be found will not find one later,
    # so only the first that does matters, at most once per object.
    while iou.any():
        box = iou.any(axis=0).argmax()
        row = iou[:, box].argmax()
        needed[row] = ranks[box] + 1
        iou[row] = 0
        iou[:, box] = 0
    return needed
