"""Average precision of 2-D boxes, as KITTI's object evaluator computes it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from squeeze_tf.data import image_labels
from squeeze_tf.detection import matching, overlaps

HEIGHT_RULES = ("original", "2017")
NUM_STEPS = 41  # object development kit: recall 0, 1/40, ..., 1
_AVERAGED = {11: slice(0, None, 4), 40: slice(1, None), 41: slice(None)}


@dataclasses.dataclass(frozen=True)
class Difficulty:
    """Objects that must be found; harder ones may be, without penalty.

    Attributes:
      name: for instance "easy".
      min_height: pixels.
      max_occluded: KITTI's level, 0 to 3.
      max_truncated: 0 to 1.
    """

    name: str
    min_height: float
    max_occluded: int
    max_truncated: float


@dataclasses.dataclass(frozen=True)
class ClassRule:
    """How the objects of a class are told; letter case never matters.

    Attributes:
      name: what detections are called.
      type_names: what objects are called in the truth, one name or more.
      neighbours: objects that may be taken for the class without penalty.
      min_overlap: a box finds an object if their IoU is larger.
    """

    name: str
    type_names: tuple[str, ...]
    neighbours: tuple[str, ...] = ()
    min_overlap: float = 0.5


KITTI = (
    Difficulty("easy", 40, 0, 0.15),
    Difficulty("moderate", 25, 1, 0.3),
    Difficulty("hard", 25, 2, 0.5),
)
KITTI_CLASSES = (
    ClassRule("car", ("Car",), ("Van",), 0.7),
    ClassRule("pedestrian", ("Pedestrian",), ("Person_sitting",), 0.5),
    ClassRule("cyclist", ("Cyclist",), (), 0.5),
)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Precision against recall of one class at one difficulty.

    Attributes:
      class_name: name of the class.
      difficulty: name of the difficulty.
      num_objects: objects to be found.
      thresholds: [T <= 41] scores at which recall comes nearest its steps.
      tp: [T] int64, objects found by boxes of at least that score.
      fp: [T] int64, boxes that find nothing and lie in no ignored region.
      fn: [T] int64, objects that no box was given to.
      precision: [41], largest at this or any higher recall; 0 where the
        recall is not reached.
      recall: [41] nominal recall of the steps.
      orientation: [41], precision weighted by (1 + cos of the error of the
        observation angle) / 2; None unless every detection has an angle.
    """

    class_name: str
    difficulty: str
    num_objects: int
    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    orientation: np.ndarray | None

    def average_precision(self, points: int = 11) -> float:
        """Mean precision; 0 for a class without objects or detections.

        Source: 11 points as in Ch. 2 §4 and KITTI until 2019; 40 (recall 0
        left out) as in KITTI since 8 October 2019, after Simonelli et al.,
        Disentangling Monocular 3D Object Detection; 41 for all steps.
        """
        return float(self.precision[_averaged(points)].mean())

    def average_orientation(self, points: int = 11) -> float:
        """Mean orientation similarity (AOS); NaN without angles."""
        if self.orientation is None:
            return np.nan
        return float(self.orientation[_averaged(points)].mean())


def evaluate(
    truth: Sequence[image_labels.ImageLabels],
    found: Sequence[image_labels.ImageLabels],
    classes: Sequence[ClassRule] = KITTI_CLASSES,
    difficulties: Sequence[Difficulty] = KITTI,
    height_rule: str = "original",
) -> list[Curve]:
    """Curves of every class at every difficulty.

    Source: evaluate_object of KITTI's object development kit. Objects, in
    the order of the file, each take a box of their class: the one of highest
    score when the thresholds are chosen, the one of largest overlap when
    errors are counted at a threshold. Boxes given to neighbours or harder
    objects, or with enough of their own area inside an ignored region,
    count nowhere.

    Args:
      truth: labels of each image; is_ignored ones are regions of no class.
      found: detections of each image, with scores.
      classes: see ClassRule.
      difficulties: see Difficulty.
      height_rule: "original", as the kit in the authors' repository (commit
        e7c0860): objects below the minimum height are ignored, boxes are
        not. "2017", after the benchmark's note of 25 April 2017, as in the
        kit since: boxes below it are ignored as well, and so are objects of
        just that height; a low box of any class can take an object, which
        is then neither found nor missed.

    Returns:
      Classes in order, within each the difficulties. Where no box counts at
      a threshold (the kit prints nan) the next threshold's precision stands.

    Raises:
      ValueError: lists of different or no length, detections without finite
        scores or an unknown rule.
    """
    return [
        curve(*counted, weights=np.ones(len(truth), np.int64))
        for counted in tallies(truth, found, classes, difficulties, height_rule)
    ]


