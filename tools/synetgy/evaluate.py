"""Evaluates a quantised run on the simulated accelerator (Ch. 6 Tables 12-14).

    python -m tools.synetgy.evaluate --workdir=DIR [--full_precision=DIR]

Top-1 and top-5 accuracy on the run's validation images of the accelerator's
whole numbers, of the quantised model and of the network in full precision; the
rates, latencies and energies of batches; all as accelerator.json.
"""

from absl import flags

from squeeze_tf import command_line
from tools.synetgy import accuracy, hardware

_WORKDIR = flags.DEFINE_string("workdir", None, "Of a step of quantize.")
_FULL_PRECISION = flags.DEFINE_string(
    "full_precision", None, "Workdir of the run that quantize started from."
)
_BATCH = flags.DEFINE_list(
    "batch", [str(size) for size in hardware.TABLE_14], "Images of each batch."
)
_DEVICE = flags.DEFINE_string(
    "device",
    "ultra96",
    f"One of {', '.join(sorted(hardware.DEVICES))}, or a .json of its fields.",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Override of the device, as field=value."
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder to evaluate on; the validation data if not given."
)
_IMAGES = flags.DEFINE_integer("images", 0, "The first so many; 0 for all.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to write; WORKDIR/accelerator if not given."
)


def main(_: list[str]) -> None:
    """Evaluates with the flags' settings."""
    accuracy.run(
        _WORKDIR.value,
        full_precision=_FULL_PRECISION.value,
        batches=_BATCH.value,
        device=_DEVICE.value,
        overrides=_SET.value,
        data=_DATA.value,
        count=_IMAGES.value,
        output=_OUTPUT.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
