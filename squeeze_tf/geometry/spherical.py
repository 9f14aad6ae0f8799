"""Point clouds to and from the H x W x C grid of spherical projection."""

import dataclasses

import numpy as np

# Apparent zenith angles of KITTI's HDL-64E, degrees: for each laser the
# median over eight scans (object 000000-2, drive 0009 frames 328-332; lasers
# by `laser_rings.from_scan_order`) and the four grids published with
# SqueezeSeg. The manual (Velodyne HDL-64E S2: 32 lasers a third of a degree
# apart from +2, 32 half a degree apart from -8.83) is a poor table here: the
# lasers sit 0.1-0.2 m above the origin of KITTI's points. By angle, it finds
# the laser's row for 7 % of these points; this table does for 60 % of a full
# turn and 77 % of the front, and within one row for 93 %. Close objects show
# the offset most, so only rings are exact.
_HDL64E_BEAMS = (
    (2.53, 2.16, 1.89, 1.46, 1.21, 0.77, 0.52, 0.18)
    + (-0.14, -0.53, -0.81, -1.15, -1.52, -1.87, -2.17, -2.54)
    + (-2.84, -3.22, -3.50, -3.88, -4.18, -4.52, -4.84, -5.17)
    + (-5.54, -5.87, -6.16, -6.42, -6.77, -7.14, -7.36, -7.72)
    + (-8.32, -8.87, -9.33, -9.73, -10.19, -10.79, -11.28, -11.71)
    + (-12.16, -12.58, -13.11, -13.63, -14.20, -14.63, -15.13, -15.48)
    + (-16.10, -16.62, -17.18, -17.63, -18.13, -18.54, -18.99, -19.54)
    + (-20.05, -20.66, -21.14, -21.54, -22.00, -22.63, -23.16, -23.63)
)
# Velodyne HDL-32E user's manual: +10.67 to -30.67 degrees, 1.33 apart.
_HDL32E_BEAMS = tuple((32 - 4 * row) / 3 for row in range(32))
# Velodyne VLP-16 user's manual: +15 to -15 degrees, 2 apart.
_VLP16_BEAMS = tuple(15.0 - 2 * row for row in range(16))


@dataclasses.dataclass(frozen=True)
class Projection:
    """A grid of directions: row 0 is the topmost, column 0 the leftmost.

    Attributes:
      rows, columns: size of the grid.
      up_degrees, down_degrees: upper and lower edge of the field of view.
      left_degrees, right_degrees: its edges, azimuth positive to the left.
      beam_degrees: zenith angle of each row, falling; a point goes to the
        nearest. None: rows of equal height, as in Eq. 1 of Ch. 3.
      fold_behind: take the azimuth as Eq. 1 of Ch. 3 prints it, which folds
        points behind the sensor onto the front.

    Raises:
      ValueError: edges out of order, or beams that are not one per row.
    """

    rows: int
    columns: int
    up_degrees: float
    down_degrees: float
    left_degrees: float
    right_degrees: float
    beam_degrees: tuple[float, ...] | None = None
    fold_behind: bool = False

    def __post_init__(self) -> None:
        width = self.left_degrees - self.right_degrees
        if self.up_degrees <= self.down_degrees or not 0 < width <= 360:
            raise ValueError(
                "a projection needs up > down and 0 < left - right <= 360 "
                f"degrees; got {self}"
            )
        if self.rows < 1 or self.columns < 1:
            raise ValueError(f"rows and columns must be positive; got {self}")
        beams = self.beam_degrees
        if beams is not None and (
            len(beams) != self.rows or np.any(np.diff(beams) >= 0)
        ):
            raise ValueError(
                f"beam_degrees must be {self.rows} falling angles; got {beams}"
            )

    @property
    def is_full_turn(self) -> bool:
        """Whether the last column is the first one's neighbour."""
        return self.left_degrees - self.right_degrees == 360


def _full_turn(
    columns: int, up: float, down: float, beams: tuple[float, ...]
) -> Projection:
    """A projection all around, one row per laser."""
    return Projection(len(beams), columns, up, down, 180.0, -180.0, beams)


PROJECTIONS = {
    # Ch. 3 §3.1: 64 lasers, the front 90 degrees in 512 columns. KITTI's
    # scans reach from +5.0 to -24.3 degrees.
    "hdl64e_front": Projection(64, 512, 5.0, -25.0, 45.0, -45.0, _HDL64E_BEAMS),
    "hdl64e_1024": _full_turn(1024, 5.0, -25.0, _HDL64E_BEAMS),
    "hdl64e_2048": _full_turn(2048, 5.0, -25.0, _HDL64E_BEAMS),
    # Even rows, as projected SemanticKITTI is published (RangeNet++, Milioto
    # et al. 2019, and those that follow it).
    "semantic_kitti_1024": Projection(64, 1024, 3.0, -25.0, 180.0, -180.0),
    # Edges half a step beyond the outer beams.
    "hdl32e": _full_turn(1024, 34 / 3, -94 / 3, _HDL32E_BEAMS),
    "vlp16": _full_turn(1024, 16.0, -16.0, _VLP16_BEAMS),
}


@dataclasses.dataclass(frozen=True)
class Projected:
    """A scan on the grid.

    Attributes:
      grid: [H, W, 5] float32, x, y, z in metres, intensity, range in metres;
        0 where empty.
      point_index: [H, W] int32, which point owns the cell; -1 where empty.
      rows, columns: [N] int32, each point's cell; -1 where outside.
      is_full_turn: whether the last column is the first one's neighbour.
    """

    grid: np.ndarray
    point_index: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    is_full_turn: bool = False


