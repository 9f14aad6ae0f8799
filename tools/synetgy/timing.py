"""Cycles, traffic and energy of calls and frames on a device, Ch. 6 §5.2."""

import dataclasses
import math
from collections.abc import Sequence

from tools.synetgy import hardware, workload

_STREAMS = ("compute", "pixel", "input", "output", "memory")


@dataclasses.dataclass(frozen=True)
class CallTiming:
    """What one call costs for a whole batch.

    Args:
      call: that was timed.
      batch: images.
      weight_cycles: to load the weights.
      fill_cycles: until the first value arrives and until the line buffer of
        shift and pooling is full.
      compute_cycles: of the array.
      pixel_cycles: of the line buffer.
      input_cycles: of the input's port.
      output_cycles: of the output's port.
      memory_cycles: of the DRAM, for input and output.
      clock_mhz: of the device.
      array_macs: multipliers of the device.
      overhead_us: of calling the accelerator.
      compute_picojoules: of the array.
      dram_picojoules: of all accesses.
    """

    call: workload.Call
    batch: int
    weight_cycles: float
    fill_cycles: float
    compute_cycles: float
    pixel_cycles: float
    input_cycles: float
    output_cycles: float
    memory_cycles: float
    clock_mhz: float
    array_macs: int
    overhead_us: float
    compute_picojoules: float
    dram_picojoules: float

    @property
    def stream_cycles(self) -> float:
        """Of the slowest of the units that work side by side."""
        return max(getattr(self, f"{name}_cycles") for name in _STREAMS)

    @property
    def cycles(self) -> float:
        """From the accelerator's start to its end."""
        return self.weight_cycles + self.fill_cycles + self.stream_cycles

    @property
    def accelerator_us(self) -> float:
        """From the accelerator's start to its end."""
        return self.cycles / self.clock_mhz

    @property
    def latency_us(self) -> float:
        """With the overhead of calling."""
        return self.accelerator_us + self.overhead_us

    @property
    def utilisation(self) -> float:
        """Share of the array's MACs that are the network's, of its cycles."""
        return self.batch * self.call.macs / (self.cycles * self.array_macs)

    @property
    def bound_by(self) -> str:
        """What takes most of the call's time.

        Returns:
          "weights", "overhead" (calling and filling), or the slowest of
          "compute", "pixel" (line buffer), "input", "output" and "memory".
        """
        slowest = max(_STREAMS, key=lambda x: getattr(self, f"{x}_cycles"))
        overhead = self.overhead_us * self.clock_mhz + self.fill_cycles
        times = {
            slowest: self.stream_cycles,
            "weights": self.weight_cycles,
            "overhead": overhead,
        }
        return max(times, key=times.get)

    @property
    def input_bytes(self) -> int:
        """Read from the DRAM."""
        return self.batch * self.call.input_bytes

    @property
    def output_bytes(self) -> int:
        """Written to the DRAM."""
        return self.batch * self.call.output_bytes

    @property
    def dram_bytes(self) -> int:
        """Weights once, inputs and outputs of all images."""
        return self.call.weight_bytes + self.input_bytes + self.output_bytes

    @property
    def energy_uj(self) -> float:
        """Of the array and the DRAM, an estimate for a 45 nm chip."""
        return 1e-6 * (self.compute_picojoules + self.dram_picojoules)


@dataclasses.dataclass(frozen=True)
class FrameTiming:
    """What a batch of images costs, accelerator and CPU one after the other.

    Args:
      frame: that was timed.
      device: that runs it.
      batch: images.
      calls: of the accelerator.
      shuffle_us: of the CPU's copies.
      pool_us: of the CPU's average-pooling.
      batch_overhead_us: once for the batch.
    """

    frame: workload.Frame
    device: hardware.Device
    batch: int
    calls: tuple[CallTiming, ...]
    shuffle_us: float
    pool_us: float
    batch_overhead_us: float

    @property
    def accelerator_us(self) -> float:
        """While the accelerator runs."""
        return sum(call.accelerator_us for call in self.calls)

    @property
    def call_overhead_us(self) -> float:
        """Of calling the accelerator."""
        return sum(call.overhead_us for call in self.calls)

    @property
    def latency_us(self) -> float:
        """From the first image's arrival to the last one's result."""
        return (
            self.accelerator_us
            + self.call_overhead_us
            + self.shuffle_us
            + self.pool_us
            + self.batch_overhead_us
        )

    @property
    def frames_per_second(self) -> float:
        """Of batches that follow each other."""
        return 1e6 * self.batch / self.latency_us

    @property
    def gops(self) -> float:
        """1e9 multiplications and additions a second, over all time."""
        return 2e-3 * self.batch * self.frame.macs / self.latency_us

    @property
    def utilisation(self) -> float:
        """Share of the array's MACs that are the network's, of all cycles."""
        cycles = sum(call.cycles for call in self.calls)
        array = self.device.tile_in * self.device.tile_out
        return self.batch * self.frame.macs / (cycles * array)

    @property
    def cpu_share(self) -> float:
        """Of the time that shuffles and average-pooling take."""
        return (self.shuffle_us + self.pool_us) / self.latency_us

    @property
    def dram_bytes(self) -> int:
        """Of the accelerator; the CPU's copies are not counted."""
        return sum(call.dram_bytes for call in self.calls)

    @property
    def energy_uj(self) -> float:
        """Of array and DRAM for the batch, an estimate for a 45 nm chip."""
        return sum(call.energy_uj for call in self.calls)

    @property
    def board_uj(self) -> float:
        """Of the whole board under load for the batch, watts * time."""
        return self.device.load_watts * self.latency_us


