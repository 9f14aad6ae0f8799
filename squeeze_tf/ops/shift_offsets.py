"""Which channel moves where: the offset tables of the shift, Ch. 6 §2.2.

A table is [C, 2] int of (dy, dx): channel c of the shifted map holds at (y, x)
what channel c of the input holds at (y + dy, x + dx), zero beyond the border.
"""

import numpy as np

# Ch. 6 §4.2: up, left, stay, right, down, in the order of the released code.
CARDINAL = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))


def interleaved(
    channels: int, kernel_size: int = 3, dilation_rate: int = 1
) -> np.ndarray:
    """Neighbouring channels move in different directions.

    Source: the released CUDA operator. Direction number c mod K² counts row by
    row through the K x K window; the last C mod K² channels stay.

    Args:
      channels: C.
      kernel_size: K, odd.
      dilation_rate: factor of every offset, Ch. 6 §2.3.

    Returns:
      [C, 2] int64, (dy, dx) in pixels.

    Raises:
      ValueError: kernel_size is even, or an argument is not positive.
    """
    window = _window(channels, kernel_size, dilation_rate)
    group = channels // len(window)
    table = np.zeros((channels, 2), np.int64)
    table[: group * len(window)] = np.tile(window, (group, 1))
    return table


def contiguous(
    channels: int, kernel_size: int = 3, dilation_rate: int = 1
) -> np.ndarray:
    """A group of neighbouring channels moves in each direction.

    Source: Ch. 6 §2.2: K² groups of floor(C / K²) channels; what remains joins
    the centre group, which stays. Arguments and errors as interleaved().
    """
    window = _window(channels, kernel_size, dilation_rate)
    sizes = np.full(len(window), channels // len(window))
    sizes[len(window) // 2] += channels % len(window)
    return np.repeat(window, sizes, axis=0)


def cardinal(
    channels: int, kernel_size: int = 3, dilation_rate: int = 1
) -> np.ndarray:
    """Four directions and no shift, channel by channel.

    Source: DiracDeltaNet, Ch. 6 §4.2. kernel_size must be 3; other arguments
    and errors as interleaved().
    """
    _window(channels, kernel_size, dilation_rate)
    if kernel_size != 3:
        raise ValueError(
            f"cardinal offsets reach one pixel, kernel_size 3; got "
            f"{kernel_size}"
        )
    turn = np.arange(channels) % len(CARDINAL)
    return dilation_rate * np.array(CARDINAL)[turn]


CONVENTIONS = {
    "interleaved": interleaved,
    "contiguous": contiguous,
    "cardinal": cardinal,
}


def _window(channels: int, kernel_size: int, dilation_rate: int) -> np.ndarray:
    """[K², 2] offsets of a K x K window, row by row; checks the arguments."""
    if channels < 1 or dilation_rate < 1:
        raise ValueError(
            "channels and dilation_rate must be at least 1; got "
            f"{channels}, {dilation_rate}"
        )
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"kernel_size must be odd and positive; got {kernel_size}"
        )
    steps = dilation_rate * (np.arange(kernel_size) - kernel_size // 2)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
