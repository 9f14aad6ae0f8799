"""The tools as they are called."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import image_labels, point_clouds, synthetic
from squeeze_tf.geometry import spherical
from squeeze_tf.simulation import sensors
from tests import scripts, shared_files


def tool(name, *arguments):
    """Runs a script of tools/ to its end."""
    return scripts.module(f"tools.{name}", *arguments)


class ToolsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def scan(self):
        """A .bin of a VLP-16 before a wall all around, 10 m away."""
        beams = spherical.PROJECTIONS["vlp16"].beam_degrees
        azimuth = np.linspace(-np.pi, np.pi, 900, endpoint=False)
        zenith, azimuth = np.meshgrid(np.radians(beams), azimuth)
        points = np.stack(
            [
                10 * np.cos(azimuth),
                10 * np.sin(azimuth),
                10 * np.tan(zenith),
                np.full(azimuth.shape, 0.5),
            ],
            axis=-1,
        ).reshape(-1, 4)
        path = self.folder / "scan.bin"
        point_clouds.write_bin(path, points)
        return path, points

    def test_inspect_scan_proposes_the_sensor(self):
        path, _ = self.scan()
        sensor = self.folder / "sensor.json"
        done = tool("inspect_scan", f"--scan={path}", f"--write={sensor}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("vlp16", done.stdout)
        self.assertRegex(done.stdout, r"mount: (no ground|[\d.]+ m above)")
        view = json.loads(sensor.read_text())
        self.assertEqual(view["rows"], 16)
        self.assertEqual(view["left_degrees"] - view["right_degrees"], 360)

    def test_inspect_scan_gives_the_simulator_a_sensor(self):
        """Grids of a simulated sensor show how it is made and mounted."""
        beams = np.arange(2.0, -14.0, -1.5)
        heights = np.linspace(0.2, 0.1, len(beams))
        made = sensors.LidarSensor(
            "made", tuple(beams), 180.0, -180.0, 360, tuple(heights)
        )
        rays = sensors.rays(made).reshape(len(beams), 360, 3)
        slope = np.tan(np.radians(2))  # of the road, before a nose 2 down
        down = -1.5 / np.cos(np.radians(2)) - heights[:, np.newaxis]
        ground = down / (rays[..., 2] - slope * rays[..., 0])
        walls = np.linspace(20, 30, 360)
        distance = np.where((ground > 0) & (ground < walls), ground, walls)
        grid = np.zeros([*distance.shape, 6], np.float32)
        grid[..., :3] = distance[..., np.newaxis] * rays
        grid[..., 2] += heights[:, np.newaxis]
        grid[..., 4] = np.linalg.norm(grid[..., :3], axis=-1)
        folder = self.folder / "grids"
        folder.mkdir()
        np.save(folder / "a.npy", grid)
        np.save(
            folder / "b.npy", grid * (np.arange(360) % 3 > 0)[:, np.newaxis]
        )
        other, _ = self.scan()
        sensor = self.folder / "sensor.json"
        done = tool(
            "inspect_scan",
            f"--scan={folder},{other}",
            f"--write_sensor={sensor}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 scans, 1 more left out", done.stdout)
        found = sensors.find(str(sensor))
        np.testing.assert_allclose(found.beam_degrees, beams, atol=1e-3)
        np.testing.assert_allclose(found.beam_heights, heights, atol=1e-3)
        self.assertEqual((found.columns, found.left_degrees), (360, 180))
        self.assertAlmostEqual(found.height, 1.5, places=2)
        self.assertAlmostEqual(found.pitch_degrees, -2, places=1)
        self.assertAlmostEqual(found.max_range, grid[..., 4].max(), places=3)

    def test_random_arguments_do_not_crash_the_operators(self):
        done = tool("fuzz_operators", "--tuples=300")
        self.assertEqual(done.returncode, 0, done.stderr)
        counts = {
            line.strip().split(maxsplit=1)[1]: int(line.split()[0])
            for line in done.stdout.splitlines()
        }
        self.assertEqual(sum(counts.values()), 300)
        for name in ("shift_conv2d", "integer_shift_conv2d"):
            self.assertGreater(counts[f"{name}: computed"], 10)
            self.assertGreater(counts[f"{name}: refused"], 10)

    def test_inspect_scan_names_a_missing_scan(self):
        path = self.folder / "absent.bin"
        done = tool("inspect_scan", f"--scan={path}")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(str(path), done.stderr)

    def test_scan_statistics_prints_settings_of_the_data(self):
        done = tool("scan_statistics", "--dataset=synthetic", "--data=a")
        self.assertEqual(done.returncode, 0, done.stderr)
        grids = np.stack(synthetic.lidar_grids(4, "a")).astype(np.float64)
        returns = grids[grids[..., 4] > 0]  # [N, 6]
        settings = dict(
            line.removeprefix("--set=").split("=")
            for line in done.stdout.splitlines()
            if line.startswith("--set=")
        )
        for name, expected in (
            ("mean", returns[:, :5].mean(axis=0)),
            ("std", returns[:, :5].std(axis=0)),
        ):
            got = np.array(settings[name].split(","), float)
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        self.assertLen(settings["class_weights"].split(","), 4)
        share = 100 * np.mean(returns[:, 5] == 1)
        self.assertRegex(done.stdout, rf"car +{share:.3f} %")

    def test_an_imported_checkpoint_labels_scans(self):
        checkpoint = shared_files.path("reference/tf1/ckpt/squeezeSegV2")
        workdir, output = self.folder / "run", self.folder / "labels"
        done = tool(
            "import_tf1_checkpoint",
            f"--checkpoint={checkpoint / 'model.ckpt-30700'}",
            f"--workdir={workdir}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("parameters imported", done.stdout)
        path, points = self.scan()
        done = scripts.script(
            "segment_scans",
            f"--workdir={workdir}",
            f"--input={path}",
            f"--output={output}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        class_ids, _ = point_clouds.read_labels(
            output / "scan.label", len(points)
        )
        behind = points[:, 0] < 0  # outside the view of 90 degrees
        self.assertFalse(class_ids[behind].any())

    def test_an_imported_detector_finds_what_the_authors_demo_finds(self):
        checkpoint = shared_files.path("reference/tf1/ckpt/squeezeDet")
        image = shared_files.path("reference/tf1/det_data/000000.png")
        expected = np.load(
            shared_files.path("reference/tf1/npz/squeezeDet.npz")
        )
        workdir, output = self.folder / "run", self.folder / "found"
        done = tool(
            "import_tf1_checkpoint",
            "--config=squeezedet",
            f"--checkpoint={checkpoint / 'model.ckpt-87000'}",
            f"--workdir={workdir}",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        done = scripts.script(
            "detect_images",
            f"--workdir={workdir}",
            f"--input={image}",
            f"--output={output}",
            "--min_score=0.4",  # that of the authors' demo
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        found = image_labels.read_kitti(output / "labels" / "000000.txt")
        names = np.array(["car", "pedestrian", "cyclist"])
        # x0, y0, x1, y1, score, class of eval.py, in pixels of the image
        wanted = expected["eval/xyxy_score_cls"]
        wanted = wanted[wanted[:, 4] > 0.4]
        wanted = wanted[np.argsort(-wanted[:, 4])]
        self.assertLen(found, len(wanted))
        np.testing.assert_array_equal(
            found.types, names[wanted[:, 5].astype(int)]
        )
        np.testing.assert_allclose(found.corners, wanted[:, :4], atol=0.05)
        np.testing.assert_allclose(found.scores, wanted[:, 4], atol=1e-3)


if __name__ == "__main__":
    absltest.main()
