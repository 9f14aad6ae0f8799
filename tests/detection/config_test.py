from absl.testing import absltest, parameterized

from experiments import detection_run
from squeeze_tf import config as config_lib
from squeeze_tf.detection import config


class ConfigTest(parameterized.TestCase):
    @parameterized.parameters(*config.CONFIGS)
    def test_every_setting_is_in_order(self, name):
        settings = config.CONFIGS[name]
        config.check(settings)
        if not settings.anchors:
            shapes = ",".join(["10,20"] * settings.num_anchors)
            settings = config_lib.override(settings, [f"anchors={shapes}"])
        model = detection_run.build(settings)
        num_anchors = len(settings.anchors) // 2
        self.assertEqual(num_anchors, settings.num_anchors)
        self.assertEqual(model.output_shape[-1], num_anchors * 8)


if __name__ == "__main__":
    absltest.main()
