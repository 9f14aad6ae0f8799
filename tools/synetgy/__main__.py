"""Simulates the Synetgy accelerator (Ch. 6 §5, Tables 13 and 14).

    python -m tools.synetgy [--model=DIR] [--batch=1,2,4,8,10,16]
    python -m tools.synetgy --model=DIR --simulate=100 --output=DIR --sweep

Prints the cycles of each call of the accelerator, what a batch's time is spent
on, and frames a second, for the thesis' network beside Table 14. A network is
run with whole numbers by --simulate, and compared with its quantised model.
Ten seconds for the thesis' network on one processor core.
"""

from absl import flags

from squeeze_tf import command_line
from tools.synetgy import hardware, study

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "Workdir of a quantised network, as quantize writes for each step; the "
    "thesis' network with random weights if not given.",
)
_BATCH = flags.DEFINE_list(
    "batch",
    [str(size) for size in hardware.TABLE_14],
    "Images of each batch; layers are listed for the first.",
)
_DEVICE = flags.DEFINE_string(
    "device",
    "ultra96",
    f"One of {', '.join(sorted(hardware.DEVICES))}, or a .json of its fields.",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Override of the device, as field=value."
)
_SIMULATE = flags.DEFINE_integer(
    "simulate",
    0,
    "Images to run with whole numbers: of the run's validation data, or random "
    "ones where there is no run.",
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder of images to take for --simulate instead."
)
_SCALESIM = flags.DEFINE_string(
    "scalesim", None, "Folder for SCALE-Sim's topology, config and reports."
)
_SWEEP = flags.DEFINE_bool(
    "sweep", False, "Try other tiles, clocks and ports; needs --output."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for tables and sweep.")


def main(_: list[str]) -> None:
    """Simulates with the flags' settings."""
    study.run(
        model=_MODEL.value,
        batches=_BATCH.value,
        device=_DEVICE.value,
        overrides=_SET.value,
        simulate=_SIMULATE.value,
        data=_DATA.value,
        scalesim_folder=_SCALESIM.value,
        with_sweep=_SWEEP.value,
        output=_OUTPUT.value,
    )


if __name__ == "__main__":
    command_line.run(main)
