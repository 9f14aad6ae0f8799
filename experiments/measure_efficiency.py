"""Counts and measures what a network costs (Ch. 1; Ch. 2 Tables 4 and 6).

    python -m experiments.measure_efficiency --workdir=DIR [--power]
    python -m experiments.measure_efficiency --model=TOPIC/NAME --output=DIR

Prints each layer's MACs, parameters, activations, roofline bound and estimated
energy, then speed and, where asked for, power; writes efficiency.json,
layers.csv and efficiency.png. Ten seconds for segmentation/squeezeseg on one
processor core.
"""

from absl import flags

from experiments import efficiency_run
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string("workdir", None, "Of a trained network.")
_MODEL = flags.DEFINE_string(
    "model", None, "Untrained one, as segmentation/squeezeseg."
)
_INPUT_SIZE = flags.DEFINE_string(
    "input_size", None, "HxW for --model; its own if not given."
)
_BATCH_SIZES = flags.DEFINE_list(
    "batch_sizes", ["1"], "To measure; layers are counted for the first."
)
_MACHINE = flags.DEFINE_string(
    "machine",
    "measured",
    "measured, one of efficiency.machine.PRESETS, or a .json of its fields.",
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 50, "Timed calls for each batch size; 0 only counts."
)
_POWER = flags.DEFINE_bool("power", False, "Measure the power of batch 1.")
_THRESHOLD = flags.DEFINE_float(
    "power_threshold", 20.0, "Idle below these watts, Ch. 2 §4.3."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to write; WORKDIR/efficiency if not given."
)


def main(_: list[str]) -> None:
    """Measures with the flags' settings."""
    efficiency_run.run(
        workdir=_WORKDIR.value,
        model=_MODEL.value,
        input_size=_INPUT_SIZE.value,
        batch_sizes=_BATCH_SIZES.value,
        machine=_MACHINE.value,
        repeats=_REPEATS.value,
        with_power=_POWER.value,
        threshold=_THRESHOLD.value,
        output=_OUTPUT.value,
    )


if __name__ == "__main__":
    command_line.run(main)
