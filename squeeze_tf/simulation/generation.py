"""Data sets of many frames, by several processes, resumed where it stopped."""

import dataclasses
import multiprocessing
import os
import pathlib
import signal

import tqdm

from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import kitti_layout, sensors, sequence

VERSION = 1  # Changes whenever the same seed gives other frames.


@dataclasses.dataclass(frozen=True)
class _Job:
    """One frame to write."""

    config: config_lib.SimulationConfig
    folder: str
    seed: int
    index: int
    camera: bool


def generate(
    config: config_lib.SimulationConfig,
    folder: str | os.PathLike,
    num_frames: int,
    seed: int = 0,
    processes: int = 1,
    camera: bool = True,
) -> pathlib.Path:
    """Writes frames 0 to `num_frames` - 1 in the KITTI layout.

    Frame i depends on config, seed and i only. Complete frames are left as
    they are; an interrupted call is repeated to go on. `num_frames` may grow
    from call to call.

    Args:
      config: what to simulate.
      folder: is made if it does not exist.
      num_frames: to have in the folder at the end.
      seed: of the data set.
      processes: working at a time; 1 works in this one.
      camera: whether to render images.

    Returns:
      The folder. Next to training/ it holds manifest.json (config, seed,
      camera, version) and tracking.txt (KITTI tracking format, all frames).

    Raises:
      ValueError: an argument is out of range, or the folder holds frames of
        another config, seed or version.
      OSError: a file cannot be written.
    """
    if num_frames < 1 or processes < 1:
        raise ValueError(
            "num_frames and processes must be at least 1; got "
            f"{num_frames} and {processes}"
        )
    folder = pathlib.Path(folder)
    manifest = {
        "config": dataclasses.asdict(config),
        "seed": seed,
        "camera": camera,
        "version": VERSION,
    }
    kitti_layout.write_manifest(folder, manifest)
    jobs = [
        _Job(config, str(folder), seed, index, camera)
        for index in range(num_frames)
        if not kitti_layout.is_complete(folder, index)
    ]
    with tqdm.tqdm(
        total=num_frames, initial=num_frames - len(jobs), unit="frame"
    ) as progress:
        if processes == 1:
            for job in jobs:
                _write(job)
                progress.update()
        elif jobs:
            _in_parallel(jobs, processes, progress)
    kitti_layout.write_tracking(folder, num_frames)
    return folder


def _in_parallel(jobs: list[_Job], processes: int, progress: tqdm.tqdm) -> None:
    """Spawned workers, for a fork would copy Embree's threads halfway."""
    context = multiprocessing.get_context("spawn")
    # Leaving the block ends the workers, also on Ctrl-C; what they were
    # writing then is a temporary file and does not count.
    with context.Pool(min(processes, len(jobs)), _ignore_interrupt) as pool:
        for _ in pool.imap_unordered(_write, jobs, chunksize=1):
            progress.update()


def _ignore_interrupt() -> None:
    """Leaves Ctrl-C to the parent, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(job: _Job) -> None:
    """Renders and writes one frame."""
    frame = sequence.frame(job.config, job.seed, job.index, job.camera)
    camera = sensors.scaled(sensors.KITTI_CAMERA, job.config.image_scale)
    kitti_layout.write_frame(job.folder, frame, camera, job.config.min_points)
