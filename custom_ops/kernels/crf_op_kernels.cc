// TensorFlow kernels of the CRF: checks, buffers and work sharing.

#include <algorithm>
#include <functional>
#include <vector>

#include "custom_ops/kernels/crf_message.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"
#include "tensorflow/core/util/work_sharder.h"

namespace squeeze_tf {
namespace {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::errors::InvalidArgument;

// Rows of a block, so that the window's halo is a small share of the work.
constexpr int kBlockRows = 16;

template <typename T>
class CrfKernelBase : public tensorflow::OpKernel {
 public:
  explicit CrfKernelBase(OpKernelConstruction* c) : OpKernel(c) {
    std::vector<int> size;
    std::vector<float> angular, bilateral, theta;
    OP_REQUIRES_OK(c, c->GetAttr("size", &size));
    OP_REQUIRES_OK(c, c->GetAttr("angular_kernel", &angular));
    OP_REQUIRES_OK(c, c->GetAttr("bilateral_kernel", &bilateral));
    OP_REQUIRES_OK(c, c->GetAttr("theta", &theta));
    OP_REQUIRES(c,
                size.size() == 2 && size[0] > 0 && size[1] > 0 &&
                    size[0] % 2 == 1 && size[1] % 2 == 1,
                InvalidArgument("size must be two odd positive numbers"));
    const size_t expected =
        static_cast<size_t>(size[0]) * size[1] * theta.size();
    OP_REQUIRES(c, angular.size() == expected && bilateral.size() == expected,
                InvalidArgument("kernels must hold size[0] * size[1] * ",
                                theta.size(), " values; got ", angular.size(),
                                " and ", bilateral.size()));
    for (float value : theta) {
      OP_REQUIRES(c, value > 0, InvalidArgument("theta must be positive"));
    }
    kernels_ = CrfKernels<T>(size[0], size[1], angular, bilateral, theta);
  }

 protected:
  // Fills the shape of `maps`; false (with the context's status) on bad input.
  bool Check(OpKernelContext* c, const Tensor& input, const Tensor& features,
             const Tensor& mask, CrfMaps<T>* maps) {
    auto fail = [c](const std::string& what) {
      c->CtxFailure(InvalidArgument(what));
      return false;
    };
    if (input.dims() != 4 || features.dims() != 4 || mask.dims() != 3) {
      return fail("probabilities and features need rank 4 and mask rank 3");
    }
    for (int axis = 0; axis < 3; ++axis) {
      if (input.dim_size(axis) != features.dim_size(axis) ||
          input.dim_size(axis) != mask.dim_size(axis)) {
        return fail("batch, height and width of all inputs must agree");
      }
    }
    if (input.dim_size(3) != kernels_.classes) {
      return fail("the kernels are for " + std::to_string(kernels_.classes) +
                  " classes; got " + std::to_string(input.dim_size(3)));
    }
    maps->rows = static_cast<int>(input.dim_size(1));
    maps->columns = static_cast<int>(input.dim_size(2));
    maps->num_features = static_cast<int>(features.dim_size(3));
    maps->features = features.flat<T>().data();
    maps->mask = mask.flat<bool>().data();
    return true;
  }

  // Runs work(image, begin, end) over blocks of rows on TensorFlow's threads.
  void ForBlocks(OpKernelContext* c, int64_t batch, const CrfMaps<T>& maps,
                 const std::function<void(int64_t, int, int)>& work) {
    const int64_t blocks = (maps.rows + kBlockRows - 1) / kBlockRows;
    const int64_t cycles = static_cast<int64_t>(kBlockRows) * maps.columns *
                           kernels_.classes * kernels_.height * kernels_.width;
    auto threads = c->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(
        threads->num_threads, threads->workers, batch * blocks, cycles,
        [&](int64_t first, int64_t last) {
          while (first < last) {  // consecutive blocks of an image as one
            const int64_t image = first / blocks;
            const int64_t stop = std::min(last, (image + 1) * blocks);
            const int begin = (first - image * blocks) * kBlockRows;
            const int end = std::min<int64_t>(
                maps.rows, (stop - image * blocks) * kBlockRows);
            work(image, begin, end);
            first = stop;
          }
        });
  }

