"""Measuring by a fake clock: what is written, resumed and refused."""

import collections
import dataclasses
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.search import (
    latency_engines,
    latency_table,
    operator_benchmark,
)
from tests.search import spaces

SETTINGS = operator_benchmark.Settings(repeats=5)


class FakeEngine:
    """Calls take as many microseconds as the model has weights.

    With `slower` the n-th call of a model takes n microseconds more.
    """

    def __init__(self, slower=False):
        self.slower = slower
        self.now = 0.0
        self.built = []
        self.called = []

    def __call__(self, model, batch_size, num_threads):
        self.built.append(model.count_params())
        name = (model.input_shape, model.count_params())
        counts = collections.Counter()

        def call():
            counts[name] += 1
            self.called.append(name)
            late = counts[name] if self.slower else 0
            self.now += 1e-6 * (model.count_params() + late)

        return call

    def clock(self):
        return self.now


class MeasureTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "table.json"
        self.models = operator_benchmark.operator_models(spaces.small())

    def measure(self, engine, models=None, settings=SETTINGS, name=None):
        fake = mock.patch.dict(
            latency_engines.ENGINES, {settings.engine: engine}
        )
        with fake:
            return operator_benchmark.measure(
                models or self.models,
                settings,
                self.path,
                name,
                clock=engine.clock,
            )

    def test_every_operator_has_its_time_and_the_file_holds_it(self):
        table = self.measure(FakeEngine())
        # Convolution 1 x 1 or 3 x 3 x 4 x 4 with 4 biases and normalisation
        # of 4 x 4 numbers; first 4 + 4, last 4 * 3 + 3.
        one, nine = 16 + 4 + 16, 144 + 4 + 16
        expected = {
            "first 6x6x1 6x6x4": 8,
            "last 3x3x4 3": 15,
            "1 6x6x4 6x6x4": one,
            "3 6x6x4 6x6x4": nine,
            "1 6x6x4 3x3x4": one,
            "3 6x6x4 3x3x4": nine,
            "1 3x3x4 3x3x4": one,
            "3 3x3x4 3x3x4": nine,
        }
        self.assertEqual(table.entries.keys(), expected.keys())
        for key, value in expected.items():
            for found in table.entries[key].known.values():
                self.assertAlmostEqual(found, value)
            self.assertEqual(table.entries[key].repeats, 5)
        self.assertEqual(table.overhead_us.p50, 0)
        self.assertEqual(latency_table.read(self.path), table)
        self.assertEqual(table.device, operator_benchmark.device())
        self.assertEqual(table.name, table.device["processor"])

    def test_percentiles_are_of_calls_behind_those_that_warm_up(self):
        key = "1 6x6x4 6x6x4"  # 36 weights
        engine = FakeEngine(slower=True)
        table = self.measure(engine, {key: self.models[key]})
        # Each of five rounds warms up by three calls, so that the 4th, 8th,
        # 12th, 16th and 20th count.
        entry = table.entries[key]
        np.testing.assert_allclose(
            [entry.p0, entry.p10, entry.p50, entry.p90, entry.p100, entry.mean],
            36 + np.array([4, 5.6, 12, 18.4, 20, 12]),
        )

    def test_repeats_are_divided_among_the_rounds(self):
        settings = dataclasses.replace(SETTINGS, repeats=13)
        table = self.measure(FakeEngine(), settings=settings)
        for entry in table.entries.values():
            self.assertEqual(entry.repeats, 13)

    def test_rounds_take_operators_in_orders_of_their_own(self):
        engine = FakeEngine()
        self.measure(engine)
        # Four calls in a row are an operator's turn; eight operators a group.
        turns = engine.called[::4][: 5 * 8]
        rounds = [tuple(turns[i : i + 8]) for i in range(0, 40, 8)]
        self.assertLen({frozenset(x) for x in rounds}, 1)
        self.assertLen(set(rounds), 5)
        again = FakeEngine()
        self.path.unlink()
        self.measure(again)
        self.assertEqual(again.called, engine.called)

    def test_a_second_call_measures_what_is_missing(self):
        part = dict(list(self.models.items())[:3])
        first = self.measure(FakeEngine(), part, name="phone")
        engine = FakeEngine()
        table = self.measure(engine)
        self.assertLen(engine.built, len(self.models) - 3)  # no overhead
        self.assertEqual(table.entries | first.entries, table.entries)
        self.assertLen(table.entries, len(self.models))
        self.assertEqual(table.name, "phone")
        before = self.path.read_bytes()
        engine = FakeEngine()
        self.measure(engine)
        self.assertEmpty(engine.built)
        self.assertEqual(self.path.read_bytes(), before)

    def test_what_was_measured_before_an_interruption_is_kept(self):
        engine = FakeEngine()

        def interrupted(model, *settings):
            if len(engine.built) == 8:
                raise KeyboardInterrupt
            return engine(model, *settings)

        interrupted.clock = engine.clock
        with self.assertRaises(KeyboardInterrupt):
            self.measure(interrupted)
        self.assertLen(latency_table.read(self.path).entries, 7)
        self.assertIsNotNone(latency_table.read(self.path).overhead_us)
        engine = FakeEngine()
        self.measure(engine)
        self.assertLen(engine.built, 1)

    @parameterized.parameters(
        ({"engine": "xla"}, "engine 'keras', not 'xla'"),
        ({"num_threads": 3}, "num_threads 1, not 3"),
        ({"batch_size": 2}, "batch_size 1, not 2"),
    )
    def test_a_table_of_other_settings_is_refused(self, changes, message):
        self.measure(FakeEngine())
        before = self.path.read_bytes()
        settings = dataclasses.replace(SETTINGS, **changes)
        with self.assertRaisesRegex(ValueError, f"table.json.*{message}"):
            self.measure(FakeEngine(), settings=settings)
        self.assertEqual(self.path.read_bytes(), before)

    def test_a_table_of_another_device_is_refused(self):
        self.measure(FakeEngine())
        with self.assertRaisesRegex(ValueError, "of name '.*', not 'phone'"):
            self.measure(FakeEngine(), name="phone")
        content = json.loads(self.path.read_text())
        content["device"]["processor"] = "another"
        self.path.write_text(json.dumps(content))
        with self.assertRaisesRegex(ValueError, "of device .*another"):
            self.measure(FakeEngine())

    def test_a_folder_that_is_not_there_is_told_before_measuring(self):
        engine = FakeEngine()
        self.path = self.path.parent / "absent" / "table.json"
        with self.assertRaisesRegex(FileNotFoundError, "absent"):
            self.measure(engine)
        self.assertEmpty(engine.built)

    @parameterized.parameters(
        ({"engine": "gpu"}, "engine must be one of keras, xla, tflite"),
        ({"repeats": 4}, "repeats must be at least 5; got 4"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"num_threads": 0}, "num_threads must be at least 1; got 0"),
    )
    def test_settings_are_checked(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            operator_benchmark.Settings(**changes)


if __name__ == "__main__":
    absltest.main()
