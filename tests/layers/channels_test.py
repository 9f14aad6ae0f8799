import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import export
from squeeze_tf.efficiency import metrics, workload
from squeeze_tf.layers import channels
from tests import shared_files

keras = tf.keras


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def model(*layers, shape=(4, 6, 8)):
    x = image = keras.Input(shape, name="image")
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


class ChannelsTest(parameterized.TestCase):
    def test_shuffle_and_rotation_are_those_of_the_released_code(self):
        found = np.load(
            shared_files.path(
                "reference/architectures/vectors/channel_shuffle.npz"
            )
        )
        for layer, name in (
            (channels.ChannelShuffle(), "transpose"),
            (channels.ChannelRotation(), "rotate"),
        ):
            np.testing.assert_array_equal(layer(found["x"]), found[name])

    @parameterized.parameters(1, 2, 3, 4, 6)
    def test_shuffle_deals_the_groups_in_turn(self, groups):
        x = np.arange(24).reshape(1, 1, 2, 12)
        size = 12 // groups
        expected = np.empty_like(x)
        for group in range(groups):
            for i in range(size):
                source = x[..., group * size + i]
                expected[..., i * groups + group] = source
        np.testing.assert_array_equal(
            channels.ChannelShuffle(groups)(x), expected
        )

    def test_shuffle_by_groups_and_by_their_size_undo_each_other(self):
        x = noise(2, 3, 4, 12)
        there = channels.ChannelShuffle(3)(x)
        np.testing.assert_array_equal(channels.ChannelShuffle(4)(there), x)

    @parameterized.parameters(1, 2, 4, 8)
    def test_rotation_comes_around(self, parts):
        x = noise(2, 3, 8)
        layer = channels.ChannelRotation(parts)
        np.testing.assert_array_equal(layer(x), np.roll(x, 8 // parts, -1))
        y = x
        for _ in range(parts):
            y = layer(y)
        np.testing.assert_array_equal(y, x)

    def test_split_gives_the_halves(self):
        x = noise(2, 3, 4, 6)
        first, second = channels.ChannelSplit()(x)
        np.testing.assert_array_equal(np.concatenate([first, second], -1), x)
        self.assertEqual(first.shape, second.shape)
        self.assertEqual(
            channels.ChannelSplit().compute_output_shape((None, 3, 4, 6)),
            [(None, 3, 4, 3)] * 2,
        )

    @parameterized.parameters(
        channels.ChannelSplit(name="a"),
        channels.ChannelShuffle(4, name="b"),
        channels.ChannelRotation(8, name="c"),
    )
    def test_layers_are_rebuilt_and_cost_no_macs(self, layer):
        again = type(layer).from_config(layer.get_config())
        self.assertEqual(again.get_config(), layer.get_config())
        x = noise(1, 4, 6, 8)
        made = model(layer)
        copy = keras.models.model_from_json(made.to_json())
        for ours, theirs in zip(
            tf.nest.flatten(made(x)), tf.nest.flatten(copy(x))
        ):
            np.testing.assert_array_equal(ours, theirs)
        (_, load) = workload.workloads(made, batch_size=2)
        self.assertTrue(load.is_counted)
        self.assertEqual((load.macs, load.parameters), (0, 0))
        self.assertEqual(load.input_values, 2 * 4 * 6 * 8)
        self.assertEqual(metrics.total([load]).uncounted, ())

    def test_they_are_built_of_operators_that_tflite_has(self):
        made = model(channels.ChannelShuffle(), channels.ChannelRotation())
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = f"{folder.name}/model.tflite"
        export.tflite(made, path, "float32")
        lite = tf.lite.Interpreter(path).get_signature_runner()
        x = noise(1, 4, 6, 8)
        (found,) = lite(image=x).values()
        np.testing.assert_allclose(found, made(x), rtol=1e-6)

    @parameterized.parameters(
        (channels.ChannelSplit, (), 7),
        (channels.ChannelShuffle, (3,), 8),
        (channels.ChannelRotation, (4,), 6),
        (channels.ChannelRotation, (0,), 6),
    )
    def test_channels_that_do_not_fall_apart_are_refused(
        self, kind, arguments, count
    ):
        with self.assertRaisesRegex(ValueError, f"equal parts; got {count}"):
            kind(*arguments)(np.zeros((1, 2, 2, count)))


if __name__ == "__main__":
    absltest.main()
