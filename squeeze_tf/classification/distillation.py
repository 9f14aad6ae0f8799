"""Label refinery: a trained network's probabilities as targets, Ch. 6 §4.3."""

import tensorflow as tf

keras = tf.keras


def refinery_loss(teacher_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy against the probabilities of a teacher.

    Source: the label refinery that the code of DiracDeltaNet uses: mean over
    the images of -Σ_c softmax(teacher)_c log softmax(student)_c, without a
    temperature and without the true labels.

    Args:
      teacher_logits: [B, C] float; no gradient flows to them.
      logits: [B, C] float, the student's.

    Returns:
      [] float.
    """
    targets = tf.nn.softmax(tf.stop_gradient(teacher_logits))
    return tf.reduce_mean(
        -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=-1)
    )


def refined(batches: tf.data.Dataset, teacher: keras.Model) -> tf.data.Dataset:
    """Batches with the teacher's probabilities instead of the labels.

    Cross-entropy against them is refinery_loss(). The teacher sees the very
    image that the student sees, and its averages normalise: the released code
    leaves its batch normalisation in training mode.

    Args:
      batches: of (image [B, H, W, C], probabilities [B, classes]).
      teacher: from such images to logits [B, classes].

    Raises:
      ValueError: the teacher takes other images or has other classes.
    """
    image, targets = batches.element_spec
    for ours, theirs, what in (
        (image.shape[1:], teacher.input_shape[1:], "images"),
        (targets.shape[1:], teacher.output_shape[1:], "classes"),
    ):
        if tuple(ours) != tuple(theirs):
            raise ValueError(
                f"the teacher must be of {what} {tuple(ours)}, as the student; "
                f"got {tuple(theirs)}"
            )

    def refine(image: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return image, tf.nn.softmax(teacher(image, training=False))

    return batches.map(refine)
