// Registers the CRF message operators and their shape functions.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace squeeze_tf {
namespace {

using tensorflow::Status;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Merges batch, height and width of all inputs. `maps` [B, H, W, C] inputs must
// agree in channels as well; `mask` is the input of rank 3, `features` of
// rank 4.
Status MergedMap(InferenceContext* c, const std::vector<int>& maps,
                 int features, int mask, ShapeHandle* map,
                 ShapeHandle* feature_map) {
  TF_RETURN_IF_ERROR(c->WithRank(c->input(maps[0]), 4, map));
  for (int index : maps) {
    ShapeHandle other;
    TF_RETURN_IF_ERROR(c->WithRank(c->input(index), 4, &other));
    TF_RETURN_IF_ERROR(c->Merge(*map, other, map));
  }
  TF_RETURN_IF_ERROR(c->WithRank(c->input(features), 4, feature_map));
  ShapeHandle mask_shape;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(mask), 3, &mask_shape));
  for (int axis = 0; axis < 3; ++axis) {
    DimensionHandle merged;
    TF_RETURN_IF_ERROR(
        c->Merge(c->Dim(*map, axis), c->Dim(*feature_map, axis), &merged));
    TF_RETURN_IF_ERROR(c->Merge(merged, c->Dim(mask_shape, axis), &merged));
    TF_RETURN_IF_ERROR(c->ReplaceDim(*map, axis, merged, map));
    TF_RETURN_IF_ERROR(c->ReplaceDim(*feature_map, axis, merged, feature_map));
  }
  return tensorflow::OkStatus();
}

Status MessageShape(InferenceContext* c) {
  ShapeHandle map, features;
  TF_RETURN_IF_ERROR(MergedMap(c, {0}, 1, 2, &map, &features));
  c->set_output(0, map);
  c->set_output(1, map);
  return tensorflow::OkStatus();
}

Status GradShape(InferenceContext* c) {
  ShapeHandle map, features;
  TF_RETURN_IF_ERROR(MergedMap(c, {0, 1}, 2, 3, &map, &features));
  c->set_output(0, map);
  return tensorflow::OkStatus();
}

Status FeatureGradShape(InferenceContext* c) {
  ShapeHandle map, features;
  TF_RETURN_IF_ERROR(MergedMap(c, {0, 1}, 2, 3, &map, &features));
  c->set_output(0, features);
  return tensorflow::OkStatus();
}

REGISTER_OP("SqueezeTf>CrfMessage")
    .Input("probabilities: T")
    .Input("features: T")
    .Input("mask: bool")
    .Output("angular: T")
    .Output("bilateral: T")
    .Attr("T: {float, double}")
    .Attr("size: list(int) >= 2")
    .Attr("angular_kernel: list(float)")
    .Attr("bilateral_kernel: list(float)")
    .Attr("theta: list(float)")
    .SetShapeFn(MessageShape)
    .Doc(R"doc(
Messages of the recurrent CRF (thesis ch. 3 sec. 3.3, Eq. 3).

angular_ic = sum_j angular_kernel_c(j - i) probabilities_jc
bilateral_ic = mask_i sum_j w_ijc bilateral_kernel_c(j - i) mask_j
  probabilities_jc, w_ijc = exp(-|f_i - f_j|^2 / (2 theta_c^2))

probabilities: [B, H, W, C].
features: [B, H, W, F].
mask: [B, H, W], true where the cell holds a return.
angular: [B, H, W, C].
bilateral: [B, H, W, C].
size: height and width of the neighbourhood, both odd.
angular_kernel: [size[0], size[1], C], row by row.
bilateral_kernel: [size[0], size[1], C], row by row.
theta: [C], in units of the features.
)doc");

REGISTER_OP("SqueezeTf>CrfMessageGrad")
    .Input("grad_angular: T")
    .Input("grad_bilateral: T")
    .Input("features: T")
    .Input("mask: bool")
    .Output("grad_probabilities: T")
    .Attr("T: {float, double}")
    .Attr("size: list(int) >= 2")
    .Attr("angular_kernel: list(float)")
    .Attr("bilateral_kernel: list(float)")
    .Attr("theta: list(float)")
    .SetShapeFn(GradShape)
    .Doc("Gradient of CrfMessage with respect to its probabilities.");

REGISTER_OP("SqueezeTf>CrfMessageFeatureGrad")
    .Input("probabilities: T")
    .Input("grad_bilateral: T")
    .Input("features: T")
    .Input("mask: bool")
    .Output("grad_features: T")
    .Attr("T: {float, double}")
    .Attr("size: list(int) >= 2")
    .Attr("angular_kernel: list(float)")
    .Attr("bilateral_kernel: list(float)")
    .Attr("theta: list(float)")
    .SetShapeFn(FeatureGradShape)
    .Doc("Gradient of CrfMessage with respect to its features.");

Status IterationShape(InferenceContext* c) {
  ShapeHandle map, features;
  TF_RETURN_IF_ERROR(MergedMap(c, {0}, 1, 2, &map, &features));
  c->set_output(0, map);
  return tensorflow::OkStatus();
}

Status IterationGradShape(InferenceContext* c) {
  ShapeHandle map, features;
  TF_RETURN_IF_ERROR(MergedMap(c, {0, 1}, 2, 3, &map, &features));
  c->set_output(0, map);
  c->set_output(1, c->input(4));
  c->set_output(2, c->input(5));
  return tensorflow::OkStatus();
}

REGISTER_OP("SqueezeTf>CrfIteration")
    .Input("scores: T")
    .Input("features: T")
    .Input("mask: bool")
    .Input("angular_matrix: T")
    .Input("bilateral_matrix: T")
    .Output("refined: T")
    .Attr("T: {float, double}")
    .Attr("size: list(int) >= 2")
    .Attr("angular_kernel: list(float)")
    .Attr("bilateral_kernel: list(float)")
    .Attr("theta: list(float)")
    .Attr("add_probabilities: bool = true")
    .SetShapeFn(IterationShape)
    .Doc(R"doc(
One mean-field iteration of the recurrent CRF (thesis ch. 3 sec. 3.3, Fig. 5).

q = softmax(scores); refined = q + a angular_matrix + b bilateral_matrix with
a, b the messages of CrfMessage; q is left out if add_probabilities is false.

scores: [B, H, W, C].
features: [B, H, W, F].
mask: [B, H, W], true where the cell holds a return.
angular_matrix: [C, C].
bilateral_matrix: [C, C].
refined: [B, H, W, C].
)doc");

REGISTER_OP("SqueezeTf>CrfIterationGrad")
    .Input("scores: T")
    .Input("grad_refined: T")
    .Input("features: T")
    .Input("mask: bool")
    .Input("angular_matrix: T")
    .Input("bilateral_matrix: T")
    .Output("grad_scores: T")
    .Output("grad_angular_matrix: T")
    .Output("grad_bilateral_matrix: T")
    .Attr("T: {float, double}")
    .Attr("size: list(int) >= 2")
    .Attr("angular_kernel: list(float)")
    .Attr("bilateral_kernel: list(float)")
    .Attr("theta: list(float)")
    .Attr("add_probabilities: bool = true")
    .SetShapeFn(IterationGradShape)
    .Doc("Gradient of CrfIteration, but for its features.");

}  // namespace
}  // namespace squeeze_tf
