// GPU functors of the fused shift. They queue work and return at once.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_GPU_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_GPU_H_

#include <cstdint>
#include <string>

#include "custom_ops/kernels/shift_conv.h"

namespace squeeze_tf {

// All pointers but `sizes` are the device's; `stream` is a cudaStream_t. Each
// function needs scratch memory of so many bytes as its ...Scratch() says, and
// returns what went wrong, or nothing.
int64_t GpuForwardScratch(const ShiftConvSizes& sizes);
std::string GpuForward(void* stream, const ShiftConvSizes& sizes,
                       const float* x, const float* kernel, const float* bias,
                       bool relu, float* output, void* scratch);

int64_t GpuInputGradScratch(const ShiftConvSizes& sizes);
std::string GpuInputGrad(void* stream, const ShiftConvSizes& sizes,
                         const float* gradient, const float* kernel,
                         const float* output, float* input_gradient,
                         void* scratch);

int64_t GpuKernelGradScratch(const ShiftConvSizes& sizes);
std::string GpuKernelGrad(void* stream, const ShiftConvSizes& sizes,
                          const float* x, const float* gradient,
                          const float* output, float* kernel_gradient,
                          float* bias_gradient, void* scratch);

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_GPU_H_
