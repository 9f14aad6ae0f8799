"""Peak and bandwidth from a clock that the test sets; caches from files."""

import itertools
import pathlib
import tempfile
import types
from unittest import mock

from absl.testing import absltest

from squeeze_tf.efficiency import measured_machine


class MeasureTest(absltest.TestCase):
    def test_the_fastest_run_counts(self):
        # Runs take 2, 1 and 3 seconds by this clock, of each measurement.
        ticks = itertools.accumulate(itertools.cycle((5, 2, 5, 1, 5, 3)))
        seconds = itertools.cycle((0, 0, 0, 9))
        clock = types.SimpleNamespace(
            perf_counter=lambda: next(ticks), monotonic=lambda: next(seconds)
        )
        with mock.patch.object(measured_machine, "time", clock):
            found = measured_machine.measure(
                matrix_size=8, vector_bytes=4000, seconds=5, on_chip_bytes=7
            )
        self.assertEqual(found.peak_macs_per_second, 8**3 / 1)
        self.assertEqual(found.bandwidth_bytes_per_second, 3 * 4000 / 1)
        self.assertEqual(found.on_chip_bytes, 7)
        self.assertTrue(found.has_roofline)

    def test_a_real_run_is_possible(self):
        found = measured_machine.measure(
            matrix_size=256, vector_bytes=2**22, seconds=0.02
        )
        for speed in (
            found.peak_macs_per_second,
            found.bandwidth_bytes_per_second,
        ):
            self.assertGreater(speed, 1e6)
            self.assertLess(speed, 1e16)


class CacheTest(absltest.TestCase):
    def test_the_largest_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            for index, size in enumerate(("48K", "2M\n", "1024K")):
                path = pathlib.Path(folder) / f"index{index}"
                path.mkdir()
                (path / "size").write_text(size)
            self.assertEqual(measured_machine.largest_cache(folder), 2 * 2**20)

    def test_none_is_0(self):
        self.assertEqual(measured_machine.largest_cache("absent"), 0)


if __name__ == "__main__":
    absltest.main()
