// Rows of a map spread over vector lanes: what the CRF's CPU functors share.
// Included by one .cc per functor, never by an op kernel.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "custom_ops/kernels/crf_message.h"
#include "custom_ops/kernels/vectors.h"

namespace squeeze_tf {

// The rows around the one being written, and the bilateral weights of each: of
// every cell to itself and to its "forward" neighbours (below, or right in the
// same row). The other half follows by symmetry, w_ij = w_ji.
//
// A row is spread over lanes: of L lanes and V vectors, lane l of vector v
// holds column l * V + v. So the neighbours of a vector are whole vectors, too,
// and the channels of a cell lie side by side: vector v of channel c of C
// stands at v * C + c, beyond both ends up to the reach of the kernels. Columns
// that the map does not have are zero.
template <typename T, int kBytes>
class RowWindow {
 public:
  using Vector = typename Lanes<T, kBytes>::Vector;
  static constexpr int kLanes = Lanes<T, kBytes>::kCount;
  static constexpr int kUnroll = 4;

  // The caller has `num_maps` rows of C channels for each row of the map.
  SQUEEZE_TF_INLINE RowWindow(const CrfKernels<T>& kernels,
                              const CrfMaps<T>& maps, int64_t image,
                              int num_maps)
      : k_(kernels),
        m_(maps),
        image_(image),
        reach_(kernels.width / 2),
        half_(kernels.height * kernels.width / 2),
        features_(num_maps * kernels.classes),
        groups_(static_cast<int>(kernels.groups.size())),
        directions_(kernels.symmetric ? 1 : 2),
        channels_(features_ + maps.num_features + 1),
        weights_of_cell_((half_ + 1) * groups_ * directions_),
        vectors_(NumVectors(maps.columns, reach_)),
        padded_vectors_(vectors_ + 2 * reach_),
        slots_(PowerOfTwo(kernels.height)),
        rows_(static_cast<size_t>(slots_) * padded_vectors_ * channels_),
        weights_(static_cast<size_t>(slots_) * padded_vectors_ *
                 weights_of_cell_),
        inside_(vectors_) {
    if (vectors_ * kLanes != maps.columns) {
      const int most = std::max(kernels.classes, maps.num_features);
      padded_.assign(static_cast<size_t>(vectors_) * kLanes * most, T(0));
    }
    penalty_.assign(static_cast<size_t>(vectors_) * kLanes, T(0));
    for (int x = 0; x < maps.columns; ++x) {
      inside_[x % vectors_][x / vectors_] = T(1);
    }
  }

  int vectors() const { return vectors_; }  // of a row and channel

  // Vectors [V, C] of the caller's row `map` of image row `y`.
  SQUEEZE_TF_INLINE Vector* Row(int y, int map) {
    return Channels(y, map * k_.classes, k_.classes);
  }

  // 1 in the lanes of vector `v` that are columns of the map, else 0.
  SQUEEZE_TF_INLINE const Vector& Inside(int v) { return inside_[v]; }

  // Whether image row `y` exists.
  SQUEEZE_TF_INLINE bool Exists(int y) const { return y >= 0 && y < m_.rows; }

  // Index of the first pixel of row `y` in the batch.
  SQUEEZE_TF_INLINE int64_t First(int y) const {
    return (image_ * m_.rows + y) * m_.columns;
  }

  // Takes in row `y`: features and mask if it exists, else zeros everywhere.
  // Returns whether it exists, and the caller has its own rows to fill.
  SQUEEZE_TF_INLINE bool StartRow(int y) {
    if (!Exists(y)) {
      const int size = padded_vectors_ * channels_;
      std::fill_n(&rows_[static_cast<size_t>(Slot(y)) * size], size, Vector{});
      return false;
    }
    const bool* mask = m_.mask + First(y);
    constexpr T kPenalty = std::numeric_limits<T>::max() / 4;
    for (int x = 0; x < m_.columns; ++x) penalty_[x] = (1 - mask[x]) * kPenalty;
    Vector* penalty = Channels(y, features_, 1);
    Transpose(penalty_.data(), kLanes, vectors_, reinterpret_cast<T*>(penalty));
    FillEnds(penalty, 1);
    Vector* features = Channels(y, features_ + 1, m_.num_features);
    Spread(m_.features, m_.num_features, y, features);
    FillEnds(features, m_.num_features);
    return true;
  }

