"""Self-training on pseudo-labels with mixed scans, as today's baseline.

After CoSMix (Saltori et al., ECCV 2022): a teacher labels real scans, and the
student learns from scans into which objects of the other domain are put, in
both directions. Unlike there, scans are projected ones, so that what is put in
hides what stands behind it, and a class that is guessed too often is guessed
less, as by distribution alignment (Berthelot et al., ReMixMatch, ICLR 2020).
"""

import numpy as np
import tensorflow as tf

from squeeze_tf.segmentation import augmentation, loss

keras = tf.keras
Batch = tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]


class SelfTrainingModel(keras.Model):
    """A segmentation network that learns from its own teacher.

    It is fitted with batches ((simulated, real), labels), as AlignedModel; else
    it is the network itself, which is the student.

    Args:
      network: functional, grid to scores; trained on simulated scans.
      confidence: of the teacher, from which on a real return gets its label.
      share: of the returns of each class, the surest of a batch, that get it if
        the class is more probable than all others together. Ours, as the
        momentum: what is trained with a focal loss is hardly ever sure of a
        rare class.
      momentum: of the teacher, the running average of the student, and of the
        counts of what was guessed.
      excess: how many times as often as in the simulated scans the teacher may
        guess a class before it is held back. Ours: without it what is guessed
        falsely, and learnt, is guessed more and more.
      seed: of the choice of objects, which also depends on the step.

    Raises:
      ValueError: excess is not positive, another argument is outside 0..1.
    """

    def __init__(
        self,
        network: keras.Model,
        confidence: float = 0.85,
        share: float = 0.5,
        momentum: float = 0.99,
        excess: float = 2.0,
        seed: int = 0,
        name: str = "self_training",
    ) -> None:
        for argument, value in (
            ("confidence", confidence),
            ("share", share),
            ("momentum", momentum),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{argument} must lie in 0..1; got {value}")
        if not excess > 0:
            raise ValueError(f"excess must be positive; got {excess}")
        super().__init__(network.inputs, network.outputs, name=name)
        self.teacher = keras.models.clone_model(network)
        self.teacher.set_weights(network.get_weights())
        self.teacher.trainable = False
        self._student = network.weights
        self._sure = (confidence, share)
        self._momentum = momentum
        self._excess = excess
        # Returns of each class: simulated ones, and real ones as guessed.
        self._counts = tf.Variable(
            tf.zeros([2, self.output_shape[-1]]), trainable=False
        )
        self._seed = seed
        self._labelled = keras.metrics.Mean(name="labelled")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of the network, and the share of real returns with a label."""
        return [*super().metrics, self._labelled]

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """The mean loss of both mixtures; then the teacher moves."""
        (simulated, real), labels = data
        scores = tf.cast(self.teacher(real, training=False), tf.float32)
        counts = tf.stack(
            [
                _count(labels, simulated, self.output_shape[-1]),
                _count(tf.argmax(scores, axis=-1), real, self.output_shape[-1]),
            ]
        )
        self._counts.assign(self._momentum * self._counts + counts)
        scores += held_back(*tf.unstack(self._counts), self._excess)
        guesses = pseudo_labels(scores, real, *self._sure)
        scans = _sample(simulated, labels), _sample(real, guesses)
        with tf.GradientTape() as tape:
            losses = []
            for place, (into, other) in enumerate((scans, scans[::-1])):
                seed = [2 * self._seed + place, self.optimizer.iterations]
                mixture = mixed(into, other, self.output_shape[-1], seed)
                grid, wanted = mixture["grid"], mixture["label_ids"]
                scores = self(grid, training=True)
                losses.append(self.compute_loss(grid, wanted, scores))
            total = tf.add_n(losses) / len(losses)
        self.optimizer.minimize(total, self.trainable_variables, tape=tape)
        for mean, weight in zip(self.teacher.weights, self._student):
            mean.assign(self._momentum * mean + (1 - self._momentum) * weight)
        has_return = real[..., 4] > 0
        is_labelled = tf.boolean_mask(guesses != loss.IGNORED, has_return)
        self._labelled.update_state(tf.cast(is_labelled, tf.float32))
        # Of the second mixture: real scans with simulated objects in them.
        return self.compute_metrics(grid, wanted, scores, None)


def held_back(
    simulated: tf.Tensor, guessed: tf.Tensor, excess: float
) -> tf.Tensor:
    """What scores of classes that are guessed too often lose.

    Args:
      simulated: [C] float, returns of each class where they are known.
      guessed: [C] float, likewise where they are guessed.
      excess: of the shares of a class, guessed over known, that costs nothing.

    Returns:
      [C] float32, at most 0: the logarithm of the factor by which a class
      should be less probable, allowed over guessed share.
    """
    known = simulated / tf.maximum(tf.reduce_sum(simulated), 1)
    share = guessed / tf.maximum(tf.reduce_sum(guessed), 1)
    allowed = excess * tf.maximum(known, np.finfo(np.float32).tiny)
    return -tf.math.log(tf.maximum(share / allowed, 1))


def pseudo_labels(
    scores: tf.Tensor, grid: tf.Tensor, confidence: float, share: float
) -> tf.Tensor:
    """The most probable class where it is probable enough.

    Args:
      scores: [B, H, W, C] float, before the softmax.
      grid: [B, H, W, 5].
      confidence: least probability.
      share: of the returns of each class, the most probable ones, that need
        half of all probability.

    Returns:
      [B, H, W] int32, segmentation.loss.IGNORED elsewhere.
    """
    probabilities = tf.nn.softmax(tf.cast(scores, tf.float32))
    top = tf.reduce_max(probabilities, axis=-1)
    ids = tf.argmax(scores, axis=-1, output_type=tf.int32)
    has_return = grid[..., 4] > 0
    least = tf.stack(
        [
            tf.minimum(
                tf.maximum(_least(tf.boolean_mask(top, own), share), 0.5),
                confidence,
            )
            for own in tf.unstack(
                tf.one_hot(ids, scores.shape[-1], True, False, axis=0)
                & has_return
            )
        ]
    )
    sure = (top >= tf.gather(least, ids)) & has_return
    return tf.where(sure, ids, loss.IGNORED)


def _least(values: tf.Tensor, share: float) -> tf.Tensor:
    """Above it lies a share of the values, [N] float, rounded down."""
    count = tf.cast(share * tf.cast(tf.size(values), tf.float32), tf.int32)
    ordered = tf.sort(values, direction="DESCENDING")
    ordered = tf.concat([[np.inf], ordered], axis=0)
    return ordered[count]


def mixed(
    sample: augmentation.Sample,
    other: augmentation.Sample,
    num_classes: int,
    seed: tf.Tensor,
) -> augmentation.Sample:
    """Puts objects of other scans where they are in front.

    Args:
      sample: batch of scans: `grid` [B, H, W, 5], `mask` and `label_ids`
        [B, H, W].
      other: likewise; of each scan every class but 0 is taken with even odds.
      num_classes: C.
      seed: [2] int.

    Returns:
      A batch of the same shapes.
    """
    ids = other["label_ids"]
    shape = [tf.shape(ids)[0], num_classes]
    taken = tf.random.stateless_uniform(shape, seed) < 0.5
    chosen = tf.gather(taken, tf.maximum(ids, 0), batch_dims=1) & (ids > 0)
    return augmentation.paste(sample, other | {"mask": chosen})


def _count(ids: tf.Tensor, grid: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns of each class in a batch: [C] float32."""
    own = tf.boolean_mask(tf.cast(ids, tf.int32), grid[..., 4] > 0)
    return tf.reduce_sum(tf.one_hot(own, num_classes), axis=0)


def _sample(grid: tf.Tensor, label_ids: tf.Tensor) -> augmentation.Sample:
    return {
        "grid": grid,
        "mask": grid[..., 4] > 0,
        "label_ids": tf.cast(label_ids, tf.int32),
    }
