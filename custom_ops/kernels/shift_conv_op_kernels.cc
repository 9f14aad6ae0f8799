// TensorFlow kernels of the fused shift: checks, buffers and work sharing.

#include <algorithm>
#include <functional>
#include <vector>

#include "custom_ops/kernels/shift_conv.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace squeeze_tf {
namespace {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;

// Multiplications below which a thread of its own does not pay.
constexpr int64_t kLeastMacs = 1 << 20;
// Channels are shared out by so many: a panel of every instruction set.
constexpr int64_t kChannelUnit = 32;
// No side of a map may be longer, so that sizes stay within 64 bits.
constexpr int64_t kMostSide = 1 << 20;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

class ShiftConvKernelBase : public tensorflow::OpKernel {
 public:
  explicit ShiftConvKernelBase(OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("offsets", &offsets_));
    OP_REQUIRES_OK(c, c->GetAttr("strides", &strides_));
    OP_REQUIRES_OK(c, c->GetAttr("relu", &relu_));
    OP_REQUIRES(c, offsets_.size() % 2 == 0,
                InvalidArgument("offsets must be pairs (dy, dx); got ",
                                offsets_.size(), " numbers"));
    OP_REQUIRES(c, strides_ >= 1 && strides_ <= kMostSide,
                InvalidArgument("strides must be 1 to ", kMostSide, "; got ",
                                strides_));
  }

 protected:
  tensorflow::Status CheckMap(const TensorShape& shape) const {
    const int64_t channels = offsets_.size() / 2;
    if (shape.dims() != 4 || shape.dim_size(3) != channels) {
      return InvalidArgument("x must be [B, H, W, ", channels,
                             "], as offsets has so many pairs; got ",
                             shape.DebugString());
    }
    for (int axis = 0; axis < 4; ++axis) {
      if (shape.dim_size(axis) > kMostSide) {
        return InvalidArgument("no side of x may exceed ", kMostSide, "; got ",
                               shape.DebugString());
      }
    }
    return tensorflow::OkStatus();
  }

  tensorflow::Status CheckKernel(const TensorShape& kernel) const {
    const int64_t channels = offsets_.size() / 2;
    if (kernel.dims() != 2 || kernel.dim_size(0) != channels ||
        kernel.dim_size(1) > kMostSide) {
      return InvalidArgument("kernel must be [", channels,
                             ", filters], filters at most ", kMostSide,
                             "; got ", kernel.DebugString());
    }
    return tensorflow::OkStatus();
  }

  ShiftConvSizes Sizes(const TensorShape& x, int64_t filters) const {
    return ShiftConvSizes(x.dim_size(0), x.dim_size(1), x.dim_size(2),
                          x.dim_size(3), filters, strides_, offsets_);
  }

  TensorShape OutputShape(const ShiftConvSizes& s) const {
    return TensorShape({s.batch, s.out_height, s.out_width, s.filters});
  }

  // That a gradient, and the output if it is needed, are as the forward pass
  // writes them.
  tensorflow::Status CheckGradient(const ShiftConvSizes& s,
                                   const Tensor& gradient,
                                   const Tensor& output) const {
    const TensorShape expected = OutputShape(s);
    if (gradient.shape() != expected || (relu_ && output.shape() != expected)) {
      return InvalidArgument("gradient", relu_ ? " and output" : "",
                             " must be ", expected.DebugString(), "; got ",
                             gradient.shape().DebugString(), " and ",
                             output.shape().DebugString());
    }
    return tensorflow::OkStatus();
  }

  // How many pieces the work is worth.
  static int64_t Pieces(OpKernelContext* c, const ShiftConvSizes& s) {
    const int64_t macs =
        s.batch * s.out_height * s.out_width * s.channels * s.filters;
    return std::clamp<int64_t>(
        macs / kLeastMacs, 1,
        c->device()->tensorflow_cpu_worker_threads()->num_threads);
  }

