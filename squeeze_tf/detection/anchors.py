"""Anchors: where they stand, and the shapes that fit a data set."""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Width, height in pixels of the released configurations, for images of about
# 1242 x 375; the first serves SqueezeDet, SqueezeDet+ and VGG16.
KITTI_SHAPES = (
    (36.0, 37.0),
    (366.0, 174.0),
    (115.0, 59.0),
    (162.0, 87.0),
    (38.0, 90.0),
    (258.0, 173.0),
    (224.0, 108.0),
    (78.0, 170.0),
    (72.0, 43.0),
)
KITTI_RESNET50_SHAPES = (
    (94.0, 49.0),
    (225.0, 161.0),
    (170.0, 91.0),
    (390.0, 181.0),
    (41.0, 32.0),
    (128.0, 64.0),
    (298.0, 164.0),
    (232.0, 99.0),
    (65.0, 42.0),
)


def grid(
    shapes: Sequence[Sequence[float]],
    image_size: tuple[int, int],
    grid_size: tuple[int, int],
) -> np.ndarray:
    """Anchors of every grid centre.

    Source: Ch. 2 §3.2. Centres divide the image evenly, (j + 1) W / (w + 1)
    and (i + 1) H / (h + 1), as in the released code.

    Args:
      shapes: K widths and heights, pixels.
      image_size: H, W of the network's input.
      grid_size: h, w of ConvDet's output.

    Returns:
      [h * w * K, 4] float64 centre x, centre y, width, height; row by row,
      the anchors of one centre together.
    """
    (height, width), (rows, columns) = image_size, grid_size
    y = np.arange(1, rows + 1) * height / (rows + 1)
    x = np.arange(1, columns + 1) * width / (columns + 1)
    anchors = np.empty((rows, columns, len(shapes), 4))
    anchors[..., 0] = x[None, :, None]
    anchors[..., 1] = y[:, None, None]
    anchors[..., 2:] = np.asarray(shapes, np.float64)
    return anchors.reshape(-1, 4)


def shape_iou(sizes: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """[N, K] IoU of sizes [N, 2] and shapes [K, 2] laid on one centre."""
    shared = np.minimum(sizes[:, None], shapes[None]).prod(-1)
    areas = sizes.prod(-1)[:, None] + shapes.prod(-1)[None]
    return shared / (areas - shared)


def cluster(
    sizes: np.ndarray,
    count: int,
    *,
    seed: int = 0,
    restarts: int = 10,
    max_rounds: int = 300,
) -> np.ndarray:
    """Anchor shapes by k-means with the distance 1 - IoU.

    Source: Ch. 2 §3.2 after Ashraf et al., "Shallow Networks for
    High-Accuracy Road Object-Detection" (2016). Started by k-means++ with the
    same distance; a cluster's centre is the mean width and height.

    Args:
      sizes: [N, 2] widths and heights of the objects in pixels of the
        network's input, N >= count distinct ones.
      count: K.
      seed: of the starts.
      restarts: how many; the best mean IoU wins.
      max_rounds: of one start.

    Returns:
      [K, 2] float64, by area.

    Raises:
      ValueError: a size is not positive or there are too few of them.
    """
    sizes = np.asarray(sizes, np.float64)
    if not (sizes > 0).all():
        raise ValueError("sizes must be positive, widths and heights in pixels")
    if count < 1 or len(np.unique(sizes, axis=0)) < count:
        raise ValueError(
            f"{count} anchors need at least one and as many objects of "
            f"different size; got {len(np.unique(sizes, axis=0))} of them"
        )
    random = np.random.default_rng(seed)
    best, best_iou = None, -1.0
    for _ in range(restarts):
        shapes = _spread(sizes, count, random)
        for _ in range(max_rounds):
            nearest = shape_iou(sizes, shapes).argmax(1)
            moved = np.array(
                [
                    sizes[nearest == k].mean(0) if (nearest == k).any() else s
                    for k, s in enumerate(shapes)
                ]
            )
            if np.array_equal(moved, shapes):
                break
            shapes = moved
        mean_iou = shape_iou(sizes, shapes).max(1).mean()
        if mean_iou > best_iou:
            best, best_iou = shapes, mean_iou
    return best[np.argsort(best.prod(-1))]


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How well anchors on a grid fit the objects of a data set.

    Attributes:
      num_objects: counted.
      mean_shape_iou: best IoU of sizes and shapes on one centre, mean.
      mean_iou: best IoU with an anchor of the grid where it stands, mean.
      share_below_half: of the objects whose best such IoU is under 0.5.
      share_sharing: of the objects whose best anchor is also that of another
        object of their image, so that one of the two gets a worse one.
    """

    num_objects: int
    mean_shape_iou: float
    mean_iou: float
    share_below_half: float
    share_sharing: float


def coverage(images: Sequence[np.ndarray], anchors: np.ndarray) -> Coverage:
    """Compares the objects of each image with all anchors.

    Args:
      images: for each image its boxes [N, 4] float, centre x, centre y,
        width, height in pixels of the network's input.
      anchors: [A, 4] of grid().

    Raises:
      ValueError: there are no objects.
    """
    shapes = np.unique(anchors[:, 2:], axis=0)
    shape_ious, ious, sharing = [], [], []
    for boxes in images:
        if not len(boxes):
            continue
        overlap = _iou(np.asarray(boxes, np.float64), anchors)
        best = overlap.argmax(1)
        _, first, counts = np.unique(
            best, return_inverse=True, return_counts=True
        )
        ious.append(overlap.max(1))
        sharing.append(counts[first] > 1)
        shape_ious.append(shape_iou(boxes[:, 2:], shapes).max(1))
    if not ious:
        raise ValueError("there are no objects to compare the anchors with")
    ious, sharing = np.concatenate(ious), np.concatenate(sharing)
    return Coverage(
        num_objects=len(ious),
        mean_shape_iou=float(np.concatenate(shape_ious).mean()),
        mean_iou=float(ious.mean()),
        share_below_half=float((ious < 0.5).mean()),
        share_sharing=float(sharing.mean()),
    )


def propose(mean_ious: dict[int, float], gain: float) -> int:
    """The number of anchors after which more of them hardly fit better.

    Args:
      mean_ious: by number of anchors.
      gain: least gain that is worth the next number.
    """
    counts = sorted(mean_ious)
    for count, following in zip(counts, counts[1:]):
        if mean_ious[following] - mean_ious[count] < gain:
            return count
    return counts[-1]


def _iou(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """[N, A] float64."""
    low = np.maximum(
        (boxes[:, :2] - boxes[:, 2:] / 2)[:, None],
        (anchors[:, :2] - anchors[:, 2:] / 2)[None],
    )
    high = np.minimum(
        (boxes[:, :2] + boxes[:, 2:] / 2)[:, None],
        (anchors[:, :2] + anchors[:, 2:] / 2)[None],
    )
    shared = np.maximum(high - low, 0).prod(-1)
    areas = boxes[:, 2:].prod(-1)[:, None] + anchors[:, 2:].prod(-1)[None]
    return shared / (areas - shared)


def _spread(
    sizes: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """k-means++: each start far from the ones before, at random."""
    shapes = sizes[random.integers(len(sizes))][None]
    while len(shapes) < count:
        distance = 1 - shape_iou(sizes, shapes).max(1)
        weight = np.maximum(distance, 0) ** 2
        chosen = random.choice(len(sizes), p=weight / weight.sum())
        shapes = np.concatenate([shapes, sizes[chosen][None]])
    return shapes
