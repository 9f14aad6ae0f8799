// Rows of a map with zeros around them, so that shifted pixels are found by
// adding an offset. Included by functors, never by an op kernel.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_BLOCK_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_BLOCK_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "custom_ops/kernels/shift_conv.h"

namespace squeeze_tf {

// How far apart to store pixels of `channels` values: where that is a power of
// two, or nearly, pixels fight for the same lines of a cache.
inline int64_t PixelStep(int64_t channels) {
  return channels >= 128 && channels % 32 == 0 ? channels + 16 : channels;
}

// Copies `count` pixels of `width` values, `step` apart, as [count, kTo]; those
// are 0 whose `output` is not positive.
inline void CopyActive(const float* gradient, const float* output,
                       int64_t count, int64_t width, int64_t step,
                       int64_t to_step, float* to) {
  for (int64_t i = 0; i < count; ++i) {
    const float* from = gradient + i * step;
    if (output == nullptr) {
      std::copy_n(from, width, to + i * to_step);
      continue;
    }
    const float* result = output + i * step;
    for (int64_t j = 0; j < width; ++j) {
      to[i * to_step + j] = result[j] > 0 ? from[j] : 0.0f;
    }
  }
}

// The rows of the input that some rows of the output read, for channels
// [first_channel, last_channel).
class PaddedBlock {
 public:
  // A reader may touch `overrun` output pixels beyond the end of a row.
  PaddedBlock(const ShiftConvSizes& sizes, int64_t first_channel,
              int64_t last_channel, int64_t overrun)
      : s_(sizes),
        first_channel_(first_channel),
        channels_(last_channel - first_channel),
        columns_(sizes.left + (sizes.out_width - 1) * sizes.strides + 1 +
                 sizes.right),
        step_(PixelStep(channels_)),
        pitch_(columns_ * step_),
        overrun_(overrun * sizes.strides * step_),
        deltas_(channels_) {
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t row = s_.up + s_.dy[first_channel + c];
      const int64_t column = s_.left + s_.dx[first_channel + c];
      deltas_[c] = row * pitch_ + column * step_ + c;
    }
  }

  int64_t step() const { return step_; }    // from a pixel to the next
  int64_t pitch() const { return pitch_; }  // from a row to the next

  // From what stands at an output pixel's place in the block, y * strides *
  // pitch + x * strides * step, to what each channel holds there.
  const int64_t* deltas() const { return deltas_.data(); }

  // Values of a block for `rows` rows of the output.
  int64_t Size(int64_t rows) const {
    return InputRows(rows) * pitch_ + overrun_;
  }

  // How many rows of the output to take at a time, so that a block stays in
  // the second level of a cache and its halo is a small part of it.
  int64_t OutputRows(int64_t most_values = 48 * 1024) const {
    const int64_t fit = most_values / std::max<int64_t>(pitch_, 1);
    const int64_t halo = s_.up + s_.down + 1;
    const int64_t rows = std::max<int64_t>((fit - halo) / s_.strides + 1,
                                           (halo + s_.strides) / s_.strides);
    return std::min(rows, s_.out_height);
  }

  // Copies what rows [first, first + rows) of the output read.
  template <typename T>
  void Fill(const T* x, int64_t image, int64_t first, int64_t rows,
            T* block) const {
    const int64_t shown = std::min(s_.width, columns_ - s_.left);
    const int64_t start = first * s_.strides - s_.up;
    for (int64_t i = 0; i < InputRows(rows); ++i, block += pitch_) {
      const int64_t y = start + i;
      if (y < 0 || y >= s_.height) {
        std::fill_n(block, pitch_, T(0));
        continue;
      }
      const T* row =
          x + (image * s_.height + y) * s_.width * s_.channels + first_channel_;
      T* to = block + s_.left * step_;
      std::fill(block, to, T(0));
      if (step_ == s_.channels) {
        std::copy_n(row, shown * step_, to);
      } else {
        for (int64_t j = 0; j < shown; ++j) {
          std::copy_n(row + j * s_.channels, channels_, to + j * step_);
        }
      }
      std::fill(to + shown * step_, block + pitch_, T(0));
    }
    std::fill_n(block, overrun_, T(0));
  }

 private:
  int64_t InputRows(int64_t rows) const {
    return (rows - 1) * s_.strides + 1 + s_.up + s_.down;
  }

  const ShiftConvSizes& s_;
  const int64_t first_channel_, channels_, columns_, step_, pitch_, overrun_;
  std::vector<int64_t> deltas_;
};

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_BLOCK_H_
