"""The space of DiracDeltaNets: how far each block expands its channels."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.classification import diracdeltanet, ends
from squeeze_tf.layers import shift_modules
from squeeze_tf.search import space as space_lib

KINDS = ("e1", "e2", "e4", diracdeltanet.SKIP)
DOWN = "down"  # the only candidate of a layer that halves the map


def dirac_space(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    stem: Sequence[int] = diracdeltanet.STEM,
    stage_channels: Sequence[int] = diracdeltanet.STAGE_CHANNELS,
    stage_blocks: Sequence[int] = diracdeltanet.STAGE_BLOCKS,
    last: int = diracdeltanet.LAST,
    stem_pools: bool = True,
    weight_bits: int = 4,
    activation_bits: int = 4,
    end_bits: int = 4,
    weight_form: str = "thesis",
    kinds: Sequence[str] = KINDS,
    mean: Sequence[float] = ends.MEAN,
    std: Sequence[float] = ends.STD,
    weight_decay: float = 4e-5,
    momentum: float = 0.9,
) -> space_lib.Space:
    """Networks of what Synetgy can do: diracdeltanet() of other blocks.

    Ours: the thesis designs this network by hand (Ch. 6 §4.2) and searches
    others (Ch. 7). Blocks that keep the map's size are searched; one that
    halves it is a layer with DOWN alone. Bits are those of Ch. 6 Table 13
    unless given, and named by the kinds of the ends: a latency table of other
    bits lacks these.

    Arguments are those of diracdeltanet(), and

    Args:
      kinds: that a block which keeps the size may be, see
        diracdeltanet.expansion().

    Raises:
      ValueError: an argument is not as described.
    """
    diracdeltanet.check_sizes(
        input_shape, stem, stage_channels, stage_blocks, stem_pools
    )
    for kind in kinds:
        diracdeltanet.expansion(kind)
    if len(set(kinds)) < max(len(kinds), 1):
        raise ValueError(f"kinds must differ, at least one; got {list(kinds)}")
    settings = diracdeltanet.Settings(
        weight_bits,
        activation_bits,
        weight_form,
        shift_modules.Settings(weight_decay, momentum),
        end_bits,
    )
    halving = [  # its filters; None of a layer that is searched
        filters if i == 0 else None
        for filters, count in zip(stage_channels, stage_blocks)
        for i in range(count)
    ]

    def block(x: tf.Tensor, layer: int, kind: str, name: str) -> tf.Tensor:
        if halving[layer] is None:
            return diracdeltanet.block(x, kind, name=name, settings=settings)
        return diracdeltanet.downsampling_block(
            x, halving[layer], name=name, settings=settings
        )

    bits = f"w{weight_bits}a{activation_bits}_ends{end_bits}"
    return space_lib.Space(
        "diracdeltanet",
        tuple((DOWN,) if filters else tuple(kinds) for filters in halving),
        lambda: diracdeltanet.first(
            input_shape, stem, stem_pools, mean, std, settings
        ),
        block,
        lambda x: diracdeltanet.final(x, last, num_classes, settings),
        (
            f"{space_lib.FIRST}{stem[0]}_{bits}",
            f"{space_lib.LAST}{last}_{bits}",
        ),
    )


def block_kinds(architecture: Sequence[str]) -> tuple[str, ...]:
    """A network of the space as diracdeltanet() takes it."""
    return tuple(kind for kind in architecture if kind != DOWN)
