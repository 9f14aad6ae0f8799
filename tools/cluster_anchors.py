"""Proposes anchor shapes for a data set, and says how well they fit.

    python -m tools.cluster_anchors --config=own --set=train_data=DIR

For each number K of anchors: mean IoU, the share of objects whose best anchor
overlaps them by less than half, and of those that must share an anchor (Ch. 2
§3.2). The last line, for the proposed K, goes to train_detection's --set.
"""

import numpy as np
from absl import flags
from tqdm import tqdm

from experiments import detection_run
from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.detection import anchors
from squeeze_tf.detection import config as detection_config

_CONFIG = flags.DEFINE_enum(
    "config", "own", sorted(detection_config.CONFIGS), "Which named setting."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_COUNTS = flags.DEFINE_list(
    "counts", ["3", "5", "7", "9", "12", "16"], "Numbers of anchors to try."
)
_GAIN = flags.DEFINE_float(
    "gain", 0.01, "Least gain of mean IoU worth going to the next number.", 0
)


def main(_: list[str]) -> None:
    """Clusters with the flags' settings."""
    config = config_lib.override(
        detection_config.CONFIGS[_CONFIG.value], _SET.value
    )
    detection_run.check(config)
    counts = sorted({int(count) for count in _COUNTS.value})
    images = detection_run.object_sizes(
        config, detection_run.samples(config, "train")
    )
    sizes = np.concatenate(images)[:, 2:]
    size = detection_run.image_size(config)
    rows, columns = detection_run.grid_size(config)
    print(
        f"{len(sizes)} objects in {len(images)} images, input {size[0]} x "
        f"{size[1]}, grid {rows} x {columns}"
    )
    found, covered = {}, {}
    for count in tqdm(counts, unit="K"):
        found[count] = anchors.cluster(sizes, count, seed=config.seed)
        covered[count] = anchors.coverage(
            images, anchors.grid(found[count], size, (rows, columns))
        )
    print(
        f"{'K':>4}{'IoU of shapes':>16}{'IoU in place':>16}"
        f"{'under 0.5':>12}{'sharing':>10}"
    )
    for count, fit in covered.items():
        print(
            f"{count:4}{fit.mean_shape_iou:16.3f}{fit.mean_iou:16.3f}"
            f"{fit.share_below_half:12.1%}{fit.share_sharing:10.1%}"
        )
    best = anchors.propose(
        {k: c.mean_iou for k, c in covered.items()}, _GAIN.value
    )
    values = ",".join(f"{value:.1f}" for value in found[best].ravel())
    print(f"proposed K = {best}: the next gains less than {_GAIN.value}")
    print(anchors.advice(covered[best]))
    print(f"--set=anchors={values}")


if __name__ == "__main__":
    command_line.run(main)
