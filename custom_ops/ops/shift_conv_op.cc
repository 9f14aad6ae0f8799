// Registers the shift fused with a 1x1 convolution and its gradients.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace squeeze_tf {
namespace {

using tensorflow::Status;
using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Checks attributes, and that a map [B, H, W, C] fits them; `channels` is C
// merged with the number of offsets.
Status FitMap(InferenceContext* c, ShapeHandle shape, ShapeHandle* map,
              DimensionHandle* channels, int* strides) {
  std::vector<int64_t> offsets;
  TF_RETURN_IF_ERROR(c->GetAttr("offsets", &offsets));
  TF_RETURN_IF_ERROR(c->GetAttr("strides", strides));
  if (offsets.size() % 2 != 0) {
    return InvalidArgument("offsets must be pairs; got ", offsets.size());
  }
  TF_RETURN_IF_ERROR(c->WithRank(shape, 4, map));
  return c->WithValue(c->Dim(*map, 3), offsets.size() / 2, channels);
}

// [B, ceil(H / strides), ceil(W / strides), filters]
Status ConvolvedShape(InferenceContext* c, ShapeHandle map, int strides,
                      DimensionHandle filters, ShapeHandle* result) {
  DimensionHandle sides[2];
  for (int i = 0; i < 2; ++i) {
    TF_RETURN_IF_ERROR(c->Add(c->Dim(map, i + 1), strides - 1, &sides[i]));
    TF_RETURN_IF_ERROR(c->Divide(sides[i], strides, false, &sides[i]));
  }
  *result = c->MakeShape({c->Dim(map, 0), sides[0], sides[1], filters});
  return tensorflow::OkStatus();
}

Status ForwardShape(InferenceContext* c) {
  ShapeHandle map, kernel, bias, result;
  DimensionHandle channels;
  int strides;
  TF_RETURN_IF_ERROR(FitMap(c, c->input(0), &map, &channels, &strides));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &kernel));
  TF_RETURN_IF_ERROR(c->Merge(c->Dim(kernel, 0), channels, &channels));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 1, &bias));
  TF_RETURN_IF_ERROR(
      ConvolvedShape(c, map, strides, c->Dim(kernel, 1), &result));
  c->set_output(0, result);
  return tensorflow::OkStatus();
}

Status InputGradShape(InferenceContext* c) {
  ShapeHandle map;
  DimensionHandle channels;
  int strides;
  TF_RETURN_IF_ERROR(c->MakeShapeFromShapeTensor(0, &map));
  TF_RETURN_IF_ERROR(FitMap(c, map, &map, &channels, &strides));
  TF_RETURN_IF_ERROR(c->ReplaceDim(map, 3, channels, &map));
  c->set_output(0, map);
  return tensorflow::OkStatus();
}

Status KernelGradShape(InferenceContext* c) {
  ShapeHandle map, gradient;
  DimensionHandle channels;
  int strides;
  TF_RETURN_IF_ERROR(FitMap(c, c->input(0), &map, &channels, &strides));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 4, &gradient));
  const DimensionHandle filters = c->Dim(gradient, 3);
  c->set_output(0, c->Matrix(channels, filters));
  c->set_output(1, c->Vector(filters));
  return tensorflow::OkStatus();
}

Status IntegerShape(InferenceContext* c) {
  ShapeHandle map, kernel, thresholds, result;
  DimensionHandle channels;
  int strides;
  TF_RETURN_IF_ERROR(FitMap(c, c->input(0), &map, &channels, &strides));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &kernel));
  TF_RETURN_IF_ERROR(c->Merge(c->Dim(kernel, 0), channels, &channels));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(2), 2, &thresholds));
  DimensionHandle filters;
  TF_RETURN_IF_ERROR(
      c->Merge(c->Dim(kernel, 1), c->Dim(thresholds, 0), &filters));
  TF_RETURN_IF_ERROR(ConvolvedShape(c, map, strides, filters, &result));
  c->set_output(0, result);
  return tensorflow::OkStatus();
}

REGISTER_OP("SqueezeTf>ShiftConv2D")
    .Input("x: T")
    .Input("kernel: T")
    .Input("bias: T")
    .Output("output: T")
    .Attr("T: {float}")
    .Attr("offsets: list(int)")
    .Attr("strides: int >= 1 = 1")
    .Attr("relu: bool = false")
    .SetShapeFn(ForwardShape)
    .Doc(R"doc(
Shift fused with the 1x1 convolution that reads it (thesis ch. 6 sec. 2.1).

output[b, y, x, n] = sum_c x[b, y s + dy_c, x s + dx_c, c] kernel[c, n] + bias[n]
with zeros beyond the border, then not below 0 if `relu`.

x: [B, H, W, C].
kernel: [C, N].
bias: [N], or [0] for none.
output: [B, ceil(H / s), ceil(W / s), N].
offsets: dy and dx of each channel in turn, 2 C numbers.
strides: s.
)doc");

REGISTER_OP("SqueezeTf>ShiftConv2DInputGrad")
    .Input("shape: int32")
    .Input("gradient: T")
    .Input("kernel: T")
    .Input("output: T")
    .Output("input_gradient: T")
    .Attr("T: {float}")
    .Attr("offsets: list(int)")
    .Attr("strides: int >= 1 = 1")
    .Attr("relu: bool = false")
    .SetShapeFn(InputGradShape)
    .Doc("Gradient of ShiftConv2D with respect to x, whose shape is given.");

REGISTER_OP("SqueezeTf>ShiftConv2DKernelGrad")
    .Input("x: T")
    .Input("gradient: T")
    .Input("output: T")
    .Output("kernel_gradient: T")
    .Output("bias_gradient: T")
    .Attr("T: {float}")
    .Attr("offsets: list(int)")
    .Attr("strides: int >= 1 = 1")
    .Attr("relu: bool = false")
    .SetShapeFn(KernelGradShape)
    .Doc("Gradient of ShiftConv2D with respect to its kernel and its bias.");

REGISTER_OP("SqueezeTf>IntegerShiftConv2D")
    .Input("x: uint8")
    .Input("kernel: int8")
    .Input("thresholds: int32")
    .Output("output: Tout")
    .Attr("Tout: {int32, uint8}")
    .Attr("offsets: list(int)")
    .Attr("strides: int >= 1 = 1")
    .SetShapeFn(IntegerShape)
    .Doc(R"doc(
ShiftConv2D of whole numbers, exact, without bias (thesis ch. 6 sec. 4.3).

x: [B, H, W, C] levels.
kernel: [C, N] levels.
thresholds: [N, L], or [N, 0].
output: [B, ceil(H / s), ceil(W / s), N]: sums if Tout is int32, else how many
  of its filter's thresholds each sum reaches (ActQuant as a table).
offsets: dy and dx of each channel in turn, 2 C numbers.
strides: s.
)doc");

}  // namespace
}  // namespace squeeze_tf
