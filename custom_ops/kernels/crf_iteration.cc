// CPU functors of a whole mean-field iteration and of its gradient.

#include <vector>

#include "custom_ops/kernels/crf_message.h"
#include "custom_ops/kernels/crf_window.h"

namespace squeeze_tf {
namespace {

// Turns the scores of row `y` in the window's row 0 into probabilities.
template <int kBytes, typename T>
SQUEEZE_TF_INLINE void Softmax(RowWindow<T, kBytes>& window, int classes,
                               int columns, int y) {
  using Vector = typename RowWindow<T, kBytes>::Vector;
  Vector* cell = window.Row(y, 0);
  for (int v = 0; v < window.vectors(); ++v, cell += classes) {
    Vector largest = cell[0], sum = {};
    for (int c = 1; c < classes; ++c) {
      largest = cell[c] > largest ? cell[c] : largest;
    }
    for (int c = 0; c < classes; ++c) {
      Exp2<kBytes>(cell[c] - largest, T(M_LOG2E), &cell[c]);
      sum += cell[c];
    }
    const Vector factor = 1 / sum * window.Inside(v);
    for (int c = 0; c < classes; ++c) cell[c] *= factor;
  }
  window.FillEnds(window.Row(y, 0), classes);
}

// to_c += sum_k from_k matrix[k, c] (or matrix[c, k] if `transposed`) in every
// one of the cells [size, C].
template <typename Vector, typename T>
SQUEEZE_TF_INLINE void MultiplyAdd(const Vector* from, const T* matrix,
                                   bool transposed, int classes, int size,
                                   Vector* to) {
  for (int at = 0; at < size * classes; at += classes) {
    for (int c = 0; c < classes; ++c) {
      Vector sum = to[at + c];
      for (int k = 0; k < classes; ++k) {
        sum += from[at + k] *
               matrix[transposed ? c * classes + k : k * classes + c];
      }
      to[at + c] = sum;
    }
  }
}

template <int kBytes, typename T>
SQUEEZE_TF_INLINE void IterationRows(const CrfKernels<T>& kernels,
                                     const CrfMaps<T>& maps,
                                     const CrfMatrices<T>& matrices,
                                     int64_t image, int begin, int end) {
  const int reach = kernels.height / 2, classes = kernels.classes;
  RowWindow<T, kBytes> window(kernels, maps, image, 1);
  const int vectors = window.vectors(), size = vectors * classes;
  Vectors<T, kBytes> angular(size), bilateral(size), refined(size);
  for (int y = begin - reach; y < end + reach; ++y) {
    if (window.StartRow(y)) {
      window.ReadRow(maps.angular_input, y, 0);
      Softmax(window, classes, maps.columns, y);
    }
    const int ready = y - reach;
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    window.Messages(0, 0, ready, false, angular.data(), bilateral.data());
    const auto* q = window.Row(ready, 0);
    for (int i = 0; i < size; ++i) {
      refined[i] = matrices.add_probabilities ? q[i] : q[i] - q[i];
    }
    MultiplyAdd(angular.data(), matrices.angular, false, classes, vectors,
                refined.data());
    MultiplyAdd(bilateral.data(), matrices.bilateral, false, classes, vectors,
                refined.data());
    window.WriteRow(refined.data(), ready, maps.angular);
  }
}

// Sums of a_k g_c over the cells [size, C], added to matrix [C, C].
template <typename Vector, typename T>
SQUEEZE_TF_INLINE void OuterSum(const Vector* a, const Vector* g, int classes,
                                int size, T* matrix) {
  for (int k = 0; k < classes; ++k) {
    for (int c = 0; c < classes; ++c) {
      Vector sum = {};
      for (int at = 0; at < size * classes; at += classes) {
        sum += a[at + k] * g[at + c];
      }
      for (size_t i = 0; i < sizeof(Vector) / sizeof(T); ++i) {
        matrix[k * classes + c] += sum[i];
      }
    }
  }
}

// The gradient of the refined scores, through a matrix to the messages.
template <int kBytes, typename T>
SQUEEZE_TF_INLINE void SendBack(RowWindow<T, kBytes>& window, int y,
                                int gradient, const T* matrix, int classes,
                                int to) {
  std::fill_n(window.Row(y, to), window.vectors() * classes,
              typename RowWindow<T, kBytes>::Vector{});
  MultiplyAdd(window.Row(y, gradient), matrix, true, classes, window.vectors(),
              window.Row(y, to));
  window.FillEnds(window.Row(y, to), classes);
}

// Rows of the window: q, the gradient of the refined scores, and what flows
// back from it into the angular and into the bilateral messages.
template <int kBytes, typename T>
SQUEEZE_TF_INLINE void IterationGradRows(const CrfKernels<T>& kernels,
                                         const CrfMaps<T>& maps,
                                         const CrfMatrices<T>& matrices,
                                         int64_t image, int begin, int end,
                                         T* grad_matrices) {
  using Vector = typename RowWindow<T, kBytes>::Vector;
  constexpr int kQ = 0, kGradient = 1, kToAngular = 2, kToBilateral = 3;
  const int reach = kernels.height / 2, classes = kernels.classes;
  RowWindow<T, kBytes> window(kernels, maps, image, 4);
  const int vectors = window.vectors(), size = vectors * classes;
  Vectors<T, kBytes> angular(size), bilateral(size), grad_scores(size);
  for (int y = begin - reach; y < end + reach; ++y) {
    if (window.StartRow(y)) {
      window.ReadRow(maps.angular_input, y, kQ);
      Softmax(window, classes, maps.columns, y);
      window.ReadRow(maps.bilateral_input, y, kGradient);
      SendBack(window, y, kGradient, matrices.angular, classes, kToAngular);
      SendBack(window, y, kGradient, matrices.bilateral, classes, kToBilateral);
    }
    const int ready = y - reach;
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    const Vector* q = window.Row(ready, kQ);
    const Vector* g = window.Row(ready, kGradient);
    window.Messages(kQ, kQ, ready, false, angular.data(), bilateral.data());
    OuterSum(angular.data(), g, classes, vectors, grad_matrices);
    OuterSum(bilateral.data(), g, classes, vectors,
             grad_matrices + classes * classes);
    window.Messages(kToAngular, kToBilateral, ready, true, angular.data(),
                    bilateral.data());
    for (int at = 0; at < size; at += classes) {
      Vector projection = {};
      for (int i = at; i < at + classes; ++i) {
        grad_scores[i] = angular[i] + bilateral[i];
        if (matrices.add_probabilities) grad_scores[i] += g[i];
        projection += grad_scores[i] * q[i];
      }
      for (int i = at; i < at + classes; ++i) {  // through the softmax
        grad_scores[i] = q[i] * (grad_scores[i] - projection);
      }
    }
    window.WriteRow(grad_scores.data(), ready, maps.angular);
  }
}

}  // namespace

template <typename T>
void CrfIterationRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                      const CrfMatrices<T>& matrices, int64_t image, int begin,
                      int end) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    IterationRows<bytes>(kernels, maps, matrices, image, begin, end);
  });
}

template <typename T>
void CrfIterationGradRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                          const CrfMatrices<T>& matrices, int64_t image,
                          int begin, int end, T* grad_matrices) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    IterationGradRows<bytes>(kernels, maps, matrices, image, begin, end,
                             grad_matrices);
  });
}

template void CrfIterationRows<float>(const CrfKernels<float>&,
                                      const CrfMaps<float>&,
                                      const CrfMatrices<float>&, int64_t, int,
                                      int);
template void CrfIterationRows<double>(const CrfKernels<double>&,
                                       const CrfMaps<double>&,
                                       const CrfMatrices<double>&, int64_t, int,
                                       int);
template void CrfIterationGradRows<float>(const CrfKernels<float>&,
                                          const CrfMaps<float>&,
                                          const CrfMatrices<float>&, int64_t,
                                          int, int, float*);
template void CrfIterationGradRows<double>(const CrfKernels<double>&,
                                           const CrfMaps<double>&,
                                           const CrfMatrices<double>&, int64_t,
                                           int, int, double*);

}  // namespace squeeze_tf
