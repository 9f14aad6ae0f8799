"""The front of accuracy against cost, and the area below it."""

from collections.abc import Sequence

import numpy as np


def pareto(costs: Sequence[float], scores: Sequence[float]) -> np.ndarray:
    """Which points no other one beats, [N] bool.

    Args:
      costs: of N points, less is better.
      scores: of N points, more is better. Of equal points the first counts.
    """
    costs, scores = np.asarray(costs, float), np.asarray(scores, float)
    order = np.lexsort((np.arange(len(costs)), -scores, costs))
    best = np.maximum.accumulate(np.r_[-np.inf, scores[order][:-1]])
    is_front = np.zeros(len(costs), bool)
    is_front[order] = scores[order] > best
    return is_front


def hypervolume(
    costs: Sequence[float],
    scores: Sequence[float],
    worst: tuple[float, float],
) -> float:
    """Area that the points dominate, up to a cost and from a score.

    Args:
      costs: of N points.
      scores: of N points.
      worst: cost and score of the corner; points beyond it add nothing.
    """
    most, least = worst
    kept = pareto(costs, scores)
    points = [
        (cost, score)
        for cost, score in zip(
            np.asarray(costs)[kept], np.asarray(scores)[kept]
        )
        if cost < most and score > least
    ]
    area, floor = 0.0, least
    for cost, score in sorted(points):
        area += (most - cost) * (score - floor)
        floor = score
    return area
