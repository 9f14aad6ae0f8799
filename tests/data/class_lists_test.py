import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import class_lists


class ClassListsTest(parameterized.TestCase):
    def load(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "mine.yaml"
        path.write_text(text)
        return class_lists.load(path)

    def test_the_lists_that_come_with_the_package(self):
        counts = {n: len(class_lists.load(n)) for n in class_lists.names()}
        self.assertEqual(
            counts, {"kitti": 3, "kitti_car": 1, "voc": 20, "coco": 80}
        )

    def test_kitti_is_evaluated_by_the_benchmarks_rules(self):
        car, pedestrian, cyclist = class_lists.load("kitti")
        self.assertEqual((car.min_overlap, car.neighbours), (0.7, ("van",)))
        self.assertEqual(pedestrian.min_overlap, 0.5)
        self.assertEqual(pedestrian.neighbours, ("person_sitting",))
        self.assertEqual(cyclist.min_overlap, 0.5)

    def test_a_list_of_ones_own(self):
        truck, sign = self.load(
            "classes:\n"
            "  - {name: truck, types: [Lorry, Bus], color: [1, 2, 3]}\n"
            "  - {name: Sign}\n"
        )
        self.assertEqual(truck.types, ("lorry", "bus"))
        self.assertEqual(truck.color, (1, 2, 3))
        self.assertEqual(sign.types, ("sign",))
        ids = class_lists.class_ids(
            (truck, sign), np.array(["BUS", "sign", "dog", "Lorry"])
        )
        np.testing.assert_array_equal(ids, [0, 1, -1, 0])

    @parameterized.parameters(
        ("classes: 3", "a list under the key classes"),
        ("classes:\n  - {types: [a]}", "class 0: expected a name"),
        ("classes:\n  - {name: a, kind: b}", r"got \['kind'\]"),
        ("classes:\n  - {name: a, types: b}", "a list of types"),
        ("classes:\n  - {name: a, types: []}", "a list of types"),
        ("classes:\n  - {name: a, min_overlap: 7}", "min_overlap in 0..1"),
        ("classes:\n  - {name: a, color: [1, 2, 300]}", "three whole numbers"),
        ("classes:\n  - {name: a, color: 5}", "three whole numbers"),
        ("classes:\n  - {name: ''}", "class 0: expected a name"),
        ("classes:\n  - {name: a}\n  - {name: A, types: [b]}", "each name"),
        (
            "classes:\n  - {name: a, types: [x]}\n  - {name: b, types: [X]}",
            "each type once",
        ),
        ("classes: [", "not YAML"),
    )
    def test_mistakes_are_named_with_the_file(self, text, message):
        with self.assertRaisesRegex(ValueError, f"mine.yaml: .*{message}"):
            self.load(text)

    def test_an_unknown_name_is_refused(self):
        with self.assertRaisesRegex(ValueError, "ending in .yaml; got cats"):
            class_lists.load("cats")


if __name__ == "__main__":
    absltest.main()
