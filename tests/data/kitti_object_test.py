"""KITTI labels: hand-worked boxes, round trips of made and real files."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from scipy.spatial import transform

from squeeze_tf.data import kitti_object
from squeeze_tf.geometry import calibration, oriented_boxes
from tests import shared_files

# LiDAR x forward, y left, z up to camera x right, y down, z forward.
_AXES = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
_LEVEL = calibration.Calibration({"P2": np.eye(3, 4)}, np.eye(3), _AXES)


def _tilted():
    """A camera that pitches and rolls a little, as KITTI's does."""
    tilt = transform.Rotation.from_euler("xyz", [0.02, -0.01, 0.015])
    moved = np.hstack([_AXES[:, :3], [[0.1], [-0.2], [-0.3]]])
    return calibration.Calibration(
        {"P2": np.eye(3, 4)}, tilt.as_matrix(), moved
    )


class KittiObjectTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "000000.txt"

    def test_a_line_worked_by_hand(self):
        self.path.write_text(
            "Car 0.25 2 -1.57 10 20 30 40 1.5 1.6 4.0 2.0 1.7 15.0 0.0\n"
            "DontCare -1 -1 -10 5 6 7 8 -1 -1 -1 -1000 -1000 -1000 -10\n"
        )
        found = kitti_object.read_labels(self.path, _LEVEL)
        self.assertEqual(found.types, ["Car"])
        # Camera (2 right, 1.7 down, 15 ahead) is LiDAR (15, -2, -1.7); the
        # centre is 0.75 higher; rotation_y = 0 heads right, so yaw is -90°.
        np.testing.assert_allclose(
            found.boxes, [[15, -2, -0.95, 4, 1.6, 1.5, -np.pi / 2]]
        )
        np.testing.assert_array_equal(found.image_boxes, [[10, 20, 30, 40]])
        self.assertEqual(found.truncated.tolist(), [0.25])
        self.assertEqual(found.occluded.tolist(), [2])
        self.assertEqual(found.alpha.tolist(), [-1.57])
        self.assertEqual(found.track_ids.tolist(), [-1])
        self.assertIsNone(found.scores)
        np.testing.assert_array_equal(
            kitti_object.read_dont_care(self.path), [[5, 6, 7, 8]]
        )

    @parameterized.parameters(-3.0, -1.0, 0.0, 0.7, 2.5)
    def test_headings_agree_with_rotated_corners(self, rotation_y):
        """The front of the box in the camera frame, turned as a vector."""
        self.path.write_text(
            f"Car 0 0 0 0 0 1 1 1.5 1.6 4.0 3.0 1.7 15.0 {rotation_y}\n"
        )
        found = kitti_object.read_labels(self.path, _tilted())
        turned = transform.Rotation.from_euler("y", rotation_y)
        front = turned.apply([2.0, 0, 0]) + [3.0, 1.7 - 0.75, 15.0]
        expected = calibration.rectified_to_lidar(_tilted(), front[None])[0]
        corners = oriented_boxes.corners(found.boxes)[0]
        actual = corners[[0, 3, 4, 7]].mean(axis=0)
        # The dropped tilt of 0.025 rad moves the front of a car 2 m from
        # its centre by at most 0.05 m, all of it vertical.
        np.testing.assert_allclose(actual[:2], expected[:2], atol=2e-3)
        self.assertAlmostEqual(actual[2], expected[2], delta=0.05)

    def test_writing_and_reading_returns_made_boxes(self):
        rng = np.random.default_rng(0)
        count = 12
        objects = kitti_object.Objects(
            types=["Car", "Pedestrian", "Cyclist"] * 4,
            boxes=np.column_stack(
                [
                    rng.uniform(5, 40, count),
                    rng.uniform(-10, 10, count),
                    rng.uniform(-2, 0, count),
                    rng.uniform(1, 5, (count, 3)),
                    rng.uniform(-3.1, 3.1, count),
                ]
            ),
            image_boxes=rng.uniform(0, 300, (count, 4)),
            truncated=rng.uniform(0, 1, count),
            occluded=rng.integers(0, 4, count),
            alpha=rng.uniform(-3, 3, count),
            track_ids=np.full(count, -1),
            scores=rng.uniform(0, 1, count),
        )
        kitti_object.write_labels(self.path, objects, _tilted())
        found = kitti_object.read_labels(self.path, _tilted())
        self.assertEqual(found.types, objects.types)
        turn = np.angle(np.exp(1j * (found.boxes - objects.boxes)[:, 6]))
        np.testing.assert_allclose(turn, 0, atol=0.006)  # two decimals
        np.testing.assert_allclose(
            found.boxes[:, :6], objects.boxes[:, :6], atol=0.011
        )
        for name in ("image_boxes", "truncated", "alpha", "scores"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(objects, name), atol=0.0051
            )
        np.testing.assert_array_equal(found.occluded, objects.occluded)
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_no_objects_write_an_empty_file(self):
        self.path.write_text("")
        none = kitti_object.read_labels(self.path, _LEVEL)
        self.assertEqual(none.boxes.shape, (0, 7))
        kitti_object.write_labels(self.path, none, _LEVEL)
        self.assertEqual(self.path.read_text(), "")

    @parameterized.parameters(0, 1, 2)
    def test_real_files_return_word_for_word(self, frame):
        folder = shared_files.path("data/kitti_object/training")
        matrices = calibration.read(folder / f"calib/{frame:06d}.txt")
        source = folder / f"label_2/{frame:06d}.txt"
        objects = kitti_object.read_labels(source, matrices)
        kitti_object.write_labels(self.path, objects, matrices)
        lines = source.read_text().splitlines()
        kept = [line for line in lines if not line.startswith("DontCare")]
        self.assertEqual(self.path.read_text().splitlines(), kept)
        regions = kitti_object.read_dont_care(source)
        self.assertLen(regions, len(lines) - len(kept))

    def test_real_tracks_keep_their_ids_and_move_smoothly(self):
        folder = shared_files.path("data/kitti_seq_drive_0009")
        frames = kitti_object.read_tracking_labels(
            folder / "label.txt", calibration.read(folder / "calib.txt")
        )
        self.assertEqual(list(frames), [328, 329, 330, 331, 332])
        self.assertEqual(frames[328].track_ids.tolist()[:2], [75, 76])
        places = {}
        for objects in frames.values():
            self.assertNotIn("DontCare", objects.types)
            for track, box in zip(objects.track_ids, objects.boxes):
                if track in places:
                    # 10 Hz: 3 m a frame are 108 km/h against the car.
                    step = np.linalg.norm(box[:2] - places[track])
                    self.assertLess(step, 3)
                places[track] = box[:2]
        self.assertGreaterEqual(len(places), 7)

    @parameterized.parameters(
        ("Car 0 0 0\n", "000000.txt:1: expected 15 or 16 fields; got 4"),
        ("\nCar 0 0 x" + " 1" * 11, "000000.txt:2: expected numbers"),
    )
    def test_broken_lines_are_named(self, text, message):
        self.path.write_text(text)
        with self.assertRaisesRegex(ValueError, message):
            kitti_object.read_labels(self.path, _LEVEL)

    def test_arrays_of_different_lengths_are_refused(self):
        self.path.write_text("Car 0 0 0 0 0 1 1 1 1 1 1 1 1 0\n")
        one = kitti_object.read_labels(self.path, _LEVEL)
        wrong = dataclasses.replace(one, alpha=np.zeros(2))
        with self.assertRaisesRegex(ValueError, r"alpha .* \(1\); got 2"):
            kitti_object.write_labels(self.path, wrong, _LEVEL)


if __name__ == "__main__":
    absltest.main()