  // Copies row `y` of a [B, H, W, C] map into the caller's row `map`; ends with
  // FillEnds(), which is to be called again when the row is changed.
  SQUEEZE_TF_INLINE void ReadRow(const T* from, int y, int map) {
    Spread(from, k_.classes, y, Row(y, map));
    FillEnds(Row(y, map), k_.classes);
  }

  // Writes vectors [V, C] as row `y` of a [B, H, W, C] map.
  SQUEEZE_TF_INLINE void WriteRow(const Vector* from, int y, T* to) {
    const int size = vectors_ * k_.classes;
    const T* lanes = reinterpret_cast<const T*>(from);
    to += First(y) * k_.classes;
    if (padded_.empty()) return Transpose(lanes, size, kLanes, to);
    Transpose(lanes, size, kLanes, padded_.data());
    std::copy_n(padded_.data(), m_.columns * k_.classes, to);
  }

  // Vectors [n, channels] before and after a row, which are neighbours in the
  // next lane.
  SQUEEZE_TF_INLINE void FillEnds(Vector* row, int channels) {
    const int size = reach_ * channels;
    Vector* const end = row + vectors_ * channels;
    for (int i = 0; i < size; ++i) {
      ShiftUp(end[i - size], row + i - size);
      ShiftDown(row[i], end + i);
    }
  }

  // Weights of row `y` to itself and to the neighbours after it in reading
  // order.
  SQUEEZE_TF_INLINE void ComputeWeights(int y) {
    for (int offset = 0; offset <= half_; ++offset) {
      if (m_.num_features == 3) {
        WeightsTo<3>(y, offset);
      } else {
        WeightsTo<0>(y, offset);
      }
    }
  }

  // Writes the messages of row `y`, [V, C] each: the angular ones of the
  // caller's row `angular_map`, the bilateral ones of `bilateral_map`.
  // `adjoint` mirrors both kernels.
  SQUEEZE_TF_INLINE void Messages(int angular_map, int bilateral_map, int y,
                                  bool adjoint, Vector* angular,
                                  Vector* bilateral) {
    const bool one_map = angular_map == bilateral_map;
    for (int group = 0; group < groups_; ++group) {
      FindTerms(angular_map, bilateral_map, y, adjoint, group);
      int c = k_.groups[group].first;
      const int end = c + k_.groups[group].count;
      for (int count; c < end; c += count) {
        count = end - c >= 4 ? 4 : end - c >= 2 ? 2 : 1;
        if (count == 4) Accumulate<4, 2>(one_map, angular + c, bilateral + c);
        if (count == 2) Accumulate<2, 2>(one_map, angular + c, bilateral + c);
        if (count == 1) Accumulate<1, 4>(one_map, angular + c, bilateral + c);
        for (Term& term : terms_) {
          term.angular_input += count;
          term.bilateral_input += count;
        }
      }
    }
  }

 private:
  // What one neighbour adds to a class, as pointers to vector 0.
  struct Term {
    const Vector *angular_input, *bilateral_input, *weights;
    T angular_kernel;
  };

  // Where the weights of one group go.
  struct Target {
    T factor, forward, backward;
    Vector *to, *back;
  };

  // A multiple of what Accumulate() takes at a time, and at least the reach.
  static int NumVectors(int columns, int reach) {
    const int number = std::max((columns + kLanes - 1) / kLanes, reach);
    return (number + kUnroll - 1) / kUnroll * kUnroll;
  }

  static int PowerOfTwo(int least) {
    int power = 1;
    while (power < least) power *= 2;
    return power;
  }

  SQUEEZE_TF_INLINE int Slot(int y) const { return y & (slots_ - 1); }

  // Vectors [V, count] of the channels from `first` on.
  SQUEEZE_TF_INLINE Vector* Channels(int y, int first, int count) {
    const size_t skipped = Slot(y) * channels_ + first;
    return &rows_[skipped * padded_vectors_ + reach_ * count];
  }

