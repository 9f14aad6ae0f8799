"""Layers that reorder channels: split, shuffle and rotation, Ch. 6 §4."""

import tensorflow as tf

keras = tf.keras

_Shape = tuple[int | None, ...]


@keras.utils.register_keras_serializable("squeeze_tf")
class ChannelSplit(keras.layers.Layer):
    """[..., C] to its first and its second half of C / 2 channels each.

    Source: ShuffleNetV2, which Ch. 6 §4.1 starts from.

    Raises:
      ValueError: C is odd.
    """

    def build(self, input_shape: _Shape) -> None:
        """Checks the channels."""
        _share(input_shape, 2)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Both halves."""
        half = x.shape[-1] // 2
        return [x[..., :half], x[..., half:]]

    def compute_output_shape(self, input_shape: _Shape) -> list[_Shape]:
        """Half of the channels, twice."""
        half = (*input_shape[:-1], _share(input_shape, 2))
        return [half, half]

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """Nothing is multiplied; efficiency.workload asks."""
        return {"macs": 0}


class _Reordering(keras.layers.Layer):
    """What layers share that leave the shape as it is."""

    def compute_output_shape(self, input_shape: _Shape) -> _Shape:
        """The input's."""
        return tuple(input_shape)

    def workload(
        self, input_shapes: list[tuple[int, ...]], output_shape: tuple[int, ...]
    ) -> dict[str, object]:
        """Nothing is multiplied; efficiency.workload asks."""
        return {"macs": 0}


@keras.utils.register_keras_serializable("squeeze_tf")
class ChannelShuffle(_Reordering):
    """Takes channels from each of G equal groups in turn.

    Source: ShuffleNetV2: channel g of place i becomes channel i G + g, where g
    counts groups and i the C / G channels of one.

    Args:
      groups: G.

    Raises:
      ValueError: G does not divide C.
    """

    def __init__(self, groups: int = 2, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    def build(self, input_shape: _Shape) -> None:
        """Checks the channels."""
        _share(input_shape, self.groups)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[..., C] to the same."""
        channels = x.shape[-1]
        grouped = tf.reshape(x, [-1, self.groups, channels // self.groups])
        shuffled = tf.reshape(tf.transpose(grouped, [0, 2, 1]), tf.shape(x))
        return tf.ensure_shape(shuffled, x.shape)

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"groups": self.groups}


@keras.utils.register_keras_serializable("squeeze_tf")
class ChannelRotation(_Reordering):
    """Moves the last 1 / P of the channels to the front.

    Source: Ch. 6 §4.2: DiracDeltaNet replaces the shuffle by a circular shift
    along the channels; a quarter in the released code.

    Args:
      parts: P.

    Raises:
      ValueError: P does not divide C.
    """

    def __init__(self, parts: int = 4, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def build(self, input_shape: _Shape) -> None:
        """Checks the channels."""
        _share(input_shape, self.parts)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[..., C] to the same."""
        stay = x.shape[-1] - x.shape[-1] // self.parts
        return tf.concat([x[..., stay:], x[..., :stay]], axis=-1)

    def get_config(self) -> dict[str, object]:
        """Arguments of the layer."""
        return super().get_config() | {"parts": self.parts}


def _share(input_shape: _Shape, parts: int) -> int:
    """Channels of one of the parts."""
    channels = input_shape[-1]
    if parts < 1 or channels % parts:
        raise ValueError(
            f"the channels must fall into {parts} equal parts; got {channels}"
        )
    return channels // parts
