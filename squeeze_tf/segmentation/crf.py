"""RecurrentCRF: mean-field inference of a CRF as a Keras layer, Ch. 3 §3.3."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import crf as crf_ops

keras = tf.keras

FORMS = ("thesis", "mean_field", "released")
# The released configuration: unknown and car; pedestrian and cyclist.
KITTI_ANGULAR_THETA = (0.9, 0.9, 0.6, 0.6)
KITTI_BILATERAL_THETA = (0.015, 0.015, 0.01, 0.01)


@keras.utils.register_keras_serializable("squeeze_tf")
class RecurrentCRF(keras.layers.Layer):
    """Refines label scores by messages between neighbouring cells.

    Source: Ch. 3 §3.3, Eqs. 2-3 and Fig. 5. One iteration:
      q = softmax(x)
      a, b = angular and bilateral messages of q (squeeze_tf.ops.crf)
      x = q + a A + b B
    with trained compatibility matrices A and B. `form` chooses between

    - "thesis": the bilateral kernel is the product of Eq. 3 inside the sum,
      and A and B start as minus the Potts model, so that Eq. 2's penalty
      lowers the score of labels that differ from the neighbours'.
    - "mean_field": the same with the scores of the CNN in the place of q in the
      sum, x = scores + a A + b B, which is the update of Eq. 2's sources (its
      unary term is -log P): softmax is applied once, and networks train as
      fast as without it.
    - "released": b is the product of two sums, angular exponents are rounded
      down (ops.crf.angular_gaussian) and A and B start as plus the Potts
      model, as in the authors' code; their checkpoints need it.

    Call it with [scores, features, mask]:
      scores: [B, H, W, C] float, of the CNN (before a softmax).
      features: [B, H, W, F] float; the first `num_features` are used, the
        normalised x, y, z of the models here.
      mask: [B, H, W, 1] float, 1 where the cell holds a return.
    It returns [B, H, W, C] float scores, to be normalised by a softmax.

    Args:
      angular_theta: σ_γ of Eq. 3 in cells, one or one per class.
      bilateral_angular_theta: σ_α in cells, one or one per class.
      bilateral_theta: σ_β in units of the features, one or one per class.
      num_iterations: how often the messages pass.
      size: height and width of the neighbourhood, odd.
      num_features: how many feature channels enter the bilateral weight.
      form: "thesis", "mean_field" or "released".
      angular_compatibility: start of A off its diagonal, as a magnitude.
      bilateral_compatibility: start of B off its diagonal, as a magnitude.
    """

    def __init__(
        self,
        *,
        angular_theta: float | Sequence[float] = 0.9,
        bilateral_angular_theta: float | Sequence[float] = 0.9,
        bilateral_theta: float | Sequence[float] = 0.015,
        num_iterations: int = 3,
        size: tuple[int, int] = (3, 5),
        num_features: int = 3,
        form: str = "thesis",
        angular_compatibility: float = 0.02,
        bilateral_compatibility: float = 0.1,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault("dtype", "float32")  # exponents overflow in halves
        kwargs.setdefault("name", "recurrent_crf")
        super().__init__(**kwargs)
        if form not in FORMS:
            raise ValueError(f"form must be one of {FORMS}; got {form!r}")
        if len(size) != 2 or any(extent % 2 == 0 for extent in size):
            raise ValueError(f"size must be two odd numbers; got {size}")
        if num_iterations < 1:
            raise ValueError(f"num_iterations must be >= 1: {num_iterations}")
        self.angular_theta = angular_theta
        self.bilateral_angular_theta = bilateral_angular_theta
        self.bilateral_theta = bilateral_theta
        self.num_iterations = num_iterations
        self.size = tuple(size)
        self.num_features = num_features
        self.form = form
        self.angular_compatibility = angular_compatibility
        self.bilateral_compatibility = bilateral_compatibility

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Makes A and B; checks the thetas against the class count."""
        num_classes = input_shape[0][-1]
        sign = 1.0 if self.form == "released" else -1.0
        potts = sign * (1 - np.eye(num_classes))
        for name in ("angular", "bilateral"):
            start = potts * getattr(self, f"{name}_compatibility")
            weight = self.add_weight(
                name=f"{name}_compatibility_matrix",
                shape=(num_classes, num_classes),
                initializer=keras.initializers.Constant(start),
            )
            setattr(self, f"_{name}_matrix", weight)
        theta = {}
        for name in (
            "angular_theta",
            "bilateral_angular_theta",
            "bilateral_theta",
        ):
            values = np.ravel(getattr(self, name)).astype(float)
            if values.size not in (1, num_classes):
                raise ValueError(
                    f"{name} must hold 1 or {num_classes} values, one per "
                    f"class; got {values.size}"
                )
            theta[name] = np.broadcast_to(values, num_classes)
        released = self.form == "released"
        self._theta = theta["bilateral_theta"]
        self._angular = crf_ops.angular_gaussian(
            self.size, theta["angular_theta"], floor_exponent=released
        )
        self._bilateral = crf_ops.angular_gaussian(
            self.size, theta["bilateral_angular_theta"], floor_exponent=released
        )
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Passes the messages; see the class for shapes."""
        x, features, mask = inputs
        features = features[..., : self.num_features]
        mask = mask[..., 0] > 0
        scores = x
        for _ in range(self.num_iterations):
            if self.form == "released":
                x = self._released_iteration(x, features, mask)
                continue
            x = crf_ops.crf_iteration(
                x,
                features,
                mask,
                tf.convert_to_tensor(self._angular_matrix),
                tf.convert_to_tensor(self._bilateral_matrix),
                angular_kernel=self._angular,
                bilateral_kernel=self._bilateral,
                theta=self._theta,
                add_probabilities=self.form == "thesis",
            )
            if self.form == "mean_field":
                x += scores
        return x

    def workload(
        self,
        input_shapes: Sequence[tuple[int, ...]],
        output_shape: tuple[int, ...],
    ) -> dict[str, int]:
        """MACs for squeeze_tf.efficiency.workload, Ch. 1 §2.2.

        Of each cell, with n = h w - 1 neighbours (those beyond the border
        count too, as of convolutions), F features and C classes:
        - once: n F for |f_i - f_j|². The weights do not change between
          iterations, so they count once, although the operators compute them
          again each time.
        - at each iteration: n C for the angular and n C for the bilateral
          message, 2 C² for the two compatibility matrices. The form "released"
          adds n C for its second angular sum if that has a σ of its own.
        Exponentials, softmax, masks and element-wise products and sums are
        negligible, as activation functions are. The angular factor of a
        bilateral weight belongs to its exponent.

        Args:
          input_shapes: of scores, features and mask, batch first.
          output_shape: [B, H, W, C].
        """
        *cells, num_classes = output_shape
        neighbours = self.size[0] * self.size[1] - 1
        num_features = min(self.num_features, input_shapes[1][-1])
        has_second_sum = self.form == "released" and not np.array_equal(
            self._angular, self._bilateral
        )
        sums = 2 + has_second_sum
        iteration = sums * neighbours * num_classes + 2 * num_classes**2
        each = neighbours * num_features + self.num_iterations * iteration
        return {"macs": int(np.prod(cells)) * each}

    def get_config(self) -> dict:
        """Everything __init__ takes."""
        return super().get_config() | {
            name: getattr(self, name)
            for name in (
                "angular_theta",
                "bilateral_angular_theta",
                "bilateral_theta",
                "num_iterations",
                "size",
                "num_features",
                "form",
                "angular_compatibility",
                "bilateral_compatibility",
            )
        }

    def _released_iteration(
        self, x: tf.Tensor, features: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        """The bilateral message as a product of two sums."""
        q = tf.nn.softmax(x)
        everywhere = np.ones_like(self._bilateral)
        everywhere[self.size[0] // 2, self.size[1] // 2] = 0
        angular, bilateral = crf_ops.crf_message(
            q,
            features,
            mask,
            angular_kernel=self._angular,
            bilateral_kernel=everywhere,
            theta=self._theta,
        )
        near = angular
        if not np.array_equal(self._angular, self._bilateral):
            near = tf.nn.depthwise_conv2d(
                q, self._bilateral[..., np.newaxis], [1, 1, 1, 1], "SAME"
            )
        return (
            q
            + tf.matmul(angular, self._angular_matrix)
            + tf.matmul(bilateral * near, self._bilateral_matrix)
        )
