"""How embeddings or pictures of two runs of a network compare."""

import numpy as np

Outputs = dict[str, np.ndarray]
# Least mean cosine, and 1 less the largest mean difference of pixels. Ours:
# export.MIN_AGREEMENT, but with 8 bits embeddings may lie 0.04 apart in squared
# distance, which is 0 to 4, and pixels 5.1 of 255.
MIN_AGREEMENT = {
    "saved_model": 0.9999,
    "float32": 0.9999,
    "float16": 0.995,
    "int8": 0.98,
}


def embeddings(
    batch: np.ndarray, expected: Outputs, got: Outputs
) -> tuple[float, float, int]:
    """Cosines between the embeddings of two runs; an export.Agreement.

    Args:
      batch: the input, not looked at.
      expected: `embedding` [B, E] of unit length.
      got: of the other run.

    Returns:
      The largest difference of a number, the sum of the cosines, and B.
    """
    one, two = expected["embedding"], got["embedding"]
    return float(np.abs(two - one).max()), float((one * two).sum()), len(one)


def pictures(
    batch: np.ndarray, expected: Outputs, got: Outputs
) -> tuple[float, float, int]:
    """Differences of the pixels of two runs; an export.Agreement.

    Ours: in shares of the whole range.

    Args:
      batch: the input, not looked at.
      expected: `picture` [B, H, W, 3], 0 to 255.
      got: of the other run.

    Returns:
      The largest difference of a value over 255, the sum of 1 - difference /
      255 of all values, and how many there are.
    """
    error = np.abs(np.float64(got["picture"]) - expected["picture"]) / 255
    return float(error.max()), float((1 - error).sum()), error.size
