// CPU functors of a whole mean-field iteration and of its gradient.

#include <vector>

#include "custom_ops/kernels/crf_message.h"
#include "custom_ops/kernels/crf_window.h"

namespace squeeze_tf {
namespace {

using crf_internal::Exp;
using crf_internal::Join;
using crf_internal::Lanes;
using crf_internal::Load;
using crf_internal::RowWindow;
using crf_internal::Store;

// Turns the C score planes of row `y` into probabilities, in place.
template <typename T>
SQUEEZE_TF_INLINE void Softmax(RowWindow<T>& window, int classes, int columns,
                               int y) {
  using Vector = typename Lanes<T>::Vector;
  T* planes = window.Plane(y, 0);
  const int stride = window.stride();
  for (int x = 0; x < columns; x += Lanes<T>::kCount) {
    Vector largest = Load(planes + x), sum = {};
    for (int c = 1; c < classes; ++c) {
      const Vector score = Load(planes + c * stride + x);
      largest = score > largest ? score : largest;
    }
    for (int c = 0; c < classes; ++c) {
      const Vector e = Exp(Load(planes + c * stride + x) - largest);
      Store(planes + c * stride + x, e);
      sum += e;
    }
    for (int c = 0; c < classes; ++c) {
      Store(planes + c * stride + x, Load(planes + c * stride + x) / sum);
    }
  }
  for (int c = 0; c < classes; ++c) {  // outside the map nothing is sent
    std::fill(planes + c * stride + columns,
              planes + c * stride + window.padded(), T(0));
  }
}

// to_c += sum_k from_k matrix[k, c] (or matrix[c, k] if `transposed`), over
// planes of the given strides.
template <typename T>
SQUEEZE_TF_INLINE void MultiplyAdd(const T* from, int from_stride,
                                   const T* matrix, bool transposed,
                                   int classes, int padded, T* to,
                                   int to_stride) {
  for (int c = 0; c < classes; ++c) {
    T* __restrict out = to + c * to_stride;
    for (int k = 0; k < classes; ++k) {
      const T* __restrict in = from + k * from_stride;
      const T factor = matrix[transposed ? c * classes + k : k * classes + c];
      for (int x = 0; x < padded; ++x) out[x] += factor * in[x];
    }
  }
}

template <typename T>
SQUEEZE_TF_INLINE void IterationRows(const CrfKernels<T>& kernels,
                                     const CrfMaps<T>& maps,
                                     const CrfMatrices<T>& matrices,
                                     int64_t image, int begin, int end) {
  RowWindow<T> window(kernels, maps, image);
  const int reach = kernels.height / 2, classes = kernels.classes;
  const int padded = window.padded();
  std::vector<T> angular(static_cast<size_t>(classes) * padded);
  std::vector<T> bilateral(angular.size()), refined(angular.size());
  for (int y = begin - reach; y < end + reach; ++y) {
    window.StartRow(y);
    if (window.Exists(y)) {
      window.SplitRow(maps.angular_input, classes, y, 0);
      Softmax(window, classes, maps.columns, y);
      window.MaskPlanes(y, 0, classes);
    }
    const int ready = y - reach;
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    window.Messages(kernels, 0, ready, angular.data(), bilateral.data());
    std::fill(refined.begin(), refined.end(), T(0));
    for (int c = 0; c < classes && matrices.add_probabilities; ++c) {
      std::copy_n(window.Plane(ready, c), padded, &refined[c * padded]);
    }
    MultiplyAdd(angular.data(), padded, matrices.angular, false, classes,
                padded, refined.data(), padded);
    MultiplyAdd(bilateral.data(), padded, matrices.bilateral, false, classes,
                padded, refined.data(), padded);
    Join(refined.data(), classes, padded, maps.columns,
         maps.angular + window.First(ready) * classes);
  }
}

// Sums of a_k g_c over the columns, added to matrix [C, C].
template <typename T>
SQUEEZE_TF_INLINE void OuterSum(const T* a, int a_stride, const T* g,
                                int g_stride, int classes, int padded,
                                T* matrix) {
  using Vector = typename Lanes<T>::Vector;
  for (int k = 0; k < classes; ++k) {
    for (int c = 0; c < classes; ++c) {
      Vector sum = {};
      for (int x = 0; x < padded; x += Lanes<T>::kCount) {
        sum += Load(a + k * a_stride + x) * Load(g + c * g_stride + x);
      }
      for (int i = 0; i < Lanes<T>::kCount; ++i) {
        matrix[k * classes + c] += sum[i];
      }
    }
  }
}

// Set 0 of the window holds q, set 1 what flows back into the messages, and
// the extra planes the gradient of the refined scores.
template <typename T>
SQUEEZE_TF_INLINE void IterationGradRows(const CrfKernels<T>& kernels,
                                         const CrfMaps<T>& maps,
                                         const CrfMatrices<T>& matrices,
                                         int64_t image, int begin, int end,
                                         T* grad_matrices) {
  using Vector = typename Lanes<T>::Vector;
  const int reach = kernels.height / 2, classes = kernels.classes;
  RowWindow<T> window(kernels, maps, image, 2, classes);
  const CrfKernels<T> flipped = kernels.Flipped();
  const int padded = window.padded(), stride = window.stride();
  const int back = 2 * classes, gradient = 4 * classes;
  std::vector<T> angular(static_cast<size_t>(classes) * padded);
  std::vector<T> bilateral(angular.size()), grad_q(angular.size());
  for (int y = begin - reach; y < end + reach; ++y) {
    window.StartRow(y);
    if (window.Exists(y)) {
      window.SplitRow(maps.angular_input, classes, y, 0);
      Softmax(window, classes, maps.columns, y);
      window.MaskPlanes(y, 0, classes);
      window.SplitRow(maps.bilateral_input, classes, y, gradient);
      const T* g = window.Plane(y, gradient);
      MultiplyAdd(g, stride, matrices.angular, true, classes, padded,
                  window.Plane(y, back), stride);
      MultiplyAdd(g, stride, matrices.bilateral, true, classes, padded,
                  window.Plane(y, back + classes), stride);
      window.MaskPlanes(y, back + classes, back + classes);
    }
    const int ready = y - reach;
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    const T* q = window.Plane(ready, 0);
    const T* g = window.Plane(ready, gradient);
    window.Messages(kernels, 0, ready, angular.data(), bilateral.data());
    OuterSum(angular.data(), padded, g, stride, classes, padded, grad_matrices);
    OuterSum(bilateral.data(), padded, g, stride, classes, padded,
             grad_matrices + classes * classes);
    window.Messages(flipped, 1, ready, angular.data(), bilateral.data());
    for (int x = 0; x < padded; x += Lanes<T>::kCount) {
      Vector projection = {};
      for (int c = 0; c < classes; ++c) {
        const int at = c * padded + x;
        Vector value = Load(&angular[at]) + Load(&bilateral[at]);
        if (matrices.add_probabilities) value += Load(g + c * stride + x);
        Store(&grad_q[at], value);
        projection += value * Load(q + c * stride + x);
      }
      for (int c = 0; c < classes; ++c) {  // through the softmax
        const int at = c * padded + x;
        Store(&grad_q[at],
              Load(q + c * stride + x) * (Load(&grad_q[at]) - projection));
      }
    }
    Join(grad_q.data(), classes, padded, maps.columns,
         maps.angular + window.First(ready) * classes);
  }
}

}  // namespace

template <>
SQUEEZE_TF_CLONES void CrfIterationRows<float>(
    const CrfKernels<float>& kernels, const CrfMaps<float>& maps,
    const CrfMatrices<float>& matrices, int64_t image, int begin, int end) {
  IterationRows(kernels, maps, matrices, image, begin, end);
}

template <>
void CrfIterationRows<double>(const CrfKernels<double>& kernels,
                              const CrfMaps<double>& maps,
                              const CrfMatrices<double>& matrices,
                              int64_t image, int begin, int end) {
  IterationRows(kernels, maps, matrices, image, begin, end);
}

template <>
SQUEEZE_TF_CLONES void CrfIterationGradRows<float>(
    const CrfKernels<float>& kernels, const CrfMaps<float>& maps,
    const CrfMatrices<float>& matrices, int64_t image, int begin, int end,
    float* grad_matrices) {
  IterationGradRows(kernels, maps, matrices, image, begin, end, grad_matrices);
}

template <>
void CrfIterationGradRows<double>(const CrfKernels<double>& kernels,
                                  const CrfMaps<double>& maps,
                                  const CrfMatrices<double>& matrices,
                                  int64_t image, int begin, int end,
                                  double* grad_matrices) {
  IterationGradRows(kernels, maps, matrices, image, begin, end, grad_matrices);
}

}  // namespace squeeze_tf
