"""From simulated to real scans without a real label (Ch. 5 §4, Table 2).

    python -m experiments.generate_data --config=street_front --nocamera \
        --folder=DIR/sim --num_frames=1500 --processes=2
    python -m experiments.adapt_domain --stages=noise,lir,gca,pdc,cam \
        --set=train_data=DIR/sim/training --set=real_data=DIR/unlabelled \
        --set=validation_data=DIR/labelled --seeds=0,1,2 --workdir=DIR/ladder

Each row of the table adds a stage to the one before. Whatever is interrupted,
even by kill -9, goes on when it is started again with the same flags. The
folder of a row is a run that segment_scans, evaluate_segmentation and
export_model take. Without validation_data the rows are trained, not measured.
"""

import pathlib

from absl import flags

from experiments import adaptation_data, adaptation_run, rendering_run
from squeeze_tf import command_line, whole_file
from squeeze_tf import config as config_lib
from squeeze_tf.adaptation import config as adaptation_config
from squeeze_tf.data import label_maps

_CONFIG = flags.DEFINE_enum(
    "config",
    "kitti_front",
    sorted(adaptation_config.CONFIGS),
    "Which named setting.",
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where all is kept.", required=True
)
_STAGES = flags.DEFINE_list(
    "stages", list(adaptation_run.STAGES), "Rows of the table, in this order."
)
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Of the runs, for mean and spread.")
_BASELINE = flags.DEFINE_bool(
    "self_training", True, "Whether self-training is a row as well."
)
_CLASSES = flags.DEFINE_list("classes", ["car"], "Columns of the table.")
_COMPARE = flags.DEFINE_bool(
    "compare_rendering", False, "Also the hybrid loss beside l2 (§4.2)."
)


def main(_: list[str]) -> None:
    """Runs the ladder and prints its table."""
    workdir = pathlib.Path(_WORKDIR.value)
    config = config_lib.override(
        adaptation_config.CONFIGS[_CONFIG.value], _SET.value
    )
    names = label_maps.load(config.label_map).names
    measured = bool(config.validation_data)
    if _COMPARE.value and not measured:
        raise ValueError("compare_rendering needs --set=validation_data=DIR")
    unknown = [x for x in _CLASSES.value if x not in names]
    if unknown:
        raise ValueError(f"classes must be of {names}; got {unknown[0]!r}")
    found = adaptation_run.run(
        config,
        workdir,
        _STAGES.value,
        [int(seed) for seed in _SEEDS.value],
        _BASELINE.value,
    )
    text = adaptation_run.table(found, _CLASSES.value)
    if _COMPARE.value:
        data = adaptation_data.read(config)
        text += "\n\n" + rendering_run.compare(
            config, workdir, data.intensities, data.validation, names
        )
    whole_file.write(workdir / "table.txt", text + "\n")
    place = f"on {config.validation_data}" if measured else "not measured"
    print(f"\nIoU, %, {place}\n\n{text}\n")
    print(f"Networks, scores and table.txt lie in {workdir.resolve()}")


if __name__ == "__main__":
    command_line.run(main)
