"""Kinds of labels that no folder layout gives."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.data import label_maps, scan_labels


class ScanLabelsTest(absltest.TestCase):
    def test_an_unknown_kind_lists_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "'nuscenes'.*got 'grid'"):
            scan_labels.read(
                pathlib.Path("a.npy"),
                "grid",
                np.zeros((1, 4)),
                "a",
                label_maps.load("kitti"),
            )

    def test_an_archive_without_a_grid_is_named(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "a.npz"
        np.savez(path, other=np.zeros(3))
        with self.assertRaisesRegex(
            ValueError, r"a.npz: expected an array grid; got \['other'\]"
        ):
            scan_labels.read_grid(path, label_maps.load("kitti_grids"))


if __name__ == "__main__":
    absltest.main()
