"""Kinds of labels that no folder layout gives."""

import pathlib

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


if __name__ == "__main__":
    absltest.main()
