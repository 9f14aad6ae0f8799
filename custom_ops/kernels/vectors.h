// Vector registers of any width, and one source compiled for several
// instruction sets. For kernels' own files; includes nothing of TensorFlow.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_VECTORS_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_VECTORS_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

#define SQUEEZE_TF_INLINE inline __attribute__((always_inline))

namespace squeeze_tf {

// One source, three instruction sets: Dispatch() calls work(bytes), bytes being
// the size of a vector register as std::integral_constant, compiled for the
// best of them that the processor has. `work` must be inlined always. The
// environment variable SQUEEZE_TF_MAX_VECTOR_BYTES (16, 32) asks for less.
#if defined(__x86_64__) && defined(__GNUC__)
template <typename Work>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void
RunAvx512(const Work& work) {
  work(std::integral_constant<int, 64>());
}

template <typename Work>
__attribute__((target("avx2,fma"))) void RunAvx2(const Work& work) {
  work(std::integral_constant<int, 32>());
}

inline int VectorBytes() {
  static const int bytes = [] {
    const char* asked = std::getenv("SQUEEZE_TF_MAX_VECTOR_BYTES");
    const int most = asked == nullptr ? 64 : std::atoi(asked);
    if (most < 32 || !__builtin_cpu_supports("avx2") ||
        !__builtin_cpu_supports("fma")) {
      return 16;
    }
    return most >= 64 && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl")
               ? 64
               : 32;
  }();
  return bytes;
}
#endif

template <typename Work>
void Dispatch(const Work& work) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (VectorBytes() == 64) return RunAvx512(work);
  if (VectorBytes() == 32) return RunAvx2(work);
#endif
  work(std::integral_constant<int, 16>());
}

// A vector register of `kBytes`.
template <typename T, int kBytes>
struct Lanes {
  static constexpr int kCount = kBytes / sizeof(T);
  typedef T Vector __attribute__((vector_size(kBytes)));
  typedef int32_t Integers __attribute__((vector_size(kBytes)));
};

// Vectors of zeros; std::vector would forget how they are to be aligned.
template <typename T, int kBytes>
class Vectors {
 public:
  using Vector = typename Lanes<T, kBytes>::Vector;

  explicit Vectors(size_t size)
      : storage_((size + 1) * Lanes<T, kBytes>::kCount, T(0)) {
    const auto start = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = reinterpret_cast<Vector*>((start + kBytes - 1) / kBytes * kBytes);
  }
  Vectors(const Vectors&) = delete;
  Vectors& operator=(const Vectors&) = delete;

  Vector* data() { return data_; }
  Vector& operator[](size_t i) { return data_[i]; }

 private:
  std::vector<T> storage_;
  Vector* data_;
};

// 2^(x factor), x factor <= 0, to about 2 ulp near 1; exactly 0 where float32
// underflows. 2^n times 2^r, |r| <= 1/2, by the polynomial of degree 5 with
// constant term 1 of least relative error (9.2e-8).
template <int kBytes>
SQUEEZE_TF_INLINE void Exp2(const typename Lanes<float, kBytes>::Vector& x,
                            float factor,
                            typename Lanes<float, kBytes>::Vector* result) {
  using Vector = typename Lanes<float, kBytes>::Vector;
  using Integers = typename Lanes<float, kBytes>::Integers;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds
  const Vector shifted = x * factor + kRound;
  const Vector r = x * factor - (shifted - kRound);
  Vector p = r * 1.32647271e-3f + 9.67151269e-3f;
  p = p * r + 5.55073374e-2f;
  p = p * r + 0.240222421f;
  p = p * r + 0.693146978f;
  p = p * r + 1.0f;
  Integers bits, n;
  std::memcpy(&bits, &p, sizeof(p));
  std::memcpy(&n, &shifted, sizeof(n));
  bits += n << 23;
  bits = shifted < kRound - 126.0f ? bits - bits : bits;
  std::memcpy(result, &bits, sizeof(bits));
}

template <int kBytes>
SQUEEZE_TF_INLINE void Exp2(const typename Lanes<double, kBytes>::Vector& x,
                            double factor,
                            typename Lanes<double, kBytes>::Vector* result) {
  for (int i = 0; i < Lanes<double, kBytes>::kCount; ++i) {
    (*result)[i] = std::exp2(x[i] * factor);
  }
}

// to[c, r] = from[r, c], by blocks of 4 x 4 that every instruction set turns.
template <typename T>
SQUEEZE_TF_INLINE void Transpose(const T* from, int rows, int columns, T* to) {
  int c = 0;
#if __has_builtin(__builtin_shufflevector)
  typedef T Quad __attribute__((vector_size(4 * sizeof(T))));
  for (; c + 4 <= columns; c += 4) {
    for (int r = 0; r + 4 <= rows; r += 4) {
      Quad in[4], out[4];
      for (int i = 0; i < 4; ++i) {
        std::memcpy(&in[i], from + (r + i) * columns + c, sizeof(Quad));
      }
      const Quad a = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
      const Quad b = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
      const Quad d = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
      const Quad e = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
      out[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
      out[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
      out[2] = __builtin_shufflevector(d, e, 0, 1, 4, 5);
      out[3] = __builtin_shufflevector(d, e, 2, 3, 6, 7);
      for (int i = 0; i < 4; ++i) {
        std::memcpy(to + (c + i) * rows + r, &out[i], sizeof(Quad));
      }
    }
    for (int r = rows / 4 * 4; r < rows; ++r) {
      for (int i = c; i < c + 4; ++i) to[i * rows + r] = from[r * columns + i];
    }
  }
#endif
  for (; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
  }
}

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_VECTORS_H_