def zenith_azimuth(
    points: np.ndarray, fold_behind: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Angles at which the scanner sees each point.

    zenith = arcsin(z / sqrt(x² + y² + z²)), azimuth = atan2(y, x), or as
    printed azimuth = arcsin(y / sqrt(x² + y²)); equal where x >= 0.

    Source: SqueezeSeg (Ch. 3) §3.1, Eq. 1.

    Args:
      points: [..., 3 or more] float metres, LiDAR frame.
      fold_behind: use the printed azimuth; points behind the sensor (x < 0)
        then fold onto the front.

    Returns:
      zenith: [...] float64 radians, positive above the horizon; 0 at the
        origin.
      azimuth: [...] float64 radians, positive to the left.

    Raises:
      ValueError: the last axis of `points` is shorter than 3.
    """
    points = np.asarray(points)
    if points.ndim < 1 or points.shape[-1] < 3:
        raise ValueError(
            f"points must end in an axis of 3 (x, y, z); got {points.shape}"
        )
    x, y, z = np.moveaxis(points[..., :3].astype(np.float64), -1, 0)
    level = np.hypot(x, y)
    distance = np.hypot(level, z)
    zenith = np.arcsin(z / np.where(distance > 0, distance, 1.0))
    if fold_behind:
        return zenith, np.arcsin(y / np.where(level > 0, level, 1.0))
    return zenith, np.arctan2(y, x)


def cells(
    points: np.ndarray,
    projection: Projection,
    rings: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The grid cell of each point.

    Source: SqueezeSeg (Ch. 3) §3.1, Eq. 1; counted from the upper left
    corner of the field of view instead of the horizon.

    Args:
      points: [N, 3 or more] float metres, LiDAR frame.
      projection: the grid.
      rings: [N] int laser index, 0 = topmost; gives the row instead of the
        zenith angle.

    Returns:
      rows, columns: [N] int32; both -1 where the point lies outside the
        field of view or at the origin (a scanner's "no return").

    Raises:
      ValueError: `points` is not [N, 3 or more], or `rings` is not [N] of
        indices below `projection.rows`.
    """
    points = np.asarray(points)
    if points.ndim != 2:
        raise ValueError(f"points must be [N, 3]; got {points.shape}")
    zenith, azimuth = zenith_azimuth(points, projection.fold_behind)
    width = projection.left_degrees - projection.right_degrees
    turned = (projection.left_degrees - np.degrees(azimuth)) % 360.0
    columns = np.floor(turned * (projection.columns / width)).astype(np.int32)
    if projection.is_full_turn:  # a hair right of the left edge rounds to 360
        columns %= projection.columns
    if rings is None:
        edges = row_edges(projection)
        rows = np.searchsorted(-edges, -np.degrees(zenith), side="right") - 1
    else:
        rows = _checked_rings(rings, len(points), projection.rows)
    outside = (
        (rows < 0)
        | (rows >= projection.rows)
        | (columns >= projection.columns)
        | ~points[:, :3].any(axis=1)
    )
    return (
        np.where(outside, -1, rows).astype(np.int32),
        np.where(outside, -1, columns).astype(np.int32),
    )


def row_edges(projection: Projection) -> np.ndarray:
    """Zenith angles between which the rows lie.

    Args:
      projection: the grid.

    Returns:
      [rows + 1] float64 degrees, falling; a row holds its upper edge and not
      its lower one.
    """
    up, down = projection.up_degrees, projection.down_degrees
    if projection.beam_degrees is None:
        return np.linspace(up, down, projection.rows + 1)
    beams = np.asarray(projection.beam_degrees)
    return np.concatenate([[up], (beams[1:] + beams[:-1]) / 2.0, [down]])


def project(
    points: np.ndarray,
    projection: Projection,
    rings: np.ndarray | None = None,
) -> Projected:
    """Scan to grid; the nearest return wins a cell.

    Source: SqueezeSeg (Ch. 3) §3.1; the rule for shared cells is ours (the
    thesis has none): what is nearer hides what is farther.

    Args:
      points: [N, 4] float, x, y, z in metres, intensity.
      projection: the grid.
      rings: as in `cells`.

    Returns:
      The projected scan; among equally near points the first wins.

    Raises:
      ValueError: `points` is not [N, 4], or as `cells`.
    """
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or points.shape[1] != 4:
        raise ValueError(
            f"points must be [N, 4] (x, y, z, intensity); got {points.shape}"
        )
    rows, columns = cells(points, projection, rings)
    ranges = np.sqrt(np.einsum("ij,ij->i", points[:, :3], points[:, :3]))
    # Far points first: of several writes to one cell the last one stays.
    order = np.argsort(ranges, kind="stable")[::-1]
    order = order[rows[order] >= 0]
    shape = (projection.rows, projection.columns)
    point_index = np.full(shape, -1, np.int32)
    point_index[rows[order], columns[order]] = order
    taken = point_index >= 0
    owners = point_index[taken]
    grid = np.zeros((*shape, 5), np.float32)
    grid[taken, :4] = points[owners]
    grid[taken, 4] = ranges[owners]
    return Projected(grid, point_index, rows, columns, projection.is_full_turn)


def _checked_rings(
    rings: np.ndarray, num_points: int, num_rows: int
) -> np.ndarray:
    """The rings, one per point and below the count of rows."""
    rings = np.asarray(rings)
    if rings.shape != (num_points,):
        raise ValueError(f"rings must be [{num_points}]; got {rings.shape}")
    if num_points and not (0 <= rings.min() and rings.max() < num_rows):
        raise ValueError(
            f"rings must lie in 0..{num_rows - 1}, one per row; "
            f"got {rings.min()}..{rings.max()}"
        )
    return rings
