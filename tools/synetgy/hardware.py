"""Accelerators that the timing model knows, as frozen descriptions."""

import dataclasses
import math

from squeeze_tf.efficiency import machine


@dataclasses.dataclass(frozen=True)
class Device:
    """An array of multipliers beside a CPU and a DRAM, Ch. 6 §5.1 and Fig. 12.

    Args:
      name: for tables.
      tile_in: input channels that the array multiplies in one step, the
        tiling factor IC of Ch. 6 §5.2.
      tile_out: output channels that it computes in one step.
      clock_mhz: of array and buses.
      bus_bits: moved in one cycle by each of three ports: weights, input and
        output.
      dram_bytes_per_second: of all ports together.
      weight_bits: of the weights that the multipliers take in one step. Wider
        values take several steps.
      activation_bits: of the activations that they take in one step.
      dram_latency_ns: until the first value of a transfer arrives.
      issue_cycles: between two steps, on average; at least 1.
      tile_fill_cycles: lost for each pixel and tile of output channels.
      load_cycles: to read a tile of a pixel's inputs before its first step; 0
        if that happens while the pixel before is computed.
      pixel_cycles: least between two input pixels, whatever the channels:
        the line buffer of shift and pooling works beside the array.
      call_overhead_us: from the CPU's decision to call the accelerator until
        it starts, and from its end until the CPU knows.
      batch_overhead_us: once for each batch.
      shuffle_ns_per_value: of the CPU's copies.
      pool_ns_per_value: of the CPU's average-pooling.
      idle_watts: of the board while nothing runs; 0 where unknown.
      load_watts: of the board while the network runs, at most; 0 where
        unknown.
      dsps: that the chip has; 0 where unknown.
      accumulator_bits: of the array's sums; 0 where unknown.
      mac_picojoules: of one multiplication and addition; of 8-bit integers at
        45 nm unless given (0.2 + 0.03: Horowitz, "Computing's energy
        problem", ISSCC 2014, Fig. 1.1.9).
      dram_picojoules_per_byte: of an access; Ch. 1 Fig. 1 unless given.

    Raises:
      ValueError: a number cannot be true; it says which and why.
    """

    name: str
    tile_in: int
    tile_out: int
    clock_mhz: float
    bus_bits: int
    dram_bytes_per_second: float
    weight_bits: int
    activation_bits: int
    dram_latency_ns: float = 0.0
    issue_cycles: float = 1.0
    tile_fill_cycles: float = 0.0
    load_cycles: float = 0.0
    pixel_cycles: float = 0.0
    call_overhead_us: float = 0.0
    batch_overhead_us: float = 0.0
    shuffle_ns_per_value: float = 0.0
    pool_ns_per_value: float = 0.0
    idle_watts: float = 0.0
    load_watts: float = 0.0
    dsps: int = 0
    accumulator_bits: int = 0
    mac_picojoules: float = 0.23
    dram_picojoules_per_byte: float = (
        machine.DRAM_PICOJOULES / machine.ACCESS_BYTES
    )

    def __post_init__(self) -> None:
        """Checks that all numbers can be true."""
        for field in dataclasses.fields(self)[1:]:
            value, is_int = getattr(self, field.name), field.type is int
            if not isinstance(value, int if is_int else int | float):
                self._refuse(
                    field.name, "a whole number" if is_int else "a number"
                )
            if not math.isfinite(value) or value < 0:
                self._refuse(field.name, "finite and not negative")
            if value == 0 and field.default is dataclasses.MISSING:
                self._refuse(field.name, "above 0")
        if self.issue_cycles < 1:
            self._refuse("issue_cycles", "at least 1")
        if self.load_watts < self.idle_watts:
            self._refuse("load_watts", f"at least idle_watts {self.idle_watts}")

    def _refuse(self, name: str, needed: str) -> None:
        raise ValueError(
            f"device {self.name}: {name} must be {needed}; "
            f"got {getattr(self, name)!r}"
        )

    @property
    def macs_per_cycle(self) -> float:
        """Attainable by the array: tile_in * tile_out / issue_cycles."""
        return self.tile_in * self.tile_out / self.issue_cycles

    @property
    def peak_gops(self) -> float:
        """Attainable, 1e9 multiplications and additions a second."""
        return 2e-3 * self.macs_per_cycle * self.clock_mhz

    @property
    def dram_bytes_per_cycle(self) -> float:
        """Of all ports together."""
        return self.dram_bytes_per_second / (1e6 * self.clock_mhz)

    @property
    def multiplier_dsps(self) -> int:
        """DSP slices for the array's multipliers alone.

        A DSP48E2 multiplies 27 by 18 bits. It makes four products of 4-bit
        values (Xilinx WP521, "Convolutional Neural Network with INT4
        Optimization") or two of 8-bit values with a common factor (Xilinx
        WP486, "Deep Learning with INT8 Optimization"). Multipliers built of
        look-up tables are not considered.

        Raises:
          ValueError: the values are wider than 27 and 18 bits.
        """
        narrow, wide = sorted((self.weight_bits, self.activation_bits))
        if narrow > 18 or wide > 27:
            raise ValueError(
                f"device {self.name}: a DSP slice multiplies 27 by 18 bits, "
                f"not {wide} by {narrow}"
            )
        products = 4 if wide <= 4 else 2 if wide <= 8 else 1
        return math.ceil(self.tile_in * self.tile_out / products)


