"""Speed and energy that a machine allows a layer, Ch. 1 §1 and §3."""

import dataclasses
from collections.abc import Sequence

from squeeze_tf.efficiency import metrics

# Ch. 1 Fig. 1 and §1, 45 nm: picojoules of a 16-bit float addition, of an
# access to 64 bits in caches (10 for a small one to 100 for a large one), and
# of one to DRAM, for which no width is printed: 64 bits are taken too.
ADD_PICOJOULES = 0.4
CACHE_PICOJOULES = (10.0, 100.0)
DRAM_PICOJOULES = 3556 * ADD_PICOJOULES
ACCESS_BYTES = 8
# A 16-bit float multiplication at 45 nm, which the thesis does not print:
# Horowitz, "Computing's energy problem", ISSCC 2014, Fig. 1.1.9.
MULTIPLY_PICOJOULES = 1.1


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a processor and its memories can do.

    Energies are the thesis's of 45 nm chips unless given, so they compare
    networks, not machines.

    Args:
      name: for tables.
      peak_macs_per_second: None where unknown; there is no roofline then.
      bandwidth_bytes_per_second: of the off-chip memory, None where unknown.
      on_chip_bytes: of the largest on-chip memory; 0 keeps nothing there.
      mac_picojoules: of one MAC on data in registers.
      on_chip_picojoules_per_byte: of an access.
      off_chip_picojoules_per_byte: of an access.
    """

    name: str
    peak_macs_per_second: float | None = None
    bandwidth_bytes_per_second: float | None = None
    on_chip_bytes: int = 0
    mac_picojoules: float = ADD_PICOJOULES + MULTIPLY_PICOJOULES
    on_chip_picojoules_per_byte: float = CACHE_PICOJOULES[1] / ACCESS_BYTES
    off_chip_picojoules_per_byte: float = DRAM_PICOJOULES / ACCESS_BYTES

    def __post_init__(self) -> None:
        """Checks that all numbers can be true."""
        speeds = ("peak_macs_per_second", "bandwidth_bytes_per_second")
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if value is None and field.name in speeds:
                continue
            is_number = isinstance(value, int | float)
            if not is_number or not 0 <= value < float("inf"):
                raise ValueError(
                    f"machine {self.name}: {field.name} must be a number that "
                    f"is not negative; got {value!r}"
                )
            if field.name in speeds and value == 0:
                raise ValueError(
                    f"machine {self.name}: {field.name} must not be 0"
                )

    @property
    def has_roofline(self) -> bool:
        """Whether peak and bandwidth are known."""
        return None not in (
            self.peak_macs_per_second,
            self.bandwidth_bytes_per_second,
        )


PRESETS: dict[str, Machine] = {
    # Ch. 1 Fig. 1: the typical L3 cache of 10 MB.
    "figure_1": Machine("Ch. 1 Fig. 1", on_chip_bytes=10 * 2**20),
    # Ch. 2 §3.4, the example of SqueezeNet: 16 MB of on-chip SRAM.
    "sram_16mb": Machine("16 MB of SRAM", on_chip_bytes=16 * 2**20),
    # NVIDIA's data of the GeForce GTX TITAN X of 2015: 3,072 cores, each one
    # MAC a cycle at the base clock of 1 GHz, 336.5 GB/s, 3 MB of L2. Ch. 2
    # §4.1 names a TITAN X and not its generation.
    "titan_x": Machine("GTX TITAN X", 3.072e12, 336.5e9, 3 * 2**20),
}


@dataclasses.dataclass(frozen=True)
class Bound:
    """What the roofline says of one layer.

    Args:
      macs_per_byte: its arithmetic intensity.
      macs_per_second: attainable.
      is_compute_bound: else it waits for the memory.
      seconds: that it takes at least.
    """

    macs_per_byte: float
    macs_per_second: float
    is_compute_bound: bool
    seconds: float


def roofline(load: metrics.Workload, machine: Machine) -> Bound:
    """The roofline's bound of one layer's speed.

    Source: Williams, Waterman and Patterson, "Roofline", CACM 2009, with the
    arithmetic intensity of Ch. 1 Eq. 4 by the byte:
      attainable = min(peak, intensity * bandwidth)
      seconds = max(macs / peak, bytes / bandwidth)
    Every value moves once between the chip and the memory.

    Raises:
      ValueError: the machine's peak or bandwidth is not known.
    """
    if not machine.has_roofline:
        raise ValueError(
            f"machine {machine.name} has no peak_macs_per_second or no "
            "bandwidth_bytes_per_second"
        )
    peak = machine.peak_macs_per_second
    bandwidth = machine.bandwidth_bytes_per_second
    intensity = load.macs / max(load.bytes_moved, 1)
    compute, memory = load.macs / peak, load.bytes_moved / bandwidth
    return Bound(
        macs_per_byte=intensity,
        macs_per_second=min(peak, intensity * bandwidth),
        is_compute_bound=compute > memory,
        seconds=max(compute, memory),
    )


@dataclasses.dataclass(frozen=True)
class Energy:
    """Joules of one layer's call.

    Args:
      compute: of its MACs.
      on_chip: of values that come from on-chip memory.
      off_chip: of values that come from DRAM.
    """

    compute: float
    on_chip: float
    off_chip: float

    @property
    def joules(self) -> float:
        """All of them."""
        return self.compute + self.on_chip + self.off_chip


def energies(
    loads: Sequence[metrics.Workload], machine: Machine
) -> list[Energy]:
    """Energy of each layer by where its values lie, an estimate.

    Ours, from Ch. 1 Fig. 1 and Ch. 2 §3.4 (a model of 5 MB and less than 11 MB
    of any two consecutive layers' outputs need no DRAM if there are 16 MB on
    the chip). Assumed are
    - streaming, so that weights which stay on the chip were loaded before;
    - every weight, input and output accessed once, as in Ch. 1 Eq. 4, reuse
      coming from registers at no cost;
    - all weights of the network stay on the chip if they fit there, else they
      all come from DRAM at each call;
    - input and output of a layer are on the chip if they fit beside the
      network's weights, or beside the layer's own where the others do not
      stay; else both are in DRAM. Tensors of skip connections do not count
      while they wait.

    Args:
      loads: the layers of one network.
      machine: gives the size of the memory and the energies.
    """
    weights = metrics.total(loads).weight_bytes
    stay = weights <= machine.on_chip_bytes
    found = []
    for load in loads:
        moved = load.activation_bytes * load.moves_data
        beside = weights if stay else load.weight_bytes
        fits = beside + moved <= machine.on_chip_bytes
        on_chip = load.weight_bytes * stay + moved * fits
        off_chip = load.weight_bytes * (not stay) + moved * (not fits)
        found.append(
            Energy(
                load.macs * machine.mac_picojoules * 1e-12,
                on_chip * machine.on_chip_picojoules_per_byte * 1e-12,
                off_chip * machine.off_chip_picojoules_per_byte * 1e-12,
            )
        )
    return found
