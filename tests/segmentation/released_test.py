"""Weights that come with the package: found, complete, and labelling scans."""

import json
from unittest import mock

from absl.testing import absltest, parameterized

from squeeze_tf import training
from squeeze_tf.data import label_maps
from squeeze_tf.segmentation import inputs, released

NAMES = sorted(x.name for x in released.FOLDER.glob("*") if x.is_dir())


class ReleasedTest(parameterized.TestCase):
    def test_the_default_is_there(self):
        self.assertIn(released.DEFAULT, NAMES)
        self.assertEqual(released.workdir().name, released.DEFAULT)

    @parameterized.parameters(*[(name,) for name in NAMES])
    def test_weights_have_all_that_labels_a_scan(self, name):
        folder = released.workdir(name)
        model = training.load_model(folder)
        view = inputs.find_projection(str(folder / "projection.json"))
        self.assertEqual(model.input_shape[1:3], (view.rows, view.columns))
        names = label_maps.load(folder / "label_map.yaml").names
        self.assertEqual(model.output_shape[-1], len(names))

    @parameterized.parameters(*[(name,) for name in NAMES])
    def test_weights_name_no_folder_and_have_a_card(self, name):
        folder = released.workdir(name)
        kept = json.loads((folder / "config.json").read_text())
        self.assertEqual(
            (kept["train_data"], kept["validation_data"]), ("", "")
        )
        card = (folder / "MODEL_CARD.md").read_text()
        for topic in ("Data", "Figures", "Limits", "Seed"):
            self.assertIn(topic, card)

    def test_other_names_are_refused(self):
        with self.assertRaisesRegex(FileNotFoundError, "got 'vlp32'"):
            released.workdir("vlp32")
        with mock.patch.object(released, "FOLDER", released.FOLDER / "none"):
            with self.assertRaisesRegex(FileNotFoundError, "one of none"):
                released.workdir()


if __name__ == "__main__":
    absltest.main()
