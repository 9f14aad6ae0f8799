import dataclasses

from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from squeeze_tf.shift_applications import face_config


class FaceConfigTest(parameterized.TestCase):
    def test_named_settings_make_sense(self):
        for config in face_config.FACE_CONFIGS.values():
            if not config.drawn_identities:
                config = dataclasses.replace(config, train_data="faces")
            face_config.check(config)

    def test_defaults_are_the_sources(self):
        config = face_config.FACE_CONFIGS["shift_facenet"]
        # Ch. 6 §3.3.
        self.assertEqual((config.num_pairs, config.frame_pairs), (100_000, 100))
        # Wen et al. 2016 §4.1.
        self.assertEqual(
            (config.center_weight, config.center_rate), (3e-3, 0.5)
        )
        self.assertEqual((config.mean, config.std), ((127.5,), (128.0,)))

    @parameterized.parameters(
        ("image_size=31", "image_size must be 32 or more"),
        ("embedding_size=0", "embedding_size must be 1 or more"),
        ("batch_size=0", "batch_size must be 1 or more"),
        ("epochs=0", "epochs must be 1 or more"),
        ("frame_pairs=0", "frame_pairs must be 1 or more"),
        ("num_identities=-1", "num_identities must be 0 or more"),
        ("num_identities=1", "0 .all., or 2 or more"),
        ("center_weight=-1", "center_weight must be 0 or more"),
        ("center_rate=2", "center_rate must lie in 0..1"),
        ("drawn_images=1", "drawn_images must be 2 or more"),
        ("drawn_identities=1", "drawn_identities must be 2 or more"),
        ("drawn_identities=0", "name the faces"),
        ("train_data=faces", "give one"),
        ("pairs=pairs.txt", "pairs need the images"),
    )
    def test_settings_that_make_no_sense_are_refused(self, setting, message):
        smoke = face_config.FACE_CONFIGS["smoke"]
        with self.assertRaisesRegex(ValueError, message):
            face_config.check(config_lib.override(smoke, [setting]))


if __name__ == "__main__":
    absltest.main()
