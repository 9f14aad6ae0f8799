// Functors of the shift fused with a 1x1 convolution, and of its gradients.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_H_

#include <cstdint>
#include <vector>

namespace squeeze_tf {

// Sizes of a call. A map has [batch, height, width, channels] values, its
// convolution [batch, out_height, out_width, filters].
struct ShiftConvSizes {
  // `offsets` holds (dy, dx) of each channel. Those that leave the map whole
  // are shortened to its size, which gives the same zeros.
  ShiftConvSizes(int64_t batch, int64_t height, int64_t width, int64_t channels,
                 int64_t filters, int64_t strides,
                 const std::vector<int64_t>& offsets);

  int64_t batch, height, width, channels, filters, strides;
  int64_t out_height, out_width;
  std::vector<int64_t> dy, dx;
  int64_t up, down, left, right;  // the farthest offsets, none negative
};

// A part of the work: of some images some rows of the map that the functor
// writes, and of these a range of channels. Parts need nothing of each other.
struct ShiftConvPart {
  int64_t first_image, last_image, first_row, last_row;
  int64_t first_channel, last_channel;
};

// output[b, y, x, n] = sum_c x[b, y s + dy_c, x s + dx_c, c] kernel[c, n]
// + bias[n], not below 0 if `relu`. `bias` may be null. Parts are rows of the
// output and ranges of filters.
void ShiftConvForward(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                      const float* x, const float* kernel, const float* bias,
                      bool relu, float* output);

// Gradient of the input. `output` is what the forward functor wrote: where it
// is not positive the gradient is taken as 0; null keeps all. Parts are rows
// of the input and ranges of its channels.
void ShiftConvInputGrad(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                        const float* gradient, const float* kernel,
                        const float* output, float* input_gradient);

// Gradients of kernel [channels, filters] and, if it is not null, bias. A part
// is a range of channels ("rows") and of filters ("channels"), of all images.
void ShiftConvKernelGrad(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                         const float* x, const float* gradient,
                         const float* output, float* kernel_gradient,
                         float* bias_gradient);

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_H_
