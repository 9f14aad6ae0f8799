"""Proposes a projection for an unknown scanner from its scans."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import signal

from squeeze_tf.geometry import laser_lines, laser_rings, spherical

_BIN_DEGREES = 0.05  # Ours: a seventh of the finest pitch of an HDL-64E
_MAX_LASERS = 128
_MIN_STEP_DEGREES = 0.02  # Ours: less is a second return of one pulse
_MIN_GAP_DEGREES = 90.0  # Ours: a mount may hide less than a quarter turn
_COLUMN_STEP = 32  # Ours: the networks halve the width up to five times


@dataclasses.dataclass(frozen=True)
class Fit:
    """How well a projection suits a scan.

    Attributes:
      collision_rate: share of the points inside the field of view that lost
        their cell to a nearer one.
      empty_rate: share of the cells without a point.
      outside_rate: share of the points outside the field of view.
    """

    collision_rate: float
    empty_rate: float
    outside_rate: float


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What scans tell about their scanner.

    Attributes:
      num_points: of the scans, without those at the origin.
      projection: the proposal.
      source: where the rows come from: "rings" (given), "scan order" or
        "zenith clusters".
      laser_degrees: angle of each laser above the horizon, falling; empty
        where the returns of a row lie on no line (`laser_lines.fit`).
      laser_heights: of each laser above the origin of the points, metres;
        likewise.
      azimuth_step_degrees: between neighbouring points of a laser, the median.
      rays_per_laser: over the field; more than such steps where some are
        shorter, as an HDL-64E's are.
      by_angle: how well the proposal suits the scan without rings.
      by_laser: the same with the lasers that were found as rings.
      presets: name in `spherical.PROJECTIONS` to how well that suits it.
      scans: indices of those from which this comes.
      left_out: of the others, which showed more or fewer lasers.
    """

    num_points: int
    projection: spherical.Projection
    source: str
    laser_degrees: tuple[float, ...]
    laser_heights: tuple[float, ...]
    azimuth_step_degrees: float
    rays_per_laser: int
    by_angle: Fit
    by_laser: Fit
    presets: dict[str, Fit]
    scans: tuple[int, ...]
    left_out: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class _Measured:
    """What is measured in one scan."""

    points: np.ndarray  # off the origin
    lasers: np.ndarray  # of each point, 0 the topmost
    beams: tuple[float, ...]
    source: str
    step: float  # median
    mean_step: float
    zenith: tuple[float, float]  # lowest and highest
    field: tuple[float, float]  # left and right edge


def inspect(points: np.ndarray, rings: np.ndarray | None = None) -> Inspection:
    """Proposes rows, columns and field of view for the scanner of a scan.

    Lasers come from `rings`, else from the order of the points, else from
    the peaks of the histogram of zenith angles, which works where lasers
    are some 0.3 degrees apart and close to the origin. Columns follow the
    median azimuth step of neighbouring points of a laser, rounded to a
    multiple of 32; the field is a full turn unless the points leave a gap
    of more than a quarter turn, then it spans what they cover.

    Source: Ours; the thesis has one scanner only.

    Args:
      points: [N, 4] float, x, y, z in metres, intensity.
      rings: [N] int laser index, 0 = topmost, if known.

    Returns:
      The proposal, and how it and the presets suit the scan.

    Raises:
      ValueError: `points` is not [N, 4], or fewer than 64 lie off the
        origin.
    """
    return inspect_all([(points, rings)])


