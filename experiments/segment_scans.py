"""Labels every 3-D point of your own scans (Ch. 3 §3; latency as Table 2).

    python -m experiments.segment_scans --input=SCANS --output=DIR
    python -m experiments.segment_scans --workdir=RUN --input=SCANS --output=DIR

Without a run of your own, weights that come with the package label cars,
pedestrians and cyclists ahead of an HDL-64E; their MODEL_CARD.md says how well.
`--input` is a scan (.bin, .pcd, .ply, .las, .laz, .npy), a folder of them or
a .txt list. Each scan gets a SemanticKITTI .label file of the label map's
`write` ids, with `--instances` instance ids too, and a picture with
`--picture`; what is there already stays without `--overwrite`. A file that
cannot be read or written is reported, the others go on, and the exit code is 1.
"""

import os
import pathlib
import sys
import time

import numpy as np
import tqdm
from absl import flags

from experiments import segmentation_run
from squeeze_tf import command_line, training
from squeeze_tf import config as config_lib
from squeeze_tf.data import label_maps, point_clouds, scan_folders
from squeeze_tf.segmentation import (
    inference,
    inputs,
    metrics,
    pictures,
    released,
)

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Of train_segmentation; if not given, released weights."
)
_INPUT = flags.DEFINE_string("input", None, "Scan, folder or .txt list.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write.")
_PICTURE = flags.DEFINE_bool("picture", False, "Draw range and labels.")
_INSTANCES = flags.DEFINE_list("instances", [], "Classes to cluster.")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace labels and pictures that are there already."
)
_PROJECTION = flags.DEFINE_string(
    "projection", None, "Preset or .json instead of the workdir's."
)
_DROP_INVALID = flags.DEFINE_bool(
    "drop_invalid", False, "Label scans with NaN points; those get class 0."
)
_INTENSITY_SCALE = flags.DEFINE_float(
    "intensity_scale", None, "Factor to the intensities of training."
)


def segment(
    segmenter: inference.Segmenter,
    path: pathlib.Path,
    output: pathlib.Path,
    label_map: label_maps.LabelMap,
) -> dict[str, float]:
    """Labels one file and returns its latencies in milliseconds."""
    label_path = output / f"{path.stem}.label"
    picture_path = output / f"{path.stem}.png"
    for written in (label_path, *([picture_path] * _PICTURE.value)):
        if written.exists() and not _OVERWRITE.value:
            raise FileExistsError(
                f"expected no {written}, which may be ground truth; "
                "--overwrite replaces it"
            )
    scan = point_clouds.read(
        path,
        drop_invalid=_DROP_INVALID.value,
        intensity_scale=_INTENSITY_SCALE.value,
    )
    found = segmenter(scan)
    milliseconds, instance_ids = dict(found.milliseconds), None
    if _INSTANCES.value:
        wanted = [label_map.names.index(name) for name in _INSTANCES.value]
        start = time.perf_counter()
        instance_ids = metrics.instances(scan.points, found.class_ids, wanted)
        milliseconds["instances"] = 1e3 * (time.perf_counter() - start)
    point_clouds.write_labels(
        label_path,
        label_maps.to_raw(label_map, found.class_ids),
        instance_ids,
    )
    if _PICTURE.value:
        rows = {
            "range": pictures.depth(found.grid),
            "prediction": pictures.labels(
                found.grid, found.grid_ids, label_map.colors
            ),
        }
        pictures.write(picture_path, pictures.stack(rows))
    return milliseconds | {"total": sum(milliseconds.values())}


def main(_: list[str]) -> None:
    """Labels all scans, reports latencies, lists the bad files."""
    workdir, output = _workdir(), pathlib.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    if not os.access(output, os.W_OK):
        raise PermissionError(f"{output}: cannot write here")
    config = config_lib.read(
        segmentation_run.SegmentationConfig, workdir / segmentation_run.CONFIG
    )
    label_map = label_maps.load(workdir / segmentation_run.LABEL_MAP)
    for name in _INSTANCES.value:
        if name not in label_map.names:
            raise ValueError(
                f"--instances={name}: the classes are {label_map.names}"
            )
    kept = workdir / segmentation_run.PROJECTION
    if not _PROJECTION.value and not kept.exists():
        raise FileNotFoundError(
            f"{kept}: the run was trained on grids of an unknown projection; "
            "name it with --projection"
        )
    projection = inputs.find_projection(_PROJECTION.value or str(kept))
    paths = _paths(pathlib.Path(_INPUT.value))
    segmenter = inference.Segmenter(
        training.load_model(workdir), projection, config.ignored_ids
    )
    times, bad = [], []
    for path in tqdm.tqdm(paths, "segment"):
        try:
            times.append(segment(segmenter, path, output, label_map))
        except (ValueError, OSError) as error:
            bad.append(f"{path}: {error}")
    for part in times[0] if times else ():
        values = np.array([t[part] for t in times])
        print(f"{part:16}{values.mean():8.1f} ms  +/- {values.std():.1f}")
    print(
        f"{len(times)} of {len(paths)} scans; labels lie in {output.resolve()}"
    )
    if bad:
        sys.exit("\n".join(["not labelled:", *bad]))


def _workdir() -> pathlib.Path:
    """The run that is asked for, or the weights of the package."""
    if _WORKDIR.value:
        return pathlib.Path(_WORKDIR.value)
    workdir = released.workdir()
    print(f"released weights, see {workdir / 'MODEL_CARD.md'}")
    return workdir


def _paths(given: pathlib.Path) -> list[pathlib.Path]:
    """Scans of a file, folder or list."""
    if given.suffix == ".txt":
        found = scan_folders.read_list(given)
    elif given.is_dir():
        found = scan_folders.find(given, "plain")
    elif given.exists():
        return [given]
    else:
        raise FileNotFoundError(f"{given}: no such scan, folder or list")
    paths = [sample.scan_path for sample in found]
    first = {}
    for path in paths:
        if first.setdefault(path.stem, path) != path:
            raise ValueError(
                f"{path}: {first[path.stem]} has the same name, and labels "
                "are named after scans; label them one by one"
            )
    return paths


if __name__ == "__main__":
    flags.mark_flags_as_required(["input", "output"])
    command_line.run(main)