  CrfKernels<T> kernels_;
};

template <typename T>
class CrfMessageKernel : public CrfKernelBase<T> {
 public:
  using CrfKernelBase<T>::CrfKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor& input = c->input(0);
    CrfMaps<T> maps;
    if (!this->Check(c, input, c->input(1), c->input(2), &maps)) return;
    Tensor *angular, *bilateral;
    OP_REQUIRES_OK(c, c->allocate_output(0, input.shape(), &angular));
    OP_REQUIRES_OK(c, c->allocate_output(1, input.shape(), &bilateral));
    maps.angular_input = maps.bilateral_input = input.flat<T>().data();
    maps.angular = angular->flat<T>().data();
    maps.bilateral = bilateral->flat<T>().data();
    this->ForBlocks(
        c, input.dim_size(0), maps, [&](int64_t image, int begin, int end) {
          CrfMessageRows<T>(this->kernels_, maps, false, image, begin, end);
        });
  }
};

template <typename T>
class CrfMessageGradKernel : public CrfKernelBase<T> {
 public:
  using CrfKernelBase<T>::CrfKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor& input = c->input(0);
    CrfMaps<T> maps;
    if (!this->Check(c, input, c->input(2), c->input(3), &maps)) return;
    OP_REQUIRES(c, c->input(1).shape() == input.shape(),
                InvalidArgument("both gradients must have one shape"));
    Tensor* output;
    OP_REQUIRES_OK(c, c->allocate_output(0, input.shape(), &output));
    maps.angular_input = input.flat<T>().data();
    maps.bilateral_input = c->input(1).flat<T>().data();
    maps.angular = output->flat<T>().data();
    this->ForBlocks(
        c, input.dim_size(0), maps, [&](int64_t image, int begin, int end) {
          CrfMessageRows<T>(this->kernels_, maps, true, image, begin, end);
        });
  }
};

template <typename T>
class CrfMessageFeatureGradKernel : public CrfKernelBase<T> {
 public:
  using CrfKernelBase<T>::CrfKernelBase;

  void Compute(OpKernelContext* c) override {
    const Tensor& input = c->input(0);
    CrfMaps<T> maps;
    if (!this->Check(c, input, c->input(2), c->input(3), &maps)) return;
    OP_REQUIRES(c, c->input(1).shape() == input.shape(),
                InvalidArgument("gradient and probabilities must agree"));
    Tensor* output;
    OP_REQUIRES_OK(c, c->allocate_output(0, c->input(2).shape(), &output));
    const T* probabilities = input.flat<T>().data();
    const T* gradient = c->input(1).flat<T>().data();
    T* to = output->flat<T>().data();
    this->ForBlocks(c, input.dim_size(0), maps,
                    [&](int64_t image, int begin, int end) {
                      CrfFeatureGradRows<T>(this->kernels_, maps, probabilities,
                                            gradient, image, begin, end, to);
                    });
  }
};

template <typename T>
class CrfIterationBase : public CrfKernelBase<T> {
 public:
  explicit CrfIterationBase(OpKernelConstruction* c) : CrfKernelBase<T>(c) {
    OP_REQUIRES_OK(c, c->GetAttr("add_probabilities", &add_probabilities_));
  }

 protected:
  // Matrices from inputs `first` and `first + 1`; false on bad shapes.
  bool Matrices(OpKernelContext* c, int first, CrfMatrices<T>* matrices) {
    const tensorflow::TensorShape square(
        {this->kernels_.classes, this->kernels_.classes});
    if (c->input(first).shape() != square ||
        c->input(first + 1).shape() != square) {
      c->CtxFailure(InvalidArgument("matrices must be [classes, classes]"));
      return false;
    }
    matrices->angular = c->input(first).flat<T>().data();
    matrices->bilateral = c->input(first + 1).flat<T>().data();
    matrices->add_probabilities = add_probabilities_;
    return true;
  }

 private:
  bool add_probabilities_ = true;
};

template <typename T>
class CrfIterationKernel : public CrfIterationBase<T> {
 public:
  using CrfIterationBase<T>::CrfIterationBase;

