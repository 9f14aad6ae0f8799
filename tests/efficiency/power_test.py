"""The protocol of Ch. 2 §4.3, fake counters and drivers."""

import ctypes
import pathlib
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import power


def zone(folder, name, label="package-0", energy=0, limit=1000):
    path = pathlib.Path(folder) / name
    path.mkdir()
    (path / "name").write_text(f"{label}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{limit}\n")
    return path


class ProtocolTest(parameterized.TestCase):
    def test_the_middle_third_of_the_working_period_counts(self):
        # Idle at 15 W; 9 working readings, of which 60, 62 and 64 count.
        watts = [15, 15, 20, 30, 40, 60, 62, 64, 90, 90, 20, 19.9, 15]
        self.assertEqual(power.middle_third(watts), 62)

    @parameterized.parameters(
        ([30, 60, 30], 60), ([30, 50, 60, 30], 55), ([30, 1, 2, 3, 30], 2)
    )
    def test_thirds_of_few_readings(self, watts, want):
        self.assertEqual(power.middle_third(watts, threshold=1), want)

    def test_the_threshold_may_differ(self):
        watts = [3, 5, 7, 9, 3]
        self.assertEqual(power.middle_third(watts, 5), 7)

    @parameterized.parameters([[]], [[15, 15, 15]], [[15, 25, 25, 15]])
    def test_too_little_work_is_refused(self, watts):
        with self.assertRaisesRegex(ValueError, "readings reach 20.0 W"):
            power.middle_third(watts)

    @parameterized.parameters(
        # Ch. 2 Table 6: power, speed, energy.
        *((80.9, 57.2, 1.4), (89.9, 31.3, 2.9), (77.8, 92.5, 0.84)),
        *((82.9, 51.4, 1.6), (128.3, 32.1, 4.0), (153.9, 16.6, 9.3)),
        *((95.4, 22.5, 4.2), (200.1, 1.7, 117.7), (143.1, 2.9, 49.3)),
        (187.3, 25.8, 7.3),
    )
    def test_energy_of_table_6(self, watts, frames_per_second, joules):
        found = power.energy_per_frame(watts, frames_per_second)
        digits = 2 if joules < 1 else 1
        self.assertEqual(round(found, digits), joules)


class SamplingTest(absltest.TestCase):
    def test_readings_come_at_the_interval_and_end_with_the_body(self):
        with power.sampling(lambda: 1.0, 0.02) as samples:
            time.sleep(0.3)
        self.assertBetween(len(samples), 3, 16)
        before = len(samples)
        time.sleep(0.05)
        self.assertLen(samples, before)

    def test_a_slow_reader_is_not_asked_twice_for_what_it_missed(self):
        with power.sampling(lambda: time.sleep(0.05) or 1.0, 0.01) as samples:
            time.sleep(0.2)
        self.assertLessEqual(len(samples), 6)

    def test_errors_of_the_reader_arrive(self):
        def broken():
            raise OSError("gone")

        before = threading.active_count()
        with self.assertRaisesRegex(OSError, "gone"):
            with power.sampling(broken, 0.01):
                time.sleep(0.05)
        self.assertEqual(threading.active_count(), before)

    def test_a_run_is_measured(self):
        found = power.measure(
            lambda: time.sleep(0.01),
            4,
            lambda: 30.0,
            seconds=0.2,
            interval=0.01,
        )
        self.assertEqual(found.watts, 30)
        self.assertBetween(found.frames_per_second, 40, 400)
        self.assertAlmostEqual(
            found.joules_per_frame, 30 / found.frames_per_second
        )


class RaplTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.times = iter((10.0, 12.0, 12.5, 13.5))

    def reader(self):
        return power.rapl_reader(self.folder, lambda: next(self.times))

    def test_power_is_energy_over_time_of_all_packages(self):
        first = zone(self.folder, "intel-rapl:0", energy=100, limit=10**9)
        second = zone(self.folder, "intel-rapl:1", "package-1", 0, 10**9)
        read = self.reader()
        (first / "energy_uj").write_text("60000100")
        (second / "energy_uj").write_text("20000000")
        self.assertAlmostEqual(read(), 80 / 2)
        (second / "energy_uj").write_text("25000000")
        self.assertAlmostEqual(read(), 5 / 0.5)
        self.assertEqual(read(), 0)

    def test_the_counter_wraps(self):
        path = zone(
            self.folder, "intel-rapl:0", energy=9_000_000, limit=10_000_000
        )
        read = self.reader()
        (path / "energy_uj").write_text("3000000")
        self.assertAlmostEqual(read(), 4 / 2)

    def test_parts_of_packages_and_other_zones_do_not_count(self):
        path = zone(self.folder, "intel-rapl:0", energy=0, limit=10**9)
        core = zone(self.folder, "intel-rapl:0:0", "core", 0, 10**9)
        system = zone(self.folder, "intel-rapl:1", "psys", 0, 10**9)
        read = self.reader()
        for other in (core, system):
            (other / "energy_uj").write_text("999000000")
        (path / "energy_uj").write_text("2000000")
        self.assertAlmostEqual(read(), 1)

    def test_no_zone_is_an_error(self):
        with self.assertRaisesRegex(OSError, "no intel-rapl:.* package zone"):
            self.reader()

    def test_a_zone_for_root_only_is_named(self):
        path = zone(self.folder, "intel-rapl:0") / "energy_uj"
        denied = mock.Mock(side_effect=PermissionError(13, "denied"))
        real = pathlib.Path.read_text

        def read_text(self):
            return denied() if self == path else real(self)

        with mock.patch.object(pathlib.Path, "read_text", read_text):
            with self.assertRaisesRegex(OSError, f"{path} may be read by root"):
                self.reader()


class FakeNvml:
    """A driver with one GPU that takes 123.456 W."""

    def __init__(self, failing=()):
        self.failing = failing

    def nvmlInit_v2(self):  # noqa: N802
        return 9 * ("init" in self.failing)

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):  # noqa: N802
        ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = 77
        return 6 * (index.value != 0)

    def nvmlDeviceGetPowerUsage(self, handle, power_):  # noqa: N802
        assert handle.value == 77
        ctypes.cast(power_, ctypes.POINTER(ctypes.c_uint))[0] = 123456
        return 3 * ("power" in self.failing)


class NvmlTest(absltest.TestCase):
    def test_milliwatts_become_watts(self):
        self.assertEqual(power.nvml_reader(library=FakeNvml())(), 123.456)

    def test_codes_of_the_driver_are_errors(self):
        for name, arguments in (
            ("nvmlInit_v2 returned 9", (0, FakeNvml(["init"]))),
            ("nvmlDeviceGetHandleByIndex_v2 returned 6", (1, FakeNvml())),
            ("nvmlDeviceGetPowerUsage returned 3", (0, FakeNvml(["power"]))),
        ):
            with self.assertRaisesRegex(OSError, name):
                power.nvml_reader(*arguments)


class FindTest(absltest.TestCase):
    def test_the_processor_is_asked_where_there_is_no_gpu(self):
        reader = mock.Mock()
        no_gpu = mock.Mock(side_effect=OSError("no GPU"))
        with mock.patch.multiple(
            power, nvml_reader=no_gpu, rapl_reader=lambda: reader
        ):
            self.assertIs(power.find_reader(), reader)

    def test_the_error_says_what_was_looked_for(self):
        with (
            mock.patch.object(power, "_NVML", "libabsent.so"),
            mock.patch.object(
                power,
                "rapl_reader",
                lambda make=power.rapl_reader: make("absent"),
            ),
            self.assertRaisesRegex(
                OSError, "libabsent.so is not there; .*zone in absent"
            ),
        ):
            power.find_reader()


if __name__ == "__main__":
    absltest.main()
