// CPU functor of the fused shift's gradient with respect to its input.

#include <algorithm>
#include <numeric>
#include <vector>

#include "custom_ops/kernels/shift_block.h"
#include "custom_ops/kernels/shift_conv.h"
#include "custom_ops/kernels/shift_rows.h"
#include "custom_ops/kernels/shift_tiles.h"

namespace squeeze_tf {
namespace {

// The gradient times the transposed kernel, row after row as the shift needs
// them: row r of the output stands at row r * strides of the map.
template <int kBytes>
SQUEEZE_TF_INLINE void InputGrad(const ShiftConvSizes& s,
                                 const ShiftConvPart& part,
                                 const float* gradient, const float* kernel,
                                 const float* output, float* input_gradient) {
  const int64_t channels = part.last_channel - part.first_channel;
  const int64_t step = PixelStep(channels), left_step = PixelStep(s.filters);
  const int64_t columns = s.right + s.width + s.left;
  const int64_t row_size = columns * step + Lanes<float, kBytes>::kCount;
  const int64_t halo = (s.up + s.down) / s.strides + 1;
  const int64_t batch_rows =  // of the output, multiplied at a time
      std::clamp<int64_t>(48 * 1024 / row_size, 1, 8);
  const int64_t ring = halo + batch_rows;
  const int64_t panels = (channels + kPanel<kBytes> - 1) / kPanel<kBytes>;
  const int64_t panel_size = s.filters * kPanel<kBytes>;
  float* const products = Scratch(0, (ring + 1) * row_size);
  float* const right = Scratch(1, panels * panel_size);
  float* const left =
      Scratch(2, (batch_rows * s.out_width + kMostPixels<kBytes>)*left_step);
  std::fill_n(products, (ring + 1) * row_size, 0.0f);
  const float* const zeros = products + ring * row_size;
  for (int64_t i = 0; i < panels; ++i) {
    PackTransposed<kBytes>(kernel + part.first_channel * s.filters, s.filters,
                           channels, i * kPanel<kBytes>,
                           right + i * panel_size);
  }
  std::vector<int64_t> deltas(s.filters);
  std::iota(deltas.begin(), deltas.end(), 0);
  TileOperands t;
  t.pixel_step = left_step;
  t.run_step = s.out_width * left_step;
  t.deltas = deltas.data();
  t.depth = s.filters;
  t.right_step = kPanel<kBytes>;
  t.result_step = s.strides * step;
  t.result_run_step = row_size;
  t.bias = nullptr;
  t.relu = false;
  // What moved by an offset comes back by the opposite one.
  std::vector<int64_t> dy(channels), dx(channels);
  for (int64_t c = 0; c < channels; ++c) {
    dy[c] = -s.dy[part.first_channel + c];
    dx[c] = -s.dx[part.first_channel + c];
  }
  const ShiftedRow<float, kBytes> shift(dy.data(), dx.data(), channels, step,
                                        1);
  std::vector<const float*> rows(s.up + s.down + 1);
  for (int64_t image = part.first_image; image < part.last_image; ++image) {
    int64_t ready = std::max<int64_t>(  // the first row that is not multiplied
        0, (part.first_row - s.down + s.strides - 1) / s.strides);
    for (int64_t y = part.first_row; y < part.last_row; ++y) {
      while (ready < s.out_height && ready * s.strides <= y + s.up) {
        const int64_t slot = ready % ring;
        const int64_t last = (part.last_row - 1 + s.up) / s.strides + 1;
        const int64_t count = std::min(
            {batch_rows, ring - slot, s.out_height - ready, last - ready});
        const int64_t first =
            (image * s.out_height + ready) * s.out_width * s.filters;
        CopyActive(gradient + first,
                   output == nullptr ? nullptr : output + first,
                   count * s.out_width, s.filters, s.filters, left_step, left);
        std::fill_n(left + count * t.run_step, kMostPixels<kBytes> * left_step,
                    0.0f);
        for (int64_t i = 0; i < panels; ++i) {
          t.left = left;
          t.right = right + i * panel_size;
          t.columns = static_cast<int>(
              std::min<int64_t>(kPanel<kBytes>, channels - i * kPanel<kBytes>));
          t.result =
              products + slot * row_size + s.right * step + i * kPanel<kBytes>;
          MultiplyPanel<kBytes>(count, s.out_width, t);
        }
        ready += count;
      }
      for (int64_t i = -s.down; i <= s.up; ++i) {
        const int64_t row = y + i;
        const bool exists =
            row >= 0 && row % s.strides == 0 && row / s.strides < s.out_height;
        rows[i + s.down] =
            s.right * step +
            (exists ? products + row / s.strides % ring * row_size : zeros);
      }
      shift.Write(rows, -s.down, s.width,
                  input_gradient +
                      (image * s.height + y) * s.width * s.channels +
                      part.first_channel,
                  s.channels, false);
    }
  }
}

}  // namespace

void ShiftConvInputGrad(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                        const float* gradient, const float* kernel,
                        const float* output, float* input_gradient) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    InputGrad<bytes>(sizes, part, gradient, kernel, output, input_gradient);
  });
}

}  // namespace squeeze_tf
