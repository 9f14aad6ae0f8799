"""The bits of residual blocks by their names, and what they save, Ch. 7 §4."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

import tensorflow as tf

from squeeze_tf.efficiency import workload
from squeeze_tf.ops import quantization

keras = tf.keras

FULL = quantization.FULL_PRECISION
SKIP = "0"  # the block's output is its input, Ch. 7 §5.1
_NAME = re.compile(r"(?P<only>\d+)|w(?P<weights>\d+)a(?P<activations>\d+)")


@dataclasses.dataclass(frozen=True)
class Precision:
    """Bits of the two convolutions of a block.

    Args:
      weights: of a weight; 32 for full precision.
      activations: of what the convolutions read; 32 likewise.
    """

    weights: int
    activations: int = FULL


def parse(name: str) -> Precision | None:
    """The precision that a name stands for.

    Args:
      name: "4" for 4-bit weights that multiply activations of full precision,
        "w4a2" if these have 2 bits, "0" for no block at all.

    Returns:
      It, None for "0".

    Raises:
      ValueError: the name is none of these, or bits are not 1 to 16 or 32.
    """
    if name == SKIP:
        return None
    found = _NAME.fullmatch(name)
    if not found:
        raise ValueError(
            'bits of a block must be a name such as "0", "4" or "w4a2"; got '
            f"{name!r}"
        )
    weights = int(found["only"] or found["weights"])
    precision = Precision(weights, int(found["activations"] or FULL))
    for bits in dataclasses.astuple(precision):
        if bits != FULL:
            quantization.num_steps(bits)
    return precision


def size_cost(bits: Sequence[str], parameters: Sequence[int]) -> int:
    """Σ #PARAM · weight-bit, in bits, Ch. 7 Eq. 13.

    Args:
      bits: names of each block's precision, see parse().
      parameters: #PARAM of each, as of precision_resnet.block_parameters().

    Raises:
      ValueError: they are not equally many, or a name is unknown.
    """
    return sum(n * x.weights for n, x in _kept(bits, parameters))


def compute_cost(bits: Sequence[str], macs: Sequence[int]) -> int:
    """Σ #FLOP · weight-bit · act-bit, Ch. 7 Eq. 14; `macs` of each."""
    return sum(n * x.weights * x.activations for n, x in _kept(bits, macs))


def compression_rate(bits: Sequence[str], parameters: Sequence[int]) -> float:
    """How many times smaller than with 32 bits, Ch. 7 Tables 1 and 3.

    Arguments and errors are those of size_cost().
    """
    return FULL * sum(parameters) / size_cost(bits, parameters)


def compute_compression_rate(bits: Sequence[str], macs: Sequence[int]) -> float:
    """The same of compute_cost(), Ch. 7 Table 4: 32 x 32 / 4 / 4 = 64."""
    return FULL**2 * sum(macs) / compute_cost(bits, macs)


def stored_bits(model: keras.Model) -> int:
    """Size of all that a network stores.

    Ours: quantised kernels with their bits; 32 for every other number, among
    them the four of each normalisation, which Eq. 13 leaves out.
    """
    return sum(x.parameters * x.weight_bits for x in workload.workloads(model))


def _kept(
    bits: Sequence[str], amounts: Sequence[int]
) -> Iterable[tuple[int, Precision]]:
    """What the blocks that are not skipped have."""
    for name, amount in zip(bits, amounts, strict=True):
        precision = parse(name)
        if precision:
            yield amount, precision
