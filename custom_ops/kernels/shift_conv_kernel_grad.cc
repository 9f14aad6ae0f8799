// CPU functor of the fused shift's gradient with respect to its kernel.

#include <algorithm>
#include <cstring>
#include <vector>

#include "custom_ops/kernels/shift_block.h"
#include "custom_ops/kernels/shift_conv.h"
#include "custom_ops/kernels/shift_tiles.h"

namespace squeeze_tf {
namespace {

// Pixels of which a panel is made, so that it stays near.
constexpr int64_t kPanelPixels = 256;

// What a tile of the kernel's gradient is made of.
struct GradOperands {
  const float* map;       // padded, of the first pixel
  int64_t row_step;       // from a row of pixels to the next
  int64_t pixel_step;     // from a pixel to the next
  const int64_t* deltas;  // of the tile's channels
  int64_t rows, pixels;   // of the block
  const float* panel;     // [rows * pixels, panel], of the output's gradient
  float* result;          // of the first channel
  int64_t filters;        // from a channel of the result to the next
  int channels, columns;  // of the result that exist
  bool add;               // to what is there
};

// Sums over all pixels the products of 2 x kHalf channels and kVectors vectors
// of columns. Loops of two as in Tile().
template <int kBytes, int kHalf, int kVectors>
SQUEEZE_TF_INLINE void GradTile(const GradOperands& t) {
  using Vector = typename Lanes<float, kBytes>::Vector;
  constexpr int kLanes = Lanes<float, kBytes>::kCount;
  Vector sums[2][kHalf][kVectors] = {};
  const float* panel = t.panel;
  for (int64_t y = 0; y < t.rows; ++y) {
    const float* pixel = t.map + y * t.row_step;
    for (int64_t x = 0; x < t.pixels; ++x, pixel += t.pixel_step) {
      Vector factor[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        std::memcpy(&factor[v], panel + v * kLanes, sizeof(Vector));
      }
      panel += kPanel<kBytes>;
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 8
        for (int i = 0; i < kHalf; ++i) {
          const Vector value = pixel[t.deltas[half * kHalf + i]] - Vector{};
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) {
            sums[half][i][v] += value * factor[v];
          }
        }
      }
    }
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 8
    for (int i = 0; i < kHalf; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const int channel = half * kHalf + i;
        const int columns = t.columns - v * kLanes;
        float* const to = t.result + channel * t.filters + v * kLanes;
        Vector sum = sums[half][i][v], before = {};
        if (channel >= t.channels || columns <= 0) {
        } else if (columns >= kLanes) {
          if (t.add) std::memcpy(&before, to, sizeof(Vector));
          sum += before;
          std::memcpy(to, &sum, sizeof(Vector));
        } else {
          if (t.add) std::memcpy(&before, to, columns * sizeof(float));
          sum += before;
          std::memcpy(to, &sum, columns * sizeof(float));
        }
      }
    }
  }
}

template <int kBytes, int kHalf, int kVectors>
SQUEEZE_TF_INLINE void CallGradTile(const GradOperands& operands) {
  InOwnFunction<kBytes>([&]() __attribute__((always_inline)) {
    const GradOperands t = operands;
    GradTile<kBytes, kHalf, kVectors>(t);
  });
}

// Calls the tile of twice `half` channels.
template <int kBytes, int kVectors>
SQUEEZE_TF_INLINE void GradTileOf(int half, const GradOperands& t) {
  if constexpr (kBytes == 64) {
    if (half == 7) return CallGradTile<kBytes, 7, kVectors>(t);
    if (half >= 5) return CallGradTile<kBytes, 6, kVectors>(t);
    if (half == 4) return CallGradTile<kBytes, 4, kVectors>(t);
  }
  CallGradTile<kBytes, 3, kVectors>(t);
}

// Half of a tile that there is for `half` channels or more.
template <int kBytes>
SQUEEZE_TF_INLINE int GradHalf(int64_t half) {
  if (half <= 3) return 3;
  return half == 5 ? 6 : static_cast<int>(half);
}

