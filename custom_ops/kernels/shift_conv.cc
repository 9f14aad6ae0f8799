// CPU functors of the shift fused with a 1x1 convolution: sizes and forward.

#include "custom_ops/kernels/shift_conv.h"

#include <algorithm>
#include <vector>

#include "custom_ops/kernels/shift_block.h"
#include "custom_ops/kernels/shift_tiles.h"

namespace squeeze_tf {
namespace {

template <int kBytes>
SQUEEZE_TF_INLINE void Forward(const ShiftConvSizes& s,
                               const ShiftConvPart& part, const float* x,
                               const float* kernel, const float* bias,
                               bool relu, float* output) {
  const PaddedBlock block(s, 0, s.channels, kMostPixels<kBytes>);
  const int64_t most_rows = block.OutputRows();
  const int64_t num_filters = part.last_channel - part.first_channel;
  constexpr int64_t kColumns = kPanel<kBytes>;
  const int64_t panels = (num_filters + kColumns - 1) / kColumns;
  float* const map = Scratch(0, block.Size(most_rows));
  float* const last_panel = Scratch(1, (s.channels + panels) * kColumns);
  float* const padded_bias = last_panel + s.channels * kColumns;
  TileOperands t;
  t.pixel_step = s.strides * block.step();
  t.run_step = s.strides * block.pitch();
  t.deltas = block.deltas();
  t.depth = s.channels;
  t.result_step = s.filters;
  t.result_run_step = s.out_width * s.filters;
  t.relu = relu;
  if (bias != nullptr) {
    std::fill_n(padded_bias, panels * kColumns, 0.0f);
    std::copy_n(bias + part.first_channel, num_filters, padded_bias);
  }
  constexpr int64_t kVector = kColumns / 2;
  if (num_filters % kVector != 0) {
    PackPanel<kBytes>(kernel, s.channels, s.filters,
                      part.first_channel + (panels - 1) * kColumns, last_panel);
  }
  const int64_t num_rows = part.last_row - part.first_row;
  const int64_t blocks = (num_rows + most_rows - 1) / most_rows;
  const int64_t num_blocks = blocks * (part.last_image - part.first_image);
  for (int64_t i = 0; i < num_blocks; ++i) {
    const int64_t image = part.first_image + i / blocks;
    const int64_t first = part.first_row + i % blocks * num_rows / blocks;
    const int64_t rows =
        part.first_row + (i % blocks + 1) * num_rows / blocks - first;
    block.Fill(x, image, first, rows, map);
    for (int64_t j = 0; j < panels; ++j) {
      const int64_t n = part.first_channel + j * kColumns;
      t.columns =
          static_cast<int>(std::min<int64_t>(kColumns, part.last_channel - n));
      // Whole vectors are read where they lie; a copy would cost more.
      const bool whole = t.columns % kVector == 0;
      t.right = whole ? kernel + n : last_panel;
      t.right_step = whole ? s.filters : kColumns;
      t.bias = bias == nullptr ? nullptr : padded_bias + j * kColumns;
      t.left = map;
      t.result =
          output + (image * s.out_height + first) * t.result_run_step + n;
      MultiplyPanel<kBytes>(rows, s.out_width, t,
                            j + 1 < panels ? kernel + n + kColumns : nullptr);
    }
  }
}

}  // namespace

ShiftConvSizes::ShiftConvSizes(int64_t batch, int64_t height, int64_t width,
                               int64_t channels, int64_t filters,
                               int64_t strides,
                               const std::vector<int64_t>& offsets)
    : batch(batch),
      height(height),
      width(width),
      channels(channels),
      filters(filters),
      strides(strides),
      out_height((height + strides - 1) / strides),
      out_width((width + strides - 1) / strides),
      dy(channels),
      dx(channels),
      up(0),
      down(0),
      left(0),
      right(0) {
  for (int64_t c = 0; c < channels; ++c) {
    dy[c] = std::clamp(offsets[2 * c], -height, height);
    dx[c] = std::clamp(offsets[2 * c + 1], -width, width);
    up = std::max(up, -dy[c]);
    down = std::max(down, dy[c]);
    left = std::max(left, -dx[c]);
    right = std::max(right, dx[c]);
  }
}

void ShiftConvForward(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                      const float* x, const float* kernel, const float* bias,
                      bool relu, float* output) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    Forward<bytes>(sizes, part, x, kernel, bias, relu, output);
  });
}

}  // namespace squeeze_tf