  void Compute(OpKernelContext* c) override {
    const Tensor& input = c->input(0);
    CrfMaps<T> maps;
    CrfMatrices<T> matrices;
    if (!this->Check(c, input, c->input(1), c->input(2), &maps)) return;
    if (!this->Matrices(c, 3, &matrices)) return;
    Tensor* output;
    OP_REQUIRES_OK(c, c->allocate_output(0, input.shape(), &output));
    maps.angular_input = input.flat<T>().data();
    maps.angular = output->flat<T>().data();
    this->ForBlocks(c, input.dim_size(0), maps,
                    [&](int64_t image, int begin, int end) {
                      CrfIterationRows<T>(this->kernels_, maps, matrices, image,
                                          begin, end);
                    });
  }
};

template <typename T>
class CrfIterationGradKernel : public CrfIterationBase<T> {
 public:
  using CrfIterationBase<T>::CrfIterationBase;

  void Compute(OpKernelContext* c) override {
    const Tensor& input = c->input(0);
    CrfMaps<T> maps;
    CrfMatrices<T> matrices;
    if (!this->Check(c, input, c->input(2), c->input(3), &maps)) return;
    if (!this->Matrices(c, 4, &matrices)) return;
    OP_REQUIRES(c, c->input(1).shape() == input.shape(),
                InvalidArgument("gradient and scores must have one shape"));
    Tensor *output, *grad_angular, *grad_bilateral;
    OP_REQUIRES_OK(c, c->allocate_output(0, input.shape(), &output));
    const auto square = c->input(4).shape();
    OP_REQUIRES_OK(c, c->allocate_output(1, square, &grad_angular));
    OP_REQUIRES_OK(c, c->allocate_output(2, square, &grad_bilateral));
    maps.angular_input = input.flat<T>().data();
    maps.bilateral_input = c->input(1).flat<T>().data();
    maps.angular = output->flat<T>().data();
    // A part for each block, added up in order: the same for any thread count.
    const int64_t size = square.num_elements();
    const int64_t blocks = (maps.rows + kBlockRows - 1) / kBlockRows;
    std::vector<T> parts(input.dim_size(0) * blocks * 2 * size, T(0));
    this->ForBlocks(
        c, input.dim_size(0), maps, [&](int64_t image, int begin, int end) {
          for (int first = begin; first < end; first += kBlockRows) {
            const int64_t block = image * blocks + first / kBlockRows;
            CrfIterationGradRows<T>(this->kernels_, maps, matrices, image,
                                    first, std::min(first + kBlockRows, end),
                                    &parts[block * 2 * size]);
          }
        });
    T* angular = grad_angular->flat<T>().data();
    T* bilateral = grad_bilateral->flat<T>().data();
    std::fill_n(angular, size, T(0));
    std::fill_n(bilateral, size, T(0));
    for (size_t part = 0; part < parts.size(); part += 2 * size) {
      for (int64_t i = 0; i < size; ++i) {
        angular[i] += parts[part + i];
        bilateral[i] += parts[part + size + i];
      }
    }
  }
};

#define REGISTER(T)                                               \
  REGISTER_KERNEL_BUILDER(Name("SqueezeTf>CrfMessage")            \
                              .Device(tensorflow::DEVICE_CPU)     \
                              .TypeConstraint<T>("T"),            \
                          CrfMessageKernel<T>);                   \
  REGISTER_KERNEL_BUILDER(Name("SqueezeTf>CrfMessageGrad")        \
                              .Device(tensorflow::DEVICE_CPU)     \
                              .TypeConstraint<T>("T"),            \
                          CrfMessageGradKernel<T>);               \
  REGISTER_KERNEL_BUILDER(Name("SqueezeTf>CrfMessageFeatureGrad") \
                              .Device(tensorflow::DEVICE_CPU)     \
                              .TypeConstraint<T>("T"),            \
                          CrfMessageFeatureGradKernel<T>);        \
  REGISTER_KERNEL_BUILDER(Name("SqueezeTf>CrfIteration")          \
                              .Device(tensorflow::DEVICE_CPU)     \
                              .TypeConstraint<T>("T"),            \
                          CrfIterationKernel<T>);                 \
  REGISTER_KERNEL_BUILDER(Name("SqueezeTf>CrfIterationGrad")      \
                              .Device(tensorflow::DEVICE_CPU)     \
                              .TypeConstraint<T>("T"),            \
                          CrfIterationGradKernel<T>)
REGISTER(float);
REGISTER(double);
#undef REGISTER

}  // namespace
}  // namespace squeeze_tf
