"""COCO's average precision and recall of 2-D boxes, by pycocotools."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from pycocotools import coco, cocoeval

from squeeze_tf.data import image_labels
from squeeze_tf.detection import average_precision

NAMES = (  # in the order of COCOeval.stats
    "AP",
    "AP50",
    "AP75",
    "AP_small",
    "AP_medium",
    "AP_large",
    "AR_1",
    "AR_10",
    "AR_100",
    "AR_small",
    "AR_medium",
    "AR_large",
)


def evaluate(
    truth: Sequence[image_labels.ImageLabels],
    found: Sequence[image_labels.ImageLabels],
    classes: Sequence[average_precision.ClassRule],
) -> dict[str, float]:
    """COCO's twelve numbers, means over the classes that occur.

    Source: Lin et al., Microsoft COCO: Common Objects in Context, and
    cocodataset.org's Detection Evaluation: AP is the mean over IoU 0.5,
    0.55, ..., 0.95 of precision at 101 recalls; AP50 and AP75 are of one IoU,
    AP50 so being VOC's measure but for VOC's recalls; AR_n is the largest
    recall with the n best boxes of each image and class; small, medium and
    large are areas up to 32² and 96² pixels and above, here of boxes. Call
    it with one class for the numbers of that class.

    Ours: ignored objects are "crowds", of their class or, where their type
    is no class's (DontCare), of every class; so are neighbours. Boxes whose
    own area lies in a crowd by the IoU needed are neither right nor wrong.

    Args:
      truth: labels of each image.
      found: detections of each image, with scores.
      classes: see average_precision.ClassRule; min_overlap is not used.

    Returns:
      The values of NAMES, 0 to 1; NaN where no object is of that kind.

    Raises:
      ValueError: lists of different length or detections without scores.
    """
    if len(truth) != len(found):
        raise ValueError(
            "truth and found must describe the same images; got "
            f"{len(truth)} and {len(found)}"
        )
    for image, boxes in enumerate(found):
        if len(boxes) and boxes.scores is None:
            raise ValueError(f"found[{image}] must have scores; got None")
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = cocoeval.COCOeval(
            _index(truth, classes, _objects),
            _index(found, classes, _detections),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = [np.nan if value < 0 else value for value in evaluation.stats]
    return dict(zip(NAMES, map(float, values)))


def _objects(
    labels: image_labels.ImageLabels,
    classes: Sequence[average_precision.ClassRule],
) -> Iterator[tuple[int, int, bool]]:
    """Class and row of each object, and whether it is a crowd."""
    of_class = [
        average_precision.has_type(labels, rule.type_names) for rule in classes
    ]
    of_none = labels.is_ignored & ~np.any(of_class, axis=0)
    for class_id, rule in enumerate(classes):
        crowds = average_precision.has_type(labels, rule.neighbours)
        crowds |= of_none | (of_class[class_id] & labels.is_ignored)
        for row in np.flatnonzero(of_class[class_id] | crowds):
            yield class_id, row, bool(crowds[row])


def _detections(
    labels: image_labels.ImageLabels,
    classes: Sequence[average_precision.ClassRule],
) -> Iterator[tuple[int, int, bool]]:
    """Class and row of each detection; none is a crowd."""
    for class_id, rule in enumerate(classes):
        named = average_precision.has_type(labels, (rule.name,))
        for row in np.flatnonzero(named):
            yield class_id, row, False


def _index(
    images: Sequence[image_labels.ImageLabels],
    classes: Sequence[average_precision.ClassRule],
    rows_of: Callable[..., Iterator[tuple[int, int, bool]]],
) -> coco.COCO:
    """COCO's own form of the labels; ids start at 1, as 0 means no match."""
    annotations = []
    for image, labels in enumerate(images):
        sizes = labels.corners[:, 2:] - labels.corners[:, :2]
        for class_id, row, is_crowd in rows_of(labels, classes):
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image + 1,
                "category_id": class_id + 1,
                "bbox": [*labels.corners[row, :2], *sizes[row]],
                "area": sizes[row].prod(),
                "iscrowd": int(is_crowd),
            }
            if labels.scores is not None:
                annotation["score"] = labels.scores[row]
            annotations.append(annotation)
    index = coco.COCO()
    index.dataset = {
        "images": [{"id": image + 1} for image in range(len(images))],
        "categories": [{"id": i + 1} for i in range(len(classes))],
        "annotations": annotations,
    }
    index.createIndex()
    return index
