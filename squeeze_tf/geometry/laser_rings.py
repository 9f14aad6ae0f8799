"""Which laser of a spinning scanner measured each point."""

import numpy as np

_LASER_COUNTS = (16, 32, 40, 64, 128)  # of scanners sold; 40 is a Pandar40
_MAX_SCAN_ORDER_RINGS = 128


def from_top(rings: np.ndarray, zenith: np.ndarray) -> np.ndarray:
    """Laser indices renumbered so that 0 is the topmost.

    The median zenith angle of each index tells the order. Where it falls
    with the index, nothing changes; where it rises (Velodyne's drivers
    count from the lowest beam), indices are mirrored over the smallest
    usual count of lasers (16, 32, 40, 64, 128) that holds them, so that a
    laser without returns keeps its place; otherwise (ids in wiring order)
    the ids that occur are ranked. A few swapped neighbours are no wiring
    order: close objects can lift a laser's median over the next one's.

    Args:
      rings: [N] int >= 0, as a driver wrote them.
      zenith: [N] float, any unit, larger is higher.

    Returns:
      [N] int32.

    Raises:
      ValueError: the shapes differ or an index is negative.
    """
    rings = np.asarray(rings)
    if rings.ndim != 1 or rings.shape != np.shape(zenith):
        raise ValueError(
            "rings and zenith must both be [N]; "
            f"got {rings.shape} and {np.shape(zenith)}"
        )
    if len(rings) and rings.min() < 0:
        raise ValueError(f"rings must be >= 0; got {rings.min()}")
    rings = rings.astype(np.int32)
    ids, index = np.unique(rings, return_inverse=True)
    if len(ids) < 2:
        return rings
    medians = _medians(index, zenith)
    rises = np.mean(np.diff(medians) > 0)
    if rises <= 0.25:  # Ours: wiring orders rise in about every second step
        return rings
    if rises >= 0.75:
        holding = [count for count in _LASER_COUNTS if count > ids[-1]]
        return (holding[0] if holding else ids[-1] + 1) - 1 - rings
    rank = np.empty(len(ids), np.int32)
    rank[np.argsort(-medians, kind="stable")] = np.arange(len(ids))
    return rank[index]


def from_scan_order(
    points: np.ndarray, num_lasers: int | None = None
) -> np.ndarray | None:
    """Laser indices of a file that lists one laser after the other.

    KITTI's .bin files do: each laser's points turn to the left from straight
    ahead, the topmost laser first, so a new laser starts where the azimuth
    drops by more than half a turn. SqueezeSeg's published grids have these
    lasers as rows.

    Source: Ours, from KITTI's files; all eight we tried give 64 lasers.

    Args:
      points: [N, 3 or more] float, x, y, z, in the file's order.
      num_lasers: of the scanner, if known. A laser without any return leaves
        no trace in the order, so only the right count is proof.

    Returns:
      [N] int32, 0 = topmost, and 0 for points at the origin, which are no
      returns; None where the points are not in such an order: not
      `num_lasers` turns (2 to 128 if unknown), or median zenith angles of the
      turns that do not fall.
    """
    is_return = points[:, :3].any(axis=1)
    x, y, z = points[is_return, :3].T
    turns = np.zeros(len(x), np.int32)
    azimuth = np.arctan2(y, x) % (2.0 * np.pi)
    turns[1:] = np.cumsum(np.diff(azimuth) < -np.pi)
    num_turns = int(turns[-1]) + 1 if len(turns) else 0
    if not 2 <= num_turns <= _MAX_SCAN_ORDER_RINGS:
        return None
    if num_lasers is not None and num_turns != num_lasers:
        return None
    medians = _medians(turns, np.arctan2(z, np.hypot(x, y)))
    # Ours: as in `from_top`, a close object may swap a few neighbours.
    if np.mean(np.diff(medians) >= 0) > 0.1 or medians[0] <= medians[-1]:
        return None
    rings = np.zeros(len(points), np.int32)
    rings[is_return] = turns
    return rings


def _medians(index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lower median of the values of each index 0..K-1, all of which occur."""
    order = np.lexsort((values, index))
    ends = np.cumsum(np.bincount(index))
    starts = np.concatenate([[0], ends[:-1]])
    return np.asarray(values)[order[(starts + ends - 1) // 2]]
