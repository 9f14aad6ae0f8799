// TensorFlow kernels of the fused shift.

#include <algorithm>
#include <limits>

#include "custom_ops/kernels/integer_shift_conv.h"
#include "custom_ops/kernels/shift_conv.h"
#include "custom_ops/kernels/shift_conv_op_base.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace squeeze_tf {
namespace {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;

class ShiftConvKernel : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &kernel = c->input(1), &bias = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    const ShiftConvSizes sizes = Sizes(x.shape(), kernel.dim_size(1));
    OP_REQUIRES_OK(c, CheckBias(sizes, bias));
    Tensor* output;
    TensorShape shape;
    OP_REQUIRES_OK(c, OutputShape(sizes, &shape));
    OP_REQUIRES_OK(c, c->allocate_output(0, shape, &output));
    if (output->NumElements() == 0) return;
    ShareMap(c, sizes, sizes.out_height, sizes.filters, true,
             [&](const ShiftConvPart& part) {
               ShiftConvForward(
                   sizes, part, x.flat<float>().data(),
                   kernel.flat<float>().data(),
                   bias.dim_size(0) == 0 ? nullptr : bias.flat<float>().data(),
                   relu_, output->flat<float>().data());
             });
  }
};

class ShiftConvInputGradKernel : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &shape = c->input(0), &gradient = c->input(1),
                 &kernel = c->input(2), &output = c->input(3);
    TensorShape x_shape;
    OP_REQUIRES_OK(c, MapShape(shape, &x_shape));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    const ShiftConvSizes sizes = Sizes(x_shape, kernel.dim_size(1));
    OP_REQUIRES_OK(c, CheckGradient(sizes, gradient, output));
    Tensor* result;
    OP_REQUIRES_OK(c, c->allocate_output(0, x_shape, &result));
    if (result->NumElements() == 0) return;
    ShareMap(c, sizes, sizes.height, sizes.channels, false,
             [&](const ShiftConvPart& part) {
               ShiftConvInputGrad(sizes, part, gradient.flat<float>().data(),
                                  kernel.flat<float>().data(),
                                  relu_ ? output.flat<float>().data() : nullptr,
                                  result->flat<float>().data());
             });
  }
};

class ShiftConvKernelGradKernel : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &gradient = c->input(1),
                 &output = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckRank(gradient.shape()));
    const ShiftConvSizes sizes = Sizes(x.shape(), gradient.dim_size(3));
    OP_REQUIRES_OK(c, CheckGradient(sizes, gradient, output));
    Tensor *kernel, *bias;
    OP_REQUIRES_OK(
        c, c->allocate_output(0, TensorShape({sizes.channels, sizes.filters}),
                              &kernel));
    OP_REQUIRES_OK(c,
                   c->allocate_output(1, TensorShape({sizes.filters}), &bias));
    kernel->flat<float>().setZero();
    bias->flat<float>().setZero();
    if (gradient.NumElements() == 0) return;
    const int64_t units = DivideUp(sizes.filters, kChannelUnit);
    const int64_t pieces = Pieces(c, sizes);
    const int64_t filter_cuts = std::min(pieces, units);
    const int64_t channel_cuts = std::max<int64_t>(
        1, std::min(DivideUp(pieces, filter_cuts), sizes.channels / 12));
    Share(
        c, pieces, channel_cuts, filter_cuts, [&](int64_t row, int64_t column) {
          const ShiftConvPart part = {
              0,
              sizes.batch,
              row * sizes.channels / channel_cuts,
              (row + 1) * sizes.channels / channel_cuts,
              Bound(column, filter_cuts, units, sizes.filters),
              Bound(column + 1, filter_cuts, units, sizes.filters)};
          ShiftConvKernelGrad(sizes, part, x.flat<float>().data(),
                              gradient.flat<float>().data(),
                              relu_ ? output.flat<float>().data() : nullptr,
                              kernel->flat<float>().data(),
                              row == 0 ? bias->flat<float>().data() : nullptr);
        });
  }
};

class IntegerShiftConvKernel : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &kernel = c->input(1),
                 &thresholds = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    OP_REQUIRES(c, x.dim_size(3) <= 1 << 16,
                InvalidArgument("sums of more than 2^16 channels may not fit "
                                "into 32 bits; got ",
                                x.dim_size(3)));
    const ShiftConvSizes sizes = Sizes(x.shape(), kernel.dim_size(1));
    const bool counts = c->expected_output_dtype(0) == tensorflow::DT_UINT8;
    OP_REQUIRES(
        c,
        thresholds.dims() == 2 && thresholds.dim_size(0) == sizes.filters &&
            thresholds.dim_size(1) <= std::numeric_limits<uint8_t>::max() &&
            (counts || thresholds.dim_size(1) == 0),
        InvalidArgument("thresholds must be [", sizes.filters, ", at most 255]",
                        counts ? "" : ", with none where sums are asked for",
                        "; got ", thresholds.shape().DebugString()));
    Tensor* output;
    TensorShape shape;
    OP_REQUIRES_OK(c, OutputShape(sizes, &shape));
    OP_REQUIRES_OK(c, c->allocate_output(0, shape, &output));
    if (output->NumElements() == 0) return;
    const IntegerResult result = {
        counts ? nullptr : output->flat<int32_t>().data(),
        counts ? output->flat<uint8_t>().data() : nullptr,
        thresholds.flat<int32_t>().data(),
        static_cast<int>(thresholds.dim_size(1))};
    ShareMap(c, sizes, sizes.out_height, sizes.filters, true,
             [&](const ShiftConvPart& part) {
               IntegerShiftConv(sizes, part, x.flat<uint8_t>().data(),
                                kernel.flat<int8_t>().data(), result);
             });
  }
};

REGISTER_KERNEL_BUILDER(
    Name("SqueezeTf>IntegerShiftConv2D").Device(tensorflow::DEVICE_CPU),
    IntegerShiftConvKernel);
REGISTER_KERNEL_BUILDER(
    Name("SqueezeTf>ShiftConv2D").Device(tensorflow::DEVICE_CPU),
    ShiftConvKernel);
REGISTER_KERNEL_BUILDER(Name("SqueezeTf>ShiftConv2DInputGrad")
                            .Device(tensorflow::DEVICE_CPU)
                            .HostMemory("shape"),
                        ShiftConvInputGradKernel);
REGISTER_KERNEL_BUILDER(
    Name("SqueezeTf>ShiftConv2DKernelGrad").Device(tensorflow::DEVICE_CPU),
    ShiftConvKernelGradKernel);

}  // namespace
}  // namespace squeeze_tf
