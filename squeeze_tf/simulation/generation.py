"""Data sets of many frames, by several processes, resumed where it stopped."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import signal

import tqdm

from squeeze_tf.simulation import config as config_lib
from squeeze_tf.simulation import kitti_layout, sensors, sequence

VERSION = 5  # Changes whenever the same seed gives other frames.


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
      sensor, camera, version) and tracking.txt (KITTI tracking format, all
      frames).

    Raises:
      ValueError: an argument is out of range, or the folder holds frames of
        another config, seed or version.
      OSError: a file cannot be written, or a worker process died.
    """
    if num_frames < 1 or processes < 1:
        raise ValueError(
            "num_frames and processes must be at least 1; got "
            f"{num_frames} and {processes}"
        )
    folder = pathlib.Path(folder)
    manifest = {
        "config": dataclasses.asdict(config),
        "sensor": dataclasses.asdict(sequence.lidar(config)),
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
    pool = concurrent.futures.ProcessPoolExecutor(
        min(processes, len(jobs)),
        multiprocessing.get_context("spawn"),
        _ignore_interrupt,
    )
    try:
        written = [pool.submit(_write, job) for job in jobs]
        for frame in concurrent.futures.as_completed(written):
            frame.result()
            progress.update()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise OSError(
            "a worker process was ended from outside, perhaps for want of "
            "memory; start again to go on, with fewer processes"
        ) from error
    finally:  # on Ctrl-C or an error only the frames in work are finished
        pool.shutdown(cancel_futures=True)


def _ignore_interrupt() -> None:
    """Leaves Ctrl-C to the parent, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(job: _Job) -> None:
    """Renders and writes one frame."""
    frame = sequence.frame(job.config, job.seed, job.index, job.camera)
    camera = sensors.scaled(sensors.KITTI_CAMERA, job.config.image_scale)
    kitti_layout.write_frame(job.folder, frame, camera, job.config.min_points)
