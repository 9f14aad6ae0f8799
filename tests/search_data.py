"""Images and settings that tests of the search scripts share."""

import pathlib
import tempfile

from absl.testing import absltest

from squeeze_tf import config as config_lib
from squeeze_tf.data import synthetic
from squeeze_tf.search import config


class SearchTestCase(absltest.TestCase):
    """Twelve images of three classes, and others to compare networks by."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        data = synthetic.write_class_folders(cls.folder / "data")
        held_out = synthetic.write_class_folders(
            cls.folder / "held_out", seed=1, count=2
        )
        cls.settings = [
            *("dataset=folders", "channels=3", "mean=0", "std=255"),
            *(f"train_data={data}", f"validation_data={held_out}"),
            *("batch_size=4", "epochs=1", "search_epochs=2", "pad=0"),
        ]
        cls.precision = config_lib.override(
            config.PRECISION["smoke"],
            [*cls.settings, "input_height=8", "input_width=8"],
        )
