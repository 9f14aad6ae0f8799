"""Proposes how to project the scans of an unknown LiDAR, from some of them.

    python -m tools.inspect_scan --scan=FILE_OR_FOLDER[,...] \
        [--write=view.json] [--write_sensor=sensor.json]

Takes any format of segment_scans, and projected grids. Prints rows, field of
view and columns, how many points collide and how many cells stay empty under
the proposal and under every preset, where the lasers sit in the sensor, and
how it is mounted. Give the view to train_segmentation as
--set=projection=view.json, and the sensor, with its lasers, height, pitch and
range, to generate_data as --set=sensor=sensor.json.
"""

import pathlib

import numpy as np
import tqdm
from absl import flags

from squeeze_tf import command_line
from squeeze_tf import config as config_lib
from squeeze_tf.data import lidar_grids, point_clouds, scan_folders
from squeeze_tf.geometry import sensor_inspection, sensor_mount
from squeeze_tf.simulation import sensors

_SCAN = flags.DEFINE_list(
    "scan", None, "Scans, or folders of them.", required=True
)
_WRITE = flags.DEFINE_string("write", None, "Where to write the proposal.")
_WRITE_SENSOR = flags.DEFINE_string(
    "write_sensor", None, "Where to write the sensor for the simulator."
)


def main(_: list[str]) -> None:
    """Inspects the scans."""
    paths = [path for place in _SCAN.value for path in _files(place)]
    scans = [_read(path) for path in tqdm.tqdm(paths, "read", disable=None)]
    found = sensor_inspection.inspect_all(
        [(scan.points, scan.rings) for scan in scans]
    )
    print(sensor_inspection.format_report(found))
    scans = [scans[i] for i in found.scans]
    mounts = np.array([sensor_mount.estimate(scan.points) for scan in scans])
    mounts = mounts[~np.isnan(mounts[:, 0])]
    mount = {}
    if len(mounts):
        height, pitch = map(float, np.median(mounts, axis=0))
        mount = {"height": height, "pitch_degrees": pitch}
        print(
            f"mount, median of {len(mounts)} scans: {height:.2f} m above the "
            f"ground, pitch {pitch:+.1f} degrees against it"
        )
    else:
        print("mount: no ground found in front, where x is positive")
    if _WRITE.value:
        config_lib.write(found.projection, _WRITE.value)
        print(f"view written to {_WRITE.value}")
    if _WRITE_SENSOR.value:
        view = found.projection
        ranges = np.concatenate(
            [np.linalg.norm(scan.points[:, :3], axis=1) for scan in scans]
        )
        ranges = ranges[ranges > 0]
        sensor = sensors.LidarSensor(
            pathlib.Path(_WRITE_SENSOR.value).stem,
            found.laser_degrees or view.beam_degrees,
            view.left_degrees,
            view.right_degrees,
            found.rays_per_laser,
            found.laser_heights,
            min_range=float(ranges.min()),
            max_range=float(ranges.max()),
            **mount,
        )
        config_lib.write(sensor, _WRITE_SENSOR.value)
        print(f"sensor written to {_WRITE_SENSOR.value}")


def _files(place: str) -> list[pathlib.Path]:
    """The scans at a place."""
    path = pathlib.Path(place)
    if not path.is_dir():
        return [path]
    if any(path.glob("*.npz")):
        return lidar_grids.find(path)
    return [x.scan_path for x in scan_folders.find(path, "plain")]


def _read(path: pathlib.Path) -> point_clouds.Scan:
    """A scan, also one that lies projected, whose rows are its lasers."""
    is_array = path.suffix == ".npy" and path.exists()
    if path.suffix == ".npz" or (
        is_array and np.load(path, mmap_mode="r").ndim == 3
    ):
        grid = lidar_grids.read(path)
        rows, columns = np.nonzero(grid[..., 4])
        return point_clouds.Scan(grid[rows, columns, :4], rows)
    return point_clouds.read(path, drop_invalid=True)


if __name__ == "__main__":
    command_line.run(main)
