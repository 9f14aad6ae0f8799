"""Labels of grid cells back to the points of the scan."""

import numpy as np

from squeeze_tf.geometry import spherical


def back_project(
    grid_values: np.ndarray,
    points: np.ndarray,
    projected: spherical.Projected,
    neighbours: int = 5,
    max_distance: float = 1.0,
    outside: int = 0,
) -> np.ndarray:
    """A label for every point from a label for every cell.

    A point that owns its cell gets the cell's label; one that lost it to a
    nearer point gets the vote of `nearest_labels`.

    Args:
      grid_values: [H, W] int labels.
      points: [N, 3 or more] float metres, those that were projected.
      projected: what `spherical.project` made of them.
      neighbours: how many cells vote.
      max_distance: metres of range beyond which a cell has no vote.
      outside: label of points outside the field of view.

    Returns:
      [N] int32.

    Raises:
      ValueError: shapes do not belong together, or as `nearest_labels`.
    """
    points = np.asarray(points)
    if len(points) != len(projected.rows):
        raise ValueError(
            f"points must be the {len(projected.rows)} that were projected; "
            f"got {len(points)}"
        )
    grid_values = _checked_values(grid_values, projected)
    labels = np.full(len(points), outside, np.int32)
    taken = projected.point_index >= 0
    labels[projected.point_index[taken]] = grid_values[taken]
    owns = np.zeros(len(points), bool)
    owns[projected.point_index[taken]] = True
    hidden = np.flatnonzero((projected.rows >= 0) & ~owns)
    labels[hidden] = nearest_labels(
        grid_values,
        projected,
        projected.rows[hidden],
        projected.columns[hidden],
        np.linalg.norm(points[hidden, :3], axis=1),
        neighbours,
        max_distance,
    )
    return labels


def nearest_labels(
    grid_values: np.ndarray,
    projected: spherical.Projected,
    rows: np.ndarray,
    columns: np.ndarray,
    ranges: np.ndarray,
    neighbours: int = 5,
    max_distance: float = 1.0,
    window: int = 5,
) -> np.ndarray:
    """Vote of the occupied cells around a cell that are nearest in range.

    Source: Milioto et al., RangeNet++ (IROS 2019), §III-D: k nearest of a
    S x S window by range instead of distance, with their k = 5, S = 5 and
    cut-off of 1 m; without their Gaussian weight of the cell's offset.

    Args:
      grid_values: [H, W] int labels.
      projected: the scan on the grid.
      rows, columns: [M] int, where to look.
      ranges: [M] float metres, what to compare with the cells' range.
      neighbours: how many cells vote.
      max_distance: metres of range beyond which a cell has no vote.
      window: side of the square of cells searched, odd.

    Returns:
      [M] int32; of labels with equal votes the one nearest in range, and
      the label of the cell itself where no cell has a vote.

    Raises:
      ValueError: `window` is even, or not 1 <= neighbours <= window².
    """
    if window % 2 == 0 or not 1 <= neighbours <= window**2:
        raise ValueError(
            "window must be odd and neighbours in 1..window²; "
            f"got {window} and {neighbours}"
        )
    grid_values = _checked_values(grid_values, projected)
    differences, labels = _window(
        grid_values, projected, rows, columns, ranges, window
    )
    nearest = np.argpartition(differences, neighbours - 1, axis=1)
    nearest = nearest[:, :neighbours]
    differences = np.take_along_axis(differences, nearest, axis=1)
    by_range = np.argsort(differences, axis=1, kind="stable")
    nearest = np.take_along_axis(nearest, by_range, axis=1)
    differences = np.take_along_axis(differences, by_range, axis=1)
    labels = np.take_along_axis(labels, nearest, axis=1)  # [M, k]
    has_vote = differences <= max_distance
    equal = labels[:, :, None] == labels[:, None, :]  # [M, k, k]
    votes = np.sum(equal & has_vote[:, None, :], axis=2) * has_vote
    winner = np.argmax(votes, axis=1)  # the first, so the nearest, of equals
    voted = np.take_along_axis(labels, winner[:, None], axis=1)[:, 0]
    own = grid_values[rows, columns]
    return np.where(has_vote.any(axis=1), voted, own).astype(np.int32)


def _window(
    grid_values: np.ndarray,
    projected: spherical.Projected,
    rows: np.ndarray,
    columns: np.ndarray,
    ranges: np.ndarray,
    window: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Range differences (inf where empty) and labels, [M, window²] each."""
    cell_ranges = np.where(
        projected.point_index >= 0, projected.grid[..., 4], np.inf
    )
    half = window // 2
    offsets = np.arange(-half, half + 1)
    near_rows = rows[:, None] + np.repeat(offsets, window)
    near_columns = columns[:, None] + np.tile(offsets, window)
    num_rows, num_columns = cell_ranges.shape
    inside = (near_rows >= 0) & (near_rows < num_rows)
    if not projected.is_full_turn:
        inside &= (near_columns >= 0) & (near_columns < num_columns)
    near_rows = near_rows.clip(0, num_rows - 1)
    near_columns %= num_columns
    differences = np.abs(cell_ranges[near_rows, near_columns] - ranges[:, None])
    differences[~inside] = np.inf
    return differences, grid_values[near_rows, near_columns]


def _checked_values(
    grid_values: np.ndarray, projected: spherical.Projected
) -> np.ndarray:
    """The labels, integers on the grid of `projected`."""
    grid_values = np.asarray(grid_values)
    if grid_values.shape != projected.point_index.shape or not np.issubdtype(
        grid_values.dtype, np.integer
    ):
        raise ValueError(
            "grid_values must be int labels of shape "
            f"{projected.point_index.shape}; got {grid_values.dtype} of "
            f"{grid_values.shape}"
        )
    return grid_values