  // Weights of row `y` to its forward neighbour `offset` (0: itself), one in
  // weights_of_cell_ vectors. They hold the bilateral kernel, which looks both
  // ways unless it is symmetric: `backward` ones are what the neighbour sees.
  SQUEEZE_TF_INLINE Vector* Weights(int y, int offset, int group,
                                    bool backward) {
    const size_t skipped = Slot(y) * padded_vectors_ + reach_;
    return &weights_[skipped * weights_of_cell_ +
                     (offset * groups_ + group) * directions_ +
                     (backward ? directions_ - 1 : 0)];
  }

  SQUEEZE_TF_INLINE void Spread(const T* from, int channels, int y,
                                Vector* to) {
    from += First(y) * channels;
    if (!padded_.empty()) {
      const int size = m_.columns * channels;
      std::copy_n(from, size, padded_.data());
      std::fill(padded_.begin() + size, padded_.end(), T(0));
      from = padded_.data();
    }
    Transpose(from, kLanes, vectors_ * channels, reinterpret_cast<T*>(to));
  }

  // What lane l - 1 (or l + 1) holds, for lane l.
  static SQUEEZE_TF_INLINE void ShiftUp(const Vector& from, Vector* to) {
    T* lanes = reinterpret_cast<T*>(to);
    lanes[0] = T(0);
    std::memcpy(lanes + 1, &from, sizeof(Vector) - sizeof(T));
  }
  static SQUEEZE_TF_INLINE void ShiftDown(const Vector& from, Vector* to) {
    T* lanes = reinterpret_cast<T*>(to);
    std::memcpy(lanes, reinterpret_cast<const T*>(&from) + 1,
                sizeof(Vector) - sizeof(T));
    lanes[kLanes - 1] = T(0);
  }

  // kFeatures is their number, or 0: known at run time.
  template <int kFeatures>
  SQUEEZE_TF_INLINE void WeightsTo(int y, int offset) {
    const int place = half_ + offset, mirrored = half_ - offset;
    const int dy = place / k_.width - k_.height / 2;
    const int dx = place % k_.width - k_.width / 2;
    targets_.clear();
    for (int group = 0; group < groups_; ++group) {
      const int c = k_.groups[group].first;
      const T forward = k_.bilateral[place * k_.classes + c];
      const T backward = k_.bilateral[mirrored * k_.classes + c];
      if (forward == 0 && backward == 0) continue;
      targets_.push_back({-k_.groups[group].precision * T(M_LOG2E), forward,
                          backward, Weights(y, offset, group, false),
                          Weights(y, offset, group, true)});
    }
    const Target* const start = targets_.data();
    const Target* const stop = start + targets_.size();
    const int num_features = kFeatures ? kFeatures : m_.num_features;
    const int step = weights_of_cell_, vectors = vectors_;
    const bool two_ways = directions_ == 2;
    const Vector* const here = Channels(y, features_ + 1, num_features);
    const Vector* const there =
        Channels(y + dy, features_ + 1, num_features) + dx * num_features;
    const Vector* const penalty_here = Channels(y, features_, 1);
    const Vector* const penalty_there = Channels(y + dy, features_, 1) + dx;
    for (int first = 0; first < vectors; first += kUnroll) {
      Vector distance[kUnroll];
#pragma GCC unroll 4
      for (int u = 0; u < kUnroll; ++u) {
        const int v = first + u;
        distance[u] = penalty_here[v] + penalty_there[v];
        for (int f = 0; f < num_features; ++f) {
          const Vector difference =
              here[v * num_features + f] - there[v * num_features + f];
          distance[u] += difference * difference;
        }
      }
      for (const Target* target = start; target < stop; ++target) {
#pragma GCC unroll 4
        for (int u = 0; u < kUnroll; ++u) {
          const int at = (first + u) * step;
          Vector weight;
          Exp2<kBytes>(distance[u], target->factor, &weight);
          target->to[at] = weight * target->forward;
          if (two_ways) target->back[at] = weight * target->backward;
        }
      }
    }
    // The neighbour at -dx looks dx vectors over the end.
    for (const Target* target = start; target < stop; ++target) {
      for (Vector* row : {target->to, target->back}) {
        Vector* const end = row + vectors * step;
        for (int v = 1; v <= dx; ++v) ShiftUp(end[-v * step], row - v * step);
        for (int v = 0; v < -dx; ++v) ShiftDown(row[v * step], end + v * step);
        if (!two_ways) break;
      }
    }
  }

