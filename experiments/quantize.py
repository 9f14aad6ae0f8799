"""Quantises DiracDeltaNet progressively (Ch. 6 §4.3, Fig. 11, Table 12).

    python -m experiments.train_classifier --config=digits_diracdeltanet \
        --workdir=DIR
    python -m experiments.quantize --workdir=DIR [--bits=16/16,8/8,4/4]

Each step is a run of its own that starts from the one before, and goes on from
its last epoch when the script was stopped. At the end the network is written as
whole numbers, weights packed, and compared with the quantised one on all
validation images. `--set=teacher=WORKDIR` refines labels by another run.
"""

from absl import flags

from experiments import quantization_run
from squeeze_tf import command_line

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_classifier.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where the steps go; WORKDIR/quantized if not given."
)
_BITS = flags.DEFINE_string(
    "bits", "16/16,8/8,4/4", "Bits of weights/activations of each step."
)
_END_BITS = flags.DEFINE_integer(
    "end_bits", 32, "Bits of the first and the last layer's weights.", 1, 32
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")


def main(_: list[str]) -> None:
    """Quantises with the flags' settings."""
    quantization_run.run(
        _WORKDIR.value,
        _OUTPUT.value,
        bits=_BITS.value,
        end_bits=_END_BITS.value,
        settings=_SET.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    command_line.run(main)
