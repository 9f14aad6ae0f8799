"""Sweeps: every combination, the Pareto front, its files."""

import csv
import dataclasses
import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest
from matplotlib import figure

from tools.synetgy import hardware, sweep, timing, workload

FRAME = workload.diracdeltanet()
DEVICE = hardware.DEVICES["ultra96"]


def make_points(goals):
    """Points with given frames a second, utilisations and DSP slices."""
    return [
        sweep.Point(
            1, 1, 1.0, 1, float(fps), float(share), 1.0, int(dsps), True
        )
        for fps, share, dsps in goals
    ]


def small_sweep():
    return sweep.sweep(
        FRAME,
        DEVICE,
        tiles=[(16, 16), (32, 32), (64, 64)],
        clocks_mhz=[125.0, 250.0],
        bus_bits=[64, 128],
        batch=4,
    )


class SweepTest(absltest.TestCase):
    def test_all_combinations_are_timed(self):
        points = small_sweep()
        self.assertLen({point.label for point in points}, 12)
        own = [x for x in points if x.label == "32x32, 250 MHz, 128 b"]
        timed = timing.time_frame(FRAME, DEVICE, 4)
        self.assertEqual(own[0].frames_per_second, timed.frames_per_second)
        self.assertEqual(own[0].utilisation, timed.utilisation)
        self.assertEqual(own[0].peak_gops, DEVICE.peak_gops)

    def test_chip_limits_the_slices(self):
        # Four 4-bit products a slice: 64, 256 and 1024; the chip has 360.
        for point in small_sweep():
            self.assertEqual(point.dsps, point.tile_in * point.tile_out // 4)
            self.assertEqual(point.fits, point.tile_in < 64)

    def test_empty_sweeps_are_refused(self):
        with self.assertRaisesRegex(ValueError, "a sweep needs tiles"):
            sweep.sweep(
                FRAME, DEVICE, tiles=[], clocks_mhz=[250.0], bus_bits=[64]
            )


class ParetoTest(absltest.TestCase):
    def test_is_found_by_comparing_all(self):
        rng = np.random.default_rng(0)
        for size in (0, 1, 2, 40):
            goals = rng.integers(0, 6, (size, 3))  # with ties and doubles
            expected = []
            for fps, share, dsps in goals:
                beaten = False
                for other_fps, other_share, other_dsps in goals:
                    as_good = (
                        other_fps >= fps
                        and other_share >= share
                        and other_dsps <= dsps
                    )
                    same = (other_fps, other_share, other_dsps) == (
                        fps,
                        share,
                        dsps,
                    )
                    beaten = beaten or (as_good and not same)
                expected.append(not beaten)
            self.assertEqual(sweep.pareto(make_points(goals)), expected)

    def test_equal_points_do_not_beat_each_other(self):
        points = make_points([(1, 1, 1), (1, 1, 1), (1, 1, 2)])
        self.assertEqual(sweep.pareto(points), [True, True, False])


class FilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_csv_holds_all_fields(self):
        points = small_sweep()
        path = self.folder / "sweep.csv"
        sweep.write_csv(points, path)
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
        for line, point, is_on in zip(lines, points, sweep.pareto(points)):
            self.assertEqual(line.pop("is_on_front"), str(is_on))
            expected = dataclasses.asdict(point)
            self.assertEqual(line, {k: str(v) for k, v in expected.items()})
        self.assertLen(lines, 12)

    def test_picture_is_drawn(self):
        path = self.folder / "sweep.png"
        sweep.write_picture(small_sweep(), path, title="a", dsps=360)
        image = cv2.imread(str(path))
        self.assertEqual(image.shape, (800, 1000, 3))
        self.assertGreater(image.std(), 5)
        self.assertLen(list(self.folder.iterdir()), 1)

    def test_panel_tells_the_front_apart(self):
        points = make_points([(1, 0.5, 4), (3, 0.25, 8), (2, 0.2, 8)])
        axis = figure.Figure().subplots()
        sweep.panel(axis, points, "utilisation")
        beaten, front = (x.get_offsets() for x in axis.collections)
        np.testing.assert_array_equal(beaten, [(8, 0.2)])
        np.testing.assert_array_equal(front, [(4, 0.5), (8, 0.25)])


if __name__ == "__main__":
    absltest.main()
