"""Losses of style and content on the features of a fixed network."""

import tensorflow as tf

from squeeze_tf.shift_applications import vgg_features

keras = tf.keras

# Ch. 6 §3.4: λ_c, and the values of λ_s that fit different styles.
CONTENT_WEIGHT = 1e5
STYLE_WEIGHTS = (1e10, 5e10, 1e11)
TERMS = ("content_loss", "style_loss", "variation_loss")


def gram(features: tf.Tensor) -> tf.Tensor:
    """How strongly channels appear together, wherever that is.

    Source: Johnson et al. 2016 §3.2, Eq. 3: G_cd = Σ_hw F_hwc F_hwd / (H W C).

    Args:
      features: [B, H, W, C] float.

    Returns:
      [B, C, C] float, symmetric.
    """
    shape = tf.shape(features)
    flat = tf.reshape(features, [shape[0], -1, shape[3]])  # [B, H W, C]
    size = tf.cast(tf.reduce_prod(shape[1:]), features.dtype)
    return tf.matmul(flat, flat, transpose_a=True) / size


def total_variation(image: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of neighbours, down and to the right.

    Source: Johnson et al. 2016 §3.2; the sum there, the mean here, so that it
    does not depend on the size.

    Args:
      image: [B, H, W, C] float.

    Returns:
      A scalar.
    """
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    return tf.reduce_mean(down * down) + tf.reduce_mean(right * right)


class PerceptualLoss(keras.losses.Loss):
    """Distance from the content of one image and the style of another.

    Source: Ch. 6 §3.4 after Johnson et al. 2016 §3. The content is the mean
    squared difference of the features relu2_2 of VGG16; the style the sum of
    those of the four Gram matrices; released code.

    Call it with contents and pictures, [B, H, W, 3] float in 0 to 255; it
    returns a scalar.

    Args:
      features: of vgg_features.vgg16_features(), with weights.
      style: [H, W, 3] float in 0 to 255, of any size.
      content_weight: λ_c.
      style_weight: λ_s.
      variation_weight: of the total variation of the picture, whose values
        are divided by 255. Johnson et al. have it, the thesis does not.
    """

    def __init__(
        self,
        features: keras.Model,
        style: tf.Tensor,
        *,
        content_weight: float = CONTENT_WEIGHT,
        style_weight: float = STYLE_WEIGHTS[0],
        variation_weight: float = 0.0,
        name: str = "perceptual_loss",
    ) -> None:
        super().__init__(name=name)
        if style.shape.rank != 3 or style.shape[2] != 3:
            raise ValueError(f"style must be [H, W, 3]; got {style.shape}")
        self.features = features
        maps = features(tf.cast(style[tf.newaxis], tf.float32))
        self.grams = [gram(x) for x in maps]  # [1, C, C] each
        self.content_weight = content_weight
        self.style_weight = style_weight
        self.variation_weight = variation_weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The weighted sum of the terms, a scalar."""
        return tf.add_n(list(self.terms(y_true, y_pred).values()))

    def terms(
        self, y_true: tf.Tensor, y_pred: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The weighted terms by the names of TERMS, scalars."""
        names = vgg_features.NAMES
        wanted = dict(zip(names, self.features(tf.cast(y_true, tf.float32))))
        made = dict(zip(names, self.features(y_pred)))
        content = _mean_square(
            made[vgg_features.CONTENT] - wanted[vgg_features.CONTENT]
        )
        style = tf.add_n(
            [
                _mean_square(gram(made[name]) - target)
                for name, target in zip(names, self.grams)
            ]
        )
        variation = total_variation(y_pred / 255)
        return {
            "content_loss": self.content_weight * content,
            "style_loss": self.style_weight * style,
            "variation_loss": self.variation_weight * variation,
        }


class LossTerm(keras.metrics.Mean):
    """Mean of one term of a PerceptualLoss, weighted as Keras does the loss."""

    def __init__(self, loss: PerceptualLoss, term: str) -> None:
        super().__init__(name=term)
        self._loss = loss

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Adds one batch, which counts by its size."""
        term = self._loss.terms(y_true, y_pred)[self.name]
        return super().update_state(term, tf.shape(y_pred)[0])


def _mean_square(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(x * x)
