// CPU functors of the CRF messages: planar rows, symmetric weights, vectors.

#include "custom_ops/kernels/crf_message.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// One source, three instruction sets; the loader picks one at run time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SQUEEZE_TF_CLONES        \
  __attribute__((                \
      target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SQUEEZE_TF_CLONES
#endif
#define SQUEEZE_TF_INLINE inline __attribute__((always_inline))

namespace squeeze_tf {
namespace {

// 64 bytes of lanes; the compiler splits them where registers are narrower.
template <typename T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(64)));
  static constexpr int kCount = 64 / sizeof(T);
};

template <typename T>
SQUEEZE_TF_INLINE typename Lanes<T>::Vector Load(const T* from) {
  typename Lanes<T>::Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
SQUEEZE_TF_INLINE void Store(T* to, const typename Lanes<T>::Vector& value) {
  std::memcpy(to, &value, sizeof(value));
}

// exp(x) for x <= 0 to about 2 ulp: 2^n times a degree-6 Taylor polynomial of
// the remainder, |remainder| <= ln(2)/2 (relative truncation below 2e-8).
SQUEEZE_TF_INLINE Lanes<float>::Vector Exp(Lanes<float>::Vector x) {
  typedef int32_t Integers __attribute__((vector_size(64)));
  const Lanes<float>::Vector floor_value = x * 0 - 87.0f;  // exp underflows
  x = x < floor_value ? floor_value : x;
  const Integers n =
      __builtin_convertvector(x * 1.44269504f - 0.5f, Integers);
  const Lanes<float>::Vector whole =
      __builtin_convertvector(n, Lanes<float>::Vector);
  const Lanes<float>::Vector r =  // x - n ln(2), ln(2) in two parts
      (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Lanes<float>::Vector p = r * (1.0f / 720) + (1.0f / 120);
  p = p * r + (1.0f / 24);
  p = p * r + (1.0f / 6);
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Integers exponent = (n + 127) << 23;
  Lanes<float>::Vector scale;
  std::memcpy(&scale, &exponent, sizeof(scale));
  return p * scale;
}

SQUEEZE_TF_INLINE Lanes<double>::Vector Exp(Lanes<double>::Vector x) {
  for (int i = 0; i < Lanes<double>::kCount; ++i) x[i] = std::exp(x[i]);
  return x;
}

// Planar copies of the rows around the one being written, and the weights of
// each row towards its "forward" neighbours (below, or right in the same row).
// The other half follows by symmetry: w_ij = w_ji.
template <typename T>
class RowWindow {
 public:
  SQUEEZE_TF_INLINE RowWindow(const CrfKernels<T>& kernels,
                              const CrfMaps<T>& maps, int64_t image)
      : k_(kernels), m_(maps), image_(image) {
    constexpr int kStep = 2 * Lanes<T>::kCount;
    padded_ = (maps.columns + kStep - 1) / kStep * kStep;
    pad_ = std::max(kernels.width / 2, 1);
    stride_ = padded_ + 2 * pad_;
    half_ = (kernels.height * kernels.width) / 2;
    planes_ = 2 * kernels.classes + maps.num_features;
    groups_ = static_cast<int>(kernels.distinct_precision.size());
    rows_.assign(static_cast<size_t>(kernels.height) * planes_ * stride_, T(0));
    weights_.assign(
        static_cast<size_t>(kernels.height) * half_ * groups_ * stride_, T(0));
    ones_.assign(stride_, T(1));
    precision_ = kernels.distinct_precision.data();
  }

  int padded() const { return padded_; }

  // Plane `index` of image row `y`, at column 0.
  SQUEEZE_TF_INLINE T* Plane(int y, int index) {
    return rows_.data() +
           (static_cast<size_t>(Slot(y)) * planes_ + index) * stride_ + pad_;
  }

  // Weights of row `y` to its forward neighbour `offset`, at column 0.
  SQUEEZE_TF_INLINE T* Weights(int y, int offset, int group) {
    const size_t index =
        (static_cast<size_t>(Slot(y)) * half_ + offset) * groups_ + group;
    return weights_.data() + index * stride_ + pad_;
  }

  // Copies image row `y` into its slot; rows outside become zeros.
  SQUEEZE_TF_INLINE void LoadRow(int y) {
    const int classes = k_.classes, num_features = m_.num_features;
    std::fill_n(Plane(y, 0) - pad_, static_cast<size_t>(planes_) * stride_,
                T(0));
    if (y < 0 || y >= m_.rows) return;
    const int64_t first = (image_ * m_.rows + y) * m_.columns;
    Split(m_.angular_input + first * classes, classes, y, 0);
    Split(m_.bilateral_input + first * classes, classes, y, classes);
    Split(m_.features + first * num_features, num_features, y, 2 * classes);
    const bool* mask = m_.mask + first;
    for (int c = 0; c < classes; ++c) {
      T* plane = Plane(y, classes + c);
      for (int x = 0; x < m_.columns; ++x) plane[x] = mask[x] ? plane[x] : T(0);
    }
  }

  // Weights of row `y` to the neighbours after it in reading order.
  SQUEEZE_TF_INLINE void ComputeWeights(int y) {
    using Vector = typename Lanes<T>::Vector;
    const int num_features = m_.num_features, groups = groups_;
    const int padded = padded_, stride = stride_;
    const T* here = Plane(y, 2 * k_.classes);
    for (int offset = 0; offset < half_; ++offset) {
      const int place = half_ + 1 + offset;
      const int dy = place / k_.width - k_.height / 2;
      const int dx = place % k_.width - k_.width / 2;
      const T* there = Plane(y + dy, 2 * k_.classes) + dx;
      T* to = Weights(y, offset, 0);
      for (int x = 0; x < padded; x += Lanes<T>::kCount) {
        Vector distance = {};
        for (int f = 0; f < num_features; ++f) {
          const Vector difference =
              Load(here + f * stride + x) - Load(there + f * stride + x);
          distance += difference * difference;
        }
        for (int g = 0; g < groups; ++g) {
          Store(to + g * stride + x, Exp(-distance * precision_[g]));
        }
      }
    }
  }

  // Writes the messages of `N` classes from `first` on in row `y`.
  template <int N>
  SQUEEZE_TF_INLINE void Accumulate(int y, int first, T* angular,
                                    T* bilateral) {
    using Vector = typename Lanes<T>::Vector;
    terms_.clear();
    for (int place = 0; place < k_.height * k_.width; ++place) {
      if (IsZero(place, first, N)) continue;
      const int dy = place / k_.width - k_.height / 2;
      const int dx = place % k_.width - k_.width / 2;
      for (int n = 0; n < N; ++n) {
        const int c = first + n, group = k_.group[c];
        const T* weights = ones_.data();  // a cell's weight to itself is 1
        if (place < half_) {
          weights = Weights(y + dy, half_ - 1 - place, group) + dx;
        } else if (place > half_) {
          weights = Weights(y, place - half_ - 1, group);
        }
        terms_.push_back({Plane(y + dy, c) + dx,
                          Plane(y + dy, k_.classes + c) + dx, weights,
                          k_.angular[place * k_.classes + c],
                          k_.bilateral[place * k_.classes + c]});
      }
    }
    const Term* const start = terms_.data();
    const Term* const stop = start + terms_.size();
    const int padded = padded_, step = Lanes<T>::kCount;
    for (int x = 0; x < padded; x += 2 * step) {
      Vector a[N] = {}, b[N] = {}, next_a[N] = {}, next_b[N] = {};
      for (const Term* term = start; term < stop; term += N) {
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
          const Term t = term[n];
          a[n] += t.angular_kernel * Load(t.angular_input + x);
          next_a[n] += t.angular_kernel * Load(t.angular_input + x + step);
          b[n] += t.bilateral_kernel * Load(t.weights + x) *
                  Load(t.bilateral_input + x);
          next_b[n] += t.bilateral_kernel * Load(t.weights + x + step) *
                       Load(t.bilateral_input + x + step);
        }
      }
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) {
        Store(angular + n * padded + x, a[n]);
        Store(angular + n * padded + x + step, next_a[n]);
        Store(bilateral + n * padded + x, b[n]);
        Store(bilateral + n * padded + x + step, next_b[n]);
      }
    }
  }

 private:
  // What one neighbour adds to one class, as pointers to column 0.
  struct Term {
    const T *angular_input, *bilateral_input, *weights;
    T angular_kernel, bilateral_kernel;
  };

  SQUEEZE_TF_INLINE int Slot(int y) const {
    return (y + k_.height) % k_.height;
  }

  // True where the place adds nothing to `count` classes, as the centre does.
  SQUEEZE_TF_INLINE bool IsZero(int place, int first, int count) const {
    const int at = place * k_.classes + first;
    for (int n = 0; n < count; ++n) {
      if (k_.angular[at + n] != 0 || k_.bilateral[at + n] != 0) return false;
    }
    return true;
  }

  SQUEEZE_TF_INLINE void Split(const T* from, int channels, int y, int plane) {
    T* to = Plane(y, plane);
    if (channels == 4) return SplitChannels<4>(from, to);  // constant strides
    if (channels == 3) return SplitChannels<3>(from, to);  // become shuffles
    for (int c = 0; c < channels; ++c) {
      for (int x = 0; x < m_.columns; ++x) {
        to[c * stride_ + x] = from[x * channels + c];
      }
    }
  }

  template <int N>
  SQUEEZE_TF_INLINE void SplitChannels(const T* __restrict from,
                                       T* __restrict to) {
    const int columns = m_.columns, stride = stride_;
    for (int x = 0; x < columns; ++x) {
      for (int c = 0; c < N; ++c) to[c * stride + x] = from[x * N + c];
    }
  }

  const CrfKernels<T>& k_;
  const CrfMaps<T>& m_;
  const T* precision_;
  int64_t image_;
  int padded_, pad_, stride_, half_, planes_, groups_;
  std::vector<T> rows_, weights_, ones_;
  std::vector<Term> terms_;
};

// Planes [channels, stride] to interleaved pixels [columns, channels].
template <typename T>
SQUEEZE_TF_INLINE void Join(const T* __restrict from, int channels, int stride,
                            int columns, T* __restrict to) {
  if (channels == 4) {
    for (int x = 0; x < columns; ++x) {
      for (int c = 0; c < 4; ++c) to[x * 4 + c] = from[c * stride + x];
    }
    return;
  }
  for (int c = 0; c < channels; ++c) {
    for (int x = 0; x < columns; ++x) to[x * channels + c] = from[c * stride + x];
  }
}

template <typename T>
SQUEEZE_TF_INLINE void MessageRows(const CrfKernels<T>& kernels,
                                   const CrfMaps<T>& maps, int64_t image,
                                   int begin, int end) {
  RowWindow<T> window(kernels, maps, image);
  const int reach = kernels.height / 2, classes = kernels.classes;
  const int padded = window.padded();
  std::vector<T> angular(static_cast<size_t>(classes) * padded);
  std::vector<T> bilateral(angular.size());
  for (int y = begin - reach; y < end + reach; ++y) {
    window.LoadRow(y);
    const int ready = y - reach;  // every row it looks at is loaded
    if (ready >= begin - reach && ready >= 0) window.ComputeWeights(ready);
    if (ready < begin) continue;
    int c = 0;
    for (; c + 4 <= classes; c += 4) {
      window.template Accumulate<4>(ready, c, &angular[c * padded],
                                    &bilateral[c * padded]);
    }
    for (; c < classes; ++c) {
      window.template Accumulate<1>(ready, c, &angular[c * padded],
                                    &bilateral[c * padded]);
    }
    const int64_t first = (image * maps.rows + ready) * maps.columns;
    const bool* mask = maps.mask + first;
    T* to = maps.angular + first * classes;
    for (c = 0; c < classes; ++c) {
      T* a = &angular[c * padded];
      T* b = &bilateral[c * padded];
      for (int x = 0; x < maps.columns; ++x) b[x] = mask[x] ? b[x] : T(0);
      if (maps.bilateral != nullptr) continue;
      for (int x = 0; x < maps.columns; ++x) a[x] += b[x];
    }
    Join(angular.data(), classes, padded, maps.columns, to);
    if (maps.bilateral != nullptr) {
      Join(bilateral.data(), classes, padded, maps.columns,
           maps.bilateral + first * classes);
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
