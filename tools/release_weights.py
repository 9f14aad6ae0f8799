"""Copies what others need of a segmentation run, without paths or history.

    python -m tools.release_weights --workdir=RUN --output=DIR

The folder is itself a run: segment_scans, evaluate_segmentation (with --data)
and export_model take it. Optimiser state, records and the paths of the data
stay behind. A model card is to be written by hand.
"""

import dataclasses
import pathlib
import shutil

from absl import flags

from experiments import segmentation_run
from squeeze_tf import command_line, training
from squeeze_tf import config as config_lib

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Of train_segmentation or a row of adapt_domain."
)
_OUTPUT = flags.DEFINE_string("output", None, "A folder that is not there.")


def main(_: list[str]) -> None:
    """Copies and says how large it is."""
    workdir, output = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUTPUT.value)
    if output.exists():
        raise FileExistsError(f"{output}: expected a folder that is not there")
    config = config_lib.read(
        segmentation_run.SegmentationConfig, workdir / segmentation_run.CONFIG
    )
    model = training.load_model(workdir)
    config = dataclasses.replace(
        config,
        train_data="",
        validation_data="",
        cache="none",
        label_map=pathlib.Path(config.label_map).stem,
        projection=pathlib.Path(config.projection).stem,
    )
    scratch = output.with_name(f"{output.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    training.save_model(model, scratch)
    config_lib.write(config, scratch / segmentation_run.CONFIG)
    for name in (segmentation_run.LABEL_MAP, segmentation_run.PROJECTION):
        shutil.copyfile(workdir / name, scratch / name)
    scratch.rename(output)
    size = sum(x.stat().st_size for x in output.rglob("*") if x.is_file())
    print(f"{size / 1e6:.1f} MB lie in {output.resolve()}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    command_line.run(main)
