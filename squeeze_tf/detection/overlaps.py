"""Overlap of objects with boxes, those of all images at once."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from squeeze_tf.data import image_labels


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Objects [O] and boxes [D] of all images, and the pairs [P] that overlap.

    Attributes:
      truth: the objects.
      found: the boxes.
      truth_images: [O] int, the image of each object, ascending.
      found_images: [D] int, likewise.
      object_ids: [P] int, index into `truth`.
      box_ids: [P] int, index into `found`.
      iou: [P] float64.
      covered: [D] float64, largest share of a box's own area that lies in
        one ignored region.
      num_images: I.
    """

    truth: image_labels.ImageLabels
    found: image_labels.ImageLabels
    truth_images: np.ndarray
    found_images: np.ndarray
    object_ids: np.ndarray
    box_ids: np.ndarray
    iou: np.ndarray
    covered: np.ndarray
    num_images: int


def find(
    truth: Sequence[image_labels.ImageLabels],
    found: Sequence[image_labels.ImageLabels],
    min_overlap: float,
) -> Pairs:
    """Pairs of object and box of one image with a larger IoU.

    Args:
      truth: labels of each image.
      found: detections of each image.
      min_overlap: pairs of this IoU or less are left out.

    Raises:
      ValueError: no images, lists of different length, boxes without finite
        scores.
    """
    if not 0 < len(truth) == len(found):
        raise ValueError(
            "truth and found must describe the same images, at least one; "
            f"got {len(truth)} and {len(found)}"
        )
    for image, boxes in enumerate(found):
        if len(boxes) and (
            boxes.scores is None or not np.isfinite(boxes.scores).all()
        ):
            raise ValueError(
                f"found[{image}] must have finite scores; got {boxes.scores}"
            )
    truth_images, truth = _all_in_one(truth, with_scores=False)
    found_images, boxes = _all_in_one(found, with_scores=True)
    object_ids, box_ids = same_group(truth_images, found_images)
    iou = overlap(boxes.corners[box_ids], truth.corners[object_ids])
    regions = truth.is_ignored[object_ids]
    covered = np.zeros(len(boxes))
    np.maximum.at(
        covered,
        box_ids[regions],
        overlap(
            boxes.corners[box_ids[regions]],
            truth.corners[object_ids[regions]],
            of_own_area=True,
        ),
    )
    near = ~regions & (iou > min_overlap)
    return Pairs(
        truth=truth,
        found=boxes,
        truth_images=truth_images,
        found_images=found_images,
        object_ids=object_ids[near],
        box_ids=box_ids[near],
        iou=iou[near],
        covered=covered,
        num_images=len(found),
    )


def same_group(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of all pairs of equal entries of two ascending lists."""
    start = np.searchsorted(second, first, side="left")
    counts = np.searchsorted(second, first, side="right") - start
    offsets = np.repeat(start - np.cumsum(counts) + counts, counts)
    return (
        np.repeat(np.arange(len(first)), counts),
        offsets + np.arange(counts.sum()),
    )


def overlap(
    corners: np.ndarray, others: np.ndarray, of_own_area: bool = False
) -> np.ndarray:
    """Intersection of boxes over their union, or over the first one's area.

    Args:
      corners: [..., 4] float64 pixels, x0, y0, x1, y1.
      others: likewise; the shapes are broadcast.
      of_own_area: divide by the area of `corners`.

    Returns:
      [...] float64 in 0 to 1; 0 where the boxes do not meet.
    """
    low = np.maximum(corners[..., :2], others[..., :2])
    high = np.minimum(corners[..., 2:], others[..., 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    area = np.prod(corners[..., 2:] - corners[..., :2], axis=-1)
    if not of_own_area:
        other = np.prod(others[..., 2:] - others[..., :2], axis=-1)
        area = area + other - shared
    area = np.broadcast_to(area, shared.shape)
    return np.divide(shared, area, out=np.zeros_like(shared), where=shared > 0)


def _all_in_one(
    images: Sequence[image_labels.ImageLabels], with_scores: bool
) -> tuple[np.ndarray, image_labels.ImageLabels]:
    """Image of each object, and the objects."""
    fields = {
        field.name: np.concatenate([getattr(one, field.name) for one in images])
        for field in dataclasses.fields(image_labels.ImageLabels)
        if field.name != "scores"
    }
    if with_scores:
        fields["scores"] = np.concatenate(
            [one.scores if len(one) else np.zeros(0) for one in images]
        )
    ids = np.repeat(np.arange(len(images)), [len(one) for one in images])
    return ids, image_labels.ImageLabels(**fields)
