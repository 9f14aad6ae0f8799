"""3-D boxes against SciPy rotations and published counts of points."""

import json

import numpy as np
from absl.testing import absltest, parameterized
from scipy.spatial import transform

from squeeze_tf.data import kitti_object, point_clouds
from squeeze_tf.geometry import calibration, oriented_boxes
from tests import shared_files


def _random_boxes(rng, count):
    return np.column_stack(
        [
            rng.uniform(-5, 5, (count, 3)),
            rng.uniform(0.5, 4, (count, 3)),
            rng.uniform(-4, 4, count),
        ]
    )


def _records(dataset, frame):
    """Published counts and corners of one frame."""
    records = json.loads(shared_files.path("data/boxes.json").read_text())
    return [
        record
        for record in records
        if record["dataset"].startswith(dataset)
        and int(record["frame"]) == frame
    ]


def _sustech(frame):
    """Points, boxes with yaw only, and full rotations of a frame."""
    labels = json.loads(
        shared_files.path(f"data/sustech/label/{frame:06d}.json").read_text()
    )
    path = shared_files.path(f"data/sustech/lidar/{frame:06d}.pcd")
    poses = [label["psr"] for label in labels]
    values = {
        key: np.array([[pose[key][axis] for axis in "xyz"] for pose in poses])
        for key in ("position", "scale", "rotation")
    }
    boxes = np.hstack(
        [values["position"], values["scale"], values["rotation"][:, 2:]]
    )
    rotations = transform.Rotation.from_euler("XYZ", values["rotation"])
    return point_clouds.read(path).points, boxes, rotations


class CornersTest(parameterized.TestCase):
    def test_a_box_without_yaw_is_worked_by_hand(self):
        box = np.array([[1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 0.0]])
        bottom = [[3, 3], [-1, 3], [-1, 1], [3, 1]]  # x = 1 ± 2, y = 2 ± 1
        expected = [[x, y, 2.5] for x, y in bottom]
        expected += [[x, y, 3.5] for x, y in bottom]
        np.testing.assert_allclose(
            oriented_boxes.corners(box)[0], expected, atol=1e-15
        )

    def test_yaw_turns_corners_as_scipy_does(self):
        boxes = _random_boxes(np.random.default_rng(0), 9)
        still = boxes.copy()
        still[:, 6] = 0
        for box, level, turned in zip(
            boxes, oriented_boxes.corners(still), oriented_boxes.corners(boxes)
        ):
            rotation = transform.Rotation.from_euler("z", box[6])
            expected = rotation.apply(level - box[:3]) + box[:3]
            np.testing.assert_allclose(turned, expected, atol=1e-12)

    def test_yaw_goes_from_x_to_y(self):
        box = np.array([[0, 0, 0, 4, 2, 1, np.pi / 2]])
        front = oriented_boxes.corners(box)[0, [0, 3]].mean(axis=0)
        np.testing.assert_allclose(front, [0, 2, -0.5], atol=1e-15)

    @parameterized.parameters(((7,),), ((2, 6),), ((1, 2, 7),))
    def test_other_shapes_are_refused(self, shape):
        with self.assertRaisesRegex(ValueError, r"boxes must be \[N, 7\]"):
            oriented_boxes.corners(np.zeros(shape))


class ContainsTest(absltest.TestCase):
    def test_equals_projections_on_the_edges(self):
        rng = np.random.default_rng(1)
        boxes = _random_boxes(rng, 6)
        points = rng.uniform(-6, 6, (900, 3))
        expected = np.zeros((6, 900), bool)
        for row, (box, corners) in enumerate(
            zip(boxes, oriented_boxes.corners(boxes))
        ):
            edges = [corners[0] - corners[k] for k in (1, 3, 4)]
            for column, point in enumerate(points):
                offset = point - box[:3]
                expected[row, column] = all(
                    abs(offset @ edge) <= edge @ edge / 2 for edge in edges
                )
        actual = oriented_boxes.contains(boxes, points)
        np.testing.assert_array_equal(actual, expected)
        self.assertGreater(expected.sum(), 20)

    def test_faces_belong_to_the_box(self):
        box = np.array([[0.0, 0, 0, 2, 2, 2, 0]])
        points = np.array([[1.0, 1, 1], [1.0 + 1e-9, 0, 0], [0, -1, 0]])
        self.assertEqual(
            oriented_boxes.contains(box, points).tolist(),
            [[True, False, True]],
        )

    def test_no_boxes_contain_no_points(self):
        inside = oriented_boxes.contains(np.zeros((0, 7)), np.zeros((5, 4)))
        self.assertEqual(inside.shape, (0, 5))

    def test_points_without_z_are_refused(self):
        with self.assertRaisesRegex(ValueError, "x, y, z"):
            oriented_boxes.contains(np.zeros((1, 7)), np.zeros((5, 2)))


class RecordedBoxesTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_kitti_counts_in_the_camera_frame_are_exact(self, frame):
        """Boxes stand upright in the rectified camera frame (z down y)."""
        folder = shared_files.path("data/kitti_object/training")
        matrices = calibration.read(folder / f"calib/{frame:06d}.txt")
        scan = point_clouds.read(folder / f"velodyne/{frame:06d}.bin")
        seen = calibration.lidar_to_rectified(matrices, scan.points[:, :3])
        points = seen[:, [0, 2, 1]] * [1, 1, -1]
        boxes = []
        label = folder / f"label_2/{frame:06d}.txt"
        for line in label.read_text().splitlines():
            if not line.startswith("DontCare"):
                high, wide, long, x, y, z, turn = map(float, line.split()[8:15])
                boxes.append([x, z, high / 2 - y, long, wide, high, -turn])
        counts = oriented_boxes.contains(boxes, points).sum(axis=1)
        expected = [r["points"] for r in _records("kitti_object", frame)]
        self.assertEqual(counts.tolist(), expected)

    @parameterized.parameters(0, 1, 2)
    def test_kitti_corners_agree_within_the_dropped_tilt(self, frame):
        folder = shared_files.path("data/kitti_object/training")
        matrices = calibration.read(folder / f"calib/{frame:06d}.txt")
        objects = kitti_object.read_labels(
            folder / f"label_2/{frame:06d}.txt", matrices
        )
        records = _records("kitti_object", frame)
        self.assertLen(objects.types, len(records))
        for corners, record in zip(
            oriented_boxes.corners(objects.boxes), records
        ):
            for corner in record["bev_corners"]:
                gaps = np.linalg.norm(corners[:4, :2] - corner, axis=1)
                # The camera pitches by up to 1.5 degrees: 2.9 m of height
                # shift a bottom corner by up to 4 cm.
                self.assertLess(gaps.min(), 0.04)
            self.assertAlmostEqual(
                corners[0, 2], record["z_bottom"], delta=0.01
            )

    @parameterized.parameters(950, 965, 970, 975)
    def test_sustech_counts_with_full_rotation_are_exact(self, frame):
        points, boxes, rotations = _sustech(frame)
        counts = []
        for box, rotation in zip(boxes, rotations):
            local = rotation.inv().apply(points[:, :3] - box[:3])
            still = np.array([[0, 0, 0, *box[3:6], 0]])
            counts.append(int(oriented_boxes.contains(still, local).sum()))
        records = _records("sustech", frame)
        self.assertEqual(counts, [record["points"] for record in records])

    @parameterized.parameters(950, 965, 970, 975)
    def test_sustech_counts_with_yaw_only_are_close(self, frame):
        points, boxes, rotations = _sustech(frame)
        tilt = np.abs(rotations.as_euler("XYZ")[:, :2]).max(axis=1)
        counts = oriented_boxes.contains(boxes, points).sum(axis=1)
        expected = np.array(
            [record["points"] for record in _records("sustech", frame)]
        )
        level = tilt == 0
        self.assertGreater(level.sum(), 5)
        np.testing.assert_array_equal(counts[level], expected[level])
        np.testing.assert_allclose(counts, expected, rtol=0.2)


if __name__ == "__main__":
    absltest.main()
