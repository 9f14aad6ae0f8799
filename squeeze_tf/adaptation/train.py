"""Training steps on one simulated and one real batch, Ch. 5 §4.3."""

from collections.abc import Callable

import tensorflow as tf

from squeeze_tf.adaptation import geodesic

keras = tf.keras
Batch = tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]


class AlignedModel(keras.Model):
    """A segmentation network whose outputs are aligned between two domains.

    Source: Ch. 5 §4.3, Eq. 2: FL(X_sim, Y_sim) + λ GL(X_sim, X_real). Each step
    takes one simulated and one real batch; the outputs are the scores of the
    cells that hold a return. Each batch is normalised by its own statistics;
    the moving ones see both.

    It is fitted with batches ((simulated, real), labels): grids [B, H, W, 5],
    and the labels of the simulated ones. Else it is the network itself.

    Args:
      network: functional, grid to scores.
      distance: key of geodesic.DISTANCES.
      weight: λ; 10 in the thesis.

    Raises:
      ValueError: an unknown distance or a negative weight.
    """

    def __init__(
        self,
        network: keras.Model,
        distance: str = "geodesic",
        weight: float = 10.0,
        name: str = "aligned",
    ) -> None:
        if distance not in geodesic.DISTANCES:
            raise ValueError(
                f"distance must be one of {sorted(geodesic.DISTANCES)}; got "
                f"{distance!r}"
            )
        if weight < 0:
            raise ValueError(f"weight must not be negative; got {weight}")
        super().__init__(network.inputs, network.outputs, name=name)
        self._distance: Callable = geodesic.DISTANCES[distance]
        self._weight = weight
        self._alignment = keras.metrics.Mean(name="alignment")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of the network, and the distance without its weight."""
        return [*super().metrics, self._alignment]

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """The focal loss of one batch and the distance to the other."""
        (simulated, real), labels = data
        with tf.GradientTape() as tape:
            scores = self(simulated, training=True)
            distance = self._distance(
                _covariance(scores, simulated),
                _covariance(self(real, training=True), real),
            )
            # The gradients of several replicas are added up.
            replicas = self.distribute_strategy.num_replicas_in_sync
            loss = self.compute_loss(simulated, labels, scores)
            loss += self._weight * distance / replicas
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._alignment.update_state(distance)
        return self.compute_metrics(simulated, labels, scores, None)


def _covariance(scores: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Of the scores of all returns of a batch."""
    return geodesic.covariance(scores, grid[..., 4] > 0)
