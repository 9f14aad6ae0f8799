// TensorFlow kernels of the fused shift for GPUs; empty without CUDA.

#include "custom_ops/kernels/shift_conv_gpu.h"

// Whether the library has kernels for GPUs; squeeze_tf.ops.custom_ops asks.
extern "C" int SqueezeTfHasGpuKernels() {
#ifdef SQUEEZE_TF_CUDA
  return 1;
#else
  return 0;
#endif
}

#ifdef SQUEEZE_TF_CUDA

#include "custom_ops/kernels/shift_conv_op_base.h"
#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "xla/stream_executor/stream.h"

namespace squeeze_tf {
namespace {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::Internal;
using tensorflow::errors::InvalidArgument;

class GpuKernelBase : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

 protected:
  static void* Stream(OpKernelContext* c) {
    return c->op_device_context()->stream()->platform_specific_handle().stream;
  }

  static tensorflow::Status Scratch(OpKernelContext* c, int64_t bytes,
                                    Tensor* scratch) {
    return c->allocate_temp(tensorflow::DT_INT8, TensorShape({bytes}), scratch);
  }

  static const float* Data(const Tensor& tensor) {
    return tensor.flat<float>().data();
  }
};

class GpuForwardKernel : public GpuKernelBase {
 public:
  using GpuKernelBase::GpuKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &kernel = c->input(1), &bias = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    const ShiftConvSizes sizes = Sizes(x.shape(), kernel.dim_size(1));
    OP_REQUIRES_OK(c, CheckBias(sizes, bias));
    Tensor *output, scratch;
    TensorShape shape;
    OP_REQUIRES_OK(c, OutputShape(sizes, &shape));
    OP_REQUIRES_OK(c, c->allocate_output(0, shape, &output));
    if (output->NumElements() == 0) return;
    OP_REQUIRES_OK(c, Scratch(c, GpuForwardScratch(sizes), &scratch));
    const std::string error =
        GpuForward(Stream(c), sizes, Data(x), Data(kernel),
                   bias.NumElements() == 0 ? nullptr : Data(bias), relu_,
                   output->flat<float>().data(), scratch.data());
    OP_REQUIRES(c, error.empty(), Internal(error));
  }
};

class GpuInputGradKernel : public GpuKernelBase {
 public:
  using GpuKernelBase::GpuKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &gradient = c->input(1), &kernel = c->input(2),
                 &output = c->input(3);
    TensorShape shape;
    OP_REQUIRES_OK(c, MapShape(c->input(0), &shape));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    const ShiftConvSizes sizes = Sizes(shape, kernel.dim_size(1));
    OP_REQUIRES_OK(c, CheckGradient(sizes, gradient, output));
    Tensor *result, scratch;
    OP_REQUIRES_OK(c, c->allocate_output(0, shape, &result));
    if (result->NumElements() == 0) return;
    OP_REQUIRES_OK(c, Scratch(c, GpuInputGradScratch(sizes), &scratch));
    const std::string error =
        GpuInputGrad(Stream(c), sizes, Data(gradient), Data(kernel),
                     relu_ ? Data(output) : nullptr,
                     result->flat<float>().data(), scratch.data());
    OP_REQUIRES(c, error.empty(), Internal(error));
  }
};

class GpuKernelGradKernel : public GpuKernelBase {
 public:
  using GpuKernelBase::GpuKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &gradient = c->input(1),
                 &output = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckRank(gradient.shape()));
    const ShiftConvSizes sizes = Sizes(x.shape(), gradient.dim_size(3));
    OP_REQUIRES_OK(c, CheckGradient(sizes, gradient, output));
    Tensor *kernel, *bias, scratch;
    const TensorShape shape({sizes.channels, sizes.filters});
    OP_REQUIRES_OK(c, c->allocate_output(0, shape, &kernel));
    OP_REQUIRES_OK(c,
                   c->allocate_output(1, TensorShape({sizes.filters}), &bias));
    if (bias->NumElements() == 0) return;
    OP_REQUIRES_OK(c, Scratch(c, GpuKernelGradScratch(sizes), &scratch));
    const std::string error = GpuKernelGrad(
        Stream(c), sizes, Data(x), Data(gradient),
        relu_ ? Data(output) : nullptr, kernel->flat<float>().data(),
        bias->flat<float>().data(), scratch.data());
    OP_REQUIRES(c, error.empty(), Internal(error));
  }
};

REGISTER_KERNEL_BUILDER(
    Name("SqueezeTf>ShiftConv2D").Device(tensorflow::DEVICE_GPU),
    GpuForwardKernel);
REGISTER_KERNEL_BUILDER(Name("SqueezeTf>ShiftConv2DInputGrad")
                            .Device(tensorflow::DEVICE_GPU)
                            .HostMemory("shape"),
                        GpuInputGradKernel);
REGISTER_KERNEL_BUILDER(
    Name("SqueezeTf>ShiftConv2DKernelGrad").Device(tensorflow::DEVICE_GPU),
    GpuKernelGradKernel);

}  // namespace
}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUDA
