"""The stochastic super net: every candidate of every layer, Ch. 7 §3.2."""

from collections.abc import Sequence

import tensorflow as tf

from squeeze_tf.search import space as space_lib

keras = tf.keras


class SuperNet(keras.Model):
    """Layers whose output is the sum of their candidates' times their gates.

    Source: Ch. 7 §3.2, Eqs. 3 and 16. All candidates of a layer run; those of
    one network alone run in subnetwork().

    Call it with an image [B, H, W, C] float in 0 to 255 and gates [L, K] float,
    one line for each layer; a layer with fewer candidates than K ignores the
    rest of its line. It returns logits [B, num_classes].

    Args:
      space: what to build.
    """

    def __init__(self, space: space_lib.Space, name: str = "supernet") -> None:
        super().__init__(name=name)
        self.space = space
        self.first, self.last = space_lib.end_models(space)
        self.blocks = [
            [space_lib.block_model(space, layer, kind) for kind in kinds]
            for layer, kinds in enumerate(space.candidates)
        ]

    def call(
        self,
        image: tf.Tensor,
        gates: tf.Tensor,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Logits of a batch; see the class for shapes."""
        x = self.first(image, training=training)
        for blocks, row in zip(self.blocks, tf.unstack(gates)):
            gated = [
                gate * block(x, training=training)
                for block, gate in zip(blocks, tf.unstack(row))
            ]
            x = tf.add_n(gated)
        return self.last(x, training=training)

    def subnetwork(self, architecture: Sequence[str]) -> keras.Model:
        """One network of the space with the super net's weights.

        Args:
          architecture: a candidate for each layer.

        Returns:
          Image to logits; it shares its variables with the super net and runs
          one block a layer.

        Raises:
          ValueError: it is not of the space.
        """
        self.space.check(architecture)
        x = image = keras.Input(self.first.input_shape[1:], name="image")
        x = self.first(x)
        for blocks, kinds, kind in zip(
            self.blocks, self.space.candidates, architecture
        ):
            x = blocks[kinds.index(kind)](x)
        return keras.Model(image, self.last(x), name="subnetwork")


def padded(
    rows: Sequence[Sequence[float]], fill: float = 0.0
) -> list[list[float]]:
    """Lines of one length, as SuperNet takes gates."""
    most = max(len(row) for row in rows)
    return [[*row, *[fill] * (most - len(row))] for row in rows]
