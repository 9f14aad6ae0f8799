import dataclasses
import json
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from experiments import kept_config
from squeeze_tf.classification import config as classification_config
from squeeze_tf.detection import config as detection_config
from squeeze_tf.segmentation import config as segmentation_config
from squeeze_tf.shift_applications import face_config, style_config

KINDS = (
    segmentation_config.SegmentationConfig,
    detection_config.DetectionConfig,
    classification_config.ClassificationConfig,
    face_config.FaceConfig,
    style_config.StyleConfig,
)


class KeptConfigTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.workdir = pathlib.Path(folder.name) / "new" / "run"

    @parameterized.parameters(*KINDS)
    def test_kind_is_that_of_the_settings(self, kind):
        kept_config.keep(kind(), self.workdir)
        self.assertIs(kept_config.kind(self.workdir, KINDS), kind)
        others = [other for other in KINDS if other is not kind]
        with self.assertRaisesRegex(ValueError, "config.json: expected .* of"):
            kept_config.kind(self.workdir, others)

    def test_without_settings_there_is_no_kind(self):
        with self.assertRaisesRegex(FileNotFoundError, "config.json"):
            kept_config.kind(self.workdir, KINDS)

    def test_other_settings_are_refused_and_the_first_ones_stay(self):
        config = style_config.StyleConfig()
        kept_config.check(config, self.workdir)
        self.assertFalse(self.workdir.exists())
        kept_config.keep(config, self.workdir)
        kept_config.keep(config, self.workdir)
        other = dataclasses.replace(config, seed=7)
        for refuse in (kept_config.check, kept_config.keep):
            with self.assertRaisesRegex(ValueError, "seed is 0 there and 7"):
                refuse(other, self.workdir)
        kept = json.loads((self.workdir / kept_config.FILE).read_text())
        self.assertEqual(kept, dataclasses.asdict(config))


if __name__ == "__main__":
    absltest.main()
