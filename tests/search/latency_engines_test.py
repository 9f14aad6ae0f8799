"""Each engine on small models: what runs, and what it computes."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.search import latency_engines, operator_benchmark, space
from tests.search import spaces

keras = tf.keras


class EngineTest(parameterized.TestCase):
    @parameterized.parameters(*latency_engines.ENGINES)
    def test_times_a_block_and_an_empty_call(self, engine):
        settings = operator_benchmark.Settings(engine, batch_size=2, repeats=5)
        block = space.block_model(spaces.small(), 1, "3")
        with tempfile.TemporaryDirectory() as folder:
            table = operator_benchmark.measure(
                {"3 6x6x4 3x3x4": lambda: block},
                settings,
                pathlib.Path(folder) / "table.json",
            )
        self.assertGreater(table.overhead_us.p0, 0)
        self.assertGreater(table.entries["3 6x6x4 3x3x4"].p0, 0)

    @parameterized.parameters("keras", "xla")
    def test_graphs_run_at_inference_and_are_traced_once(self, engine):
        seen = []

        class Spy(keras.layers.Layer):
            def call(self, x, training=None):
                seen.append((tuple(x.shape), training))
                return x + 1

        x = keras.Input((3,))
        model = keras.Model(x, Spy()(x))
        seen.clear()
        call = latency_engines.ENGINES[engine](model, 4, 1)
        call()
        call()
        self.assertEqual(seen, [((4, 3), False)])

    @parameterized.parameters(("tflite", np.float32), ("tflite_int8", np.int8))
    def test_interpreters_compute_what_the_model_does(self, engine, dtype):
        keras.utils.set_random_seed(0)
        block = space.block_model(spaces.small(), 1, "3")
        call = latency_engines.ENGINES[engine](block, 2, 1)
        interpreter = call.__self__
        (x,), (y,) = (
            interpreter.get_input_details(),
            interpreter.get_output_details(),
        )
        self.assertEqual((x["dtype"], y["dtype"]), (dtype, dtype))
        call()

        def real(details):
            values = interpreter.get_tensor(details["index"])
            scale, zero = details["quantization"]
            return (values.astype(float) - zero) * (scale or 1)

        expected = block(real(x)).numpy()
        tolerance = 1e-4 if dtype == np.float32 else 2 * y["quantization"][0]
        self.assertEqual(expected.shape, (2, 3, 3, 4))
        self.assertGreater(expected.std(), 5 * tolerance)
        top = expected.max() if dtype == np.float32 else real(y).max()
        np.testing.assert_allclose(
            real(y), np.minimum(expected, top), atol=tolerance
        )


if __name__ == "__main__":
    absltest.main()
