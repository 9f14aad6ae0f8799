"""Label maps: the shipped tables against their sources, and refusals."""

import pathlib
import re
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import label_maps
from tests import shared_files

# semantic-kitti-api, config/semantic-kitti.yaml: learning_map and its
# inverse.
_LEARNING_MAP = {
    **{0: 0, 1: 0, 10: 1, 11: 2, 13: 5, 15: 3, 16: 5, 18: 4, 20: 5, 30: 6},
    **{31: 7, 32: 8, 40: 9, 44: 10, 48: 11, 49: 12, 50: 13, 51: 14, 52: 0},
    **{60: 9, 70: 15, 71: 16, 72: 17, 80: 18, 81: 19, 99: 0, 252: 1, 253: 7},
    **{254: 6, 255: 8, 256: 5, 257: 5, 258: 4, 259: 5},
}
_LEARNING_MAP_INVERSE = [0, 10, 11, 15, 18, 20, 30, 31, 32, 40] + [
    *(44, 48, 49, 50, 51, 70, 71, 72, 80, 81)
]
_TWO = """
classes:
  - {name: none, from: [0], color: [0, 0, 0], write: 0}
  - {name: car, from: [10, 252], color: [255, 0, 9], write: 10, types: [Car]}
"""


class ShippedTest(parameterized.TestCase):
    def test_semantic_kitti_is_the_official_map(self):
        table = label_maps.load("semantic_kitti")
        raw = np.array(list(_LEARNING_MAP))
        np.testing.assert_array_equal(
            label_maps.apply(table, raw), list(_LEARNING_MAP.values())
        )
        self.assertEqual(np.sum(table.lookup >= 0), len(_LEARNING_MAP))
        self.assertEqual(table.write_ids.tolist(), _LEARNING_MAP_INVERSE)
        self.assertEqual(table.names[:3], ("unlabeled", "car", "bicycle"))

    def test_kitti_has_the_classes_of_the_thesis(self):
        table = label_maps.load("kitti")
        self.assertEqual(
            table.names, ("unknown", "car", "pedestrian", "cyclist")
        )
        self.assertEqual(
            label_maps.type_ids(
                table, ["Car", "Pedestrian", "Cyclist", "Van", "Misc"]
            ).tolist(),
            [1, 2, 3, 0, 0],
        )
        # The simulator writes car 10, van 20, person 30, bicyclist 31.
        self.assertEqual(
            label_maps.apply(table, np.array([10, 20, 30, 31, 40])).tolist(),
            [1, 0, 2, 3, 0],
        )
        # The same raw ids as SemanticKITTI has.
        self.assertEqual(
            np.flatnonzero(table.lookup >= 0).tolist(), list(_LEARNING_MAP)
        )

    def test_grids_to_kitti_equals_kitti_after_semantic_kitti(self):
        kitti = label_maps.load("kitti")
        grids = label_maps.load("grids_to_kitti")
        for raw, grid_id in _LEARNING_MAP.items():
            self.assertEqual(grids.lookup[grid_id], kitti.lookup[raw], raw)

    @parameterized.parameters(
        ("kitti_grids", "kitti_front/val", 4),
        ("semantic_kitti_grids", "semantic_kitti/val", 20),
        ("grids_to_kitti", "semantic_kitti/train", 4),
        ("nuscenes_grids", "nuscenes/train", 11),
        ("nuscenes_grids", "ika_vlp32/train", 11),
    )
    def test_published_grids_have_no_id_outside_their_map(
        self, name, folder, num_classes
    ):
        table = label_maps.load(name)
        self.assertLen(table.names, num_classes)
        found = set()
        paths = sorted(shared_files.path(f"data/grids/{folder}").iterdir())
        for path in paths:
            grid = np.load(path)
            grid = grid["grid"] if path.suffix == ".npz" else grid
            raw = np.unique(grid[..., 5]).astype(int)
            found |= set(label_maps.apply(table, raw).tolist())
        self.assertGreater(len(found), 2)

    def test_nuscenes_grids_put_none_first(self):
        table = label_maps.load("nuscenes_grids")
        self.assertEqual(table.names[0], "none")
        raw = np.array([10, 0, 7, 9])
        ids = label_maps.apply(table, raw)
        self.assertEqual(ids.tolist(), [0, 1, 8, 10])
        self.assertEqual(
            [table.names[i] for i in ids], ["none", "road", "car", "bus"]
        )

    def test_nuscenes_has_every_general_id(self):
        table = label_maps.load("nuscenes")
        self.assertLen(table.names, 17)
        classes = label_maps.apply(table, np.arange(32))
        # flat.driveable_surface, static.vegetation, vehicle.ego, police car,
        # police officer, from the lidarseg category list.
        self.assertEqual(
            [table.names[i] for i in classes[[24, 30, 31, 20, 6]]],
            [
                "driveable_surface",
                "vegetation",
                "ignored",
                "ignored",
                "pedestrian",
            ],
        )

    @parameterized.parameters(*label_maps.names())
    def test_written_ids_read_back_as_the_same_class(self, name):
        table = label_maps.load(name)
        classes = np.arange(len(table.names))
        raw = label_maps.to_raw(table, classes)
        np.testing.assert_array_equal(label_maps.apply(table, raw), classes)
        self.assertEqual(table.colors.shape, (len(classes), 3))
        self.assertLen(np.unique(table.colors, axis=0), len(classes))


class LoadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "mine.yaml"

    def test_a_file_of_ones_own(self):
        self.path.write_text(_TWO)
        table = label_maps.load(self.path)
        self.assertEqual(table.names, ("none", "car"))
        self.assertEqual(table.colors.tolist(), [[0, 0, 0], [255, 0, 9]])
        self.assertEqual(table.types, {"Car": 1})
        ids = label_maps.apply(table, np.array([[252, 0], [10, 10]]))
        self.assertEqual(ids.tolist(), [[1, 0], [1, 1]])
        self.assertEqual(ids.dtype, np.int32)

    @parameterized.parameters(
        ("[10, 252]", "[0, 252]", "0 is in from of both none and car"),
        ("write: 10", "wrote: 10", "class 1: expected keys"),
        ("name: car", "name: 3", "name must be text"),
        ("name: car", "name: none", "each name once"),
        ("[10, 252]", "[10, x]", "from must list ids"),
        ("[10, 252]", "[]", "from must list ids"),
        ("write: 10", "write: 70000", "write must be an id"),
        ("[255, 0, 9]", "[256, 0, 9]", "color must be three of"),
        ("[Car]", "Car", "types must list names"),
        ("classes:", "labels:", "a list under the key classes"),
        ("classes:", "classes: [", "not YAML"),
    )
    def test_broken_tables_are_named(self, old, new, message):
        self.path.write_text(_TWO.replace(old, new))
        with self.assertRaisesRegex(ValueError, f"mine.yaml: .*{message}"):
            label_maps.load(self.path)

    def test_an_unknown_name_lists_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "grids_to_kitti.*got mars"):
            label_maps.load("mars")

    def test_ids_outside_the_map_are_named(self):
        self.path.write_text(_TWO)
        table = label_maps.load(self.path)
        for raw, wrong in (([10, 300, 7], [7, 300]), ([-1], [-1])):
            message = re.escape(
                f"outside the map: {wrong}; it has [0, 10, 252]"
            )
            with self.assertRaisesRegex(ValueError, message):
                label_maps.apply(table, np.array(raw))
        with self.assertRaisesRegex(ValueError, r"0..1; got \[2\]"):
            label_maps.to_raw(table, np.array([0, 2]))
        with self.assertRaisesRegex(ValueError, r"map: \['Tram'\]"):
            label_maps.type_ids(table, ["Car", "Tram"])


if __name__ == "__main__":
    absltest.main()
