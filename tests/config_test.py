"""Overrides of frozen dataclasses."""

import dataclasses
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import config as segmentation_config


@dataclasses.dataclass(frozen=True)
class Settings:
    steps: int = 3
    rate: float = 0.5
    shuffle: bool = True
    name: str = "a"
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[float, str] = (1.0, "x")
    limit: int | None = None
    table: dict = dataclasses.field(default_factory=dict)


class OverrideTest(parameterized.TestCase):
    @parameterized.parameters(
        ("steps=7", "steps", 7),
        ("rate=1e-3", "rate", 0.001),
        ("rate=2", "rate", 2.0),
        ("shuffle=False", "shuffle", False),
        ("shuffle=1", "shuffle", True),
        ("name=b=c", "name", "b=c"),
        ("name=", "name", ""),
        ("sizes=4,5,6", "sizes", (4, 5, 6)),
        ("sizes=(4,)", "sizes", (4,)),
        ("sizes=", "sizes", ()),
        ("pair=2.5,y", "pair", (2.5, "y")),
        ("limit=9", "limit", 9),
        ("limit=none", "limit", None),
    )
    def test_value_is_read_by_the_type_of_the_field(self, text, name, value):
        changed = config_lib.override(Settings(), [text])
        self.assertEqual(getattr(changed, name), value)
        self.assertIs(type(getattr(changed, name)), type(value))
        others = {name: getattr(Settings(), name)}
        self.assertEqual(dataclasses.replace(changed, **others), Settings())

    def test_nothing_to_set_changes_nothing_and_the_last_setting_wins(self):
        self.assertEqual(config_lib.override(Settings(), []), Settings())
        changed = config_lib.override(Settings(), ["steps=1", "steps=2"])
        self.assertEqual(changed.steps, 2)
        self.assertEqual(Settings().steps, 3)

    @parameterized.parameters(
        "stops=1",
        "steps=1.5",
        "steps=many",
        "rate=fast",
        "shuffle=yes please",
        "sizes=1,a",
        "pair=1",
        "limit=x",
        "table={}",
    )
    def test_a_bad_setting_is_refused_with_the_names_of_the_fields(self, text):
        with self.assertRaisesRegex(ValueError, "steps, rate, shuffle, name"):
            config_lib.override(Settings(), [text])

    def test_a_setting_without_an_equals_sign_is_refused(self):
        with self.assertRaisesRegex(ValueError, "field=value; got 'steps'"):
            config_lib.override(Settings(), ["steps"])


class FileTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "config.json"

    def test_what_is_written_is_read(self):
        written = Settings(steps=9, sizes=(), pair=(2.5, "y"), limit=4)
        config_lib.write(written, self.path)
        self.assertEqual(config_lib.read(Settings, self.path), written)
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_every_segmentation_config_is_read_back(self):
        for name, written in segmentation_config.CONFIGS.items():
            config_lib.write(written, self.path)
            kind = segmentation_config.SegmentationConfig
            self.assertEqual(config_lib.read(kind, self.path), written, name)

    def test_a_file_of_something_else_is_refused_by_name(self):
        for text, message in (
            ('{"stepz": 1}', r"unknown: \['stepz'\]"),
            ("{", "expected the fields of Settings"),
            ("3", "expected the fields of Settings"),
            ("", "expected the fields of Settings"),
        ):
            self.path.write_text(text)
            with self.assertRaisesRegex(ValueError, f"config.json.*{message}"):
                config_lib.read(Settings, self.path)
        self.path.unlink()
        with self.assertRaises(FileNotFoundError):
            config_lib.read(Settings, self.path)

    def test_a_file_older_than_a_field_gets_its_default(self):
        self.path.write_text('{"steps": 1}')
        self.assertEqual(
            config_lib.read(Settings, self.path), Settings(steps=1)
        )

    def test_a_field_without_default_must_be_there(self):
        self.path.write_text('{"rows": 64}')
        with self.assertRaisesRegex(ValueError, "missing: .*'columns'"):
            config_lib.read(spherical.Projection, self.path)
        self.path.write_text(
            '{"rows": "64", "columns": 8, "up_degrees": 1, "down_degrees": 0,'
            ' "left_degrees": 1, "right_degrees": 0}'
        )
        with self.assertRaisesRegex(ValueError, "config.json: expected"):
            config_lib.read(spherical.Projection, self.path)

    def test_a_failed_write_keeps_the_old_file(self):
        config_lib.write(Settings(), self.path)
        with self.assertRaises(TypeError):
            config_lib.write(Settings(table={"x": object()}), self.path)
        self.assertEqual(config_lib.read(Settings, self.path), Settings())


if __name__ == "__main__":
    absltest.main()
