"""Percentiles of a clock that the test sets; real calls of a model."""

import functools
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import timing

keras = tf.keras


class LatencyTest(parameterized.TestCase):
    def test_percentiles_of_known_times(self):
        # Calls take 1, 2, ... 101 seconds: the p-th percentile is 1 + p.
        durations = np.random.default_rng(0).permutation(101) + 1.0
        ends = np.cumsum(durations)
        ticks = itertools.chain.from_iterable(zip(ends - durations, ends))
        calls = []
        found = timing.latency(
            lambda: calls.append(1),
            warmup=3,
            repeats=101,
            clock=lambda: next(ticks),
        )
        self.assertEqual(
            found,
            timing.Latency(
                mean=51, p10=11, p50=51, p90=91, p99=100, repeats=101
            ),
        )
        self.assertLen(calls, 104)

    @parameterized.parameters((0, 0), (-1, 1))
    def test_nothing_to_time_is_refused(self, warmup, repeats):
        with self.assertRaisesRegex(ValueError, "repeats must be at least 1"):
            timing.latency(lambda: None, warmup=warmup, repeats=repeats)


class ThroughputTest(absltest.TestCase):
    def test_batches_divide_by_the_mean_time(self):
        made = []

        def make_call(batch_size):
            made.append(batch_size)
            return lambda: None

        found = list(timing.throughput(make_call, (1, 4), repeats=5, warmup=0))
        self.assertEqual(made, [1, 4])
        for speed, batch_size in zip(found, made):
            self.assertEqual(speed.batch_size, batch_size)
            self.assertEqual(speed.latency.repeats, 5)
            self.assertAlmostEqual(
                speed.frames_per_second * speed.latency.mean, batch_size
            )


class ModelCallTest(absltest.TestCase):
    def test_the_model_runs_as_a_graph_at_inference(self):
        seen = []

        class Spy(keras.layers.Layer):
            def call(self, x, training=None):
                seen.append((tuple(x.shape), training, x.dtype))
                return x

        x, y = keras.Input((3,)), keras.Input((2,), dtype="int32")
        z = keras.layers.Concatenate()([Spy()(x), tf.cast(y, "float32")])
        model = keras.Model([x, y], z)
        seen.clear()
        call = timing.model_call(model, 4)
        self.assertEqual(call().shape, (4, 5))
        call()
        self.assertEqual(seen, [((4, 3), False, tf.float32)])  # traced once

    def test_it_can_be_timed(self):
        x = keras.Input((8,))
        model = keras.Model(x, keras.layers.Dense(8)(x))
        make_call = functools.partial(timing.model_call, model)
        (speed,) = timing.throughput(make_call, [2], warmup=1, repeats=3)
        self.assertGreater(speed.frames_per_second, 0)


if __name__ == "__main__":
    absltest.main()