  SQUEEZE_TF_INLINE void FindTerms(int angular_map, int bilateral_map, int y,
                                   bool adjoint, int group) {
    terms_.clear();
    const int classes = k_.classes, c = k_.groups[group].first;
    const int step = groups_ * directions_;
    const Vector* const own = Weights(y, 0, group, adjoint);
    for (int dy = -(k_.height / 2); dy <= k_.height / 2; ++dy) {
      const Vector* angular = Row(y + dy, angular_map) + c;
      const Vector* bilateral = Row(y + dy, bilateral_map) + c;
      const Vector* sent = Weights(y + dy, 0, group, !adjoint);
      for (int dx = -reach_; dx <= reach_; ++dx) {
        const int offset = dy * k_.width + dx;
        const int at = (half_ + (adjoint ? -offset : offset)) * classes + c;
        if (k_.angular[at] == 0 && k_.bilateral[at] == 0) continue;
        terms_.push_back({angular + dx * classes, bilateral + dx * classes,
                          offset < 0
                              ? sent - offset * step + dx * weights_of_cell_
                              : own + offset * step,
                          k_.angular[at]});
      }
    }
  }

  // Sums the terms for N classes, kUnroll vectors of columns at a time.
  template <int N, int kUnroll>
  SQUEEZE_TF_INLINE void Accumulate(bool one_map, Vector* angular,
                                    Vector* bilateral) {
    // The neighbourhood of 3 x 5 is the usual one.
    if (terms_.size() == 14 && one_map) {
      Accumulate<N, kUnroll, true, 14>(angular, bilateral);
    } else if (terms_.size() == 14) {
      Accumulate<N, kUnroll, false, 14>(angular, bilateral);
    } else {
      Accumulate<N, kUnroll, false, 0>(angular, bilateral);
    }
  }

  template <int N, int kUnroll, bool kOneMap, int kTerms>
  SQUEEZE_TF_INLINE void Accumulate(Vector* angular, Vector* bilateral) {
    const Term* const terms = terms_.data();
    const int num_terms = kTerms ? kTerms : static_cast<int>(terms_.size());
    const int vectors = vectors_, classes = k_.classes, step = weights_of_cell_;
    for (int first = 0; first < vectors; first += kUnroll) {
      Vector a[kUnroll][N] = {}, b[kUnroll][N] = {};
#pragma GCC unroll 14
      for (int i = 0; i < num_terms; ++i) {
        const Term* term = terms + i;
        const T kernel = term->angular_kernel;
#pragma GCC unroll 4
        for (int u = 0; u < kUnroll; ++u) {
          const int v = first + u;
          const Vector weights = term->weights[v * step];
#pragma GCC unroll 4
          for (int n = 0; n < N; ++n) {
            const Vector in = term->angular_input[v * classes + n];
            a[u][n] += kernel * in;
            b[u][n] += weights *
                       (kOneMap ? in : term->bilateral_input[v * classes + n]);
          }
        }
      }
#pragma GCC unroll 4
      for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
          angular[(first + u) * classes + n] = a[u][n];
          bilateral[(first + u) * classes + n] = b[u][n];
        }
      }
    }
  }

  const CrfKernels<T>& k_;
  const CrfMaps<T>& m_;
  const int64_t image_;
  const int reach_, half_, features_, groups_, directions_, channels_,
      weights_of_cell_, vectors_, padded_vectors_, slots_;
  Vectors<T, kBytes> rows_, weights_, inside_;
  std::vector<T> padded_;   // a row of the map, where vectors hold more columns
  std::vector<T> penalty_;  // of one row
  std::vector<Term> terms_;
  std::vector<Target> targets_;
};

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_WINDOW_H_
