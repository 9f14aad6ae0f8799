"""What the accelerator is asked to do for one image, Ch. 6 §5.1."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Call:
    """One Conv-Pool-Shift-Shuffle subgraph of Ch. 6 §5.1, Fig. 12.

    The convolution is 1x1. A fully connected layer is one of a single pixel.

    Args:
      name: of the convolution.
      height: of the convolution's input, pixels.
      width: of the convolution's input, pixels.
      in_channels: of the convolution.
      out_channels: of the convolution.
      stride: of the convolution.
      pool: window and stride of the max-pooling that follows; 1 for none.
      weight_bits: of one weight.
      activation_bits: of one value of the input.
      output_bits: of one value of the output.
      has_shift: whether the output is shifted.
      shuffled_values: that the CPU copies afterwards, for the concatenation
        and the shuffle of channels; 0 for none.

    Raises:
      ValueError: a size is not a positive whole number, `shuffled_values` is
        negative, or the pooling leaves nothing.
    """

    name: str
    height: int
    width: int
    in_channels: int
    out_channels: int
    stride: int = 1
    pool: int = 1
    weight_bits: int = 4
    activation_bits: int = 4
    output_bits: int = 4
    has_shift: bool = False
    shuffled_values: int = 0

    def __post_init__(self) -> None:
        """Checks the sizes."""
        for field in dataclasses.fields(self):
            if field.type is not int:
                continue
            value, least = getattr(self, field.name), 1
            if field.name == "shuffled_values":
                least = 0
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"call {self.name}: {field.name} must be a whole number "
                    f"of at least {least}; got {value!r}"
                )
        if not self.output_pixels:
            raise ValueError(
                f"call {self.name}: pooling {self.pool}x{self.pool} leaves "
                f"nothing of {self.height}x{self.width} with stride "
                f"{self.stride}"
            )

    @property
    def input_pixels(self) -> int:
        """Read for one image."""
        return self.height * self.width

    @property
    def convolved_height(self) -> int:
        """Of the convolution's output, before the pooling."""
        return -(-self.height // self.stride)

    @property
    def convolved_width(self) -> int:
        """Of the convolution's output, before the pooling."""
        return -(-self.width // self.stride)

    @property
    def convolved_pixels(self) -> int:
        """Of the convolution's output, before the pooling."""
        return self.convolved_height * self.convolved_width

    @property
    def output_height(self) -> int:
        """Behind convolution and pooling."""
        return self.convolved_height // self.pool

    @property
    def output_width(self) -> int:
        """Behind convolution and pooling."""
        return self.convolved_width // self.pool

    @property
    def output_pixels(self) -> int:
        """Written for one image."""
        return self.output_height * self.output_width

    @property
    def macs(self) -> int:
        """Of one image, Ch. 1 Eq. 1 with K = 1; the rest counts nothing."""
        return self.convolved_pixels * self.in_channels * self.out_channels

    @property
    def weight_bytes(self) -> int:
        """Of all weights, rounded up; there is no bias."""
        bits = self.in_channels * self.out_channels * self.weight_bits
        return -(-bits // 8)

    @property
    def input_bytes(self) -> int:
        """Of one image's input, packed and rounded up."""
        bits = self.input_pixels * self.in_channels * self.activation_bits
        return -(-bits // 8)

    @property
    def output_bytes(self) -> int:
        """Of one image's output, packed and rounded up."""
        bits = self.output_pixels * self.out_channels * self.output_bits
        return -(-bits // 8)


@dataclasses.dataclass(frozen=True)
class Frame:
    """One image's way through the accelerator and the CPU.

    Args:
      name: of the network.
      calls: of the accelerator, in their order.
      pooled_values: that the CPU reads for average-pooling, Ch. 6 §5.1.
    """

    name: str
    calls: tuple[Call, ...]
    pooled_values: int = 0

    @property
    def macs(self) -> int:
        """Of one image."""
        return sum(call.macs for call in self.calls)

    @property
    def shuffled_values(self) -> int:
        """That the CPU copies for one image."""
        return sum(call.shuffled_values for call in self.calls)


STAGES = ((128, 4), (256, 8), (512, 4))  # channels, blocks: Ch. 6 Table 10


def diracdeltanet(**options: int) -> Frame:
    """DiracDeltaNet's frame; options as of diracdeltanet_calls()."""
    calls = diracdeltanet_calls(**options)
    last = calls[-2]
    pooled = last.output_pixels * last.out_channels
    return Frame("DiracDeltaNet", calls, pooled)


def is_diracdeltanet(frame: Frame) -> bool:
    """Whether a frame's calls are, but for names, those of Ch. 6 Table 14."""

    def unnamed(calls: tuple[Call, ...]) -> list[Call]:
        return [dataclasses.replace(call, name="") for call in calls]

    return unnamed(frame.calls) == unnamed(diracdeltanet_calls())


def diracdeltanet_calls(
    *,
    weight_bits: int = 4,
    activation_bits: int = 4,
    image_bits: int = 8,
    image_size: int = 224,
    num_classes: int = 1000,
) -> tuple[Call, ...]:
    """DiracDeltaNet's 39 calls: 38 convolutions and the classifier.

    Source: Ch. 6 Table 10 and Fig. 7(b). A block's first convolution has
    twice the branch's channels (§4.2) and is followed by the shift, where it
    down-samples by the max-pooling too; its second one completes the block,
    whose output the CPU then concatenates and rotates (§4.2, Fig. 10).
    Down-sampling blocks give both branches all channels. The skip branch
    pools before its convolution, which Fig. 12 cannot do in one call; the
    call starts behind this pooling, and no time is counted for it.

    Args:
      weight_bits: of every weight, Ch. 6 Table 13.
      activation_bits: between layers, Ch. 6 Table 13.
      image_bits: of one value of the image.
      image_size: height and width, pixels; a multiple of 32.
      num_classes: of the classifier, whose outputs have 32 bits. Its inputs are
        the sums of average pooling, with as many bits as those can need.

    Raises:
      ValueError: `image_size` is not a positive multiple of 32.
    """
    if image_size <= 0 or image_size % 32:
        raise ValueError(
            f"image_size must be a positive multiple of 32; got {image_size}"
        )
    bits = {
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "output_bits": activation_bits,
    }
    size = image_size
    stem = bits | {"pool": 2, "has_shift": True}
    calls = [
        Call(
            "conv1", size, size, 3, 32, **stem | {"activation_bits": image_bits}
        ),
        Call("conv2", size // 2, size // 2, 32, 64, **stem),
    ]
    size, channels = size // 4, 64
    for stage, (width, blocks) in enumerate(STAGES, 2):
        for block in range(blocks):
            name = f"stage{stage}.{block}"
            calls += _block(name, size, channels, width, bits, block == 0)
            size = size // 2 if block == 0 else size
            channels = width
    calls.append(Call("conv5", size, size, channels, 1024, **bits))
    largest = size**2 * (2**activation_bits - 1)
    bits |= {"activation_bits": largest.bit_length(), "output_bits": 32}
    calls.append(Call("fc", 1, 1, 1024, num_classes, **bits))
    return tuple(calls)


def _block(
    name: str,
    size: int,
    channels: int,
    width: int,
    bits: dict[str, int],
    halves: bool,
) -> list[Call]:
    """The calls of one block; `size` and `channels` are of its input."""
    branch, out = width // 2, size // 2 if halves else size
    entering = channels if halves else branch
    first = Call(
        f"{name}.first",
        size,
        size,
        entering,
        width,
        pool=2 if halves else 1,
        has_shift=True,
        **bits,
    )
    second = Call(
        f"{name}.second",
        out,
        out,
        width,
        branch,
        shuffled_values=out * out * width,
        **bits,
    )
    if not halves:
        return [first, second]
    skip = Call(f"{name}.skip", out, out, channels, branch, **bits)
    return [skip, first, second]
