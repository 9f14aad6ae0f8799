// GPU functors of the fused shift, for CUDA; compiled where nvcc is found.

#include <cuda_runtime.h>

#include <algorithm>
#include <vector>

#include "custom_ops/kernels/shift_conv_gpu.h"

namespace squeeze_tf {
namespace {

constexpr int kTile = 64;      // pixels and filters of a block's product
constexpr int kDepth = 16;     // summed at a time
constexpr int kSide = 4;       // of the square that a thread sums
constexpr int kThreads = 256;  // of a block: (kTile / kSide)^2
constexpr int kGradTile = 32;  // channels and filters of a kernel gradient
constexpr int64_t kPixelsOfPart = 1024;  // of a part of a kernel gradient

// What the kernels know of a call; plain numbers.
struct Sizes {
  int64_t batch, height, width, channels, filters, strides;
  int64_t out_height, out_width, pixels;
};

struct Pixel {
  int64_t image, y, x;
};

__device__ Pixel At(const Sizes& s, int64_t index) {
  const int64_t row = index / s.out_width;
  return {row / s.out_height, row % s.out_height, index % s.out_width};
}

// The value that channel c of an output pixel reads; 0 beyond the border.
__device__ float Shifted(const Sizes& s, const float* x, const int2* offsets,
                         const Pixel& p, int64_t c) {
  const int64_t y = p.y * s.strides + offsets[c].x;
  const int64_t column = p.x * s.strides + offsets[c].y;
  if (y < 0 || y >= s.height || column < 0 || column >= s.width) return 0.0f;
  return x[((p.image * s.height + y) * s.width + column) * s.channels + c];
}

// Products of shifted pixels [pixels, channels] and the kernel.
__global__ void ForwardKernel(Sizes s, const float* x, const int2* offsets,
                              const float* kernel, const float* bias, bool relu,
                              float* output) {
  __shared__ float left[kDepth][kTile + 1], right[kDepth][kTile];
  const int thread = threadIdx.x;
  const int64_t first_pixel = static_cast<int64_t>(blockIdx.x) * kTile;
  const int64_t first_filter = static_cast<int64_t>(blockIdx.y) * kTile;
  float sums[kSide][kSide] = {};
  for (int64_t first = 0; first < s.channels; first += kDepth) {
    for (int i = thread; i < kDepth * kTile; i += kThreads) {
      const int k = i % kDepth, m = i / kDepth;
      const bool exists = first_pixel + m < s.pixels && first + k < s.channels;
      left[k][m] =
          exists ? Shifted(s, x, offsets, At(s, first_pixel + m), first + k)
                 : 0.0f;
    }
    for (int i = thread; i < kDepth * kTile; i += kThreads) {
      const int n = i % kTile, k = i / kTile;
      const bool exists =
          first + k < s.channels && first_filter + n < s.filters;
      right[k][n] =
          exists ? kernel[(first + k) * s.filters + first_filter + n] : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < kDepth; ++k) {
      for (int i = 0; i < kSide; ++i) {
        const float value = left[k][thread / 16 * kSide + i];
        for (int j = 0; j < kSide; ++j) {
          sums[i][j] += value * right[k][thread % 16 * kSide + j];
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < kSide; ++i) {
    const int64_t pixel = first_pixel + thread / 16 * kSide + i;
    for (int j = 0; j < kSide; ++j) {
      const int64_t n = first_filter + thread % 16 * kSide + j;
      if (pixel >= s.pixels || n >= s.filters) continue;
      float sum = sums[i][j] + (bias == nullptr ? 0.0f : bias[n]);
      output[pixel * s.filters + n] = relu && sum < 0.0f ? 0.0f : sum;
    }
  }
}

__device__ float Active(const float* gradient, const float* output,
                        int64_t at) {
  return output == nullptr || output[at] > 0 ? gradient[at] : 0.0f;
}

// The gradient [pixels, filters] times the transposed kernel, [pixels,
// channels].
__global__ void ProductKernel(Sizes s, const float* gradient,
                              const float* output, const float* kernel,
                              float* products) {
  __shared__ float left[kDepth][kTile + 1], right[kDepth][kTile + 1];
  const int thread = threadIdx.x;
  const int64_t first_pixel = static_cast<int64_t>(blockIdx.x) * kTile;
  const int64_t first_channel = static_cast<int64_t>(blockIdx.y) * kTile;
  float sums[kSide][kSide] = {};
  for (int64_t first = 0; first < s.filters; first += kDepth) {
    for (int i = thread; i < kDepth * kTile; i += kThreads) {
      const int k = i % kDepth, m = i / kDepth;
      const bool filter = first + k < s.filters;
      left[k][m] = filter && first_pixel + m < s.pixels
                       ? Active(gradient, output,
                                (first_pixel + m) * s.filters + first + k)
                       : 0.0f;
      right[k][m] = filter && first_channel + m < s.channels
                        ? kernel[(first_channel + m) * s.filters + first + k]
                        : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < kDepth; ++k) {
      for (int i = 0; i < kSide; ++i) {
        const float value = left[k][thread / 16 * kSide + i];
        for (int j = 0; j < kSide; ++j) {
          sums[i][j] += value * right[k][thread % 16 * kSide + j];
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < kSide; ++i) {
    const int64_t pixel = first_pixel + thread / 16 * kSide + i;
    for (int j = 0; j < kSide; ++j) {
      const int64_t c = first_channel + thread % 16 * kSide + j;
      if (pixel < s.pixels && c < s.channels) {
        products[pixel * s.channels + c] = sums[i][j];
      }
    }
  }
}

// Moves the products back to where the forward pass had read.
__global__ void ReverseShiftKernel(Sizes s, const float* products,
                                   const int2* offsets, float* result) {
  const int64_t total = s.batch * s.height * s.width * s.channels;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < total; i += step) {
    const int64_t c = i % s.channels, pixel = i / s.channels;
    const int64_t y = pixel / s.width % s.height - offsets[c].x;
    const int64_t x = pixel % s.width - offsets[c].y;
    const int64_t image = pixel / s.width / s.height;
    const bool exists = y >= 0 && x >= 0 && y % s.strides == 0 &&
                        x % s.strides == 0 && y / s.strides < s.out_height &&
                        x / s.strides < s.out_width;
    const int64_t from =
        (image * s.out_height + y / s.strides) * s.out_width + x / s.strides;
    result[i] = exists ? products[from * s.channels + c] : 0.0f;
  }
}

// Part blockIdx.z of the kernel's gradient, from its share of the pixels.
__global__ void KernelGradKernel(Sizes s, const float* x, const int2* offsets,
                                 const float* gradient, const float* output,
                                 float* parts) {
  __shared__ float left[kDepth][kGradTile], right[kDepth][kGradTile];
  const int thread = threadIdx.x;
  const int64_t first_channel = static_cast<int64_t>(blockIdx.x) * kGradTile;
  const int64_t first_filter = static_cast<int64_t>(blockIdx.y) * kGradTile;
  const int64_t begin = blockIdx.z * kPixelsOfPart;
  const int64_t end = min(begin + kPixelsOfPart, s.pixels);
  const int row = thread / 16 * 2, column = thread % 16 * 2;
  float sums[2][2] = {};
  for (int64_t first = begin; first < end; first += kDepth) {
    for (int i = thread; i < kDepth * kGradTile; i += kThreads) {
      const int j = i % kGradTile, k = i / kGradTile;
      const int64_t pixel = first + k;
      const bool exists = pixel < end;
      left[k][j] = exists && first_channel + j < s.channels
                       ? Shifted(s, x, offsets, At(s, pixel), first_channel + j)
                       : 0.0f;
      right[k][j] =
          exists && first_filter + j < s.filters
              ? Active(gradient, output, pixel * s.filters + first_filter + j)
              : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < kDepth; ++k) {
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
          sums[i][j] += left[k][row + i] * right[k][column + j];
        }
      }
    }
    __syncthreads();
  }
  float* part = parts + blockIdx.z * s.channels * s.filters;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const int64_t c = first_channel + row + i;
      const int64_t n = first_filter + column + j;
      if (c < s.channels && n < s.filters) {
        part[c * s.filters + n] = sums[i][j];
      }
    }
  }
}

// Sums of `count` parts, in a fixed order.
__global__ void AddPartsKernel(const float* parts, int64_t count, int64_t size,
                               float* result) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  float sum = 0.0f;
  for (int64_t part = 0; part < count; ++part) sum += parts[part * size + i];
  result[i] = sum;
}

// One block for 32 filters, 8 pixels at a time.
__global__ void BiasGradKernel(Sizes s, const float* gradient,
                               const float* output, float* result) {
  __shared__ float sums[8][32];
  const int64_t n = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  float sum = 0.0f;
  if (n < s.filters) {
    for (int64_t pixel = threadIdx.y; pixel < s.pixels; pixel += 8) {
      sum += Active(gradient, output, pixel * s.filters + n);
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || n >= s.filters) return;
  for (int i = 1; i < 8; ++i) sum += sums[i][threadIdx.x];
  result[n] = sum;
}

unsigned Blocks(int64_t size, int64_t each) {
  return static_cast<unsigned>((size + each - 1) / each);
}

Sizes Plain(const ShiftConvSizes& s) {
  return {s.batch,      s.height,    s.width,
          s.channels,   s.filters,   s.strides,
          s.out_height, s.out_width, s.batch * s.out_height * s.out_width};
}

int64_t OffsetBytes(const ShiftConvSizes& s) {
  return (s.channels * sizeof(int2) + 255) / 256 * 256;
}

// Copies the offsets to the beginning of the scratch memory.
const int2* CopyOffsets(cudaStream_t stream, const ShiftConvSizes& s,
                        void* scratch) {
  std::vector<int2> offsets(s.channels);
  for (int64_t c = 0; c < s.channels; ++c) {
    offsets[c] = {static_cast<int>(s.dy[c]), static_cast<int>(s.dx[c])};
  }
  // From pageable memory: it is staged before the call returns.
  cudaMemcpyAsync(scratch, offsets.data(), s.channels * sizeof(int2),
                  cudaMemcpyHostToDevice, stream);
  return static_cast<const int2*>(scratch);
}

float* AfterOffsets(const ShiftConvSizes& s, void* scratch) {
  return reinterpret_cast<float*>(static_cast<char*>(scratch) + OffsetBytes(s));
}

std::string LastError() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? "" : cudaGetErrorString(error);
}

}  // namespace

int64_t GpuForwardScratch(const ShiftConvSizes& sizes) {
  return OffsetBytes(sizes);
}

std::string GpuForward(void* stream, const ShiftConvSizes& sizes,
                       const float* x, const float* kernel, const float* bias,
                       bool relu, float* output, void* scratch) {
  const auto queue = static_cast<cudaStream_t>(stream);
  const Sizes s = Plain(sizes);
  const int2* offsets = CopyOffsets(queue, sizes, scratch);
  const dim3 grid(Blocks(s.pixels, kTile), Blocks(s.filters, kTile));
  ForwardKernel<<<grid, kThreads, 0, queue>>>(s, x, offsets, kernel, bias, relu,
                                              output);
  return LastError();
}

int64_t GpuInputGradScratch(const ShiftConvSizes& sizes) {
  return OffsetBytes(sizes) +
         Plain(sizes).pixels * sizes.channels * sizeof(float);
}

std::string GpuInputGrad(void* stream, const ShiftConvSizes& sizes,
                         const float* gradient, const float* kernel,
                         const float* output, float* input_gradient,
                         void* scratch) {
  const auto queue = static_cast<cudaStream_t>(stream);
  const Sizes s = Plain(sizes);
  const int2* offsets = CopyOffsets(queue, sizes, scratch);
  float* products = AfterOffsets(sizes, scratch);
  if (s.pixels == 0 || s.filters == 0) {
    const int64_t values = s.batch * s.height * s.width * s.channels;
    cudaMemsetAsync(input_gradient, 0, values * sizeof(float), queue);
    return LastError();
  }
  const dim3 grid(Blocks(s.pixels, kTile), Blocks(s.channels, kTile));
  ProductKernel<<<grid, kThreads, 0, queue>>>(s, gradient, output, kernel,
                                              products);
  const int64_t total = s.batch * s.height * s.width * s.channels;
  const unsigned blocks = std::min(Blocks(total, kThreads), 1u << 16);
  ReverseShiftKernel<<<blocks, kThreads, 0, queue>>>(s, products, offsets,
                                                     input_gradient);
  return LastError();
}

int64_t GpuKernelGradScratch(const ShiftConvSizes& sizes) {
  const int64_t parts = Blocks(Plain(sizes).pixels, kPixelsOfPart);
  return OffsetBytes(sizes) +
         parts * sizes.channels * sizes.filters * sizeof(float);
}

std::string GpuKernelGrad(void* stream, const ShiftConvSizes& sizes,
                          const float* x, const float* gradient,
                          const float* output, float* kernel_gradient,
                          float* bias_gradient, void* scratch) {
  const auto queue = static_cast<cudaStream_t>(stream);
  const Sizes s = Plain(sizes);
  const int2* offsets = CopyOffsets(queue, sizes, scratch);
  if (s.pixels == 0 || s.channels == 0) {
    const int64_t size = s.channels * s.filters * sizeof(float);
    cudaMemsetAsync(kernel_gradient, 0, size, queue);
    cudaMemsetAsync(bias_gradient, 0, s.filters * sizeof(float), queue);
  }
  if (s.pixels == 0) return LastError();
  BiasGradKernel<<<Blocks(s.filters, 32), dim3(32, 8), 0, queue>>>(
      s, gradient, output, bias_gradient);
  if (s.channels == 0) return LastError();
  float* parts = AfterOffsets(sizes, scratch);
  const unsigned count = Blocks(s.pixels, kPixelsOfPart);
  const dim3 grid(Blocks(s.channels, kGradTile), Blocks(s.filters, kGradTile),
                  count);
  KernelGradKernel<<<grid, kThreads, 0, queue>>>(s, x, offsets, gradient,
                                                 output, parts);
  const int64_t size = s.channels * s.filters;
  AddPartsKernel<<<Blocks(size, kThreads), kThreads, 0, queue>>>(
      parts, count, size, kernel_gradient);
  return LastError();
}

}  // namespace squeeze_tf
