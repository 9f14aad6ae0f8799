from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from squeeze_tf.shift_applications import style_config


class StyleConfigTest(parameterized.TestCase):
    def test_named_settings_make_sense(self):
        for config in style_config.STYLE_CONFIGS.values():
            style_config.check(config)

    def test_defaults_are_the_sources(self):
        # Ch. 6 §3.4; steps and batch of Johnson et al. 2016 §4.1.
        config = style_config.STYLE_CONFIGS["shift"]
        self.assertEqual(config.content_weight, 1e5)
        self.assertEqual(config.epochs * config.steps_per_epoch, 40_000)
        self.assertEqual((config.batch_size, config.image_size), (4, 256))
        weights = {c.style_weight for c in style_config.STYLE_CONFIGS.values()}
        self.assertEqual(weights, {1e10, 5e10, 1e11})

    @parameterized.parameters(
        ("form=fast", "form must be one of"),
        ("image_size=4", "image_size must be 8 or more"),
        ("image_size=90", "image_size must be a multiple of 4"),
        ("style_size=2", "style_size must be 8 or more"),
        ("batch_size=0", "batch_size must be 1 or more"),
        ("steps_per_epoch=0", "steps_per_epoch must be 1 or more"),
        ("epochs=0", "epochs must be 1 or more"),
        ("style_weight=-1", "style_weight must be a number from 0"),
        ("content_weight=nan", "content_weight must be a number from 0"),
        ("variation_weight=inf", "variation_weight must be a number from 0"),
    )
    def test_settings_that_make_no_sense_are_refused(self, setting, message):
        config = config_lib.override(style_config.StyleConfig(), [setting])
        with self.assertRaisesRegex(ValueError, message):
            style_config.check(config)


if __name__ == "__main__":
    absltest.main()
