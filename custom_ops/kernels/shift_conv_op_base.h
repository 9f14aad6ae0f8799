// Checks and work sharing of the fused shift's TensorFlow kernels.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_OP_BASE_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_OP_BASE_H_

#include <algorithm>
#include <functional>
#include <vector>

#include "custom_ops/kernels/shift_conv.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace squeeze_tf {

// Multiplications below which a thread of its own does not pay.
inline constexpr int64_t kLeastMacs = 1 << 20;
// Channels are shared out by so many: a panel of every instruction set.
inline constexpr int64_t kChannelUnit = 32;
// No offset may be larger, so that zeros around a map stay a small part of it.
inline constexpr int64_t kMostReach = 256;
// No side of a map may be longer, so that sizes stay within 64 bits.
inline constexpr int64_t kMostSide = 1 << 20;

inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

class ShiftConvKernelBase : public tensorflow::OpKernel {
 public:
  explicit ShiftConvKernelBase(tensorflow::OpKernelConstruction* c)
      : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("offsets", &offsets_));
    OP_REQUIRES_OK(c, c->GetAttr("strides", &strides_));
    if (c->HasAttr("relu")) OP_REQUIRES_OK(c, c->GetAttr("relu", &relu_));
    OP_REQUIRES(c, offsets_.size() % 2 == 0,
                tensorflow::errors::InvalidArgument(
                    "offsets must be pairs (dy, dx); got ", offsets_.size(),
                    " numbers"));
    for (int64_t offset : offsets_) {
      OP_REQUIRES(c, -kMostReach <= offset && offset <= kMostReach,
                  tensorflow::errors::InvalidArgument(
                      "offsets must be -", kMostReach, " to ", kMostReach,
                      "; got ", offset));
    }
    OP_REQUIRES(c, strides_ >= 1 && strides_ <= kMostSide,
                tensorflow::errors::InvalidArgument(
                    "strides must be 1 to ", kMostSide, "; got ", strides_));
  }

 protected:
  tensorflow::Status CheckMap(const tensorflow::TensorShape& shape) const {
    const int64_t channels = offsets_.size() / 2;
    if (shape.dims() != 4 || shape.dim_size(3) != channels) {
      return tensorflow::errors::InvalidArgument(
          "x must be [B, H, W, ", channels,
          "], as offsets has so many pairs; got ", shape.DebugString());
    }
    for (int axis = 0; axis < 4; ++axis) {
      if (shape.dim_size(axis) > kMostSide) {
        return tensorflow::errors::InvalidArgument("no side of x may exceed ",
                                                   kMostSide, "; got ",
                                                   shape.DebugString());
      }
    }
    return tensorflow::OkStatus();
  }

  tensorflow::Status CheckKernel(const tensorflow::TensorShape& kernel) const {
    const int64_t channels = offsets_.size() / 2;
    if (kernel.dims() != 2 || kernel.dim_size(0) != channels ||
        kernel.dim_size(1) > kMostSide) {
      return tensorflow::errors::InvalidArgument(
          "kernel must be [", channels, ", filters], filters at most ",
          kMostSide, "; got ", kernel.DebugString());
    }
    return tensorflow::OkStatus();
  }

  // The shape of x that a vector of numbers gives.
  tensorflow::Status MapShape(const tensorflow::Tensor& numbers,
                              tensorflow::TensorShape* shape) const {
    if (numbers.dims() != 1) {
      return tensorflow::errors::InvalidArgument("shape must be a vector; got ",
                                                 numbers.shape().DebugString());
    }
    TF_RETURN_IF_ERROR(
        tensorflow::TensorShapeUtils::MakeShape(numbers.vec<int32_t>(), shape));
    return CheckMap(*shape);
  }

  tensorflow::Status CheckBias(const ShiftConvSizes& s,
                               const tensorflow::Tensor& bias) const {
    if (bias.dims() != 1 ||
        (bias.dim_size(0) != 0 && bias.dim_size(0) != s.filters)) {
      return tensorflow::errors::InvalidArgument("bias must be [", s.filters,
                                                 "] or [0]; got ",
                                                 bias.shape().DebugString());
    }
    return tensorflow::OkStatus();
  }

  tensorflow::Status CheckRank(const tensorflow::TensorShape& gradient) const {
    if (gradient.dims() != 4 || gradient.dim_size(3) > kMostSide) {
      return tensorflow::errors::InvalidArgument(
          "gradient needs rank 4 and at most ", kMostSide, " filters; got ",
          gradient.DebugString());
    }
    return tensorflow::OkStatus();
  }

  ShiftConvSizes Sizes(const tensorflow::TensorShape& x,
                       int64_t filters) const {
    return ShiftConvSizes(x.dim_size(0), x.dim_size(1), x.dim_size(2),
                          x.dim_size(3), filters, strides_, offsets_);
  }

  static tensorflow::Status OutputShape(const ShiftConvSizes& s,
                                        tensorflow::TensorShape* shape) {
    return tensorflow::TensorShape::BuildTensorShape(
        {s.batch, s.out_height, s.out_width, s.filters}, shape);
  }

  // That a gradient, and the output if it is needed, are as the forward pass
  // writes them.
  tensorflow::Status CheckGradient(const ShiftConvSizes& s,
                                   const tensorflow::Tensor& gradient,
                                   const tensorflow::Tensor& output) const {
    tensorflow::TensorShape expected;
    TF_RETURN_IF_ERROR(OutputShape(s, &expected));
    if (gradient.shape() != expected || (relu_ && output.shape() != expected)) {
      return tensorflow::errors::InvalidArgument(
          "gradient", relu_ ? " and output" : "", " must be ",
          expected.DebugString(), "; got ", gradient.shape().DebugString(),
          " and ", output.shape().DebugString());
    }
    return tensorflow::OkStatus();
  }

  // How many pieces the work is worth.
  static int64_t Pieces(tensorflow::OpKernelContext* c,
                        const ShiftConvSizes& s) {
    const int64_t macs =
        s.batch * s.out_height * s.out_width * s.channels * s.filters;
    return std::clamp<int64_t>(
        macs / kLeastMacs, 1,
        c->device()->tensorflow_cpu_worker_threads()->num_threads);
  }

  // Runs work(row range, column range) over a grid of `row_cuts` by
  // `column_cuts` equal ranges on TensorFlow's threads.
  static void Share(tensorflow::OpKernelContext* c, int64_t pieces,
                    int64_t row_cuts, int64_t column_cuts,
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
  static void ShareMap(tensorflow::OpKernelContext* c, const ShiftConvSizes& s,
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
  bool relu_ = false;
};

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_CONV_OP_BASE_H_
