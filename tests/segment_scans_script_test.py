"""Scans to labels by the weights that come with the package."""

import pathlib
import tempfile

from absl.testing import absltest

from squeeze_tf.data import point_clouds
from squeeze_tf.simulation import config, generation, materials
from tests import scripts


class ReleasedTest(absltest.TestCase):
    def test_cars_of_a_street_are_found_without_a_run_of_ones_own(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            generation.generate(
                config.CONFIGS["kitti_residential"], folder, 1, camera=False
            )
            street = folder / "training"
            done = scripts.script(
                "segment_scans",
                f"--input={street / 'velodyne'}",
                f"--output={folder / 'labels'}",
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            (scan,) = (street / "velodyne").iterdir()
            count = len(point_clouds.read(scan).points)
            (path,) = (folder / "labels").iterdir()
            found, _ = point_clouds.read_labels(path, count)
            (path,) = (street / "labels").iterdir()
            true, _ = point_clouds.read_labels(path, count)
        is_car = true == materials.CLASS_IDS["car"]
        self.assertGreater(is_car.sum(), 100)
        called_car = found == materials.CLASS_IDS["car"]
        both = (is_car & called_car).sum()
        self.assertGreater(both / (is_car | called_car).sum(), 0.5)


if __name__ == "__main__":
    absltest.main()
