// CPU functor of the fused shift's gradient with respect to its input.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "custom_ops/kernels/shift_block.h"
#include "custom_ops/kernels/shift_conv.h"
#include "custom_ops/kernels/shift_tiles.h"

namespace squeeze_tf {
namespace {

// Moves channels back: of every pixel of a row, channel c is what row
// rows[up + dy_c] holds dx_c pixels before.
template <int kBytes>
class ReverseShift {
 public:
  using Integers = typename Lanes<float, kBytes>::Integers;
  static constexpr int kLanes = Lanes<float, kBytes>::kCount;

  SQUEEZE_TF_INLINE ReverseShift(const ShiftConvSizes& sizes,
                                 int64_t first_channel, int64_t channels,
                                 int64_t step)
      : s_(sizes),
        first_channel_(first_channel),
        channels_(channels),
        step_(step) {
    for (int64_t c = 0; c < channels; ++c) {
      const size_t vector = c / kLanes;
      if (vector == sources_.size()) sources_.emplace_back();
      auto& sources = sources_.back();
      const int64_t dy = s_.dy[first_channel + c];
      const int64_t dx = s_.dx[first_channel + c];
      auto same = [&](const Source& e) { return e.dy == dy && e.dx == dx; };
      auto found = std::find_if(sources.begin(), sources.end(), same);
      if (found == sources.end()) {
        found = sources.insert(found, Source{dy, dx, {}});
      }
      found->mask[c % kLanes] = -1;
    }
  }

  // `rows` begin at their zeros on the left, `s.right` pixels of them; a vector
  // may be read beyond their end.
  SQUEEZE_TF_INLINE void Row(const std::vector<const float*>& rows,
                             float* to) const {
    for (size_t vector = 0; vector < sources_.size(); ++vector) {
      const auto& sources = sources_[vector];
      const int64_t first = vector * kLanes;
      const int number = static_cast<int>(sources.size());
      if (number == 1) {
        Column<1, 1>(rows, sources, first, to);
      } else if (number == 2) {
        Column<2, 1>(rows, sources, first, to);
      } else if (number <= 4) {
        Column<2, 2>(rows, sources, first, to);
      } else if (number <= 6) {
        Column<2, 3>(rows, sources, first, to);
      } else if (number <= 9) {
        Column<3, 3>(rows, sources, first, to);
      } else {
        Column<4, 4>(rows, sources, first, to);
      }
    }
  }

 private:
  // Channels of a vector that come from one place.
  struct Source {
    int64_t dy, dx;
    int32_t mask[kLanes];
  };

  // Moves the channels of a vector that has at most kGroups x kSources sources.
  template <int kGroups, int kSources>
  SQUEEZE_TF_INLINE void Column(const std::vector<const float*>& rows,
                                const std::vector<Source>& sources,
                                int64_t first, float* to) const {
    InOwnFunction<kBytes>([&]() __attribute__((always_inline)) {
      const float* from[kGroups][kSources];
      Integers masks[kGroups][kSources];
      const int number = static_cast<int>(sources.size());
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
        for (int i = 0; i < kSources; ++i) {
          const int index = g * kSources + i;
          const Source& e = sources[index < number ? index : 0];
          from[g][i] = rows[s_.up + e.dy] + (s_.right - e.dx) * step_ + first;
          std::memcpy(&masks[g][i], e.mask, sizeof(Integers));
        }
      }
      float* place = to + first_channel_ + first;
      const size_t size =
          sizeof(float) * std::min<int64_t>(kLanes, channels_ - first);
      for (int64_t x = 0; x < s_.width; ++x, place += s_.channels) {
        Integers merged = {};
#pragma GCC unroll 4
        for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
          for (int i = 0; i < kSources; ++i) {
            Integers value;
            std::memcpy(&value, from[g][i] + x * step_, sizeof(value));
            merged |= value & masks[g][i];
          }
        }
        if (size == sizeof(merged)) {
          std::memcpy(place, &merged, sizeof(merged));
        } else {
          std::memcpy(place, &merged, size);
        }
      }
    });
  }

  const ShiftConvSizes& s_;
  const int64_t first_channel_, channels_, step_;
  std::vector<std::vector<Source>> sources_;
};

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
  t.result_step = s.strides * step;
  t.result_run_step = row_size;
  t.bias = nullptr;
  t.relu = false;
  const ReverseShift<kBytes> shift(s, part.first_channel, channels, step);
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
      for (int64_t dy = -s.down; dy <= s.up; ++dy) {
        const int64_t row = y + dy;  // what a channel moved by -dy comes from
        const bool exists =
            row >= 0 && row % s.strides == 0 && row / s.strides < s.out_height;
        rows[s.up - dy] =
            exists ? products + row / s.strides % ring * row_size : zeros;
      }
      shift.Row(rows,
                input_gradient + (image * s.height + y) * s.width * s.channels);
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
