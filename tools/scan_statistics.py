"""Mean and deviation of the channels and class shares of a data set.

    python -m tools.scan_statistics --dataset=grids --data=DIR \
        --label_map=kitti_grids

Prints them as settings for train_segmentation, which otherwise computes them
itself from its training data.
"""

from absl import flags

from squeeze_tf import command_line
from squeeze_tf.data import label_maps, lidar_grids
from squeeze_tf.segmentation import inputs

_DATASET = flags.DEFINE_enum(
    "dataset", "grids", sorted(inputs.DATASETS), "Layout of the data."
)
_DATA = flags.DEFINE_string("data", None, "Folder of the data.")
_LABEL_MAP = flags.DEFINE_string("label_map", "kitti_grids", "Name or path.")
_PROJECTION = flags.DEFINE_string("projection", "hdl64e_front", "Or .json.")


def main(_: list[str]) -> None:
    """Reads everything once."""
    label_map = label_maps.load(_LABEL_MAP.value)
    samples = inputs.samples(
        _DATASET.value,
        _DATA.value,
        label_map=label_map,
        projection=_PROJECTION.value,
    )
    found = lidar_grids.statistics(
        samples.as_numpy_iterator(), len(label_map.names)
    )
    for name, share in zip(label_map.names, found["frequencies"]):
        print(f"{name:20}{100 * share:8.3f} %")
    weights = inputs.class_weights(found["frequencies"])
    for field, values in (
        ("mean", found["mean"]),
        ("std", found["std"]),
        ("class_weights", weights),
    ):
        print(f"--set={field}=" + ",".join(f"{value:.6g}" for value in values))


if __name__ == "__main__":
    flags.mark_flag_as_required("data")
    command_line.run(main)
