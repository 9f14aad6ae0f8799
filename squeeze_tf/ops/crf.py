"""CRF message passing: Gaussian weights over a small neighbourhood, Ch. 3 §3.3.

The compiled operator and its twin of stock operators give equal results.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from squeeze_tf.ops import custom_ops


def crf_message(
    probabilities: tf.Tensor,
    features: tf.Tensor,
    mask: tf.Tensor,
    *,
    angular_kernel: np.ndarray,
    bilateral_kernel: np.ndarray,
    theta: Sequence[float],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Messages that every cell receives from its neighbours.

    Source: Ch. 3 §3.3, Eq. 3, the sum over j of mean-field inference:
      angular_ic = Σ_j angular_kernel[j - i, c] q_jc
      bilateral_ic = m_i Σ_j w_ijc bilateral_kernel[j - i, c] m_j q_jc
      w_ijc = exp(-|f_i - f_j|² / (2 theta_c²))
    Cells outside the map count as q = 0. Gradients flow to `probabilities` q
    and `features` f.

    Args:
      probabilities: [B, H, W, C] float.
      features: [B, H, W, F] float of the same type, for instance x, y, z.
      mask: [B, H, W] bool m, true where the cell holds a return.
      angular_kernel: [h, w, C], h and w odd.
      bilateral_kernel: [h, w, C].
      theta: [C] positive, in units of the features.

    Returns:
      angular, bilateral: [B, H, W, C] each.

    Raises:
      ValueError: shapes of the kernels or of theta do not fit.
    """
    kernels = _kernels(angular_kernel, bilateral_kernel, theta)
    library = custom_ops.active_library(probabilities)
    if library is None:
        return _stock(probabilities, features, mask, *kernels)
    return library.squeeze_tf_crf_message(
        probabilities=probabilities,
        features=features,
        mask=mask,
        **_attributes(*kernels),
    )


def crf_iteration(
    scores: tf.Tensor,
    features: tf.Tensor,
    mask: tf.Tensor,
    angular_matrix: tf.Tensor,
    bilateral_matrix: tf.Tensor,
    *,
    angular_kernel: np.ndarray,
    bilateral_kernel: np.ndarray,
    theta: Sequence[float],
    add_probabilities: bool = True,
) -> tf.Tensor:
    """One mean-field iteration: softmax, messages, compatibility, sum.

    Source: Ch. 3 §3.3, Fig. 5. With a, b the messages of q = softmax(scores):
      refined = q + a angular_matrix + b bilateral_matrix
    Without `add_probabilities` q is left out of the sum. Gradients flow to all
    but `mask`.

    Args:
      scores: [B, H, W, C] float.
      features: [B, H, W, F], as in crf_message().
      mask: [B, H, W] bool.
      angular_matrix: [C, C].
      bilateral_matrix: [C, C].
      angular_kernel: [h, w, C].
      bilateral_kernel: [h, w, C].
      theta: [C].
      add_probabilities: whether q is part of the result.

    Returns:
      [B, H, W, C].

    Raises:
      ValueError: as crf_message().
    """
    kernels = _kernels(angular_kernel, bilateral_kernel, theta)
    library = custom_ops.active_library(scores)
    if library is None:
        q = tf.nn.softmax(scores)
        angular, bilateral = _stock(q, features, mask, *kernels)
        sent = tf.matmul(angular, angular_matrix)
        sent += tf.matmul(bilateral, bilateral_matrix)
        return q + sent if add_probabilities else sent
    return library.squeeze_tf_crf_iteration(
        scores=scores,
        features=features,
        mask=mask,
        angular_matrix=angular_matrix,
        bilateral_matrix=bilateral_matrix,
        add_probabilities=add_probabilities,
        **_attributes(*kernels),
    )


