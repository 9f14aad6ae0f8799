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

template <typename Work>
__attribute__((noinline,
               target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void
OwnAvx512(const Work& work) {
  work();
}

template <typename Work>
__attribute__((noinline, target("avx2,fma"))) void OwnAvx2(const Work& work) {
  work();
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

// Calls work() in a function of its own, so that it has all registers to
// itself; within work of Dispatch(), whose `bytes` are kBytes.
template <int kBytes, typename Work>
SQUEEZE_TF_INLINE void InOwnFunction(const Work& work) {
#if defined(__x86_64__) && defined(__GNUC__)
  if constexpr (kBytes == 64) return OwnAvx512(work);
  if constexpr (kBytes == 32) return OwnAvx2(work);
#endif
  work();
}

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

// to[c, r] = from[r, c] for 4 rows and columns, which every instruction set
// turns; rows are `from_step` and `to_step` apart.
template <typename T>
SQUEEZE_TF_INLINE void TransposeQuad(const T* from, int64_t from_step, T* to,
                                     int64_t to_step) {
#if __has_builtin(__builtin_shufflevector)
  typedef T Quad __attribute__((vector_size(4 * sizeof(T))));
  Quad in[4], out[4];
  for (int i = 0; i < 4; ++i) {
    std::memcpy(&in[i], from + i * from_step, sizeof(Quad));
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
    std::memcpy(to + i * to_step, &out[i], sizeof(Quad));
  }
#else
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) to[c * to_step + r] = from[r * from_step + c];
  }
#endif
}

// to[c, r] = from[r, c].
template <typename T>
SQUEEZE_TF_INLINE void Transpose(const T* from, int rows, int columns, T* to) {
  const int whole_columns = columns / 4 * 4, whole_rows = rows / 4 * 4;
  for (int c = 0; c < whole_columns; c += 4) {
    for (int r = 0; r < whole_rows; r += 4) {
      TransposeQuad(from + r * columns + c, columns, to + c * rows + r, rows);
    }
    for (int r = whole_rows; r < rows; ++r) {
      for (int i = c; i < c + 4; ++i) to[i * rows + r] = from[r * columns + i];
    }
  }
  for (int c = whole_columns; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
  }
}

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_VECTORS_H_
