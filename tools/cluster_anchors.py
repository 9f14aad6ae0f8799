"""Proposes anchor shapes and a grid for a data set, and says how they fit.

    python -m tools.cluster_anchors --config=own --set=train_data=DIR

For each number K of anchors, and then for sizes of the input, which make the
grid coarser or finer: mean IoU, the share of objects whose best anchor
overlaps them by less than half, and of those that must share an anchor with
another object of their image (Ch. 2 §3.2). The last line is for
train_detection.
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


_MAX_IMAGES, _MAX_SIZES = 500, 10_000  # Ours: enough to tell shapes apart
_SCALES = (0.75, 1.0, 1.5, 2.0)  # Ch. 2 §4.2, and a finer one
_MAX_BELOW_HALF = 0.05  # Ours: a grid is fine enough from here on


def main(_: list[str]) -> None:
    """Clusters with the flags' settings."""
    config = config_lib.override(
        detection_config.CONFIGS[_CONFIG.value], _SET.value
    )
    detection_config.check(config)
    counts = sorted({int(count) for count in _COUNTS.value})
    images = detection_run.object_sizes(
        config, detection_run.samples(config, "train")
    )
    sizes = np.concatenate(images)[:, 2:]
    print(f"{len(sizes)} objects in {len(images)} images")
    sizes = sizes[:: -(-len(sizes) // _MAX_SIZES)]
    images = [boxes for boxes in images if len(boxes)]
    images = images[:: -(-len(images) // _MAX_IMAGES)]
    found, fits = {}, {}
    for count in tqdm(counts, unit="K"):
        found[count] = anchors.cluster(sizes, count, seed=config.seed)
        fits[count] = fit(config, images, found[count], 1.0)
    print(table("K", fits))
    best = anchors.propose(
        {k: c.mean_iou for k, c in fits.items()}, _GAIN.value
    )
    why = f"the next number gains less than {_GAIN.value}"
    print(f"K = {best}: {why if best < counts[-1] else 'the largest tried'}\n")
    fits = {
        scale: fit(config, images, found[best], scale)
        for scale in tqdm(_SCALES, unit="size")
    }
    print(table("size", fits))
    fine = [s for s in _SCALES if fits[s].share_below_half <= _MAX_BELOW_HALF]
    scale = fine[0] if fine else _SCALES[-1]
    height, width = size_at(config, scale)
    why = f"at most {_MAX_BELOW_HALF:.0%} under 0.5" if fine else "the finest"
    print(f"input times {scale}: {why}\n")
    values = ",".join(f"{scale * v:.1f}" for v in found[best].ravel())
    print(
        f"--set=num_anchors={best} --set=anchors={values} "
        f"--set=input_height={height} --set=input_width={width}"
    )


def size_at(
    config: detection_run.DetectionConfig, scale: float
) -> tuple[int, int]:
    """H, W of the input, scaled."""
    height, width = detection_run.image_size(config)
    return round(scale * height), round(scale * width)


def fit(
    config: detection_run.DetectionConfig,
    images: list[np.ndarray],
    shapes: np.ndarray,
    scale: float,
) -> anchors.Coverage:
    """How shapes fit the boxes of images when the input is scaled."""
    height, width = size_at(config, scale)
    scaled = config_lib.override(
        config, [f"input_height={height}", f"input_width={width}"]
    )
    grid = anchors.grid(
        scale * shapes, (height, width), detection_run.grid_size(scaled)
    )
    return anchors.coverage([scale * boxes for boxes in images], grid)


def table(head: str, fits: dict[float, anchors.Coverage]) -> str:
    """The fits as text."""
    lines = [
        f"{head:>6}{'IoU of shapes':>16}{'IoU in place':>16}"
        f"{'under 0.5':>12}{'sharing':>10}"
    ]
    for key, one in fits.items():
        lines.append(
            f"{key:6}{one.mean_shape_iou:16.3f}{one.mean_iou:16.3f}"
            f"{one.share_below_half:12.1%}{one.share_sharing:10.1%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    command_line.run(main)
