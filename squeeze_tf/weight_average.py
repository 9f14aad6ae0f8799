"""A running average of all weights of a model while it trains."""

import tensorflow as tf

keras = tf.keras


class WeightAverage(keras.callbacks.Callback):
    """Keeps w_avg = m w_avg + (1 - m) w after every step.

    Source: Polyak and Juditsky 1992; that averages generalise better to
    another domain: Cha et al. 2021 (SWAD). The average starts as the plain
    mean of the first 1 / (1 - m) steps. Moving statistics of batch
    normalisation are averaged like weights.

    Args:
      model: whose weights to follow; it is not changed but by swap().
      momentum: m, in (0, 1).
    """

    def __init__(self, model: keras.Model, momentum: float) -> None:
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"momentum must lie in (0, 1); got {momentum}")
        self._momentum = momentum
        self._weights = model.weights
        self.num_steps = tf.Variable(0.0, trainable=False)
        self.averages = [
            tf.Variable(tf.convert_to_tensor(w), trainable=False)
            for w in self._weights
        ]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Takes in the weights of one more step."""
        self._update()

    def swap(self) -> None:
        """Exchanges the model's weights and the averages."""
        for weight, average in zip(self._weights, self.averages):
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)

    @tf.function
    def _update(self) -> None:
        self.num_steps.assign_add(1.0)
        momentum = tf.minimum(self._momentum, 1 - 1 / self.num_steps)
        for weight, average in zip(self._weights, self.averages):
            average.assign_add((1 - momentum) * (weight - average))
