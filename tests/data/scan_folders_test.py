"""Made folders of every layout, read back with their labels."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf.data import label_maps, point_clouds, scan_folders
from tests import shared_files

_POINTS = np.array(
    [[10, 0, 0, 0.1], [20, 0, 0, 0.2], [-5, 1, 1, 0.3]], np.float32
)
_CALIBRATION = (
    "P2: 1 0 0 0 0 1 0 0 0 0 1 0\n"
    "R0_rect: 1 0 0 0 1 0 0 0 1\n"
    "Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
)


class _FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.kitti = label_maps.load("kitti")

    def write_scan(self, name, points=_POINTS):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        point_clouds.write_bin(path, points)
        return path

    def write_text(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def names(self, samples):
        return [
            (
                sample.scan_path.relative_to(self.folder).as_posix(),
                sample.label_path
                and sample.label_path.relative_to(self.folder).as_posix(),
                sample.kind,
            )
            for sample in samples
        ]


class LayoutTest(_FolderTest):
    def test_semantic_kitti(self):
        for name in ("00/velodyne/000001", "00/velodyne/000000"):
            self.write_scan(f"sequences/{name}.bin")
        self.write_scan("sequences/11/velodyne/000000.bin")
        labels = self.folder / "sequences/00/labels"
        labels.mkdir()
        for name in ("000000", "000001"):
            point_clouds.write_labels(
                labels / f"{name}.label",
                np.array([252, 40, 31]),
                np.array([5, 0, 6]),
            )
        samples = scan_folders.find(self.folder, "semantic_kitti")
        self.assertEqual(
            self.names(samples),
            [
                (
                    f"sequences/00/velodyne/{name}.bin",
                    f"sequences/00/labels/{name}.label",
                    "points",
                )
                for name in ("000000", "000001")
            ]
            + [("sequences/11/velodyne/000000.bin", None, "points")],
        )
        scan, classes, instances = scan_folders.load(samples[0], self.kitti)
        np.testing.assert_array_equal(scan.points, _POINTS)
        self.assertEqual(classes.tolist(), [1, 0, 3])
        self.assertEqual(instances.tolist(), [5, 0, 6])
        _, classes, instances = scan_folders.load(samples[2], self.kitti)
        self.assertEqual([*classes, *instances], [0] * 6)

    def test_one_sequence_of_semantic_kitti(self):
        self.write_scan("sequences/08/velodyne/000000.bin")
        whole = scan_folders.find(self.folder, "semantic_kitti")
        one = scan_folders.find(
            self.folder / "sequences" / "08", "semantic_kitti"
        )
        self.assertEqual(one, whole)

    def test_the_drives_of_a_date(self):
        for drive in ("0001_sync", "0002_sync"):
            self.write_scan(f"{drive}/velodyne_points/data/0000000000.bin")
        self.write_text("0002_sync/tracklet_labels.xml", "")
        scan = "velodyne_points/data/0000000000.bin"
        self.assertEqual(
            self.names(scan_folders.find(self.folder, "kitti_raw")),
            [
                (f"0001_sync/{scan}", None, "kitti_raw"),
                (
                    f"0002_sync/{scan}",
                    "0002_sync/tracklet_labels.xml",
                    "kitti_raw",
                ),
            ],
        )

    def test_a_list_takes_the_labels_of_its_layout(self):
        for name in ("000001", "000002", "000003"):
            self.write_scan(f"velodyne/{name}.bin")
            self.write_text(f"label_2/{name}.txt", "")
        path = self.write_text(
            "train.txt", "velodyne/000003.bin\nvelodyne/000001.bin\n"
        )
        self.assertEqual(
            self.names(scan_folders.read_list(path, "kitti_object")),
            [
                (f"velodyne/{name}.bin", f"label_2/{name}.txt", "kitti_object")
                for name in ("000003", "000001")
            ],
        )
        with self.assertRaisesRegex(ValueError, "train.txt: lists are for"):
            scan_folders.read_list(path, "nuscenes")

    def test_a_sequence_with_some_labels_missing_is_refused(self):
        self.write_scan("sequences/00/velodyne/000000.bin")
        (self.folder / "sequences/00/labels").mkdir()
        with self.assertRaisesRegex(ValueError, "000000.label: expected"):
            scan_folders.find(self.folder, "semantic_kitti")

    def test_kitti_object(self):
        self.write_scan("velodyne/000007.bin")
        self.write_text("calib/000007.txt", _CALIBRATION)
        # A car of 4 x 2 x 2 m, 20 m ahead, its bottom 1 m below the sensor.
        self.write_text(
            "label_2/000007.txt",
            "Car 0 0 0 0 0 1 1 2 2 4 0 1 20 -1.5707963\n",
        )
        samples = scan_folders.find(self.folder, "kitti_object")
        self.assertEqual(
            self.names(samples),
            [("velodyne/000007.bin", "label_2/000007.txt", "kitti_object")],
        )
        _, classes, instances = scan_folders.load(samples[0], self.kitti)
        self.assertEqual(classes.tolist(), [0, 1, 0])
        self.assertEqual(instances.tolist(), [0, 1, 0])
        self.assertEqual(
            scan_folders.files(samples[0]),
            (
                self.folder / "velodyne/000007.bin",
                self.folder / "label_2/000007.txt",
                self.folder / "calib/000007.txt",
            ),
        )

    def test_kitti_raw_reads_the_frame_of_each_scan(self):
        for number in (0, 1):
            self.write_scan(f"velodyne_points/data/{number:010d}.bin")
        poses = "".join(
            f"<item><tx>{x}</tx><ty>0</ty><tz>-1</tz><rz>0</rz></item>"
            for x in (10, 20)
        )
        self.write_text(
            "tracklet_labels.xml",
            "<b><tracklets><item><objectType>Car</objectType><h>2</h><w>2</w>"
            f"<l>4</l><first_frame>0</first_frame><poses>{poses}</poses>"
            "</item></tracklets></b>",
        )
        samples = scan_folders.find(self.folder, "kitti_raw")
        found = [
            scan_folders.load(sample, self.kitti)[1].tolist()
            for sample in samples
        ]
        self.assertEqual(found, [[1, 0, 0], [0, 1, 0]])

    @parameterized.parameters(True, False)
    def test_nuscenes_with_and_without_tables(self, has_tables):
        scan = self.folder / "samples/LIDAR_TOP/n1__LIDAR_TOP__5.pcd.bin"
        scan.parent.mkdir(parents=True)
        np.array([[0, 10, 1, 9, 1], [0, 10, -1, 9, 0]], np.float32).tofile(scan)
        stem = "token7" if has_tables else "n1__LIDAR_TOP__5"
        label = self.folder / f"lidarseg/v1.0-mini/{stem}_lidarseg.bin"
        label.parent.mkdir(parents=True)
        np.array([10, 7], np.uint8).tofile(label)
        if has_tables:
            self.write_text(
                "v1.0-mini/sample_data.json",
                json.dumps(
                    [
                        {
                            "token": "t1",
                            "filename": scan.relative_to(
                                self.folder
                            ).as_posix(),
                        }
                    ]
                ),
            )
            self.write_text(
                "v1.0-mini/lidarseg.json",
                json.dumps(
                    [
                        {
                            "token": "token7",
                            "sample_data_token": "t1",
                            "filename": label.relative_to(
                                self.folder
                            ).as_posix(),
                        }
                    ]
                ),
            )
        samples = scan_folders.find(self.folder, "nuscenes")
        self.assertEqual([s.label_path for s in samples], [label])
        found, classes, _ = scan_folders.load(
            samples[0], label_maps.load("nuscenes_grids")
        )
        self.assertEqual(classes.tolist(), [0, 8])  # 10 is none, 7 is car
        np.testing.assert_array_equal(found.points[:, 0], [10, 10])
        np.array([10], np.uint8).tofile(label)
        with self.assertRaisesRegex(ValueError, "expected 2 labels.*got 1"):
            scan_folders.load(samples[0], label_maps.load("nuscenes_grids"))

    def test_plain_folders_take_labels_of_the_same_name(self):
        self.write_scan("a.bin")
        np.save(self.folder / "b.npy", np.where(_POINTS > 9, np.nan, _POINTS))
        self.write_text("notes.txt", "")
        point_clouds.write_labels(
            self.folder / "a.label", np.array([10, 10, 30])
        )
        samples = scan_folders.find(self.folder, "plain")
        self.assertEqual(
            self.names(samples),
            [("a.bin", "a.label", "points"), ("b.npy", None, "points")],
        )
        _, classes, _ = scan_folders.load(samples[0], self.kitti)
        self.assertEqual(classes.tolist(), [1, 1, 2])
        with self.assertRaisesRegex(ValueError, "2 of 3 points"):
            scan_folders.load(samples[1], self.kitti)
        scan, _, _ = scan_folders.load(
            samples[1], self.kitti, drop_invalid=True
        )
        self.assertEqual(scan.points.any(axis=1).sum(), 1)
        self.assertLen(scan.points, 3)

    @parameterized.parameters(*scan_folders.LAYOUTS)
    def test_an_empty_folder_is_refused(self, layout):
        with self.assertRaisesRegex(ValueError, f"layout {layout}"):
            scan_folders.find(self.folder, layout)

    def test_an_unknown_layout_lists_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "plain; got 'waymo'"):
            scan_folders.find(self.folder, "waymo")


class FailureTest(_FolderTest):
    def test_ids_outside_the_map_name_file_and_ids(self):
        self.write_scan("a.bin")
        point_clouds.write_labels(
            self.folder / "a.label", np.array([10, 500, 30])
        )
        (sample,) = scan_folders.find(self.folder, "plain")
        with self.assertRaisesRegex(ValueError, r"a.label: .*\[500\]"):
            scan_folders.load(sample, self.kitti)

    def test_labels_of_another_length_name_both_counts(self):
        self.write_scan("a.bin")
        point_clouds.write_labels(self.folder / "a.label", np.array([10]))
        (sample,) = scan_folders.find(self.folder, "plain")
        with self.assertRaisesRegex(ValueError, "expected 3 .*got 1"):
            scan_folders.load(sample, self.kitti)


class ListTest(_FolderTest):
    def test_scans_are_found_beside_the_list(self):
        self.write_scan("sequences/00/velodyne/000000.bin")
        other = self.write_scan("b.bin")
        (self.folder / "sequences/00/labels").mkdir()
        label = self.folder / "sequences/00/labels/000000.label"
        point_clouds.write_labels(label, np.array([10, 40, 40]))
        path = self.write_text(
            "list.txt",
            f"# a split\n{other}\n\nsequences/00/velodyne/000000.bin\n",
        )
        self.assertEqual(
            self.names(scan_folders.read_list(path)),
            [
                ("b.bin", None, "points"),
                (
                    "sequences/00/velodyne/000000.bin",
                    "sequences/00/labels/000000.label",
                    "points",
                ),
            ],
        )

    def test_a_missing_scan_names_list_line_and_file(self):
        self.write_scan("a.bin")
        path = self.write_text("list.txt", "a.bin\n\nmissing/b.bin\n")
        with self.assertRaisesRegex(ValueError, r"list.txt:3: .*missing/b.bin"):
            scan_folders.read_list(path)

    def test_a_list_without_scans_is_refused(self):
        path = self.write_text("list.txt", "# nothing\n")
        with self.assertRaisesRegex(ValueError, "at least one scan"):
            scan_folders.read_list(path)


class RecordedTest(absltest.TestCase):
    def test_real_scans_load(self):
        root = shared_files.path("data")
        samples = scan_folders.find(
            root / "kitti_object/training", "kitti_object"
        )
        _, classes, _ = scan_folders.load(samples[0], label_maps.load("kitti"))
        self.assertEqual(set(classes), {0, 2})


if __name__ == "__main__":
    absltest.main()
