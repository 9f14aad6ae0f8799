"""How two sets of scans differ, and what of Ch. 5 §4 addresses that. Ours."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.adaptation import dropout_noise
from squeeze_tf.geometry import sensor_mount

# Ours: shifts of a normal distribution by 0.2 and 0.8 standard deviations,
# Cohen's small and large effects (Statistical Power Analysis, 1988, §2.2),
# have these distances.
SMALL, LARGE = 0.09, 0.33


@dataclasses.dataclass(frozen=True)
class Quantity:
    """Something that is counted over scans.

    Args:
      edges: [B + 1] of the intervals, the outer ones open; None for classes.
      unit: of the edges.
      least_spread: that a gap is divided by at least, in the same unit, so
        that what hardly varies does not make every difference large.
      stages: that address a gap: "noise", "cam", "lir" (Ch. 5), in this order.
      fields: of the simulator's SimulationConfig, likewise.
    """

    edges: np.ndarray | None
    unit: str = ""
    least_spread: float = 0.0
    stages: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def values(self) -> np.ndarray:
        """[B] middles of the intervals, in place of all values in them."""
        return (self.edges[1:] + self.edges[:-1]) / 2


_STATES = np.array([-0.5, 0.5, 1.5])  # 0: no, 1: yes
_SCENE = ("building_share", "num_trees", "wall_share")
_TRAFFIC = ("num_traffic", "num_parked", "num_pedestrians", "num_cyclists")
# Ours: intervals, least spreads (a distance of SMALL is then a difference of
# 0.01 in a share, 5 cm or 0.2 degrees) and what helps.
QUANTITIES = {
    "missing": Quantity(
        _STATES,
        "of the cells",
        0.1,
        stages=("noise", "cam"),
        fields=("sensor_max_range", "dropout", *_SCENE),
    ),
    "holes": Quantity(
        _STATES,
        "of the surfaces",
        0.1,
        stages=("noise", "cam"),
        fields=("dropout", "detection"),
    ),
    # KITTI's steps of 0.01, then of 5 % up to other sensors' 255 or 65535.
    "intensity": Quantity(
        np.append(np.linspace(-0.005, 1.005, 102), 1.05 ** np.arange(1, 229)),
        stages=("lir",),
    ),
    "range": Quantity(
        np.linspace(0, 120, 241),
        "m",
        fields=("view_distance", "sensor_max_range", *_TRAFFIC, *_SCENE),
    ),
    "height": Quantity(
        np.linspace(-5, 10, 151),
        "m",
        fields=("sensor_height", "max_slope", *_SCENE),
    ),
    "incidence": Quantity(
        np.linspace(0, 1, 51),
        "cosine",
        fields=("sensor_height", "sensor_pitch_degrees", *_SCENE),
    ),
    "sensor_height": Quantity(
        np.linspace(-0.005, 5.005, 502), "m", 0.5, fields=("sensor_height",)
    ),
    "sensor_pitch": Quantity(
        np.linspace(-10.025, 10.025, 402),
        "degrees",
        2.0,
        fields=("sensor_pitch_degrees", "max_slope"),
    ),
    "classes": Quantity(None, "not class 0", 0.1, fields=_TRAFFIC),
}


@dataclasses.dataclass(frozen=True)
class Description:
    """What a set of N scans of H rows looks like.

    Args:
      counts: by quantity, [N, G, B] int64: how many of B intervals or classes
        in each of G groups. "missing" and "holes" have the rows as groups and
        are 1 without a return; "holes" counts only where surface() of
        dropout_noise knows a surface. The others have one group: returns by
        range, by intensity as the file has it (a network is not told the
        sensor's scale, so that a difference in scale is a gap), by height z in
        the sensor's frame, by cosine of incidence where known, and by class;
        scans by height and pitch of the sensor, none where not found.
      range_by_row: [H] metres, median over the scans of the median of each;
        nan without returns.
      intensity_by_row: [H] likewise.
      sensor_height: [N] metres above the ground; nan where not found.
      sensor_pitch: [N] degrees, positive nose up; likewise.
    """

    counts: dict[str, np.ndarray]
    range_by_row: np.ndarray
    intensity_by_row: np.ndarray
    sensor_height: np.ndarray
    sensor_pitch: np.ndarray

    @property
    def is_labelled(self) -> bool:
        """Whether a class but 0 occurs."""
        return bool(self.counts["classes"][..., 1:].any())

    def shares(self, name: str) -> np.ndarray:
        """[G, B] of a quantity's counts over all scans; 0 where none."""
        total = self.counts[name].sum(axis=0)
        return total / np.maximum(total.sum(axis=-1, keepdims=True), 1)


@dataclasses.dataclass(frozen=True)
class Gap:
    """The difference of two sets in one quantity.

    Args:
      name: key of QUANTITIES.
      distance: 0 to 1, as distance() defines it.
      within: the larger of the distances between first and second half of the
        scans of each set; 0 where there is one scan only, and little where all
        show one street.
      a: mean of the first set, or share, in the quantity's unit.
      b: likewise of the second.
    """

    name: str
    distance: float
    within: float
    a: float
    b: float


def describe(samples: Iterable[dict[str, np.ndarray]]) -> Description:
    """Counts over scans.

    Args:
      samples: dicts of `grid` [H, W, 5] float: x, y, z in metres, intensity,
        range in metres, 0 without return; and `label_ids` [H, W] int, all 0
        for unlabelled scans. H is the same for all.

    Returns:
      The description.

    Raises:
      ValueError: there are no scans, or they differ in rows.
    """
    scans = [_scan(sample["grid"], sample["label_ids"]) for sample in samples]
    if not scans:
        raise ValueError("a description needs at least one scan; got none")
    if len({len(scan["range_by_row"]) for scan in scans}) > 1:
        raise ValueError("all scans must have the same number of rows")
    classes = max(scan["classes"].shape[-1] for scan in scans)
    for scan in scans:
        counted = scan["classes"]
        missing = classes - counted.shape[-1]
        scan["classes"] = np.pad(counted, [(0, 0), (0, missing)])
    joined = {name: np.stack([s[name] for s in scans]) for name in scans[0]}
    heights, pitches = joined.pop("mount").T
    by_row = [
        _medians(joined.pop(f"{x}_by_row"), axis=0)
        for x in ("range", "intensity")
    ]
    return Description(joined, *by_row, heights, pitches)


def distance(a: np.ndarray, b: np.ndarray, quantity: Quantity) -> float:
    """Wasserstein distance over twice the mean difference of the mixture.

    W(a, b) / max(2 E |M - M'|, least_spread), with M and M' independent draws
    from the mixture of both in equal parts; |M - M'| is 1 between different
    classes. It has no unit and lies in 0..1: W <= E |A - B| <= 2 E |M - M'|. It
    is 1 for two different constants (beyond the least spread), and about 0.44 d
    for normal distributions shifted by d standard deviations, d small. Over
    several groups both parts are means weighted by the groups' counts.

    Args:
      a: [G, B] counts of the first set.
      b: likewise.
      quantity: whose they are.

    Returns:
      The distance; nan where no group has counts of both.
    """
    both = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    if not both.any():
        return math.nan
    totals = [x[both].sum(axis=1, keepdims=True) for x in (a, b)]
    p, q = a[both] / totals[0], b[both] / totals[1]
    mixed = (p + q) / 2
    if quantity.edges is None:
        apart = np.abs(p - q).sum(axis=1) / 2
        spread = 1 - (mixed**2).sum(axis=1)
    else:
        steps = np.diff(quantity.values)
        below = np.cumsum(mixed, axis=1)[:, :-1]
        apart = np.abs(np.cumsum(p - q, axis=1)[:, :-1]) @ steps
        spread = 2 * (below * (1 - below)) @ steps
    weights = sum(x[:, 0] / x.sum() for x in totals)
    apart, spread = (np.average(x, weights=weights) for x in (apart, spread))
    if apart < 1e-12 * (1 + spread):  # rounding of the sums
        return 0.0
    return float(apart / max(2 * spread, quantity.least_spread))


def compare(a: Description, b: Description) -> list[Gap]:
    """Gaps of all quantities that both sets have, the largest first.

    Args:
      a: of the scans that a network is trained with.
      b: of those that it is for.

    Returns:
      At most one for each of QUANTITIES; "classes" only if both are labelled.

    Raises:
      ValueError: the sets differ in rows.
    """
    shapes = [len(x.range_by_row) for x in (a, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"both sets need the same rows; got {shapes}")
    gaps = []
    for name, quantity in QUANTITIES.items():
        if name == "classes" and not (a.is_labelled and b.is_labelled):
            continue
        counts = _of_one_width(a.counts[name], b.counts[name])
        found = distance(*(x.sum(axis=0) for x in counts), quantity)
        if not math.isnan(found):
            within = max(_halves(x, quantity) for x in counts)
            means = (_mean(x, quantity) for x in counts)
            gaps.append(Gap(name, found, within, *means))
    return sorted(gaps, key=lambda gap: -gap.distance)


def advice(gaps: Sequence[Gap]) -> list[str]:
    """What to do about gaps, as lines of text, the largest first.

    Source: Ch. 3 §3.4 (noise), Ch. 5 §3.1 (cam) and §4 (lir, gca, pdc); the
    simulator's settings are ours. Gaps below SMALL, and those that halves of
    one set have as well, are not worth a stage.

    Args:
      gaps: as compare() gives them.
    """
    lines = []
    for gap in sorted(gaps, key=lambda gap: -gap.distance):
        if gap.distance < SMALL:
            continue
        quantity = QUANTITIES[gap.name]
        size = "large gap" if gap.distance >= LARGE else "gap"
        stages = [
            stage
            for stage in quantity.stages
            if stage != "noise" or gap.b > gap.a  # it only takes away
        ]
        fields = ", ".join(quantity.fields)
        helps = ", ".join(stages + ([f"simulation: {fields}"] * bool(fields)))
        if gap.distance <= gap.within:
            helps = "none; halves of one set differ as much"
        lines.append(f"{gap.name}: {size} {gap.distance:.2f}: {helps}")
    if not lines:
        return [f"no gap of {SMALL} or more: the sets look alike"]
    return [*lines, "what is left after that, features included: gca, pdc"]


def _scan(grid: np.ndarray, label_ids: np.ndarray) -> dict[str, np.ndarray]:
    """A scan's counts and whatever else a description has."""
    has_return = grid[..., 4] > 0
    points, known = dropout_noise.surface(tf.constant(grid, tf.float32))
    cosine, found = dropout_noise.cosine_of_incidence(points, known)
    returns = {
        "range": grid[has_return, 4],
        "intensity": grid[has_return, 3],
        "height": grid[has_return, 2],
        "incidence": cosine.numpy()[found.numpy() & has_return],
    }
    mount = sensor_mount.estimate(grid[grid[..., 4] > 0])
    if not math.isnan(mount[0]):
        returns |= dict(zip(("sensor_height", "sensor_pitch"), mount))
    counts = {
        name: _histogram(returns.get(name, ()), QUANTITIES[name].edges)
        for name in QUANTITIES
        if name not in ("missing", "holes", "classes")
    }
    holes = (known.numpy() & ~has_return).sum(axis=1)
    rows = has_return.sum(axis=1)
    seen = np.where(has_return[..., np.newaxis], np.float64(grid), np.nan)
    return counts | {
        "missing": np.stack([rows, grid.shape[1] - rows], axis=-1),
        "holes": np.stack([rows, holes], axis=-1),
        "classes": np.bincount(label_ids[has_return], minlength=1)[np.newaxis],
        "range_by_row": _medians(seen[..., 4], axis=1),
        "intensity_by_row": _medians(seen[..., 3], axis=1),
        "mount": np.array(mount),
    }


def _histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """[1, B] counts, the outer intervals open."""
    inside = np.digitize(values, edges[1:-1])
    return np.bincount(np.ravel(inside), minlength=len(edges) - 1)[np.newaxis]


def _medians(values: np.ndarray, axis: int) -> np.ndarray:
    """Of what is not nan; nan where there is nothing else."""
    masked = np.ma.masked_invalid(values)
    return np.ma.median(masked, axis=axis).filled(np.nan)


def _of_one_width(*counts: np.ndarray) -> list[np.ndarray]:
    """Counts of classes up to the highest that any has."""
    width = max(x.shape[-1] for x in counts)
    return [
        np.pad(x, [(0, 0), (0, 0), (0, width - x.shape[-1])]) for x in counts
    ]


def _halves(counts: np.ndarray, quantity: Quantity) -> float:
    """Distance between the first and the second half of the scans."""
    middle = len(counts) // 2
    first, second = counts[:middle].sum(axis=0), counts[middle:].sum(axis=0)
    found = distance(first, second, quantity)
    return 0.0 if math.isnan(found) else found


def _mean(counts: np.ndarray, quantity: Quantity) -> float:
    """Mean value, or share of all classes but 0."""
    total = counts.sum(axis=(0, 1))
    values = np.arange(len(total)) > 0
    if quantity.edges is not None:
        values = quantity.values
    return float(np.average(values, weights=total))
