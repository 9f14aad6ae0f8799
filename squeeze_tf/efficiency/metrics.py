"""What a layer costs: MACs, parameters, activations, intensity, Ch. 1 §2."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Workload:
    """The cost of one call of a layer, Ch. 1 §2.2.

    Args:
      name: of the layer.
      kind: a row of Table 1, or the class of a Keras layer.
      macs: multiply-and-accumulate operations (Eq. 1), which the thesis also
        calls FLOPs. Bias, normalisation and activation functions are
        negligible and count 0.
      parameters: values the layer stores (Eq. 2), bias and statistics included.
      input_values: values read, the first part of Eq. 3.
      output_values: values written, the second part of Eq. 3.
      weight_bits: of one parameter.
      activation_bits: of one activation.
      shared_parameters: how many of `parameters` an earlier call of the same
        network has counted already.
      moves_data: false where the output is the input under another name, as of
        dropout at inference; then there are no memory accesses.
      is_counted: false where nobody knows the layer's MACs; `macs` is 0.
      input_shapes: of every input, batch first.
      output_shape: of the first output, batch first.
    """

    name: str
    kind: str
    macs: int
    parameters: int
    input_values: int
    output_values: int
    weight_bits: int = 32
    activation_bits: int = 32
    shared_parameters: int = 0
    moves_data: bool = True
    is_counted: bool = True
    input_shapes: tuple[tuple[int, ...], ...] = ()
    output_shape: tuple[int, ...] = ()

    @property
    def activations(self) -> int:
        """Values of input and output, Ch. 1 Eq. 3."""
        return self.input_values + self.output_values

    @property
    def memory_accesses(self) -> int:
        """Values moved, each once: the denominator of Ch. 1 Eq. 4."""
        return self.parameters + self.activations if self.moves_data else 0

    @property
    def arithmetic_intensity(self) -> float:
        """MACs for each value moved, Ch. 1 Eq. 4; 0 where none is moved."""
        return self.macs / max(self.memory_accesses, 1)

    @property
    def weight_bytes(self) -> int:
        """Of the parameters, rounded up to whole bytes."""
        return -(-self.parameters * self.weight_bits // 8)

    @property
    def activation_bytes(self) -> int:
        """Of input and output, rounded up to whole bytes."""
        return -(-self.activations * self.activation_bits // 8)

    @property
    def footprint(self) -> int:
        """Bytes of parameters, input and output together."""
        return self.weight_bytes + self.activation_bytes

    @property
    def bytes_moved(self) -> int:
        """The footprint where data is moved, else 0."""
        return self.footprint if self.moves_data else 0


@dataclasses.dataclass(frozen=True)
class Total:
    """Sums over the layers of one network, which runs them one by one.

    Args:
      macs: of all calls.
      parameters: stored; what several calls share counts once.
      weight_bytes: of these parameters.
      memory_accesses: values moved; shared parameters move at every call.
      bytes_moved: of these values.
      uncounted: layers whose MACs nobody knows; `macs` lacks them.
    """

    macs: int
    parameters: int
    weight_bytes: int
    memory_accesses: int
    bytes_moved: int
    uncounted: tuple[str, ...]

    @property
    def arithmetic_intensity(self) -> float:
        """MACs for each value moved, Ch. 1 Eq. 4 over all layers."""
        return self.macs / max(self.memory_accesses, 1)


def total(workloads: Iterable[Workload]) -> Total:
    """Sums of a network's layers."""
    loads = list(workloads)
    shared = [-(-x.shared_parameters * x.weight_bits // 8) for x in loads]
    return Total(
        macs=sum(x.macs for x in loads),
        parameters=sum(x.parameters - x.shared_parameters for x in loads),
        weight_bytes=sum(x.weight_bytes for x in loads) - sum(shared),
        memory_accesses=sum(x.memory_accesses for x in loads),
        bytes_moved=sum(x.bytes_moved for x in loads),
        uncounted=tuple(x.name for x in loads if not x.is_counted),
    )


def spatial_convolution(
    *, batch: int, channels: int, filters: int, kernel: int, extent: int
) -> Workload:
    """First row of Ch. 1 Table 1; Eqs. 1-4.

    Stride is 1 and the output as large as the input; taps beyond the border
    count like all others.

    Args:
      batch: B.
      channels: M, of the input.
      filters: N, channels of the output.
      kernel: K, its height and width.
      extent: F, height and width of input and output.
    """
    return _convolution(
        "spatial",
        filters * channels * kernel**2,
        batch,
        channels,
        filters,
        extent,
    )


def separable_convolution(
    *, batch: int, channels: int, filters: int, kernel: int, extent: int
) -> Workload:
    """Second row of Ch. 1 Table 1: one of the two layers, K x 1 or 1 x K.

    §2.3 replaces a convolution by both. The row counts one of them: both have
    twice the parameters and MACs if they have as many filters, so the saving
    is K / 2 and not K times. Arguments as of spatial_convolution().
    """
    weights = filters * channels * kernel
    return _convolution(
        "spatially separable", weights, batch, channels, filters, extent
    )


def pointwise_convolution(
    *, batch: int, channels: int, filters: int, extent: int
) -> Workload:
    """Third row of Ch. 1 Table 1. Arguments as of spatial_convolution()."""
    return _convolution(
        "pointwise", filters * channels, batch, channels, filters, extent
    )


def group_convolution(
    *,
    batch: int,
    channels: int,
    filters: int,
    kernel: int,
    extent: int,
    groups: int,
) -> Workload:
    """Fourth row of Ch. 1 Table 1.

    Args:
      batch: B.
      channels: M.
      filters: N.
      kernel: K.
      extent: F.
      groups: G.

    Raises:
      ValueError: G does not divide M and N.
    """
    if channels % groups or filters % groups:
        raise ValueError(
            f"{groups} groups must divide {channels} channels and {filters} "
            "filters"
        )
    weights = filters * channels * kernel**2 // groups
    return _convolution("group", weights, batch, channels, filters, extent)


def depthwise_convolution(
    *, batch: int, channels: int, kernel: int, extent: int
) -> Workload:
    """Last row of Ch. 1 Table 1. Arguments as of spatial_convolution()."""
    return _convolution(
        "depthwise", channels * kernel**2, batch, channels, channels, extent
    )


def _convolution(
    kind: str,
    weights: int,
    batch: int,
    channels: int,
    filters: int,
    extent: int,
) -> Workload:
    """Every weight is used once at each of the B x F x F positions."""
    positions = batch * extent**2
    return Workload(
        name=kind,
        kind=kind,
        macs=positions * weights,
        parameters=weights,
        input_values=positions * channels,
        output_values=positions * filters,
        input_shapes=((batch, extent, extent, channels),),
        output_shape=(batch, extent, extent, filters),
    )