def angular_gaussian(
    size: tuple[int, int], theta: Sequence[float], floor_exponent: bool = False
) -> np.ndarray:
    """Gaussian of the angular distance between cells, without its centre.

    Source: Ch. 3 §3.3, Eq. 3: exp(-|p_i - p_j|² / (2 θ²)), p in cells. The
    released code ran under Python 2, whose `-distance / 2` of integers rounds
    down; `floor_exponent` repeats that.

    Args:
      size: height and width of the neighbourhood, both odd.
      theta: [C] cells.
      floor_exponent: round -|p_i - p_j|² / 2 down to an integer.

    Returns:
      [height, width, C] float32; zero in the centre.
    """
    height, width = size
    dy = np.arange(height)[:, None] - height // 2
    dx = np.arange(width)[None] - width // 2
    exponent = -(dy**2 + dx**2) / 2
    if floor_exponent:
        exponent = np.floor(exponent)
    kernel = np.exp(exponent[..., None] / np.square(theta))
    kernel[height // 2, width // 2] = 0
    return kernel.astype(np.float32)


def _kernels(
    angular_kernel: np.ndarray,
    bilateral_kernel: np.ndarray,
    theta: Sequence[float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three as float32, checked."""
    angular_kernel = np.asarray(angular_kernel, np.float32)
    bilateral_kernel = np.asarray(bilateral_kernel, np.float32)
    theta = np.asarray(theta, np.float32)
    if (
        angular_kernel.ndim != 3
        or angular_kernel.shape != bilateral_kernel.shape
        or angular_kernel.shape[2:] != theta.shape
        or angular_kernel.shape[0] % 2 == 0
        or angular_kernel.shape[1] % 2 == 0
    ):
        raise ValueError(
            "kernels must be [h, w, C] with odd h and w, and theta [C]; got "
            f"{angular_kernel.shape}, {bilateral_kernel.shape}, {theta.shape}"
        )
    return angular_kernel, bilateral_kernel, theta


def _attributes(
    angular_kernel: np.ndarray, bilateral_kernel: np.ndarray, theta: np.ndarray
) -> dict[str, list]:
    """The kernels as attributes of the operators."""
    return {
        "size": list(angular_kernel.shape[:2]),
        "angular_kernel": angular_kernel.ravel().tolist(),
        "bilateral_kernel": bilateral_kernel.ravel().tolist(),
        "theta": theta.tolist(),
    }


def _stock(
    q: tf.Tensor,
    features: tf.Tensor,
    mask: tf.Tensor,
    angular_kernel: np.ndarray,
    bilateral_kernel: np.ndarray,
    theta: np.ndarray,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The twin: pads and slices, which TFLite has built in."""
    q, features = tf.convert_to_tensor(q), tf.convert_to_tensor(features)
    valid = tf.cast(mask, q.dtype)[..., tf.newaxis]
    height, width = angular_kernel.shape[:2]
    rows, columns = height // 2, width // 2
    paddings = [[0, 0], [rows, rows], [columns, columns], [0, 0]]
    padded_q = tf.pad(q, paddings)
    padded_masked = tf.pad(q * valid, paddings)
    padded_features = tf.pad(features, paddings)
    shape = tf.shape(q)
    precision = tf.constant(0.5 / np.square(theta, dtype=np.float64), q.dtype)
    angular = bilateral = tf.zeros_like(q)
    for dy in range(height):
        for dx in range(width):
            window = (
                slice(None),
                slice(dy, dy + shape[1]),
                slice(dx, dx + shape[2]),
            )
            g_angular = tf.constant(angular_kernel[dy, dx], q.dtype)
            g_bilateral = tf.constant(bilateral_kernel[dy, dx], q.dtype)
            if angular_kernel[dy, dx].any():
                angular += g_angular * padded_q[window]
            if bilateral_kernel[dy, dx].any():
                distance = tf.reduce_sum(
                    tf.math.squared_difference(
                        padded_features[window], features
                    ),
                    axis=-1,
                    keepdims=True,
                )
                weight = tf.exp(-distance * precision)
                bilateral += weight * g_bilateral * padded_masked[window]
    return angular, valid * bilateral


@tf.RegisterGradient("SqueezeTf>CrfMessage")
def _message_gradient(
    op: tf.Operation, grad_angular: tf.Tensor, grad_bilateral: tf.Tensor
) -> list[tf.Tensor | None]:
    """Gathers, too: the adjoint is the message with every offset flipped."""
    library = custom_ops.library()
    q, features, mask = op.inputs
    grad_q = library.squeeze_tf_crf_message_grad(
        grad_angular=grad_angular,
        grad_bilateral=grad_bilateral,
        features=features,
        mask=mask,
        **_own_attributes(op),
    )
    return [grad_q, _feature_gradient(op, q, grad_bilateral), None]


@tf.RegisterGradient("SqueezeTf>CrfIteration")
def _iteration_gradient(
    op: tf.Operation, grad_refined: tf.Tensor
) -> list[tf.Tensor | None]:
    """Recomputes the messages instead of keeping them."""
    scores, features, mask, angular_matrix, bilateral_matrix = op.inputs
    gradients = custom_ops.library().squeeze_tf_crf_iteration_grad(
        scores=scores,
        grad_refined=grad_refined,
        features=features,
        mask=mask,
        angular_matrix=angular_matrix,
        bilateral_matrix=bilateral_matrix,
        add_probabilities=op.get_attr("add_probabilities"),
        **_own_attributes(op),
    )
    grad_bilateral = tf.matmul(grad_refined, bilateral_matrix, transpose_b=True)
    grad_features = _feature_gradient(op, tf.nn.softmax(scores), grad_bilateral)
    return [gradients[0], grad_features, None, gradients[1], gradients[2]]


def _feature_gradient(
    op: tf.Operation, q: tf.Tensor, grad_bilateral: tf.Tensor
) -> tf.Tensor:
    """A graph prunes it where nobody asks for it."""
    return custom_ops.library().squeeze_tf_crf_message_feature_grad(
        probabilities=q,
        grad_bilateral=grad_bilateral,
        features=op.inputs[1],
        mask=op.inputs[2],
        **_own_attributes(op),
    )


def _own_attributes(op: tf.Operation) -> dict[str, list]:
    return {
        name: op.get_attr(name)
        for name in ("size", "angular_kernel", "bilateral_kernel", "theta")
    }
