// Functor of the shift fused with a 1x1 convolution of whole numbers.

#ifndef SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_SHIFT_CONV_H_
#define SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_SHIFT_CONV_H_

#include <cstdint>

#include "custom_ops/kernels/shift_conv.h"

namespace squeeze_tf {

// What becomes of the sums: they are written to `sums`, or, if that is null,
// to `levels` as the number of a filter's `num_thresholds` thresholds
// [filters, num_thresholds] that a sum reaches.
struct IntegerResult {
  int32_t* sums;
  uint8_t* levels;
  const int32_t* thresholds;
  int num_thresholds;
};

// Sums as of ShiftConvForward(), exact: x has levels 0 ... 255, the kernel
// -128 ... 127, and there are at most 2^16 channels. Parts are rows of the
// output and ranges of filters.
void IntegerShiftConv(const ShiftConvSizes& sizes, const ShiftConvPart& part,
                      const uint8_t* x, const int8_t* kernel,
                      const IntegerResult& result);

}  // namespace squeeze_tf

#endif  // SQUEEZE_TF_CUSTOM_OPS_KERNELS_INTEGER_SHIFT_CONV_H_
