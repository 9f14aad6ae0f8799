"""Which box each object is given, in all images and at every score."""

import dataclasses

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from squeeze_tf.detection import overlaps

NO_ANGLE = -10.0  # object development kit, readme: invalid


@dataclasses.dataclass(frozen=True)
class Tally:
    """What happens in each image as the score threshold falls.

    Attributes:
      num_objects: [I] int64, objects to be found.
      top_scores: [V] float64, descending, of the boxes that objects are
        given if each takes the one of highest score.
      top_images: [V] int, their images.
      scores: [E] float64, descending, at which a count changes.
      images: [E] int, where.
      changes: [3, E] int64, of objects found, of boxes that are wrong and of
        objects that have a box, whether it counts or not.
      similarity: [E] float64, change of Σ (1 + cos Δα) / 2 of those found;
        None unless all boxes of all images have an angle.
    """

    num_objects: np.ndarray
    top_scores: np.ndarray
    top_images: np.ndarray
    scores: np.ndarray
    images: np.ndarray
    changes: np.ndarray
    similarity: np.ndarray | None


def tally(
    pairs: overlaps.Pairs,
    min_overlap: float,
    to_find: np.ndarray,
    may_take: np.ndarray,
    counts: np.ndarray,
    may_be_taken: np.ndarray,
) -> Tally:
    """Counts of one class at every threshold.

    Source: evaluate_object of KITTI's object development kit, which matches
    anew at each threshold. The boxes at or above it change at their scores
    only, and matter only to objects tied to them by overlaps. So each such
    group is matched once per box of it, with the boxes of at least its score.

    Args:
      pairs: those of at least the overlap that is needed.
      min_overlap: an object takes boxes of larger IoU only.
      to_find: [O] bool, objects that count.
      may_take: [O] bool, objects that take a box, `to_find` among them.
      counts: [D] bool, boxes that are right or wrong.
      may_be_taken: [D] bool, boxes that objects take, `counts` among them.
    """
    scores = pairs.found.scores
    used = pairs.iou > min_overlap
    used &= may_take[pairs.object_ids] & may_be_taken[pairs.box_ids]
    objects, boxes = pairs.object_ids[used], pairs.box_ids[used]
    iou = pairs.iou[used]
    groups = _groups(objects, boxes)

    rows = assign(groups, objects, boxes, -scores[boxes])
    rows = rows[to_find[objects[rows]] & counts[boxes[rows]]]
    top = boxes[rows[np.argsort(-scores[boxes[rows]])]]

    # A state is a group at the score of one of its boxes.
    state_boxes, rows = np.unique(boxes, return_index=True)
    order = np.lexsort((-scores[state_boxes], groups[rows]))
    state_boxes, state_groups = state_boxes[order], groups[rows[order]]
    by_group = np.argsort(groups, kind="stable")
    states, rows = overlaps.same_group(state_groups, groups[by_group])
    rows = by_group[rows]
    is_in = scores[boxes[rows]] >= scores[state_boxes[states]]
    states, rows = states[is_in], rows[is_in]
    # Boxes that do not count are for want of others, first one first.
    rank = np.where(counts[boxes[rows]], -iou[rows], 0)
    best = assign(states, objects[rows], boxes[rows], rank)
    states, rows = states[best], rows[best]

    is_clear = counts & (pairs.covered <= min_overlap)
    is_right = to_find[objects[rows]] & counts[boxes[rows]]
    angles = pairs.truth.alpha[objects] - pairs.found.alpha[boxes]
    by_state = [
        np.bincount(states, weights, minlength=len(state_boxes))
        for weights in (
            is_right,
            -1.0 * is_clear[boxes[rows]],
            to_find[objects[rows]],
            is_right * (1 + np.cos(angles[rows])) / 2,
        )
    ]
    before = np.roll(by_state, 1, axis=1)
    before[:, np.diff(state_groups, prepend=-1) != 0] = 0
    changes = np.subtract(by_state, before)
    return _in_order(pairs, to_find, top, state_boxes, changes, is_clear)


def assign(
    states: np.ndarray,
    objects: np.ndarray,
    boxes: np.ndarray,
    key: np.ndarray,
) -> np.ndarray:
    """Lets objects, in their order, each take the best box still free.

    Args:
      states: [R] int; what happens in one does not matter to another.
      objects: [R] int, an object that could take a box in that state.
      boxes: [R] int, the box.
      key: [R]; the box of the smallest key is best, of equal ones the one of
        the smallest index.

    Returns:
      [W] int, rows whose object takes the box.
    """
    if not len(states):
        return np.zeros(0, np.int64)
    order = np.lexsort((boxes, key, objects, states))
    states, objects, boxes = states[order], objects[order], boxes[order]
    new_state = np.diff(states, prepend=-1) != 0
    new_object = new_state | (np.diff(objects, prepend=-1) != 0)
    state_no, object_no = np.cumsum(new_state) - 1, np.cumsum(new_object)
    turns = object_no - object_no[new_state][state_no]
    by_turn = np.argsort(turns, kind="stable")
    _, slots = np.unique(
        state_no * (boxes.max() + 1) + boxes, return_inverse=True
    )
    is_taken = np.zeros(len(states), bool)
    taking = []
    ends = np.flatnonzero(np.diff(turns[by_turn])) + 1
    for rows in np.split(by_turn, ends):  # one object of each state
        rows = rows[~is_taken[slots[rows]]]
        rows = rows[np.diff(states[rows], prepend=-1) != 0]
        is_taken[slots[rows]] = True
        taking.append(rows)
    return order[np.concatenate(taking)]


def _groups(objects: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Number [P] of the group that each pair of object and box belongs to."""
    boxes = boxes + objects.max(initial=-1) + 1
    size = boxes.max(initial=-1) + 1
    graph = sparse.coo_matrix(
        (np.ones(len(boxes), bool), (objects, boxes)), shape=(size, size)
    )
    _, groups = csgraph.connected_components(graph, directed=False)
    return groups[objects]


def _in_order(
    pairs: overlaps.Pairs,
    to_find: np.ndarray,
    top: np.ndarray,
    state_boxes: np.ndarray,
    changes: np.ndarray,
    is_clear: np.ndarray,
) -> Tally:
    """Changes by matching, and of boxes that are wrong unless matched."""
    alone = np.flatnonzero(is_clear)
    boxes = np.concatenate([state_boxes, alone])
    changes = np.pad(changes, ((0, 0), (0, len(alone))))
    changes[1, len(state_boxes) :] = 1
    order = np.argsort(-pairs.found.scores[boxes], kind="stable")
    order = order[changes[:, order].any(axis=0)]
    has_angles = (pairs.found.alpha != NO_ANGLE).all()
    return Tally(
        num_objects=np.bincount(
            pairs.truth_images[to_find], minlength=pairs.num_images
        ),
        top_scores=pairs.found.scores[top],
        top_images=pairs.found_images[top],
        scores=pairs.found.scores[boxes[order]],
        images=pairs.found_images[boxes[order]],
        changes=changes[:3, order].astype(np.int64),
        similarity=changes[3, order] if has_angles else None,
    )
