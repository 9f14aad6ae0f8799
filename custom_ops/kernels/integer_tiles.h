// Register tiles of products of whole numbers, one class for each instruction
// set. Included by one functor.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_TILES_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_TILES_H_

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace squeeze_tf {

// A tile multiplies kPixels rows of `left`, `left_step` apart, by a panel
// `right` [depth, kColumns, kGroup], where a row holds `depth` groups of kGroup
// channels, and writes sums [kPixels, kColumns].
template <typename Left, typename Right>
struct IntegerOperands {
  const Left* left;
  int64_t left_step, depth;
  const Right* right;
  int32_t* sums;
};

// Any processor.
struct PlainTile {
  using Left = int16_t;
  using Right = int16_t;
  static constexpr int kPixels = 4, kColumns = 8, kGroup = 2, kBytes = 16;

  static void Run(const IntegerOperands<Left, Right>& t) {
    int32_t sums[kPixels][kColumns] = {};
    for (int64_t k = 0; k < t.depth; ++k) {
      const Right* right = t.right + k * kColumns * kGroup;
      for (int i = 0; i < kPixels; ++i) {
        const Left* left = t.left + i * t.left_step + k * kGroup;
        for (int j = 0; j < kColumns; ++j) {
          sums[i][j] += left[0] * right[2 * j] + left[1] * right[2 * j + 1];
        }
      }
    }
    std::memcpy(t.sums, sums, sizeof(sums));
  }
};

#if defined(__x86_64__) && defined(__GNUC__)

// Pairs of 16 bit numbers: neither their products nor the sums of two saturate.
struct Avx2Tile {
  using Left = int16_t;
  using Right = int16_t;
  static constexpr int kPixels = 6, kColumns = 16, kGroup = 2, kBytes = 32;

  __attribute__((target("avx2"))) static void Run(
      const IntegerOperands<Left, Right>& t) {
    __m256i sums[2][3][2];
#pragma GCC unroll 2
    for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) {
        sums[run][i][0] = sums[run][i][1] = _mm256_setzero_si256();
      }
    }
    for (int64_t k = 0; k < t.depth; ++k) {
      const auto* right =
          reinterpret_cast<const __m256i*>(t.right + k * kColumns * kGroup);
      const __m256i low = _mm256_loadu_si256(right);
      const __m256i high = _mm256_loadu_si256(right + 1);
#pragma GCC unroll 2
      for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
          int32_t pair;
          std::memcpy(&pair, t.left + (run * 3 + i) * t.left_step + k * kGroup,
                      sizeof(pair));
          const __m256i left = _mm256_set1_epi32(pair);
          sums[run][i][0] =
              _mm256_add_epi32(sums[run][i][0], _mm256_madd_epi16(left, low));
          sums[run][i][1] =
              _mm256_add_epi32(sums[run][i][1], _mm256_madd_epi16(left, high));
        }
      }
    }
#pragma GCC unroll 2
    for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) {
        auto* to =
            reinterpret_cast<__m256i*>(t.sums + (run * 3 + i) * kColumns);
        _mm256_storeu_si256(to, sums[run][i][0]);
        _mm256_storeu_si256(to + 1, sums[run][i][1]);
      }
    }
  }
};

// Four products of bytes at a time.
struct VnniTile {
  using Left = uint8_t;
  using Right = int8_t;
  static constexpr int kPixels = 14, kColumns = 32, kGroup = 4, kBytes = 64;

  __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static void
  Run(const IntegerOperands<Left, Right>& t) {
    __m512i sums[2][7][2];
#pragma GCC unroll 2
    for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 7
      for (int i = 0; i < 7; ++i) {
        sums[run][i][0] = sums[run][i][1] = _mm512_setzero_si512();
      }
    }
    for (int64_t k = 0; k < t.depth; ++k) {
      const Right* right = t.right + k * kColumns * kGroup;
      const __m512i low = _mm512_loadu_si512(right);
      const __m512i high = _mm512_loadu_si512(right + 64);
#pragma GCC unroll 2
      for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 7
        for (int i = 0; i < 7; ++i) {
          int32_t four;
          std::memcpy(&four, t.left + (run * 7 + i) * t.left_step + k * kGroup,
                      sizeof(four));
          const __m512i left = _mm512_set1_epi32(four);
          sums[run][i][0] = _mm512_dpbusd_epi32(sums[run][i][0], left, low);
          sums[run][i][1] = _mm512_dpbusd_epi32(sums[run][i][1], left, high);
        }
      }
    }
#pragma GCC unroll 2
    for (int run = 0; run < 2; ++run) {
#pragma GCC unroll 7
      for (int i = 0; i < 7; ++i) {
        int32_t* to = t.sums + (run * 7 + i) * kColumns;
        _mm512_storeu_si512(to, sums[run][i][0]);
        _mm512_storeu_si512(to + 16, sums[run][i][1]);
      }
    }
  }
};

#endif

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_TILES_H_
