// CPU functor of the shift fused with a 1x1 convolution of whole numbers.

#include "custom_ops/kernels/integer_shift_conv.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "custom_ops/kernels/integer_tiles.h"
#include "custom_ops/kernels/shift_block.h"
#include "custom_ops/kernels/shift_rows.h"
#include "custom_ops/kernels/shift_tiles.h"

namespace squeeze_tf {
namespace {

template <typename T>
T* ByteScratch(int slot, size_t size) {
  constexpr size_t kRatio = sizeof(float);
  const size_t values = (size * sizeof(T) + kRatio - 1) / kRatio;
  return reinterpret_cast<T*>(Scratch(slot, values));
}

#if defined(__x86_64__) && defined(__GNUC__)
// to[j, i] = from[i, j] for 4 rows of 16 bytes, `step` apart.
inline void InterleaveFour(const int8_t* from, int64_t step, int8_t* to) {
  __m128i rows[4];
  for (int i = 0; i < 4; ++i) {
    rows[i] =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * step));
  }
  const __m128i low = _mm_unpacklo_epi8(rows[0], rows[1]);
  const __m128i high = _mm_unpackhi_epi8(rows[0], rows[1]);
  const __m128i low_next = _mm_unpacklo_epi8(rows[2], rows[3]);
  const __m128i high_next = _mm_unpackhi_epi8(rows[2], rows[3]);
  auto* out = reinterpret_cast<__m128i*>(to);
  _mm_storeu_si128(out, _mm_unpacklo_epi16(low, low_next));
  _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low, low_next));
  _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high, high_next));
  _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high, high_next));
}
#endif

// Filters [first, first + kColumns) as a panel; those that are not there, and
// channels that fill up a group, are zero.
template <typename Tile>
void PackFilters(const int8_t* kernel, int64_t channels, int64_t filters,
                 int64_t first, typename Tile::Right* panel) {
  const int64_t depth = (channels + Tile::kGroup - 1) / Tile::kGroup;
  std::fill_n(panel, depth * Tile::kColumns * Tile::kGroup, 0);
  const int64_t count = std::min<int64_t>(Tile::kColumns, filters - first);
  int64_t c = 0;
#if defined(__x86_64__) && defined(__GNUC__)
  if constexpr (Tile::kGroup == 4) {
    if (count == Tile::kColumns) {
      for (; c + 4 <= channels; c += 4) {
        for (int j = 0; j < Tile::kColumns; j += 16) {
          InterleaveFour(kernel + c * filters + first + j, filters,
                         panel + (c * Tile::kColumns + j * 4));
        }
      }
    }
  }
#endif
  for (; c < channels; ++c) {
    typename Tile::Right* to =
        panel + c / Tile::kGroup * Tile::kColumns * Tile::kGroup +
        c % Tile::kGroup;
    const int8_t* from = kernel + c * filters + first;
    for (int64_t j = 0; j < count; ++j) to[j * Tile::kGroup] = from[j];
  }
}

// The thresholds of a panel's filters as [num_thresholds, kColumns].
template <typename Tile>
void PackThresholds(const IntegerResult& result, int64_t filters, int64_t first,
                    int32_t* panel) {
  const int64_t count = std::min<int64_t>(Tile::kColumns, filters - first);
  for (int i = 0; i < result.num_thresholds; ++i) {
    for (int j = 0; j < Tile::kColumns; ++j) {
      panel[i * Tile::kColumns + j] =
          j < count ? result.thresholds[(first + j) * result.num_thresholds + i]
                    : std::numeric_limits<int32_t>::max();
    }
  }
}

// How many thresholds each of kColumns sums of `pixels` pixels reaches.
template <typename Tile>
SQUEEZE_TF_INLINE void CountReached(const int32_t* sums, int pixels,
                                    const int32_t* thresholds,
                                    int num_thresholds, int columns,
                                    int64_t filters, uint8_t* levels) {
  constexpr int kBytes = Tile::kBytes;
  constexpr int kLanes = kBytes / sizeof(int32_t);
  using Words = typename Lanes<int32_t, kBytes>::Vector;
  using Bytes = typename Lanes<uint8_t, kLanes>::Vector;
  for (int i = 0; i < pixels; ++i, levels += filters) {
    for (int j = 0; j < columns; j += kLanes) {
      Words sum, reached = {};
      std::memcpy(&sum, sums + i * Tile::kColumns + j, kBytes);
      for (int k = 0; k < num_thresholds; ++k) {
        Words threshold;
        std::memcpy(&threshold, thresholds + k * Tile::kColumns + j, kBytes);
        reached -= sum >= threshold;  // true is -1
      }
      const Bytes narrow = __builtin_convertvector(reached, Bytes);
      std::memcpy(levels + j, &narrow, std::min(kLanes, columns - j));
    }
  }
}

