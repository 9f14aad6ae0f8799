// CPU functors of the CRF messages and of their gradients.

#include "custom_ops/kernels/crf_message.h"

#include <cmath>
#include <vector>

#include "custom_ops/kernels/crf_window.h"

namespace squeeze_tf {
namespace {

template <typename T>
SQUEEZE_TF_INLINE void MessageRows(const CrfKernels<T>& kernels,
                                   const CrfMaps<T>& maps, int64_t image,
                                   int begin, int end) {
  crf_internal::RowWindow<T> window(kernels, maps, image);
  const int reach = kernels.height / 2, classes = kernels.classes;
  const int padded = window.padded();
  std::vector<T> angular(static_cast<size_t>(classes) * padded);
  std::vector<T> bilateral(angular.size());
  for (int y = begin - reach; y < end + reach; ++y) {
    window.StartRow(y);
    if (window.Exists(y)) {
      window.SplitRow(maps.angular_input, classes, y, 0);
      window.SplitRow(maps.bilateral_input, classes, y, classes);
      window.MaskPlanes(y, classes, classes);
    }
    const int ready = y - reach;  // every row it looks at is loaded
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    window.Messages(kernels, 0, ready, angular.data(), bilateral.data());
    T* to = maps.angular + window.First(ready) * classes;
    if (maps.bilateral == nullptr) {
      for (size_t i = 0; i < angular.size(); ++i) angular[i] += bilateral[i];
    }
    crf_internal::Join(angular.data(), classes, padded, maps.columns, to);
    if (maps.bilateral != nullptr) {
      to = maps.bilateral + window.First(ready) * classes;
      crf_internal::Join(bilateral.data(), classes, padded, maps.columns, to);
    }
  }
}

}  // namespace

template <typename T>
CrfKernels<T> CrfKernels<T>::Flipped() const {
  CrfKernels<T> flipped = *this;
  const int size = height * width;
  for (int place = 0; place < size; ++place) {
    for (int c = 0; c < classes; ++c) {
      const int to = (size - 1 - place) * classes + c;
      flipped.angular[to] = angular[place * classes + c];
      flipped.bilateral[to] = bilateral[place * classes + c];
    }
  }
  return flipped;
}

template <>
SQUEEZE_TF_CLONES void CrfMessageRows<float>(const CrfKernels<float>& kernels,
                                             const CrfMaps<float>& maps,
                                             int64_t image, int begin,
                                             int end) {
  MessageRows(kernels, maps, image, begin, end);
}

template <>
void CrfMessageRows<double>(const CrfKernels<double>& kernels,
                            const CrfMaps<double>& maps, int64_t image,
                            int begin, int end) {
  MessageRows(kernels, maps, image, begin, end);
}

template <typename T>
void CrfFeatureGradRows(const CrfKernels<T>& k, const CrfMaps<T>& maps,
                        const T* probabilities, const T* gradient,
                        int64_t image, int begin, int end, T* output) {
  const int size = k.height * k.width, features = maps.num_features;
  for (int y = begin; y < end; ++y) {
    for (int x = 0; x < maps.columns; ++x) {
      const int64_t p = (image * maps.rows + y) * maps.columns + x;
      T* out = output + p * features;
      std::fill_n(out, features, T(0));
      if (!maps.mask[p]) continue;
      for (int place = 0; place < size; ++place) {
        const int dy = place / k.width - k.height / 2;
        const int dx = place % k.width - k.width / 2;
        if (y + dy < 0 || y + dy >= maps.rows || x + dx < 0 ||
            x + dx >= maps.columns) {
          continue;
        }
        const int64_t j = p + static_cast<int64_t>(dy) * maps.columns + dx;
        if (!maps.mask[j]) continue;
        const T* at_p = maps.features + p * features;
        const T* at_j = maps.features + j * features;
        T distance = 0;
        for (int f = 0; f < features; ++f) {
          distance += (at_p[f] - at_j[f]) * (at_p[f] - at_j[f]);
        }
        T pull = 0;
        for (int c = 0; c < k.classes; ++c) {
          const T precision = k.distinct_precision[k.group[c]];
          const T sent = k.bilateral[place * k.classes + c] *
                         gradient[p * k.classes + c] *
                         probabilities[j * k.classes + c];
          const T received = k.bilateral[(size - 1 - place) * k.classes + c] *
                             gradient[j * k.classes + c] *
                             probabilities[p * k.classes + c];
          pull += std::exp(-distance * precision) * 2 * precision *
                  (sent + received);
        }
        for (int f = 0; f < features; ++f) out[f] += pull * (at_j[f] - at_p[f]);
      }
    }
  }
}

template struct CrfKernels<float>;
template struct CrfKernels<double>;
template void CrfFeatureGradRows<float>(const CrfKernels<float>&,
                                        const CrfMaps<float>&, const float*,
                                        const float*, int64_t, int, int,
                                        float*);
template void CrfFeatureGradRows<double>(const CrfKernels<double>&,
                                         const CrfMaps<double>&, const double*,
                                         const double*, int64_t, int, int,
                                         double*);

}  // namespace squeeze_tf
