"""KITTI boxes and the point labels made from them."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import kitti_lidar, label_maps, point_clouds
from tests import shared_files

_XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!DOCTYPE boost_serialization>
<boost_serialization signature="serialization::archive" version="9">
<tracklets class_id="0" tracking_level="0" version="0">
 <count>2</count><item_version>1</item_version>
 <item class_id="1" tracking_level="0" version="1">
  <objectType>Car</objectType><h>1.5</h><w>1.6</w><l>4.0</l>
  <first_frame>3</first_frame>
  <poses class_id="2" tracking_level="0" version="0">
   <count>2</count><item_version>2</item_version>
   <item class_id="3" tracking_level="0" version="2">
    <tx>10</tx><ty>2</ty><tz>-1.7</tz><rx>0</rx><ry>0</ry><rz>0.5</rz>
    <state>2</state></item>
   <item><tx>11</tx><ty>2</ty><tz>-1.7</tz><rx>0</rx><ry>0</ry><rz>0.6</rz>
    <state>2</state></item>
  </poses><finished>1</finished>
 </item>
 <item>
  <objectType>Pedestrian</objectType><h>1.8</h><w>0.6</w><l>0.7</l>
  <first_frame>4</first_frame>
  <poses><count>1</count><item_version>2</item_version>
   <item><tx>5</tx><ty>-1</ty><tz>-1.6</tz><rx>0</rx><ry>0</ry><rz>-1</rz>
    </item>
  </poses>
 </item>
</tracklets>
</boost_serialization>
"""


class TrackletsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "tracklet_labels.xml"
        self.path.write_text(_XML)

    def test_poses_become_boxes_of_their_frames(self):
        frames = kitti_lidar.read_tracklets(self.path)
        self.assertEqual(list(frames), [3, 4])
        # tz is the bottom: the centres are at -1.7 + 0.75, -1.6 + 0.9.
        np.testing.assert_allclose(
            frames[3].boxes, [[10, 2, -0.95, 4.0, 1.6, 1.5, 0.5]]
        )
        np.testing.assert_allclose(
            frames[4].boxes,
            [
                [11, 2, -0.95, 4.0, 1.6, 1.5, 0.6],
                [5, -1, -0.7, 0.7, 0.6, 1.8, -1.0],
            ],
        )
        self.assertEqual(frames[4].types, ["Car", "Pedestrian"])
        self.assertEqual(frames[4].track_ids.tolist(), [0, 1])

    @parameterized.parameters(
        ("<h>1.5</h>", "", "tracklet 0: expected numbers h, w, l"),
        ("<rz>-1</rz>", "<rz>west</rz>", "tracklet 1: expected numbers tx"),
        ("<objectType>Car</objectType>", "", "tracklet 0 lacks objectType"),
        ("tracklets", "things", "expected an element tracklets"),
        ("</boost_serialization>", "", "not XML"),
    )
    def test_broken_tracklets_are_named(self, old, new, message):
        self.path.write_text(_XML.replace(old, new))
        with self.assertRaisesRegex(
            ValueError, f"tracklet_labels.xml: .*{message}"
        ):
            kitti_lidar.read_tracklets(self.path)


class PointLabelsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.table = label_maps.load("kitti")

    def test_points_take_the_class_of_their_box(self):
        boxes = np.array(
            [
                [10.0, 0, 0, 4, 2, 2, 0],  # Car
                [0, 10, 0, 4, 2, 2, np.pi / 2],  # Van: unknown
                [-10, 0, 0, 1, 1, 2, 0],  # Pedestrian
            ]
        )
        points = np.array(
            [
                [11.9, 0.9, 0.9, 0],  # in the car
                [12.1, 0, 0, 0],  # before it
                [0.9, 11.9, 0, 0],  # in the van
                [-10.4, 0.4, -0.9, 0],  # in the pedestrian
                [0, 0, 0, 0],
            ]
        )
        class_ids, instance_ids = kitti_lidar.point_labels(
            points, ["Car", "Van", "Pedestrian"], boxes, self.table
        )
        self.assertEqual(class_ids.tolist(), [1, 0, 0, 2, 0])
        self.assertEqual(instance_ids.tolist(), [1, 0, 0, 3, 0])
        self.assertEqual(class_ids.dtype, np.int32)

    def test_a_point_in_two_boxes_belongs_to_the_nearer_centre(self):
        boxes = np.array([[0.0, 0, 0, 4, 2, 2, 0], [2.0, 0, 0, 2, 2, 2, 0]])
        points = np.array([[1.1, 0, 0], [0.9, 0, 0], [2.5, 0, 0]])
        for order in ([0, 1], [1, 0]):
            types = [["Car", "Cyclist"][i] for i in order]
            class_ids, _ = kitti_lidar.point_labels(
                points, types, boxes[order], self.table
            )
            self.assertEqual(class_ids.tolist(), [3, 1, 3])

    def test_no_boxes_leave_background(self):
        none = kitti_lidar.empty()
        class_ids, instance_ids = kitti_lidar.point_labels(
            np.ones((3, 4)), none.types, none.boxes, self.table
        )
        self.assertEqual([*class_ids, *instance_ids], [0] * 6)

    def test_types_outside_the_map_and_missing_types_are_refused(self):
        box = np.ones((1, 7))
        with self.assertRaisesRegex(ValueError, "Dragon"):
            kitti_lidar.point_labels(
                np.ones((3, 4)), ["Dragon"], box, self.table
            )
        with self.assertRaisesRegex(ValueError, "got 0 and 1"):
            kitti_lidar.point_labels(np.ones((3, 4)), [], box, self.table)


class RecordedTest(absltest.TestCase):
    def test_real_frames_have_about_the_published_counts(self):
        folder = shared_files.path("data/kitti_object/training")
        table = label_maps.load("kitti")
        # boxes.json: points of Pedestrian, Car 9 + Cyclist 18, Car 67; they
        # are counted in boxes tilted with the camera, ours stand upright.
        expected = [{2: 376}, {1: 9, 3: 18}, {1: 67}]
        labels = sorted((folder / "label_2").glob("*.txt"))
        for path, counts in zip(labels, expected, strict=True):
            boxes = kitti_lidar.read_object_boxes(path)
            scan = folder / "velodyne" / f"{path.stem}.bin"
            points = point_clouds.read(scan).points
            class_ids, instance_ids = kitti_lidar.point_labels(
                points, boxes.types, boxes.boxes, table
            )
            self.assertEqual(set(np.unique(class_ids)), {0, *counts})
            for class_id, count in counts.items():
                self.assertAlmostEqual(
                    np.sum(class_ids == class_id), count, delta=2
                )
            np.testing.assert_array_equal(class_ids > 0, instance_ids > 0)


if __name__ == "__main__":
    absltest.main()