template <typename Tile, int kBytes>
SQUEEZE_TF_INLINE void Run(const ShiftConvSizes& s, const ShiftConvPart& part,
                           const uint8_t* x, const int8_t* kernel,
                           const IntegerResult& result) {
  using Left = typename Tile::Left;
  using Right = typename Tile::Right;
  constexpr int64_t kColumns = Tile::kColumns;
  const PaddedBlock block(s, 0, s.channels, kBytes);
  const int64_t most_rows = block.OutputRows(128 * 1024);
  const int64_t depth = (s.channels + Tile::kGroup - 1) / Tile::kGroup;
  const int64_t left_step = depth * Tile::kGroup;
  const int64_t most_pixels = most_rows * s.out_width + Tile::kPixels;
  const int64_t num_filters = part.last_channel - part.first_channel;
  const int64_t panels = (num_filters + kColumns - 1) / kColumns;
  const int64_t right_size = depth * Tile::kGroup * kColumns;
  const int64_t limits_size = result.num_thresholds * kColumns;
  uint8_t* const map = ByteScratch<uint8_t>(0, block.Size(most_rows) + kBytes);
  auto* const shifted =
      ByteScratch<uint8_t>(2, most_pixels * left_step * 3 + 2 * kBytes);
  Right* const right = ByteScratch<Right>(1, panels * right_size);
  std::vector<int32_t> limits(panels * limits_size);
  for (int64_t j = 0; j < panels; ++j) {
    const int64_t n = part.first_channel + j * kColumns;
    PackFilters<Tile>(kernel, s.channels, s.filters, n, right + j * right_size);
    PackThresholds<Tile>(result, s.filters, n, &limits[j * limits_size]);
  }
  const ShiftedRow<uint8_t, kBytes> shift(s.dy.data(), s.dx.data(), s.channels,
                                          block.step(), s.strides);
  std::vector<const uint8_t*> rows(s.up + s.down + 1);
  alignas(64) int32_t sums[Tile::kPixels * Tile::kColumns];
  const int64_t num_rows = part.last_row - part.first_row;
  const int64_t blocks = (num_rows + most_rows - 1) / most_rows;
  const int64_t num_blocks = blocks * (part.last_image - part.first_image);
  for (int64_t i = 0; i < num_blocks; ++i) {
    const int64_t image = part.first_image + i / blocks;
    const int64_t first = part.first_row + i % blocks * num_rows / blocks;
    const int64_t count =
        part.first_row + (i % blocks + 1) * num_rows / blocks - first;
    block.Fill(x, image, first, count, map);
    for (int64_t y = 0; y < count; ++y) {
      for (int64_t dy = -s.up; dy <= s.down; ++dy) {
        rows[dy + s.up] = map + (y * s.strides + dy + s.up) * block.pitch() +
                          s.left * block.step();
      }
      shift.Write(rows, -s.up, s.out_width,
                  shifted + y * s.out_width * left_step, left_step, true);
    }
    const int64_t pixels = count * s.out_width;
    const Left* left;
    if constexpr (sizeof(Left) == 1) {
      left = shifted;
    } else {  // behind the bytes, aligned
      auto* wide = reinterpret_cast<Left*>(
          shifted +
          (most_pixels * left_step + 2 * kBytes - 1) / kBytes * kBytes);
      std::copy_n(shifted, pixels * left_step, wide);
      left = wide;
    }
    const int64_t first_pixel = (image * s.out_height + first) * s.out_width;
    for (int64_t j = 0; j < panels; ++j) {
      const int64_t n = part.first_channel + j * kColumns;
      const int columns =
          static_cast<int>(std::min<int64_t>(kColumns, part.last_channel - n));
      for (int64_t p = 0; p < pixels; p += Tile::kPixels) {
        Tile::Run({left + p * left_step, left_step, depth,
                   right + j * right_size, sums});
        const int there =
            static_cast<int>(std::min<int64_t>(Tile::kPixels, pixels - p));
        const int64_t to = (first_pixel + p) * s.filters + n;
        if (result.sums == nullptr) {
          CountReached<Tile>(sums, there, &limits[j * limits_size],
                             result.num_thresholds, columns, s.filters,
                             result.levels + to);
          continue;
        }
        for (int k = 0; k < there; ++k) {
          std::copy_n(sums + k * kColumns, columns,
                      result.sums + to + k * s.filters);
        }
      }
    }
  }
}

}  // namespace

void IntegerShiftConv(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                      const uint8_t* x, const int8_t* kernel,
                      const IntegerResult& result) {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool has_vnni = __builtin_cpu_supports("avx512vnni");
  if (VectorBytes() == 64 && has_vnni) {
    return RunAvx512([&](auto bytes) __attribute__((always_inline)) {
      Run<VnniTile, bytes>(sizes, part, x, kernel, result);
    });
  }
  if (VectorBytes() >= 32) {
    return RunAvx2([&](auto bytes) __attribute__((always_inline)) {
      Run<Avx2Tile, bytes>(sizes, part, x, kernel, result);
    });
  }
#endif
  Run<PlainTile, 16>(sizes, part, x, kernel, result);
}

}  // namespace squeeze_tf
