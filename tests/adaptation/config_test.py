"""Named settings of domain adaptation."""

import dataclasses

from absl.testing import absltest, parameterized

from squeeze_tf.adaptation import config
from squeeze_tf.segmentation import config as segmentation_config


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(*config.CONFIGS)
    def test_is_a_segmentation_run_of_the_simulated_scans(self, name):
        ladder = dataclasses.replace(
            config.CONFIGS[name], validation_data="real", train_data="sim"
        )
        found = config.network(ladder, epochs=7)
        self.assertIs(type(found), segmentation_config.SegmentationConfig)
        self.assertEqual(found.epochs, 7)
        self.assertEqual(found.validation_data, "")
        for field in ("dataset", "label_map", "train_data", "learning_rate"):
            self.assertEqual(getattr(found, field), getattr(ladder, field))

    def test_the_weight_of_the_alignment_is_the_thesiss(self):
        self.assertEqual(config.AdaptationConfig().alignment_weight, 10)


if __name__ == "__main__":
    absltest.main()