def inspect_all(
    scans: Sequence[tuple[np.ndarray, np.ndarray | None]],
) -> Inspection:
    """As `inspect`, from several scans of one scanner.

    Scans that show another number of lasers than most do are left out. Beams,
    lasers and the azimuth step are medians over the others, the field is the
    widest, rates are means.

    Args:
      scans: points and rings of each, as of `inspect`.

    Raises:
      ValueError: as `inspect`, or there is no scan.
    """
    if not scans:
        raise ValueError("expected at least one scan; got none")
    every = [_measured(*scan) for scan in scans]
    counts = collections.Counter(len(scan.beams) for scan in every)
    usual, _ = counts.most_common(1)[0]
    kept = [len(scan.beams) == usual for scan in every]
    chosen = [scan for scan, keep in zip(every, kept) if keep]
    beams = np.median([scan.beams for scan in chosen], axis=0)
    degrees, heights = _laser_lines(chosen, usual)
    step = float(np.median([scan.step for scan in chosen]))
    mean_step = float(np.median([scan.mean_step for scan in chosen]))
    left, right = max(
        (scan.field for scan in chosen), key=lambda field: field[0] - field[1]
    )
    projection = spherical.Projection(
        rows=usual,
        columns=_rounded((left - right) / step),
        up_degrees=max(scan.zenith[1] for scan in chosen) + _BIN_DEGREES,
        down_degrees=min(scan.zenith[0] for scan in chosen) - _BIN_DEGREES,
        left_degrees=left,
        right_degrees=right,
        beam_degrees=tuple(map(float, beams)),
    )
    return Inspection(
        num_points=sum(len(scan.points) for scan in chosen),
        projection=projection,
        source=chosen[0].source,
        laser_degrees=degrees,
        laser_heights=heights,
        azimuth_step_degrees=step,
        rays_per_laser=round((left - right) / mean_step),
        by_angle=_mean(lambda x: fit(x.points, projection), chosen),
        by_laser=_mean(lambda x: fit(x.points, projection, x.lasers), chosen),
        presets={
            name: _mean(lambda x, p=preset: fit(x.points, p), chosen)
            for name, preset in spherical.PROJECTIONS.items()
        },
        scans=tuple(i for i, keep in enumerate(kept) if keep),
        left_out=tuple(i for i, keep in enumerate(kept) if not keep),
    )


