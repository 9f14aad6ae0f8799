// Rows of a map whose channels come from different pixels. Included by
// functors, never by an op kernel.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_ROWS_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "custom_ops/kernels/vectors.h"

namespace squeeze_tf {

// Writes pixels whose channel c is what row dy_c holds dx_c pixels further.
// Vectors are merged from all their sources by masks.
template <typename T, int kBytes>
class ShiftedRow {
 public:
  // Offsets of `channels` channels; pixels of the rows are `step` apart, and
  // each written pixel is `strides` of them further.
  SQUEEZE_TF_INLINE ShiftedRow(const int64_t* dy, const int64_t* dx,
                               int64_t channels, int64_t step, int64_t strides)
      : channels_(channels), step_(step), strides_(strides) {
    for (int64_t c = 0; c < channels; ++c) {
      const size_t vector = c / kLanes;
      if (vector == sources_.size()) sources_.emplace_back();
      auto& sources = sources_.back();
      auto same = [&](const Source& e) {
        return e.dy == dy[c] && e.dx == dx[c];
      };
      auto found = std::find_if(sources.begin(), sources.end(), same);
      if (found == sources.end()) {
        found = sources.insert(found, Source{dy[c], dx[c], {}});
      }
      std::memset(found->mask + c % kLanes * sizeof(T), -1, sizeof(T));
    }
  }

  // rows[dy - first_dy] is where pixel 0 of row dy stands; a vector may be read
  // beyond the last one. Writes `pixels` pixels, `to_step` apart, and, if
  // `overrun`, up to a vector beyond each, what follows the last included.
  SQUEEZE_TF_INLINE void Write(const std::vector<const T*>& rows,
                               int64_t first_dy, int64_t pixels, T* to,
                               int64_t to_step, bool overrun) const {
    // The last vector first, for what it overruns is written again.
    for (int64_t i = static_cast<int64_t>(sources_.size()) - 1; i >= 0; --i) {
      const auto& sources = sources_[i];
      const int64_t first = i * kLanes;
      Target target = {to + first, to_step, pixels,
                       static_cast<size_t>(kBytes)};
      if (!overrun) {
        target.size = sizeof(T) * std::min<int64_t>(kLanes, channels_ - first);
      }
      const T* from[kMostSources];
      for (size_t begin = 0; begin < sources.size(); begin += kMostSources) {
        const int count = static_cast<int>(
            std::min<size_t>(kMostSources, sources.size() - begin));
        for (int j = 0; j < kMostSources; ++j) {
          const Source& e = sources[begin + (j < count ? j : 0)];
          from[j] = rows[e.dy - first_dy] + e.dx * step_ + first;
        }
        Merge(count, from, &sources[begin], begin > 0, target);
      }
    }
  }

 private:
  typedef int32_t Words __attribute__((vector_size(kBytes)));
  static constexpr int kLanes = kBytes / sizeof(T);
  static constexpr int kMostSources = 16;

  // Channels of a vector that come from one pixel.
  struct Source {
    int64_t dy, dx;
    char mask[kBytes];
  };

  struct Target {
    T* to;
    int64_t step, pixels;
    size_t size;  // bytes of a vector that are written
  };

  SQUEEZE_TF_INLINE void Merge(int count, const T* const* from,
                               const Source* sources, bool add,
                               const Target& target) const {
    if (add || target.size < kBytes) {
      return MergeOf<4, 4, false>(count, from, sources, add, target);
    }
    if (count == 1) return MergeOf<1, 1, true>(count, from, sources, 0, target);
    if (count == 2) return MergeOf<2, 1, true>(count, from, sources, 0, target);
    if (count <= 4) return MergeOf<2, 2, true>(count, from, sources, 0, target);
    if (count <= 6) return MergeOf<2, 3, true>(count, from, sources, 0, target);
    if (count <= 9) return MergeOf<3, 3, true>(count, from, sources, 0, target);
    MergeOf<4, 4, true>(count, from, sources, false, target);
  }

  // Of kGroups x kSources sources; those that do not exist repeat the first,
  // which changes nothing. kPlain: whole vectors, and nothing is added to.
  template <int kGroups, int kSources, bool kPlain>
  SQUEEZE_TF_INLINE void MergeOf(int count, const T* const* from,
                                 const Source* sources, bool add,
                                 const Target& target) const {
    InOwnFunction<kBytes>([&]() __attribute__((always_inline)) {
      const T* at[kGroups][kSources];
      Words masks[kGroups][kSources];
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
        for (int i = 0; i < kSources; ++i) {
          const int index = g * kSources + i;
          at[g][i] = from[index];
          std::memcpy(&masks[g][i], sources[index < count ? index : 0].mask,
                      kBytes);
        }
      }
      const int64_t step = step_ * strides_, pixels = target.pixels;
      const int64_t to_step = target.step;
      T* to = target.to;
      for (int64_t x = 0; x < pixels; ++x, to += to_step) {
        Words merged = {};
#pragma GCC unroll 4
        for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
          for (int i = 0; i < kSources; ++i) {
            Words value;
            std::memcpy(&value, at[g][i] + x * step, kBytes);
            merged |= value & masks[g][i];
          }
        }
        if (kPlain) {
          std::memcpy(to, &merged, kBytes);
          continue;
        }
        if (add) {
          Words before = {};
          std::memcpy(&before, to, target.size);
          merged |= before;
        }
        std::memcpy(to, &merged, target.size);
      }
    });
  }

  const int64_t channels_, step_, strides_;
  std::vector<std::vector<Source>> sources_;
};

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_SHIFT_ROWS_H_
