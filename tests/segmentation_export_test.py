"""Exports that are refused leave nothing that looks like one."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from experiments import (
    segmentation_evaluation,
    segmentation_export,
    segmentation_run,
)
from squeeze_tf import training
from squeeze_tf.data import lidar_grids
from squeeze_tf.segmentation import config as segmentation_config


class SegmentationExportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        config = dataclasses.replace(
            segmentation_config.CONFIGS["smoke"],
            dataset="grids",
            validation_data=str(self.grids(16)),
            crf="none",
            mean=(0.0,) * 5,
            std=(1.0,) * 5,
        )
        self.model = segmentation_run.build(config, (16, 64, 5))
        self.workdir = self.folder / "run"
        segmentation_run.prepare_workdir(config, self.workdir, (16, 64, 5))
        training.save_model(self.model, self.workdir)

    def grids(self, rows):
        """A folder with one grid of `rows` x 64."""
        folder = self.folder / f"grids_{rows}"
        folder.mkdir()
        grid = np.ones((rows, 64, 6), np.float32)
        lidar_grids.write(folder / "a.npy", grid)
        return folder

    def test_scores_that_are_not_finite_are_refused(self):
        kernel, bias = self.model.get_layer("conv14_prob").get_weights()
        self.model.get_layer("conv14_prob").set_weights([kernel, bias + np.nan])
        training.save_model(self.model, self.workdir)
        exports = self.folder / "exports"
        with self.assertRaisesRegex(ValueError, "float32: .*not finite"):
            segmentation_export.run(self.workdir, exports, None, ["float32"], 1)
        names = [path.name for path in exports.iterdir()]
        self.assertEqual(names, ["parity.json"])

    def test_nothing_to_compare_on_is_refused_first(self):
        for formats, num_scans in ((["float32"], 0), (["onnx"], 1), ([], 1)):
            with self.assertRaisesRegex(ValueError, "formats must be of"):
                segmentation_export.run(
                    self.workdir,
                    self.folder / "exports",
                    None,
                    formats,
                    num_scans,
                )
        self.assertFalse((self.folder / "exports").exists())

    def test_grids_of_another_size_are_refused(self):
        other = str(self.grids(32))
        for run in (segmentation_export.run, segmentation_evaluation.run):
            with self.assertRaisesRegex(ValueError, r"\(16, 64, 5\); got \(32"):
                run(self.workdir, data=other, output=self.folder / "out")


if __name__ == "__main__":
    absltest.main()
