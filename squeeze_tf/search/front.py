"""The front of accuracy against cost, and the area below it."""

from collections.abc import Sequence

import numpy as np


def pareto(goals: np.ndarray) -> np.ndarray:
    """Which points no other one beats, [N] bool.

    One beats another if it is at least as good in all goals and better in one.

    Args:
      goals: [N, D], more is better.
    """
    as_good = (goals[:, None] >= goals).all(axis=2)  # [N, N]: row beats column
    better = (goals[:, None] > goals).any(axis=2)
    return ~(as_good & better).any(axis=0)


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
    costs, scores = np.asarray(costs, float), np.asarray(scores, float)
    kept = pareto(np.stack([-costs, scores], axis=1))
    points = [
        (cost, score)
        for cost, score in zip(costs[kept], scores[kept])
        if cost < most and score > least
    ]
    area, floor = 0.0, least
    for cost, score in sorted(points):
        area += (most - cost) * (score - floor)
        floor = score
    return area
