// CPU functors of the CRF messages and of their gradients.

#include "custom_ops/kernels/crf_message.h"

#include <cmath>
#include <vector>

#include "custom_ops/kernels/crf_window.h"

namespace squeeze_tf {
namespace {

template <int kBytes, typename T>
SQUEEZE_TF_INLINE void MessageRows(const CrfKernels<T>& kernels,
                                   const CrfMaps<T>& maps, bool adjoint,
                                   int64_t image, int begin, int end) {
  const int reach = kernels.height / 2;
  const bool one_input = maps.angular_input == maps.bilateral_input;
  const int second = one_input ? 0 : 1;
  RowWindow<T, kBytes> window(kernels, maps, image, second + 1);
  const int size = window.vectors() * kernels.classes;
  Vectors<T, kBytes> angular(size), bilateral(size);
  for (int y = begin - reach; y < end + reach; ++y) {
    if (window.StartRow(y)) {
      window.ReadRow(maps.angular_input, y, 0);
      if (!one_input) window.ReadRow(maps.bilateral_input, y, 1);
    }
    const int ready = y - reach;  // every row it looks at is loaded
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    window.Messages(0, second, ready, adjoint, angular.data(),
                    bilateral.data());
    if (maps.bilateral != nullptr) {
      window.WriteRow(bilateral.data(), ready, maps.bilateral);
    } else {
      for (int i = 0; i < size; ++i) angular[i] += bilateral[i];
    }
    window.WriteRow(angular.data(), ready, maps.angular);
  }
}

}  // namespace

template <typename T>
CrfKernels<T>::CrfKernels(int height, int width,
                          const std::vector<float>& angular,
                          const std::vector<float>& bilateral,
                          const std::vector<float>& theta)
    : height(height),
      width(width),
      classes(static_cast<int>(theta.size())),
      angular(angular.begin(), angular.end()),
      bilateral(bilateral.begin(), bilateral.end()) {
  const int size = height * width;
  auto alike = [&](int one, int other) {
    for (int place = 0; place < size; ++place) {
      const int at = place * classes;
      if (angular[at + one] != angular[at + other] ||
          bilateral[at + one] != bilateral[at + other]) {
        return false;
      }
    }
    return theta[one] == theta[other];
  };
  for (int c = 0; c < classes; ++c) {
    if (c > 0 && alike(c - 1, c)) {
      ++groups.back().count;
    } else {
      groups.push_back({c, 1, T(0.5) / (T(theta[c]) * T(theta[c]))});
    }
    for (int place = 0; place < size; ++place) {
      symmetric &= bilateral[place * classes + c] ==
                   bilateral[(size - 1 - place) * classes + c];
    }
  }
}

template <typename T>
void CrfMessageRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                    bool adjoint, int64_t image, int begin, int end) {
  Dispatch([&](auto bytes) __attribute__((always_inline)) {
    MessageRows<bytes>(kernels, maps, adjoint, image, begin, end);
  });
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
        for (const auto& group : k.groups) {
          T exchanged = 0;
          for (int c = group.first; c < group.first + group.count; ++c) {
            exchanged += k.bilateral[place * k.classes + c] *
                         gradient[p * k.classes + c] *
                         probabilities[j * k.classes + c];
            exchanged += k.bilateral[(size - 1 - place) * k.classes + c] *
                         gradient[j * k.classes + c] *
                         probabilities[p * k.classes + c];
          }
          pull += std::exp(-distance * group.precision) * 2 * group.precision *
                  exchanged;
        }
        for (int f = 0; f < features; ++f) out[f] += pull * (at_j[f] - at_p[f]);
      }
    }
  }
}

template struct CrfKernels<float>;
template struct CrfKernels<double>;
template void CrfMessageRows<float>(const CrfKernels<float>&,
                                    const CrfMaps<float>&, bool, int64_t, int,
                                    int);
template void CrfMessageRows<double>(const CrfKernels<double>&,
                                     const CrfMaps<double>&, bool, int64_t, int,
                                     int);
template void CrfFeatureGradRows<float>(const CrfKernels<float>&,
                                        const CrfMaps<float>&, const float*,
                                        const float*, int64_t, int, int,
                                        float*);
template void CrfFeatureGradRows<double>(const CrfKernels<double>&,
                                         const CrfMaps<double>&, const double*,
                                         const double*, int64_t, int, int,
                                         double*);

}  // namespace squeeze_tf
