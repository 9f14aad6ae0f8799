// CPU functors of the CRF messages (thesis ch. 3 sec. 3.3, Eq. 3).

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_MESSAGE_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_MESSAGE_H_

#include <cstdint>
#include <vector>

namespace squeeze_tf {

// What does not change from scan to scan. Kernels are [height * width,
// classes].
template <typename T>
struct CrfKernels {
  // Consecutive classes of one theta and the same kernels, which share weights.
  struct Group {
    int first, count;
    T precision;  // 1 / (2 theta^2)
  };

  CrfKernels() = default;
  CrfKernels(int height, int width, const std::vector<float>& angular,
             const std::vector<float>& bilateral,
             const std::vector<float>& theta);

  int height = 0;
  int width = 0;
  int classes = 0;
  std::vector<T> angular;
  std::vector<T> bilateral;
  std::vector<Group> groups;
  bool symmetric = true;  // the bilateral kernel about its centre
};

// A batch of maps: [B, H, W, C] inputs and outputs, [B, H, W, F] features.
template <typename T>
struct CrfMaps {
  int rows = 0;
  int columns = 0;
  int num_features = 0;
  const T* angular_input = nullptr;
  const T* bilateral_input = nullptr;
  const T* features = nullptr;
  const bool* mask = nullptr;
  T* angular = nullptr;
  T* bilateral = nullptr;  // null: both messages are summed into `angular`
};

// Writes output rows [begin, end) of one image of the batch. With `adjoint`
// every offset (dy, dx) of the kernels becomes (-dy, -dx), as the gradient
// needs it.
template <typename T>
void CrfMessageRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                    bool adjoint, int64_t image, int begin, int end);

// Compatibility of the labels, [C, C] each.
template <typename T>
struct CrfMatrices {
  const T* angular = nullptr;
  const T* bilateral = nullptr;
  bool add_probabilities = true;  // to what the messages amount to
};

// A whole mean-field iteration, rows [begin, end) of one image. Reads scores
// from `angular_input` and writes refined scores to `angular`.
template <typename T>
void CrfIterationRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                      const CrfMatrices<T>& matrices, int64_t image, int begin,
                      int end);

// Its gradient. Reads scores from `angular_input` and the gradient of the
// refined scores from `bilateral_input`, writes the gradient of the scores to
// `angular` and adds that of both matrices to `grad_matrices` [2, C, C].
template <typename T>
void CrfIterationGradRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                          const CrfMatrices<T>& matrices, int64_t image,
                          int begin, int end, T* grad_matrices);

// Gradient of the bilateral message with respect to the features, rows
// [begin, end) of one image. `probabilities` and `gradient` are [B, H, W, C].
template <typename T>
void CrfFeatureGradRows(const CrfKernels<T>& kernels, const CrfMaps<T>& maps,
                        const T* probabilities, const T* gradient,
                        int64_t image, int begin, int end, T* output);

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_CRF_MESSAGE_H_