def tallies(
    truth: Sequence[image_labels.ImageLabels],
    found: Sequence[image_labels.ImageLabels],
    classes: Sequence[ClassRule],
    difficulties: Sequence[Difficulty],
    height_rule: str,
) -> list[tuple[ClassRule, Difficulty, matching.Tally]]:
    """What curves are made of, image by image; arguments as evaluate() has."""
    if height_rule not in HEIGHT_RULES:
        raise ValueError(
            f"height_rule must be one of {HEIGHT_RULES}; got {height_rule!r}"
        )
    pairs = overlaps.find(
        truth, found, min((rule.min_overlap for rule in classes), default=0)
    )
    objects, boxes = pairs.truth, pairs.found
    heights = objects.corners[:, 3] - objects.corners[:, 1]
    box_heights = np.abs(boxes.corners[:, 3] - boxes.corners[:, 1])
    results = []
    for rule in classes:
        of_class = has_type(objects, rule.type_names) & ~objects.is_ignored
        neighbours = has_type(objects, rule.neighbours) & ~objects.is_ignored
        named = has_type(boxes, (rule.name,))
        for difficulty in difficulties:
            to_find = of_class & is_due(objects, difficulty)
            is_low = np.zeros(len(boxes), bool)
            if height_rule == "2017":
                to_find &= heights != difficulty.min_height
                is_low = box_heights < difficulty.min_height
            tally = matching.tally(
                pairs,
                rule.min_overlap,
                to_find=to_find,
                may_take=of_class | neighbours,
                counts=named & ~is_low,
                may_be_taken=named | is_low,
            )
            results.append((rule, difficulty, tally))
    return results


def has_type(
    labels: image_labels.ImageLabels, names: Sequence[str]
) -> np.ndarray:
    """Whether [N] the objects' types are among the names, in any case."""
    wanted = {name.lower() for name in names}
    spelled = {
        name for name in set(labels.types.tolist()) if name.lower() in wanted
    }
    return np.isin(labels.types, [*spelled])


def is_due(
    labels: image_labels.ImageLabels, difficulty: Difficulty
) -> np.ndarray:
    """Whether [N] objects are as large and as visible as is asked."""
    heights = labels.corners[:, 3] - labels.corners[:, 1]
    return (
        (heights >= difficulty.min_height)
        & (labels.occluded <= difficulty.max_occluded)
        & (labels.truncated <= difficulty.max_truncated)
    )


def curve(
    rule: ClassRule,
    difficulty: Difficulty,
    tally: matching.Tally,
    weights: np.ndarray,
) -> Curve:
    """The curve of images that count [I] int times each."""
    num_objects = int(weights @ tally.num_objects)
    top_scores = np.repeat(tally.top_scores, weights[tally.top_images])
    thresholds = _thresholds(top_scores, num_objects)
    ends = np.searchsorted(-tally.scores, -thresholds, side="right")
    times = weights[tally.images]

    def at_thresholds(changes: np.ndarray) -> np.ndarray:
        return np.insert(np.cumsum(changes * times), 0, 0)[ends]

    def over_steps(right: np.ndarray) -> np.ndarray:
        values = np.zeros(NUM_STEPS)
        with np.errstate(invalid="ignore"):
            values[: len(right)] = right / (tp + fp)
        return np.fmax.accumulate(values[::-1])[::-1]

    tp, fp, taken = map(at_thresholds, tally.changes)
    orientation = None
    if tally.similarity is not None:
        orientation = over_steps(at_thresholds(tally.similarity))
    return Curve(
        class_name=rule.name,
        difficulty=difficulty.name,
        num_objects=num_objects,
        thresholds=thresholds,
        tp=tp,
        fp=fp,
        fn=num_objects - taken,
        precision=over_steps(tp),
        recall=np.arange(NUM_STEPS) / (NUM_STEPS - 1),
        orientation=orientation,
    )


def _thresholds(scores: np.ndarray, num_objects: int) -> np.ndarray:
    """Of descending scores [V], those whose recall is nearest each step."""
    last, index, step, chosen = len(scores) - 1, 0, 0.0, []
    while index <= last:
        # A score is passed over while the next one's recall is nearer; most
        # of those can be skipped, the rest is compared as the kit does, so
        # that rounding falls the same way.
        index = max(index, min(last, int(step * num_objects) - 3))
        while index < last and (index + 2) / num_objects - step < (
            step - (index + 1) / num_objects
        ):
            index += 1
        chosen.append(index)
        index += 1
        step += 1 / (NUM_STEPS - 1)
    return scores[chosen]


def _averaged(points: int) -> slice:
    if points not in _AVERAGED:
        raise ValueError(f"points must be one of {[*_AVERAGED]}; got {points}")
    return _AVERAGED[points]
