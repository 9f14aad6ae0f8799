// Register tiles of a matrix product whose left factor lies scattered in a
// padded map. Included by functors, never by an op kernel.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_TILES_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_TILES_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "custom_ops/kernels/vectors.h"

namespace squeeze_tf {

// Memory that a thread keeps from call to call; `slot` tells uses apart. What
// it holds is not defined.
inline float* Scratch(int slot, size_t size) {
  static thread_local std::vector<float> slots[3];
  constexpr size_t kAlign = 64 / sizeof(float);
  auto& storage = slots[slot];
  if (storage.size() < size + kAlign) {
    storage = std::vector<float>();  // nothing of it is worth copying
    storage.resize(size + kAlign);
  }
  const auto start = reinterpret_cast<uintptr_t>(storage.data());
  return reinterpret_cast<float*>((start + 63) / 64 * 64);
}

// How many columns a panel of the right factor has: two vectors.
template <int kBytes>
constexpr int kPanel = 2 * Lanes<float, kBytes>::kCount;

// Pixels of a tile at most: as many as leave registers for two right vectors
// and a left one. The 32 registers of AVX-512 hold more than 16.
template <int kBytes>
constexpr int kMostPixels = kBytes == 64 ? 14 : 6;

// Where a tile's factors and results lie. A tile is two runs of pixels, from
// two rows or the halves of one.
struct TileOperands {
  const float* left;      // of the first pixel
  int64_t pixel_step;     // from a pixel of `left` to the next
  int64_t run_step;       // from the first run to the second
  const int64_t* deltas;  // [depth], from a pixel to the values to sum
  int64_t depth;          // how many products a sum has
  const float* right;     // [depth, panel], rows right_step apart
  int64_t right_step;
  float* result;        // of the first pixel
  int64_t result_step;  // from a pixel of the result to the next
  int64_t result_run_step;
  int pixels[2];      // of each run that exist
  int columns;        // of the panel that exist
  const float* bias;  // [panel], or null
  bool relu;
  const float* ahead;  // fetched meanwhile, rows ahead_step apart
  int64_t ahead_step;
};

// 2 x kRun pixels times kVectors vectors of columns. Loops of two, so that GCC
// unrolls those in them early enough to keep `sums` in registers.
template <int kBytes, int kRun, int kVectors>
SQUEEZE_TF_INLINE void Tile(const TileOperands& t) {
  using Vector = typename Lanes<float, kBytes>::Vector;
  constexpr int kLanes = Lanes<float, kBytes>::kCount;
  Vector sums[2][kRun][kVectors] = {};
  const float *right = t.right, *ahead = t.ahead;
#pragma GCC unroll 2
  for (int run = 0; run < 2; ++run) {  // the result's lines, written at the end
#pragma GCC unroll 8
    for (int i = 0; i < kRun; ++i) {
      const float* to = t.result + run * t.result_run_step + i * t.result_step;
      __builtin_prefetch(to, 1, 3);
      __builtin_prefetch(to + (kVectors - 1) * kLanes, 1, 3);
    }
  }
  for (int64_t k = 0; k < t.depth; ++k) {
    const float* left = t.left + t.deltas[k];
    Vector factor[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      std::memcpy(&factor[v], right + v * kLanes, sizeof(Vector));
    }
    right += t.right_step;
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + (kVectors - 1) * kLanes, 0, 2);
    ahead += t.ahead_step;
#pragma GCC unroll 2
    for (int run = 0; run < 2; ++run) {
      const float* pixel = left + run * t.run_step;
#pragma GCC unroll 8
      for (int i = 0; i < kRun; ++i) {
        const Vector value = pixel[i * t.pixel_step] - Vector{};
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          sums[run][i][v] += value * factor[v];
        }
      }
    }
  }
#pragma GCC unroll 2
  for (int run = 0; run < 2; ++run) {
    float* const first = t.result + run * t.result_run_step;
#pragma GCC unroll 8
    for (int i = 0; i < kRun; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        Vector sum = sums[run][i][v];
        if (t.bias != nullptr) {
          Vector bias;
          std::memcpy(&bias, t.bias + v * kLanes, sizeof(Vector));
          sum += bias;
        }
        if (t.relu) sum = sum < Vector{} ? Vector{} : sum;  // NaN stays
        float* const to = first + i * t.result_step + v * kLanes;
        const int left_over = t.columns - v * kLanes;
        if (i >= t.pixels[run]) {
        } else if (left_over >= kLanes) {
          std::memcpy(to, &sum, sizeof(Vector));
        } else if (left_over > 0) {
          std::memcpy(to, &sum, left_over * sizeof(float));
        }
      }
    }
  }
}

template <int kBytes, int kRun, int kVectors>
SQUEEZE_TF_INLINE void CallTile(const TileOperands& operands) {
  InOwnFunction<kBytes>([&]() __attribute__((always_inline)) {
    const TileOperands t = operands;
    Tile<kBytes, kRun, kVectors>(t);
  });
}