// Adds a panel's pixels to sums of its columns.
template <int kBytes>
SQUEEZE_TF_INLINE void AddPixels(const float* panel, int64_t pixels,
                                 int columns, double* sums) {
  float total[kPanel<kBytes>] = {};
  for (int64_t i = 0; i < pixels; ++i) {
    for (int j = 0; j < kPanel<kBytes>; ++j) {
      total[j] += panel[i * kPanel<kBytes> + j];
    }
  }
  for (int j = 0; j < columns; ++j) sums[j] += total[j];
}

template <int kBytes>
SQUEEZE_TF_INLINE void KernelGrad(const ShiftConvSizes& s,
                                  const ShiftConvPart& part, const float* x,
                                  const float* gradient, const float* output,
                                  float* kernel_gradient,
                                  float* bias_gradient) {
  const int64_t channels = part.last_row - part.first_row;
  const PaddedBlock block(s, part.first_row, part.last_row, 0);
  const int64_t block_rows = block.OutputRows();
  // So many rows at a time that the panel stays in the first level of a cache.
  const int64_t panel_rows =
      std::clamp<int64_t>(kPanelPixels / s.out_width, 1, block_rows);
  constexpr int kMost = kMostPixels<kBytes>;
  const int64_t tiles = std::max<int64_t>((channels + kMost - 1) / kMost, 1);
  const int half = GradHalf<kBytes>((channels + 2 * tiles - 1) / (2 * tiles));
  std::vector<int64_t> deltas(block.deltas(), block.deltas() + channels);
  deltas.resize(channels + kMost, 0);  // for tiles not full
  float* const map = Scratch(0, block.Size(block_rows));
  float* const panel = Scratch(1, panel_rows * s.out_width * kPanel<kBytes>);
  std::vector<double> bias(bias_gradient == nullptr ? 0 : s.filters);
  GradOperands t;
  t.row_step = s.strides * block.pitch();
  t.pixel_step = s.strides * block.step();
  t.pixels = s.out_width;
  t.panel = panel;
  t.filters = s.filters;
  t.add = false;
  const int64_t num_rows = s.batch * s.out_height;
  for (int64_t row = 0; row < num_rows; row += t.rows) {
    const int64_t image = row / s.out_height, y = row % s.out_height;
    if (y % block_rows == 0) {
      block.Fill(x, image, y, std::min(block_rows, s.out_height - y), map);
    }
    t.map = map + y % block_rows * t.row_step;
    t.rows =
        std::min({panel_rows, block_rows - y % block_rows, s.out_height - y});
    for (int64_t n = part.first_channel; n < part.last_channel;
         n += kPanel<kBytes>) {
      t.columns = static_cast<int>(
          std::min<int64_t>(kPanel<kBytes>, part.last_channel - n));
      const int64_t start = row * s.out_width * s.filters + n;
      const int64_t pixels = t.rows * s.out_width;
      if (t.columns < kPanel<kBytes>) {
        std::fill_n(panel, pixels * kPanel<kBytes>, 0.0f);
      }
      CopyActive(gradient + start, output == nullptr ? nullptr : output + start,
                 pixels, t.columns, s.filters, kPanel<kBytes>, panel);
      if (bias_gradient != nullptr) {
        AddPixels<kBytes>(panel, pixels, t.columns, bias.data() + n);
      }
      for (int64_t c = 0; c < channels; c += 2 * half) {
        t.deltas = deltas.data() + c;
        t.result = kernel_gradient + (part.first_row + c) * s.filters + n;
        t.channels =
            static_cast<int>(std::min<int64_t>(2 * half, channels - c));
        if (t.columns <= Lanes<float, kBytes>::kCount) {
          GradTileOf<kBytes, 1>(half, t);
        } else {
          GradTileOf<kBytes, 2>(half, t);
        }
      }
    }
    t.add = true;
  }
  for (int64_t n = part.first_channel;
       bias_gradient != nullptr && n < part.last_channel; ++n) {
    bias_gradient[n] = static_cast<float>(bias[n]);
  }
}

}  // namespace

void ShiftConvKernelGrad(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                         const float* x, const float* gradient,
                         const float* output, float* kernel_gradient,
                         float* bias_gradient) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    KernelGrad<bytes>(sizes, part, x, gradient, output, kernel_gradient,
                      bias_gradient);
  });
}

}  // namespace squeeze_tf
