"""How the final boxes of two runs of a detector compare."""

import numpy as np
import tensorflow as tf

from squeeze_tf.geometry import boxes as boxes_lib

MIN_SCORE = 0.05  # Ours: boxes below are noise that rounding reorders
MIN_IOU = 0.9  # Ours: a box of 20 pixels moved by one
# Least share of boxes that stay in an export. Ours: at the bounds of
# suppression and of the 64 best, rounding makes whole boxes come and go.
MIN_AGREEMENT = {
    "saved_model": 0.9999,
    "float32": 0.9999,
    "float16": 0.98,
    "int8": 0.9,
}


def agreement(
    batch: np.ndarray,
    expected: dict[str, np.ndarray],
    got: dict[str, np.ndarray],
) -> tuple[float, int, int]:
    """Boxes of two runs that are the same; an export.Agreement.

    A box is the same if the other run has one of its class at an IoU of
    MIN_IOU or more; of several the one of the nearest score is compared.
    Boxes under MIN_SCORE do not count.

    Args:
      batch: the input, not looked at.
      expected: `boxes` [B, N, 4], `class_ids` [B, N], `scores` [B, N], as of
        decode.Detections.
      got: of the other run.

    Returns:
      The largest difference of the scores of equal boxes, how many boxes are
      the same, and how many there are, counting both runs.
    """
    largest, same, count = 0.0, 0, 0
    for i in range(len(batch)):
        one, two = ({k: v[i] for k, v in x.items()} for x in (expected, got))
        for first, second in ((one, two), (two, one)):
            overlap = boxes_lib.iou(
                tf.constant(first["boxes"])[:, None],
                tf.constant(second["boxes"])[None],
            ).numpy()
            is_same = overlap >= MIN_IOU
            is_same &= first["class_ids"][:, None] == second["class_ids"]
            is_same &= second["scores"] > 0
            counted = first["scores"] >= MIN_SCORE
            difference = np.abs(first["scores"][:, None] - second["scores"])
            nearest = np.where(is_same, difference, np.inf).min(1)
            is_same = counted & np.isfinite(nearest)
            largest = max(largest, *nearest[is_same], 0.0)
            same += int(is_same.sum())
            count += int(counted.sum())
    return float(largest), same, count