# Ch. 6 Table 14: frames a second of DiracDeltaNet on Synetgy by batch size.
TABLE_14 = {1: 58.7, 2: 72.9, 4: 84.1, 8: 94.4, 10: 95.9, 16: 96.5}

# Published by CoDeNet's authors (see DEVICES): nanoseconds to concatenate and
# shuffle one value on this board's CPU, a mean over three sizes (4.12, 4.25
# and 4.29), each the printed seconds by the values of all block outputs.
_SHUFFLE_NS = 4.22
# CoDeNet's block design: 32 bits of LPDDR4 at 533 MHz, both edges; a row takes
# 64 ns (tRC).
_DRAM_BYTES_PER_SECOND, _DRAM_LATENCY_NS = 2 * 533e6 * 4, 64.0
# CoDeNet's calls, fitted below: the same board and CPU.
_CALL_OVERHEAD_US = 75.0

DEVICES: dict[str, Device] = {
    # Synetgy on the Ultra96 board (Zynq ZU3EG, 360 DSP slices by AMD DS891).
    # Printed: 250 MHz, 4-bit weights and activations, 5.3 and 5.5 W (Ch. 6
    # §5.2, Table 13), and a peak attainable 418 GOPs, "close to the
    # theoretical compute roofline", that is 836 MACs a cycle.
    # Inferred: 32 x 32 is the smallest square array with sides of a power of
    # two that can do them; it attains them if a step takes 1024 / 836 cycles
    # on average. The ports' 128 bits are CoDeNet's, and 32 channels of 4 bits.
    # The CPU and DRAM are CoDeNet's; averaging a value is taken to cost what
    # copying one does. CoDeNet's shuffle interleaves single values, Synetgy's
    # copies whole rows of channels and may be cheaper.
    # Fitted to Table 14: pixel_cycles and batch_overhead_us. The line
    # T = 7.400 ms + 9.824 ms * batch is the least-squares fit of relative
    # errors of the six times, at most 1.83 % off. They determine two numbers;
    # how the time is split between these two constants and the inferred ones
    # they do not tell. Table 13's 66.3 frames a second and the average of
    # 47.09 GOPs are not reproduced: no batch of Table 14 has this rate, and
    # 47.09 / 66.3 is 7.6 % more than the network's 2 * 330M.
    "ultra96": Device(
        "Synetgy on Ultra96",
        tile_in=32,
        tile_out=32,
        clock_mhz=250.0,
        bus_bits=128,
        dram_bytes_per_second=_DRAM_BYTES_PER_SECOND,
        weight_bits=4,
        activation_bits=4,
        dram_latency_ns=_DRAM_LATENCY_NS,
        issue_cycles=1024 / 836,
        pixel_cycles=16.325,
        call_overhead_us=_CALL_OVERHEAD_US,
        batch_overhead_us=4049.0,
        shuffle_ns_per_value=_SHUFFLE_NS,
        pool_ns_per_value=_SHUFFLE_NS,
        idle_watts=5.3,
        load_watts=5.5,
        dsps=360,
    ),
    # CoDeNet (Huang et al., FPGA 2021), another accelerator of the same group
    # for the same board, whose sources and measured times are public
    # (github.com/hqjenny/CoDeNet, hls/top and sw).
    # From its sources: a 16 x 16 array, 128-bit ports, 8 bits for weights and
    # activations (para.h), a clock of 250 MHz and the DRAM (block design), and
    # that inputs of a pixel are read before its first step (conv.h).
    # Fitted to the times of 16 different calls printed in its first notebook,
    # by least squares of relative errors: tile_fill_cycles, pixel_cycles and
    # call_overhead_us; at most 14 % off, 7 % root mean square. Of three other
    # networks' total times, which had no part in this, it misses 1.7 % or
    # less. Behind its array stand a line buffer of 15 rows and a deformable
    # 3x3 convolution, which Synetgy has not; so pixel_cycles may well differ.
    "codenet": Device(
        "CoDeNet on Ultra96",
        tile_in=16,
        tile_out=16,
        clock_mhz=250.0,
        bus_bits=128,
        dram_bytes_per_second=_DRAM_BYTES_PER_SECOND,
        weight_bits=8,
        activation_bits=8,
        dram_latency_ns=_DRAM_LATENCY_NS,
        tile_fill_cycles=11.4,
        load_cycles=1.0,
        pixel_cycles=65.4,
        call_overhead_us=_CALL_OVERHEAD_US,
        shuffle_ns_per_value=_SHUFFLE_NS,
        pool_ns_per_value=_SHUFFLE_NS,
        dsps=360,
    ),
}
