"""What the command lines may say."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from tools.synetgy import hardware, settings


class SettingsTest(parameterized.TestCase):
    def test_devices_are_named_read_and_changed(self):
        known = hardware.DEVICES["codenet"]
        self.assertEqual(settings.device("codenet"), known)
        changed = settings.device(
            "codenet", ["clock_mhz=200", "tile_in=8", "accumulator_bits=20"]
        )
        wanted = dataclasses.replace(
            known, clock_mhz=200.0, tile_in=8, accumulator_bits=20
        )
        self.assertEqual(changed, wanted)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "mine.json"
            config_lib.write(changed, path)
            self.assertEqual(settings.device(str(path)), changed)
            path.write_text('{"name": "mine"}')
            with self.assertRaisesRegex(ValueError, "mine.json: expected the"):
                settings.device(str(path))

    @parameterized.parameters(
        ("zynq", [], "device must be one of codenet, ultra96 or .* got 'zynq'"),
        ("ultra96", ["clock=1"], "no field 'clock'; its fields are name, tile"),
        ("ultra96", ["tile_in=0"], "tile_in must be above 0; got 0"),
        ("ultra96", ["tile_in=a"], "tile_in .int. cannot be 'a'"),
    )
    def test_other_devices_are_refused(self, name, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            settings.device(name, changes)

    def test_absent_devices_are_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "absent.json"):
            settings.device("absent.json")

    def test_batch_sizes(self):
        self.assertEqual(settings.batch_sizes(["1", "16"]), [1, 16])
        for texts in ([], ["0"], ["1", "-2"], ["1.5"], ["a"]):
            message = f"whole numbers above 0; got '{','.join(texts)}'"
            with self.assertRaisesRegex(ValueError, message):
                settings.batch_sizes(texts)

    def test_random_images_are_as_many_as_asked_for(self):
        # 724 x 724 pixels are just below 2^19, so that each is a batch.
        found = settings.random_images((724, 724, 1), 3)
        batches = [images for images, ids in found.batches]
        self.assertEqual([x.shape[0] for x in batches], [1, 1, 1])
        self.assertEqual((batches[0].min(), batches[0].max()), (0, 255))
        self.assertFalse(np.array_equal(batches[0], batches[1]))
        again, _ = next(settings.random_images((724, 724, 1), 1).batches)
        np.testing.assert_array_equal(again, batches[0])


if __name__ == "__main__":
    absltest.main()
