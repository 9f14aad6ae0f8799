"""Distances between the statistics of two batches, Ch. 5 §4.3."""

import tensorflow as tf

# Ours: added to the diagonal of every covariance, whose logarithm would else be
# ruled by directions in which the outputs hardly vary.
EPSILON = 1e-3


def covariance(x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Covariance of the channels over everything else.

    Args:
      x: [..., C] float.
      mask: [...] bool, which to count; None for all. At least two count, or
        the result is 0.

    Returns:
      [C, C] float32, or float64 if x is.
    """
    x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    x = tf.reshape(x, [-1, x.shape[-1]])
    weights = tf.ones_like(x[:, :1])
    if mask is not None:
        weights = tf.cast(tf.reshape(mask, [-1, 1]), x.dtype)
    count = tf.reduce_sum(weights)
    mean = tf.math.divide_no_nan(tf.reduce_sum(x * weights, axis=0), count)
    centred = (x - mean) * weights
    product = tf.matmul(centred, centred, transpose_a=True)
    return product / tf.maximum(count - 1, 1)


@tf.custom_gradient
def matrix_logarithm(matrix: tf.Tensor) -> tf.Tensor:
    """Logarithm of a symmetric positive definite matrix, [..., C, C].

    The gradient stays finite where eigenvalues repeat: it is V (F ∘ Vᵀ G V) Vᵀ
    with F_ij = (log λ_i - log λ_j) / (λ_i - λ_j), which tends to 1 / λ_i
    (Daleckii and Krein; Higham, Functions of Matrices, Theorem 3.11).
    """
    values, vectors = tf.linalg.eigh(matrix)

    def compose(middle: tf.Tensor) -> tf.Tensor:
        return vectors @ middle @ tf.linalg.matrix_transpose(vectors)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        row, column = values[..., tf.newaxis], values[..., tf.newaxis, :]
        slopes = 2 * _atanh_share((row - column) / (row + column))
        inner = tf.linalg.matrix_transpose(vectors) @ upstream @ vectors
        found = compose(slopes / (row + column) * inner)
        return (found + tf.linalg.matrix_transpose(found)) / 2

    return compose(tf.linalg.diag(tf.math.log(values))), gradient


def geodesic_distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Log-Euclidean distance of two covariances.

    Source: Ch. 5 §4.3, which takes it from Morerio and Murino, Correlation
    Alignment by Riemannian Metric (2017), Eq. 2:
    |log A - log B|² / (4 C²), Frobenius norm.

    Args:
      a: [C, C] float, positive semidefinite; EPSILON is added.
      b: the same.

    Returns:
      [] of their type; computed in float64.
    """
    difference = _logarithm(a) - _logarithm(b)
    return _share_of_squares(difference, a)


def euclidean_distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Deep CORAL's distance, |A - B|² / (4 C²) (Sun and Saenko, 2016, Eq. 1).

    The comparison that Ch. 5 §4.3 names. Arguments as geodesic_distance().
    """
    return _share_of_squares(a - b, a)


DISTANCES = {"geodesic": geodesic_distance, "euclidean": euclidean_distance}


def _logarithm(covariance: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(covariance, tf.float64)
    wide += EPSILON * tf.eye(covariance.shape[-1], dtype=tf.float64)
    return matrix_logarithm(wide)


def _share_of_squares(difference: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    count = like.shape[-1]
    return tf.cast(tf.reduce_sum(difference**2), like.dtype) / (4 * count**2)


def _atanh_share(x: tf.Tensor) -> tf.Tensor:
    """atanh(x) / x, which is 1 at 0."""
    small = tf.abs(x) < 1e-3
    safe = tf.where(small, 0.5 * tf.ones_like(x), x)
    return tf.where(small, 1 + x**2 / 3 + x**4 / 5, tf.math.atanh(safe) / safe)