// Calls the tile of runs of `run` pixels, which RunOf() gave.
template <int kBytes, int kVectors>
SQUEEZE_TF_INLINE void TileOf(int run, const TileOperands& t) {
  if constexpr (kBytes == 64) {
    if (run == 7) return CallTile<kBytes, 7, kVectors>(t);
    if (run == 6) return CallTile<kBytes, 6, kVectors>(t);
    if (run == 4) return CallTile<kBytes, 4, kVectors>(t);
  }
  if (run == 3) return CallTile<kBytes, 3, kVectors>(t);
  if (run == 2) return CallTile<kBytes, 2, kVectors>(t);
  CallTile<kBytes, 1, kVectors>(t);
}

// The shortest run that there is a tile for and that has `pixels` or more.
inline int RunOf(int pixels) { return pixels == 5 ? 6 : pixels; }

// Multiplies `rows` x `pixels` pixels by one panel, tile by tile. `t` says
// where the first pixel lies and, as run steps, where the next row does; a tile
// may read up to kMostPixels pixels beyond the last of a row. The first tile
// fetches the panel `next`, unless it is null.
template <int kBytes>
SQUEEZE_TF_INLINE void MultiplyPanel(int64_t rows, int64_t pixels,
                                     TileOperands t,
                                     const float* next = nullptr) {
  constexpr int kMost = kMostPixels<kBytes>;
  const bool narrow = t.columns <= Lanes<float, kBytes>::kCount;
  const int64_t tiles = (pixels + kMost - 1) / kMost;
  const int half = static_cast<int>((pixels + 2 * tiles - 1) / (2 * tiles));
  const TileOperands all = t;
  t.ahead = next == nullptr ? t.right : next;
  t.ahead_step = next == nullptr ? 0 : t.right_step;
  auto call = [&](int run) __attribute__((always_inline)) {
    if (narrow) {
      TileOf<kBytes, 1>(run, t);
    } else {
      TileOf<kBytes, 2>(run, t);
    }
    t.ahead = t.right;
    t.ahead_step = 0;
  };
  int64_t row = 0;
  // Rows that fit into a run go two by two.
  for (; pixels <= kMost / 2 && row + 1 < rows; row += 2) {
    t.left = all.left + row * all.run_step;
    t.result = all.result + row * all.result_run_step;
    t.pixels[0] = t.pixels[1] = static_cast<int>(pixels);
    call(RunOf(static_cast<int>(pixels)));
  }
  const int run = RunOf(half);
  t.run_step = run * t.pixel_step;
  t.result_run_step = run * t.result_step;
  for (; row < rows; ++row) {
    for (int64_t first = 0; first < pixels; first += 2 * run) {
      t.left = all.left + row * all.run_step + first * t.pixel_step;
      t.result = all.result + row * all.result_run_step + first * t.result_step;
      const int left_over = static_cast<int>(pixels - first);
      t.pixels[0] = std::min(run, left_over);
      t.pixels[1] = std::min(run, left_over - t.pixels[0]);
      call(run);
    }
  }
}

// Copies the columns from `first` on of a matrix [depth, columns] into a panel
// [depth, kPanel]; columns that it does not have are zero.
template <int kBytes>
SQUEEZE_TF_INLINE void PackPanel(const float* matrix, int64_t depth,
                                 int64_t columns, int64_t first, float* panel) {
  const int64_t count = std::min<int64_t>(kPanel<kBytes>, columns - first);
  std::fill_n(panel, depth * kPanel<kBytes>, 0.0f);
  for (int64_t k = 0; k < depth; ++k) {
    std::copy_n(matrix + k * columns + first, count,
                panel + k * kPanel<kBytes>);
  }
}

// The same of the matrix's transpose: rows [first, first + count) of a matrix
// [rows, depth] become the columns of the panel [depth, kPanel].
template <int kBytes>
SQUEEZE_TF_INLINE void PackTransposed(const float* matrix, int64_t depth,
                                      int64_t rows, int64_t first,
                                      float* panel) {
  constexpr int64_t kTo = kPanel<kBytes>;
  const int64_t count = std::min<int64_t>(kTo, rows - first);
  if (count < kTo) std::fill_n(panel, depth * kTo, 0.0f);
  const float* const from = matrix + first * depth;
  const int64_t whole = count / 4 * 4;
  int64_t k = 0;
  for (; k + 16 <= depth; k += 16) {  // a line of the cache at a time
    for (int64_t row = 0; row < whole; row += 4) {
      for (int64_t j = k; j < k + 16; j += 4) {
        TransposeQuad(from + row * depth + j, depth, panel + j * kTo + row,
                      kTo);
      }
    }
    for (int64_t row = whole; row < count; ++row) {
      for (int64_t j = k; j < k + 16; ++j) {
        panel[j * kTo + row] = from[row * depth + j];
      }
    }
  }
  for (; k < depth; ++k) {
    for (int64_t row = 0; row < count; ++row) {
      panel[k * kTo + row] = from[row * depth + k];
    }
  }
}

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_TILES_H_
