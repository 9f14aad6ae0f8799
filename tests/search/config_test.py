"""Settings of searches: those of the thesis, and what is refused."""

import dataclasses

from absl.testing import absltest, parameterized

from squeeze_tf.search import config


class ConfigTest(parameterized.TestCase):
    @parameterized.parameters(
        *config.FBNET.values(),
        *config.PRECISION.values(),
        *config.DIRAC.values(),
    )
    def test_named_settings_are_valid(self, named):
        config.check(named)

    def test_the_thesiss_search(self):
        found = config.FBNET["imagenet"]  # Ch. 7 §7.1
        self.assertEqual(found.search_epochs, 90)
        self.assertEqual(found.weights_share, 0.8)
        self.assertEqual((found.input_height, found.input_width), (224, 224))
        self.assertLen(found.kinds, 9)
        bits = config.PRECISION["cifar10_resnet20"].kinds  # §5.1
        self.assertEqual(bits, ("0", "1", "2", "3", "4", "8", "32"))

    @parameterized.parameters(
        ({"cost": "watts"}, "cost must be one of"),
        ({"search_epochs": 0}, "search_epochs must be 1 or more; got 0"),
        ({"num_samples": 0}, "num_samples must be 1"),
        ({"warmup_epochs": -1}, "warmup_epochs must be 0 or more"),
        ({"warmup_epochs": 3}, "warmup_epochs must be below search_epochs, 3"),
        ({"latency_format": "onnx"}, "latency_format must be one of"),
        ({"initial_temperature": 0.0}, "initial_temperature must be above 0"),
        ({"architecture_learning_rate": float("inf")}, "above 0; got inf"),
        ({"cost": "latency"}, "cost=latency goes with latency_table=FILE"),
        ({"latency_table": "t.json"}, "got cost=macs and latency_table="),
        ({"model": "alexnet"}, "model must be one of"),
    )
    def test_settings_that_fit_nothing(self, changes, message):
        given = dataclasses.replace(config.FBNET["smoke"], **changes)
        with self.assertRaisesRegex(ValueError, message):
            config.check(given)


if __name__ == "__main__":
    absltest.main()