  // Runs work(row range, column range) over a grid of `row_cuts` by
  // `column_cuts` equal ranges on TensorFlow's threads.
  static void Share(OpKernelContext* c, int64_t pieces, int64_t row_cuts,
                    int64_t column_cuts,
                    const std::function<void(int64_t, int64_t)>& work) {
    const int64_t total = row_cuts * column_cuts;
    auto run = [&](int64_t first, int64_t last) {
      for (; first < last; ++first) {
        work(first / column_cuts, first % column_cuts);
      }
    };
    if (pieces <= 1 || total <= 1) return run(0, total);
    auto threads = c->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(static_cast<int>(pieces), threads->workers, total,
                      1 << 30, run);
  }

  // Runs work(part) for all parts of a map [batch, rows, *, channels].
  static void ShareMap(OpKernelContext* c, const ShiftConvSizes& s,
                       int64_t rows, int64_t channels, bool cut_rows_first,
                       const std::function<void(const ShiftConvPart&)>& work) {
    const int64_t pieces = Pieces(c, s);
    const int64_t image_cuts = std::min(pieces, s.batch);
    const int64_t per_image = DivideUp(pieces, image_cuts);
    const int64_t units = DivideUp(channels, kChannelUnit);
    int64_t row_cuts, channel_cuts;
    if (cut_rows_first) {
      row_cuts = std::min(per_image, DivideUp(rows, 4));
      channel_cuts = std::min(DivideUp(per_image, row_cuts), units);
    } else {
      channel_cuts = std::min(per_image, units);
      row_cuts = std::min(DivideUp(per_image, channel_cuts), rows);
    }
    Share(c, pieces, image_cuts * row_cuts, channel_cuts,
          [&](int64_t row, int64_t column) {
            const int64_t image = row / row_cuts, cut = row % row_cuts;
            work({image * s.batch / image_cuts,
                  (image + 1) * s.batch / image_cuts, cut * rows / row_cuts,
                  (cut + 1) * rows / row_cuts,
                  Bound(column, channel_cuts, units, channels),
                  Bound(column + 1, channel_cuts, units, channels)});
          });
  }

  // Where the `index`-th of `cuts` ranges begins, a multiple of the unit.
  static int64_t Bound(int64_t index, int64_t cuts, int64_t units,
                       int64_t size) {
    return std::min(index * units / cuts * kChannelUnit, size);
  }

  std::vector<int64_t> offsets_;
  int64_t strides_;
  bool relu_;
};

class ShiftConvKernel : public ShiftConvKernelBase {
 public:
  using ShiftConvKernelBase::ShiftConvKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor &x = c->input(0), &kernel = c->input(1), &bias = c->input(2);
    OP_REQUIRES_OK(c, CheckMap(x.shape()));
    OP_REQUIRES_OK(c, CheckKernel(kernel.shape()));
    const ShiftConvSizes sizes = Sizes(x.shape(), kernel.dim_size(1));
    OP_REQUIRES(c,
                bias.dims() == 1 && (bias.dim_size(0) == 0 ||
                                     bias.dim_size(0) == sizes.filters),
                InvalidArgument("bias must be [", sizes.filters,
                                "] or [0]; got ", bias.shape().DebugString()));
    Tensor* output;
    OP_REQUIRES_OK(c, c->allocate_output(0, OutputShape(sizes), &output));
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
    OP_REQUIRES(c, shape.dims() == 1,
                InvalidArgument("shape must be a vector; got ",
                                shape.shape().DebugString()));
    OP_REQUIRES_OK(c, tensorflow::TensorShapeUtils::MakeShape(
                          shape.vec<int32_t>(), &x_shape));
    OP_REQUIRES_OK(c, CheckMap(x_shape));
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
    OP_REQUIRES(
        c, gradient.dims() == 4 && gradient.dim_size(3) <= kMostSide,
        InvalidArgument("gradient needs rank 4 and at most ", kMostSide,
                        " filters; got ", gradient.shape().DebugString()));
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
