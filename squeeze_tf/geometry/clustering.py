"""Clusters of points: DBSCAN."""

import numpy as np
from sklearn import cluster


def dbscan(points: np.ndarray, radius: float, min_points: int) -> np.ndarray:
    """Density-based clusters, by scikit-learn.

    Source: Ch. 3 §4.2 uses it with 0.3 m and 20 points.

    Args:
      points: [N, 3] metres; N may be 0.
      radius: metres, positive.
      min_points: neighbours within the radius, the point itself included,
        that make it a core point.

    Returns:
      [N] int: cluster from 0 on, -1 for noise.
    """
    if radius <= 0 or min_points < 1:
        raise ValueError(
            f"radius and min_points must be positive: {radius}, {min_points}"
        )
    if len(points) == 0:
        return np.zeros(0, np.int64)
    search = cluster.DBSCAN(eps=radius, min_samples=min_points)
    return search.fit_predict(points)
