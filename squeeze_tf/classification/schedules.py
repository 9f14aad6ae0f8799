"""Learning rates by epoch and the optimiser of Ch. 6."""

from collections.abc import Sequence

import tensorflow as tf

keras = tf.keras

SCHEDULES = ("steps", "linear", "cosine", "constant")


def learning_rate(
    schedule: str,
    *,
    start: float,
    epochs: int,
    steps_per_epoch: int,
    decay_epochs: Sequence[int] = (),
    decay_rate: float = 0.1,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of every step.

    Source: Ch. 6 §3.1 and §3.2 divide by ten at some epochs ("steps"), §4.2
    goes to 0 in a line ("linear").

    Args:
      schedule: of SCHEDULES.
      start: at the first step.
      epochs: length of the run.
      steps_per_epoch: of the run.
      decay_epochs: of "steps": from these, counted from 0, the rate is
        multiplied once more.
      decay_rate: what it is multiplied by.

    Raises:
      ValueError: an unknown schedule, or decay_epochs do not rise.
    """
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {SCHEDULES}; got {schedule!r}"
        )
    if list(decay_epochs) != sorted({x for x in decay_epochs if x > 0}):
        raise ValueError(
            f"decay_epochs must rise from 1 or more; got {tuple(decay_epochs)}"
        )
    total = epochs * steps_per_epoch
    schedules = keras.optimizers.schedules
    if schedule == "linear":
        return schedules.PolynomialDecay(start, total, 0.0)
    if schedule == "cosine":
        return schedules.CosineDecay(start, total)
    # Keras wants one change at least; the last one here lies after the end.
    changes = list(decay_epochs) if schedule == "steps" else []
    changes.append(max(epochs, *changes, 0) + 1)
    return schedules.PiecewiseConstantDecay(
        [epoch * steps_per_epoch - 1 for epoch in changes],  # the last before
        [start * decay_rate**i for i in range(len(changes) + 1)],
    )


def momentum(
    rate: keras.optimizers.schedules.LearningRateSchedule,
) -> keras.optimizers.Optimizer:
    """Stochastic gradient descent with momentum 0.9, as the released code."""
    return keras.optimizers.SGD(rate, momentum=0.9)
