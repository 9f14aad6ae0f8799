"""Keras layers that read a grid of LiDAR returns."""

import tensorflow as tf

keras = tf.keras


@keras.utils.register_keras_serializable("squeeze_tf")
class ReturnMask(keras.layers.Layer):
    """Where a grid holds a return, Ch. 5 §3.3 (LiDAR mask).

    Call it with `grid` [B, H, W, 5], whose last channel is the range in
    metres; it returns [B, H, W, 1] float, 1 where the range is positive.
    """

    def call(self, grid: tf.Tensor) -> tf.Tensor:
        """Compares the range with zero."""
        return tf.cast(grid[..., -1:] > 0, self.compute_dtype)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, int]:
        """For efficiency.workload: comparisons are no MACs."""
        return {"macs": 0}
