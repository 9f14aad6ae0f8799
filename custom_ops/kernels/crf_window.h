// Rows of a map as planes, and vectors over their columns: what the CRF's CPU
// functors share. Included by one .cc per functor, never by an op kernel.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "custom_ops/kernels/crf_message.h"

// One source, three instruction sets; the loader picks one at run time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SQUEEZE_TF_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SQUEEZE_TF_CLONES
#endif
#define SQUEEZE_TF_INLINE inline __attribute__((always_inline))

namespace squeeze_tf {
namespace crf_internal {

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
  const Integers n = __builtin_convertvector(x * 1.44269504f - 0.5f, Integers);
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
//
// The planes of a row are `num_sets` sets of 2 C planes, what the angular and
// what the bilateral sum reads (the latter masked), then `num_extra` planes of
// the caller's, then the features. A set is filled by SplitRow() and, where
// the caller computes it, through Plane().
template <typename T>
class RowWindow {
 public:
  SQUEEZE_TF_INLINE RowWindow(const CrfKernels<T>& kernels,
                              const CrfMaps<T>& maps, int64_t image,
                              int num_sets = 1, int num_extra = 0)
      : k_(kernels), m_(maps), image_(image) {
    constexpr int kStep = 2 * Lanes<T>::kCount;
    padded_ = (maps.columns + kStep - 1) / kStep * kStep;
    pad_ = std::max(kernels.width / 2, 1);
    stride_ = padded_ + 2 * pad_;
    half_ = (kernels.height * kernels.width) / 2;
    first_feature_ = 2 * kernels.classes * num_sets + num_extra;
    planes_ = first_feature_ + maps.num_features;
    groups_ = static_cast<int>(kernels.distinct_precision.size());
    rows_.assign(static_cast<size_t>(kernels.height) * planes_ * stride_, T(0));
    weights_.assign(
        static_cast<size_t>(kernels.height) * half_ * groups_ * stride_, T(0));
    ones_.assign(stride_, T(1));
    precision_ = kernels.distinct_precision.data();
  }

  int padded() const { return padded_; }  // columns, rounded up
  int stride() const { return stride_; }  // from plane to plane of a row

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

  // Whether image row `y` exists.
  SQUEEZE_TF_INLINE bool Exists(int y) const { return y >= 0 && y < m_.rows; }

  // Index of the first pixel of row `y` in the batch.
  SQUEEZE_TF_INLINE int64_t First(int y) const {
    return (image_ * m_.rows + y) * m_.columns;
  }

  // Empties the slot of row `y` and reads its features, where it exists.
  SQUEEZE_TF_INLINE void StartRow(int y) {
    std::fill_n(Plane(y, 0) - pad_, static_cast<size_t>(planes_) * stride_,
                T(0));
    if (Exists(y)) SplitRow(m_.features, m_.num_features, y, first_feature_);
  }

  // Copies row `y` of a [B, H, W, channels] map into planes from `plane` on.
  SQUEEZE_TF_INLINE void SplitRow(const T* map, int channels, int y,
                                  int plane) {
    Split(map + First(y) * channels, channels, Plane(y, plane));
  }

  // Writes C planes, with zeros where there is no return, from `to` on.
  SQUEEZE_TF_INLINE void MaskPlanes(int y, int from, int to) {
    const bool* mask = m_.mask + First(y);
    for (int c = 0; c < k_.classes; ++c) {
      const T* in = Plane(y, from + c);
      T* out = Plane(y, to + c);
      for (int x = 0; x < m_.columns; ++x) out[x] = mask[x] ? in[x] : T(0);
    }
  }

  // Weights of row `y` to the neighbours after it in reading order.
  SQUEEZE_TF_INLINE void ComputeWeights(int y) {
    using Vector = typename Lanes<T>::Vector;
    const int num_features = m_.num_features, groups = groups_;
    const int padded = padded_, stride = stride_;
    const T* here = Plane(y, first_feature_);
    for (int offset = 0; offset < half_; ++offset) {
      const int place = half_ + 1 + offset;
      const int dy = place / k_.width - k_.height / 2;
      const int dx = place % k_.width - k_.width / 2;
      const T* there = Plane(y + dy, first_feature_) + dx;
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

  // Writes the messages of a set in row `y`, masked where bilateral, as planes
  // [C, padded()]. `kernels` are the window's own or their adjoint.
  SQUEEZE_TF_INLINE void Messages(const CrfKernels<T>& kernels, int set, int y,
                                  T* angular, T* bilateral) {
    int c = 0;
    for (; c + 4 <= k_.classes; c += 4) {
      Accumulate<4>(kernels, set, y, c, angular + c * padded_,
                    bilateral + c * padded_);
    }
    for (; c < k_.classes; ++c) {
      Accumulate<1>(kernels, set, y, c, angular + c * padded_,
                    bilateral + c * padded_);
    }
    const bool* mask = m_.mask + First(y);
    for (c = 0; c < k_.classes; ++c) {
      T* b = bilateral + c * padded_;
      for (int x = 0; x < m_.columns; ++x) b[x] = mask[x] ? b[x] : T(0);
    }
  }

 private:
  // What one neighbour adds to one class, as pointers to column 0.
  struct Term {
    const T *angular_input, *bilateral_input, *weights;
    T angular_kernel, bilateral_kernel;
  };

  template <int N>
  SQUEEZE_TF_INLINE void Accumulate(const CrfKernels<T>& kernels, int set,
                                    int y, int first, T* angular,
                                    T* bilateral) {
    using Vector = typename Lanes<T>::Vector;
    terms_.clear();
    for (int place = 0; place < k_.height * k_.width; ++place) {
      if (IsZero(kernels, place, first, N)) continue;
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
        const int plane = 2 * k_.classes * set + c;
        terms_.push_back({Plane(y + dy, plane) + dx,
                          Plane(y + dy, plane + k_.classes) + dx, weights,
                          kernels.angular[place * k_.classes + c],
                          kernels.bilateral[place * k_.classes + c]});
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

  SQUEEZE_TF_INLINE int Slot(int y) const {
    return (y + k_.height) % k_.height;
  }

  // True where the place adds nothing to `count` classes, as the centre does.
  SQUEEZE_TF_INLINE bool IsZero(const CrfKernels<T>& kernels, int place,
                                int first, int count) const {
    const int at = place * k_.classes + first;
    for (int n = at; n < at + count; ++n) {
      if (kernels.angular[n] != 0 || kernels.bilateral[n] != 0) return false;
    }
    return true;
  }

  SQUEEZE_TF_INLINE void Split(const T* from, int channels, T* to) {
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
  int padded_, pad_, stride_, half_, planes_, groups_, first_feature_;
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
    for (int x = 0; x < columns; ++x)
      to[x * channels + c] = from[c * stride + x];
  }
}

}  // namespace crf_internal
}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_