def _laser_lines(
    scans: Sequence[_Measured], num_lasers: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Angles and heights of all lasers, or nothing."""
    lines = np.stack(
        [laser_lines.fit(x.points, x.lasers, num_lasers) for x in scans]
    )
    known = ~np.isnan(lines).any(axis=(1, 2))
    if not known.any():
        return (), ()
    degrees, heights = np.median(lines[known], axis=0).T
    if np.any(np.diff(degrees) >= 0):
        return (), ()
    return tuple(map(float, degrees)), tuple(map(float, heights))


def _mean(rate: Callable[[_Measured], Fit], scans: Sequence[_Measured]) -> Fit:
    rates = [dataclasses.astuple(rate(scan)) for scan in scans]
    return Fit(*map(float, np.mean(rates, axis=0)))


def _measured(points: np.ndarray, rings: np.ndarray | None) -> _Measured:
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or points.shape[1] != 4:
        raise ValueError(f"points must be [N, 4]; got {points.shape}")
    returned = points[:, :3].any(axis=1)
    if returned.sum() < 64:
        raise ValueError(
            f"expected at least 64 points; got {returned.sum()} off the origin"
        )
    points = points[returned]
    rings = None if rings is None else np.asarray(rings)[returned]
    zenith, azimuth = np.degrees(spherical.zenith_azimuth(points))
    lasers, source = _lasers(points, zenith, rings)
    beams, lasers = _beams(zenith, lasers)
    step, mean_step = _azimuth_steps(azimuth, lasers)
    return _Measured(
        points,
        lasers,
        beams,
        source,
        step,
        mean_step,
        (float(zenith.min()), float(zenith.max())),
        _field(azimuth, step),
    )


def fit(
    points: np.ndarray,
    projection: spherical.Projection,
    rings: np.ndarray | None = None,
) -> Fit:
    """How well a projection suits a scan.

    Args:
      points: [N, 4] float, x, y, z in metres, intensity; N > 0.
      projection, rings: as in `spherical.project`.

    Returns:
      The rates; no collisions where every point lies outside.

    Raises:
      ValueError: as `spherical.project`.
    """
    projected = spherical.project(points, projection, rings)
    inside = int(np.sum(projected.rows >= 0))
    taken = int(np.sum(projected.point_index >= 0))
    return Fit(
        collision_rate=1.0 - taken / inside if inside else 0.0,
        empty_rate=1.0 - taken / projected.point_index.size,
        outside_rate=1.0 - inside / len(points),
    )


def format_report(inspection: Inspection) -> str:
    """The inspection as lines of text for a person.

    Args:
      inspection: what `inspect` returned.

    Returns:
      Lines: the scanner, the proposal, then a table of the rates.
    """
    projection = inspection.projection
    beams = ", ".join(f"{beam:.2f}" for beam in projection.beam_degrees)
    lasers = "returns of a row lie on no line, so heights of lasers are unknown"
    if inspection.laser_heights:
        lasers = (
            f"lasers sit {min(inspection.laser_heights):+.3f} to "
            f"{max(inspection.laser_heights):+.3f} m above the origin"
        )
    turn = "full turn" if projection.is_full_turn else "part of a turn"
    lines = [
        f"{len(inspection.scans)} scans, {len(inspection.left_out)} more left "
        "out for another number of lasers",
        f"{inspection.num_points} points, {projection.rows} lasers (from "
        f"{inspection.source}), {inspection.azimuth_step_degrees:.3f} degrees "
        "from point to point",
        f"proposed grid: {projection.rows} x {projection.columns}, azimuth "
        f"{projection.left_degrees:+.1f} to {projection.right_degrees:+.1f} "
        f"degrees ({turn}), zenith {projection.up_degrees:+.2f} to "
        f"{projection.down_degrees:+.2f} degrees",
        f"beam_degrees: {beams}",
        lasers,
        "",
        f"{'projection':<20}{'collisions':>12}{'empty':>10}{'outside':>10}",
    ]
    rates = {
        "proposal by angle": inspection.by_angle,
        "proposal by laser": inspection.by_laser,
        **inspection.presets,
    }
    lines += [
        f"{name:<20}{rate.collision_rate:>12.1%}{rate.empty_rate:>10.1%}"
        f"{rate.outside_rate:>10.1%}"
        for name, rate in rates.items()
    ]
    return "\n".join(lines) + "\n"


def _lasers(
    points: np.ndarray, zenith: np.ndarray, rings: np.ndarray | None
) -> tuple[np.ndarray, str]:
    """Which laser measured each point, [N] int, and how we know."""
    if rings is not None:
        return rings, "rings"
    ordered = laser_rings.from_scan_order(points)
    if ordered is not None:
        return ordered, "scan order"
    borders = _cluster_borders(zenith)
    return np.searchsorted(-borders, -zenith), "zenith clusters"


def _cluster_borders(zenith: np.ndarray) -> np.ndarray:
    """Zenith angles in degrees, falling, half-way between lasers."""
    first = zenith.min() - 2 * _BIN_DEGREES
    num_bins = int((zenith.max() - first) / _BIN_DEGREES) + 4
    counts = np.bincount(
        ((zenith - first) / _BIN_DEGREES).astype(int), minlength=num_bins
    )
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    # Ours: a laser of a full turn gives a peak of at least a twentieth of
    # what an even share over _MAX_LASERS would.
    peaks, _ = signal.find_peaks(
        smooth, prominence=0.05 * len(zenith) / _MAX_LASERS
    )
    centres = first + (peaks[::-1] + 0.5) * _BIN_DEGREES
    return (centres[1:] + centres[:-1]) / 2.0


def _beams(
    zenith: np.ndarray, lasers: np.ndarray
) -> tuple[tuple[float, ...], np.ndarray]:
    """Median zenith angle of each laser, falling, and lasers 0..K-1."""
    ids, index = np.unique(lasers, return_inverse=True)
    medians = np.array(
        [np.median(zenith[index == laser]) for laser in range(len(ids))]
    )
    # Two lasers with one angle become one row.
    beams, row = np.unique(-medians.round(3), return_inverse=True)
    return tuple(float(-beam) for beam in beams), row[index]


def _azimuth_steps(
    azimuth: np.ndarray, lasers: np.ndarray
) -> tuple[float, float]:
    """Degrees between a laser's points: median, and mean of unbroken ones."""
    order = np.lexsort((azimuth, lasers))
    steps = np.diff(azimuth[order])
    steps = steps[np.diff(lasers[order]) == 0]
    steps = steps[steps > _MIN_STEP_DEGREES]
    if not len(steps):
        raise ValueError("no two points of a laser differ in azimuth")
    median = np.median(steps)
    # A lost return between two points makes twice the step.
    return float(median), float(np.mean(steps[steps < 1.5 * median]))


def _field(azimuth: np.ndarray, step: float) -> tuple[float, float]:
    """Left and right edge in degrees: a full turn or what is covered."""
    ordered = np.sort(azimuth)
    gaps = np.diff(ordered, append=ordered[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= _MIN_GAP_DEGREES:
        return 180.0, -180.0
    left = float(ordered[widest])
    right = float(ordered[(widest + 1) % len(ordered)])
    if left < right:  # the covered part crosses the rear
        left += 360.0
    return left + step / 2.0, right - step / 2.0


def _rounded(columns: float) -> int:
    """The nearest multiple of 32, at least 32."""
    return max(1, round(columns / _COLUMN_STEP)) * _COLUMN_STEP