def time_call(
    call: workload.Call, device: hardware.Device, batch: int = 1
) -> CallTiming:
    """Cycles, traffic and energy of one call.

    Ours, as the thesis prints no model. It follows the loops of CoDeNet's
    published accelerator (Huang et al., "CoDeNet: Efficient Deployment of
    Input-Adaptive Object Detection on Embedded FPGAs", FPGA 2021), which is of
    the same group for the same board: all weights of a call are loaded first;
    then units connected by streams work side by side, so that the slowest one
    counts. With I, O channels, bits w, a, o of weight, input and output, P_in
    pixels read, P convolved, P_out written, B images, tiles Ti, To, port
    width W, and f cycles a second:
      i = ceil(I / Ti), j = ceil(O / To)
      steps = ceil(w / device's) * ceil(a / device's)
      compute = B P (i load + j (i steps issue + tile_fill))
      pixel = B P_in pixel_cycles
      input = B P_in ceil(I a / W)
      output = B P_out ceil(O o / W)
      memory = B f (bytes of input and output) / bandwidth
      weights = max(ceil(I O w / W), f (bytes of weights) / bandwidth)
      fill = 2 f latency + [shift or pooling] (width + 2) j
      cycles = weights + fill + max(compute, pixel, input, output, memory)
      time = cycles / f + call_overhead
    In `fill` the latency counts once for the weights and once for the first
    pixel; the line buffer waits for one row and two pixels.

    Energy is that of the MACs and of one access to the DRAM for every byte.
    Values travel packed. On-chip memories are taken to be large enough for a
    call's weights and cost no energy.

    Args:
      call: one subgraph.
      device: that runs it.
      batch: images.

    Raises:
      ValueError: `batch` is not a positive whole number.
    """
    if not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a whole number above 0; got {batch!r}")
    bits, per_cycle = device.bus_bits, device.dram_bytes_per_cycle
    inputs = math.ceil(call.in_channels / device.tile_in)
    outputs = math.ceil(call.out_channels / device.tile_out)
    steps = math.ceil(call.weight_bits / device.weight_bits) * math.ceil(
        call.activation_bits / device.activation_bits
    )
    tile = inputs * steps * device.issue_cycles + device.tile_fill_cycles
    pixel = inputs * device.load_cycles + outputs * tile
    weights = call.in_channels * call.out_channels * call.weight_bits
    moved = call.input_bytes + call.output_bytes
    buffered = (call.width + 2) * outputs
    if not call.has_shift and call.pool == 1:
        buffered = 0
    latency = 1e-3 * device.dram_latency_ns * device.clock_mhz
    dram = call.weight_bytes + batch * moved
    return CallTiming(
        call=call,
        batch=batch,
        weight_cycles=max(
            math.ceil(weights / bits), call.weight_bytes / per_cycle
        ),
        fill_cycles=2 * latency + buffered,
        compute_cycles=batch * call.convolved_pixels * pixel,
        pixel_cycles=batch * call.input_pixels * device.pixel_cycles,
        input_cycles=batch
        * call.input_pixels
        * math.ceil(call.in_channels * call.activation_bits / bits),
        output_cycles=batch
        * call.output_pixels
        * math.ceil(call.out_channels * call.output_bits / bits),
        memory_cycles=batch * moved / per_cycle,
        clock_mhz=device.clock_mhz,
        array_macs=device.tile_in * device.tile_out,
        overhead_us=device.call_overhead_us,
        compute_picojoules=batch * call.macs * device.mac_picojoules,
        dram_picojoules=dram * device.dram_picojoules_per_byte,
    )


def time_frame(
    frame: workload.Frame, device: hardware.Device, batch: int = 1
) -> FrameTiming:
    """Time of a batch: the accelerator's calls, then the CPU's part.

    Ours: CPU and accelerator wait for each other (Ch. 6 §5.1 lets the CPU
    call the accelerator one subgraph at a time), so the parts add up:
      time = sum of calls + B (shuffled * shuffle_ns + pooled * pool_ns)
           + batch_overhead

    Raises:
      ValueError: `batch` is not a positive whole number.
    """
    calls = tuple(time_call(call, device, batch) for call in frame.calls)
    shuffled, pooled = frame.shuffled_values, frame.pooled_values
    return FrameTiming(
        frame=frame,
        device=device,
        batch=batch,
        calls=calls,
        shuffle_us=1e-3 * batch * shuffled * device.shuffle_ns_per_value,
        pool_us=1e-3 * batch * pooled * device.pool_ns_per_value,
        batch_overhead_us=device.batch_overhead_us,
    )


def time_batches(
    frame: workload.Frame, device: hardware.Device, batches: Sequence[int]
) -> list[FrameTiming]:
    """time_frame() for several batch sizes."""
    return [time_frame(frame, device, batch) for batch in batches]
