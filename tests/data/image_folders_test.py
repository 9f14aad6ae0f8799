import json
import pathlib
import tempfile

import cv2
import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import image_folders, synthetic
from tests import shared_files

VOC = """<annotation><object><name>dog</name><difficult>{difficult}</difficult>
<truncated>1</truncated><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax>
<ymax>{ymax}</ymax></bndbox></object></annotation>"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class FoldersTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def image(self, relative, size=(50, 100)):
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))

    def read(self, layout, name=""):
        return image_folders.read(str(self.folder / name), layout)

    def test_kitti(self):
        synthetic.write_images(self.folder, count=3)
        for name in ("", "training"):  # its top, or the two folders' own
            samples = self.read("kitti", name)
            self.assertEqual(
                [s.name for s in samples], ["000000", "000001", "000002"]
            )
            self.assertEqual([len(s.labels) for s in samples], [3, 3, 0])

    def test_kitti_real_frames(self):
        folder = shared_files.path("data/kitti_object")
        samples = image_folders.read(str(folder), "kitti")
        self.assertLen(samples, 3)
        self.assertIn("Pedestrian", samples[0].labels.types)

    def test_voc_counts_pixels_from_one(self):
        self.image("JPEGImages/a.jpg")
        self.image("JPEGImages/b.jpg")
        write(
            self.folder / "Annotations/a.xml", VOC.format(difficult=0, ymax=40)
        )
        write(
            self.folder / "Annotations/b.xml", VOC.format(difficult=1, ymax=40)
        )
        one, two = self.read("voc")
        np.testing.assert_array_equal(one.labels.corners, [[10, 20, 30, 40]])
        self.assertEqual(one.labels.types.tolist(), ["dog"])
        self.assertEqual(one.labels.truncated.tolist(), [-1])
        self.assertEqual(one.labels.is_ignored.tolist(), [False])
        self.assertEqual(two.labels.is_ignored.tolist(), [True])

    @parameterized.parameters("val2017/{}", "annotations/{}", "images/{}")
    def test_coco_finds_its_images(self, place):
        self.image(place.format("x.jpg"))
        self.image(place.format("y.jpg"))
        content = {
            "images": [
                {"id": 7, "file_name": "x.jpg"},
                {"id": 8, "file_name": "y.jpg"},
            ],
            "categories": [{"id": 3, "name": "cat"}],
            "annotations": [
                {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3.5, 4]},
                {
                    "image_id": 7,
                    "category_id": 3,
                    "bbox": [5, 6, 7, 8],
                    "iscrowd": 1,
                },
            ],
        }
        write(
            self.folder / "annotations/instances_val2017.json",
            json.dumps(content),
        )
        one, two = self.read("coco", "annotations/instances_val2017.json")
        (self.folder / place.format("y.jpg")).unlink()
        with self.assertRaisesRegex(OSError, "y.jpg is not there"):
            self.read("coco", "annotations")
        self.assertEqual(one.path, self.folder / place.format("x.jpg"))
        np.testing.assert_array_equal(
            one.labels.corners, [[1, 2, 4.5, 6], [5, 6, 12, 14]]
        )
        self.assertEqual(one.labels.is_ignored.tolist(), [False, True])
        self.assertEqual(one.labels.types.tolist(), ["cat", "cat"])
        self.assertLen(two.labels, 0)

    @parameterized.parameters(
        ("[1", "not JSON"),
        (
            '{"images": [{"id": 1, "file_name": "q.jpg"}], "categories": [{'
            '"id": 1, "name": "a"}], "annotations": [{"id": 9, "image_id": 1,'
            ' "category_id": 1, "bbox": [1, 2, null, 4]}]}',
            "annotation 9: expected bbox",
        ),
        ("{}", "missing or of the wrong kind: 'categories'"),
        (
            '{"images": [{"id": 1, "file_name": "q.jpg"}], "categories": [],'
            ' "annotations": []}',
            "expected q.jpg in one of",
        ),
    )
    def test_coco_mistakes(self, text, message):
        write(self.folder / "a.json", text)
        if "bbox" in text:
            self.image("q.jpg")
        with self.assertRaisesRegex(
            (ValueError, OSError), f"a.json: .*{message}"
        ):
            self.read("coco", "a.json")

    def test_yolo(self):
        for name in ("train/a.jpg", "train/b.jpg"):
            self.image(f"images/{name}")
        write(self.folder / "labels/train/a.txt", "1 0.5 0.5 0.2 0.4\n")
        plain, empty = self.read("yolo")
        self.assertEqual(plain.name, "train/a")
        self.assertEqual(plain.labels.types.tolist(), ["1"])
        np.testing.assert_allclose(plain.labels.corners, [[40, 15, 60, 35]])
        self.assertLen(empty.labels, 0)
        for file, text in (
            ("obj.names", "cat\n fox \n"),
            ("classes.txt", "cat\ndog\n"),
            ("data.yaml", "names: {0: cat, 1: wolf}\n"),
        ):
            write(self.folder / file, text)
            expected = {
                "obj.names": "fox",
                "classes.txt": "dog",
                "data.yaml": "wolf",
            }[file]
            types = self.read("yolo")[0].labels.types
            self.assertEqual(types.tolist(), [expected])

    @parameterized.parameters(
        "3 0.5 0.5 0.2",
        "0 0.5 0.5 0.2 1.5",
        "x 0 0 0 0",
        "-1 0.5 0.5 0.1 0.1",
        "7 0.5 0.5 0.1 0.1",
    )
    def test_yolo_mistakes_name_file_and_line(self, line):
        self.image("images/a.jpg")
        write(self.folder / "classes.txt", "cat\n")
        write(self.folder / "labels/a.txt", f"0 0.5 0.5 0.1 0.1\n{line}\n")
        with self.assertRaisesRegex(ValueError, "a.txt:2: expected a class"):
            self.read("yolo")

    def test_missing_things_are_named(self):
        self.image("image_2/a.png")
        with self.assertRaisesRegex(OSError, "a.png: expected its labels in"):
            self.read("kitti")
        with self.assertRaisesRegex(ValueError, "dataset must be one of"):
            self.read("imagenet")
        with self.assertRaisesRegex(OSError, "nowhere: no such file"):
            self.read("kitti", "nowhere")
        (self.folder / "empty").mkdir()
        with self.assertRaisesRegex(ValueError, "expected images .*got none"):
            image_folders.find(self.folder / "empty")
        self.image("JPEGImages/a.jpg")
        write(
            self.folder / "Annotations/a.xml", VOC.format(difficult=0, ymax="?")
        )
        with self.assertRaisesRegex(ValueError, "a.xml: expected VOC"):
            self.read("voc")

    def test_several_folders(self):
        for name in ("one", "two"):
            synthetic.write_images(self.folder / name, count=2)
        both = f"{self.folder / 'one'},{self.folder / 'two'}"
        self.assertLen(image_folders.read(both, "kitti"), 4)


if __name__ == "__main__":
    absltest.main()
