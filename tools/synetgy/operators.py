"""The accelerator's operators on whole numbers, exact, in plain NumPy.

Ours: written from the equations of Ch. 6 and not from squeeze_tf's kernels, so
that each checks the other. Maps are [B, H, W, C] uint8 levels, 0 ... 2^k - 1.
"""

import numpy as np


def convolve(
    levels: np.ndarray,
    kernel: np.ndarray,
    *,
    stride: int = 1,
    accumulator_bits: int = 32,
) -> np.ndarray:
    """1x1 convolution: sums[b, y, x, n] = sum_c levels[b, s y, s x, c] w[c, n].

    Source: Ch. 1 Eq. 1 with K = 1; of levels, Ch. 6 §4.3. The sums are found in
    float64, which holds all of them exactly.

    Args:
      levels: [B, H, W, C] uint8.
      kernel: [C, N] int8, w.
      stride: s.
      accumulator_bits: that hold a sum, two's complement; at most 32.

    Returns:
      [B, ceil(H / s), ceil(W / s), N] int32.

    Raises:
      ValueError: channels do not fit, or a sum does not fit its accumulator.
    """
    if levels.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"levels of {levels.shape[-1]} channels need a kernel of as many; "
            f"got {kernel.shape}"
        )
    levels = levels[:, ::stride, ::stride]
    sums = levels.astype(np.float64) @ kernel.astype(np.float64)
    return _accumulated(sums, accumulator_bits)


def fully_connected(
    sums: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    *,
    accumulator_bits: int = 32,
) -> np.ndarray:
    """Fully connected layer: out[b, n] = sum_c sums[b, c] w[c, n] + bias[n].

    Source: Ch. 6 §5.1: it is a 1x1 convolution of one pixel.

    Args:
      sums: [B, C] int32, of average pooling.
      kernel: [C, N] int8, w.
      bias: [N] int32.
      accumulator_bits: as of convolve().

    Returns:
      [B, N] int32.

    Raises:
      ValueError: as convolve().
    """
    if sums.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"sums of {sums.shape[-1]} channels need a kernel of as many; got "
            f"{kernel.shape}"
        )
    found = sums.astype(np.float64) @ kernel.astype(np.float64) + bias
    return _accumulated(found, accumulator_bits)


def _accumulated(sums: np.ndarray, bits: int) -> np.ndarray:
    """The sums as int32, if accumulators of so many bits hold them."""
    if not 2 <= bits <= 32:
        raise ValueError(f"accumulator_bits must be 2 to 32; got {bits}")
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if sums.size and (sums.min() < low or sums.max() > high):
        raise ValueError(
            f"accumulators of {bits} bits hold {low} to {high}; the sums are "
            f"{sums.min():.0f} to {sums.max():.0f}"
        )
    return sums.astype(np.int32)


def act_quant(sums: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Levels of sums: how many thresholds of its channel each one reaches.

    Source: Ch. 6 §4.3: ActQuant (Eqs. 11-12) of whole numbers is a table, its
    parameters fixed by the training. As it never falls, the sums at which the
    next level begins say all of it.

    Args:
      sums: [..., N] int32.
      thresholds: [N, L] int32, not falling along L <= 255.

    Returns:
      [..., N] uint8, 0 to L.
    """
    found = np.empty(sums.shape, np.uint8)
    for channel, limits in enumerate(thresholds):
        found[..., channel] = np.searchsorted(
            limits, sums[..., channel], side="right"
        )
    return found


def max_pool(levels: np.ndarray, size: int = 2) -> np.ndarray:
    """Largest level of each size x size window; what is left over is dropped.

    Source: Ch. 6 §4.2: windows do not overlap, so no borders are buffered.

    Args:
      levels: [B, H, W, C] uint8.
      size: of window and stride.

    Returns:
      [B, H // size, W // size, C] uint8.
    """
    batch, height, width, channels = levels.shape
    rows, columns = height // size, width // size
    windows = levels[:, : rows * size, : columns * size].reshape(
        batch, rows, size, columns, size, channels
    )
    return windows.max(axis=(2, 4))


def shift(levels: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Moves each channel: out[b, y, x, c] = levels[b, y + dy_c, x + dx_c, c].

    Source: Ch. 6 §2.1, Eqs. 6-7; zero where that lies outside the map.

    Args:
      levels: [B, H, W, C] uint8.
      offsets: [C, 2] int, (dy, dx) pixels.

    Returns:
      [B, H, W, C] uint8.
    """
    height, width = levels.shape[1:3]
    rows = np.arange(height)[:, np.newaxis] + offsets[:, 0]  # [H, C]
    columns = np.arange(width)[:, np.newaxis] + offsets[:, 1]  # [W, C]
    is_row = (rows >= 0) & (rows < height)
    is_column = (columns >= 0) & (columns < width)
    moved = levels[
        :,
        np.clip(rows, 0, height - 1)[:, np.newaxis],
        np.clip(columns, 0, width - 1)[np.newaxis],
        np.arange(len(offsets)),
    ]
    return moved * (is_row[:, np.newaxis] & is_column[np.newaxis])


def copy_channels(maps: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Concatenates maps and reorders their channels, the CPU's memory copy.

    Source: Ch. 6 §5.1; levels of one coefficient s are concatenated as they
    are (§4.3, Eq. 12).

    Args:
      maps: each [B, H, W, C_i] uint8.
      order: [sum of C_i] int, which channel comes where: rotation(),
        interleaving(), or 0, 1, 2, ... for a concatenation alone.

    Returns:
      [B, H, W, sum of C_i] uint8.
    """
    return np.concatenate(maps, axis=-1)[..., order]


def rotation(channels: int, parts: int = 4) -> np.ndarray:
    """The order of a circular shift: the last 1 / parts come to the front.

    Source: Ch. 6 §4.2, Fig. 10(b); a quarter in the released code.
    """
    return np.roll(np.arange(channels), channels // parts)


def interleaving(channels: int, groups: int = 2) -> np.ndarray:
    """The order of ShuffleNetV2's shuffle, a transposition: Fig. 10(a)."""
    return np.arange(channels).reshape(groups, -1).T.ravel()


def sum_places(levels: np.ndarray) -> np.ndarray:
    """Average pooling without its division: [B, H, W, C] to [B, C] int32."""
    return levels.sum(axis=(1, 2), dtype=np.int32)


def to_levels(x: np.ndarray, bits: int, scale: float, name: str) -> np.ndarray:
    """Levels of activations that lie on the grid of Eq. 12.

    Source: Ch. 6 §4.3: y = level s / (2^k - 1).

    Args:
      x: any shape, float32 in [0, s].
      bits: k, at most 8.
      scale: s.
      name: of the map, for errors.

    Returns:
      The same shape, uint8.

    Raises:
      ValueError: a value is outside [0, s].
    """
    steps = 2**bits - 1
    levels = np.rint(x * np.float32(steps / scale))
    if levels.size and (levels.min() < 0 or levels.max() > steps):
        raise ValueError(
            f"{name} must lie in 0 to {scale:g}, which {bits} bits stand for; "
            f"got {x.min():g} to {x.max():g}"
        )
    return levels.astype(np.uint8)


def from_levels(levels: np.ndarray, bits: int, scale: float) -> np.ndarray:
    """The float32 activations that levels stand for; see to_levels()."""
    steps = np.float32(2**bits - 1)
    return levels.astype(np.float32) / steps * np.float32(scale)
