"""Proposes how to project the scans of an unknown LiDAR, from one scan.

    python -m tools.inspect_scan --scan=FILE [--write=sensor.json]

Prints rows, field of view and columns, how many points collide and how many
cells stay empty under the proposal and under every preset, and how the sensor
is mounted. Give the written file to train_segmentation as
--set=projection=sensor.json, and to generate_data as --set=sensor=sensor.json.
"""

import numpy as np
from absl import flags

from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import sensor_inspection, sensor_mount

_SCAN = flags.DEFINE_string("scan", None, "Any format of segment_scans.")
_WRITE = flags.DEFINE_string("write", None, "Where to write the proposal.")


def main(_: list[str]) -> None:
    """Inspects the scan."""
    scan = point_clouds.read(_SCAN.value, drop_invalid=True)
    found = sensor_inspection.inspect(scan.points, scan.rings)
    print(sensor_inspection.format_report(found))
    height, pitch = sensor_mount.estimate(scan.points)
    if np.isnan(height):
        print("mount: no ground found in front, where x is positive")
    else:
        print(
            f"mount: {height:.2f} m above the ground, pitch {pitch:+.1f} "
            f"degrees against it; to simulate it: --set=sensor_height="
            f"{height:.2f} --set=sensor_pitch_degrees={pitch:.1f}"
        )
    if _WRITE.value:
        config_lib.write(found.projection, _WRITE.value)
        print(f"written to {_WRITE.value}")


if __name__ == "__main__":
    flags.mark_flag_as_required("scan")
    command_line.run(main)
