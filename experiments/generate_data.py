"""Generates labelled LiDAR scans and images of streets (Ch. 3 §3.4, Ch. 5 §4).

    python -m experiments.generate_data --config=street_front --folder=DIR \
        --num_frames=8585 --processes=2

The thesis took 8,585 scans (Ch. 3) and 100,000 (Ch. 5) from GTA-V. Expect
about 15 frames per second and core with --nocamera, files included, and 2
with images; a call that was interrupted goes on where it stopped.
"""

from absl import flags

from squeeze_tf import command_line
from squeeze_tf import config as override_lib
from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import generation

_CONFIG = flags.DEFINE_enum(
    "config", "street_front", sorted(config_lib.CONFIGS), "Kind of drive."
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_FOLDER = flags.DEFINE_string("folder", None, "Where to write.", required=True)
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 100, "Frames in the folder.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the data set.")
_PROCESSES = flags.DEFINE_integer("processes", 1, "Processes at a time.")
_CAMERA = flags.DEFINE_bool("camera", True, "Whether to render images.")


def main(_: list[str]) -> None:
    """Writes the frames and says where they lie."""
    config = override_lib.override(
        config_lib.CONFIGS[_CONFIG.value], _SET.value
    )
    folder = generation.generate(
        config,
        _FOLDER.value,
        _NUM_FRAMES.value,
        _SEED.value,
        _PROCESSES.value,
        _CAMERA.value,
    )
    images = "image_2, " if _CAMERA.value else ""
    print(
        f"{_NUM_FRAMES.value} frames lie in {folder}:\n"
        f"  training/: velodyne, {images}calib, label_2, labels, tracking\n"
        "  tracking.txt (all frames), manifest.json (config and seed)"
    )


if __name__ == "__main__":
    command_line.run(main)
