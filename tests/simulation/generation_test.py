"""Data sets on disk: read back, resumed, the same by any number of hands."""

import dataclasses
import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import cv2
import numpy as np
from absl.testing import absltest

from squeeze_tf import config as config_lib
from squeeze_tf.data import kitti_object, point_clouds
from squeeze_tf.geometry import (
    calibration,
    laser_rings,
    oriented_boxes,
    spherical,
)
from squeeze_tf.simulation import (
    config,
    generation,
    kitti_layout,
    sensors,
    sequence,
)

TINY = dataclasses.replace(
    config.CONFIGS["tiny"], frames_per_sequence=3, min_points=3
)


def contents(folder) -> dict[str, bytes]:
    """Every file below a folder by its relative path."""
    folder = pathlib.Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class GenerationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._kept = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._kept.cleanup)
        cls.folder = generation.generate(TINY, cls._kept.name, 6, seed=4)

    def test_scans_and_labels_read_back_as_they_were_cast(self):
        for index in (0, 5):
            frame = sequence.frame(TINY, 4, index)
            paths = kitti_layout.frame_paths(self.folder, index)
            points = point_clouds.read(paths["velodyne"]).points
            labels = point_clouds.read_labels(paths["labels"], len(points))
            # Points lie in the order of KITTI's files.
            here, cast = np.lexsort(points.T), np.lexsort(frame.scan.points.T)
            np.testing.assert_array_equal(points[here], frame.scan.points[cast])
            class_ids, instance_ids = labels
            np.testing.assert_array_equal(
                class_ids[here], frame.scan.class_ids[cast]
            )
            np.testing.assert_array_equal(
                instance_ids[here], frame.scan.instance_ids[cast]
            )

    def test_lasers_can_be_told_from_the_order_of_the_points(self):
        frame = sequence.frame(config.CONFIGS["street"], 0, 0)
        with tempfile.TemporaryDirectory() as folder:
            kitti_layout.write_frame(folder, frame, sensors.KITTI_CAMERA)
            paths = kitti_layout.frame_paths(folder, 0)
            points = point_clouds.read(paths["velodyne"]).points
        rings = laser_rings.from_scan_order(points, frame.sensor.rows)
        np.testing.assert_array_equal(
            np.bincount(rings), np.bincount(frame.scan.rows)
        )

    def test_boxes_read_back_hold_the_points_of_their_instance(self):
        num_objects = 0
        for index in range(6):
            paths = kitti_layout.frame_paths(self.folder, index)
            matrices = calibration.read(paths["calib"])
            objects = kitti_object.read_labels(paths["label_2"], matrices)
            frame = sequence.frame(TINY, 4, index)
            counts = [
                (frame.scan.instance_ids == track).sum()
                for track in frame.world.box_tracks
            ]
            kept = np.array(counts) >= TINY.min_points
            # Two decimals; the centre adds half of the height's rounding.
            np.testing.assert_allclose(
                objects.boxes[:, :6], frame.world.boxes[kept, :6], atol=0.0076
            )
            turn = objects.boxes[:, 6] - frame.world.boxes[kept, 6]
            self.assertLess(np.abs(np.sin(turn / 2)).max(initial=0), 0.004)
            larger = objects.boxes + [0, 0, 0, 0.2, 0.2, 0.2, 0]
            inside = oriented_boxes.contains(larger, frame.scan.points)
            for row, track in enumerate(frame.world.box_tracks[kept]):
                own = frame.scan.instance_ids == track
                self.assertTrue(inside[row, own].all())
            num_objects += len(objects.types)
        self.assertGreater(num_objects, 10)

    def test_image_boxes_hold_the_visible_pixels_of_their_object(self):
        camera = sensors.scaled(sensors.KITTI_CAMERA, TINY.image_scale)
        num_checked = 0
        for index in range(6):
            frame = sequence.frame(TINY, 4, index, camera=True)
            objects = kitti_layout.objects_of(frame, camera, 3)
            shape = frame.picture.instance_ids.shape
            self.assertEqual(shape, (camera.height, camera.width))
            for track, box, cut in zip(
                objects.track_ids, objects.image_boxes, objects.truncated
            ):
                self.assertTrue(0 <= cut <= 1)
                rows, columns = np.nonzero(frame.picture.instance_ids == track)
                if len(rows) < 5:
                    continue
                num_checked += 1
                self.assertGreaterEqual(columns.min(), box[0] - 1)
                self.assertLessEqual(columns.max(), box[2] + 1)
                self.assertGreaterEqual(rows.min(), box[1] - 1)
                self.assertLessEqual(rows.max(), box[3] + 1)
                at_edge = (
                    columns.min() == 0
                    or columns.max() == camera.width - 1
                    or rows.max() == camera.height - 1
                )
                if cut > 0.05:
                    self.assertTrue(
                        at_edge or len(rows) < 0.5 * np.prod(box[2:] - box[:2])
                    )
        self.assertGreater(num_checked, 10)

    def test_images_read_back(self):
        frame = sequence.frame(TINY, 4, 2, camera=True)
        path = kitti_layout.frame_paths(self.folder, 2)["image_2"]
        image = cv2.imread(str(path))[..., ::-1]
        np.testing.assert_array_equal(image, frame.picture.rgb)

    def test_tracking_file_holds_the_labels_with_constant_tracks(self):
        matrices = calibration.read(
            kitti_layout.frame_paths(self.folder, 0)["calib"]
        )
        frames = kitti_object.read_tracking_labels(
            self.folder / "tracking.txt", matrices
        )
        seen = {}
        for index, objects in frames.items():
            single = kitti_object.read_labels(
                kitti_layout.frame_paths(self.folder, index)["label_2"],
                matrices,
            )
            np.testing.assert_array_equal(objects.boxes, single.boxes)
            for track, kind, box in zip(
                objects.track_ids, objects.types, objects.boxes
            ):
                known = (kind, *np.round(box[3:6], 2))
                key = (index // 3, int(track))
                self.assertEqual(seen.setdefault(key, known), known)
        self.assertGreater(len(frames), 3)

    def test_manifest_rebuilds_the_config(self):
        manifest = json.loads((self.folder / "manifest.json").read_text())
        self.assertEqual(config.SimulationConfig(**manifest["config"]), TINY)
        self.assertEqual(manifest["seed"], 4)

    def test_complete_frames_are_kept_and_broken_ones_repaired(self):
        expected = contents(self.folder)
        with tempfile.TemporaryDirectory() as folder:
            generation.generate(TINY, folder, 4, seed=4)
            kept = kitti_layout.frame_paths(folder, 1)["label_2"]
            before = kept.stat().st_mtime_ns
            broken = kitti_layout.frame_paths(folder, 2)
            broken["label_2"].unlink()
            broken["velodyne"].write_bytes(b"cut")
            broken["label_2"].with_name("000002.txt.tmp").write_text("Ca")
            generation.generate(TINY, folder, 6, seed=4)
            self.assertEqual(kept.stat().st_mtime_ns, before)
            self.assertEqual(contents(folder), expected)

    def test_two_processes_write_what_one_does(self):
        with tempfile.TemporaryDirectory() as folder:
            generation.generate(TINY, folder, 6, seed=4, processes=2)
            self.assertEqual(contents(folder), contents(self.folder))

    def test_an_own_sensor_is_simulated_from_its_projection(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "own.json"
            view = spherical.Projection(16, 120, 4.0, -28.0, 60.0, -60.0)
            config_lib.write(view, path)
            own = dataclasses.replace(
                TINY,
                sensor=str(path),
                sensor_height=1.2,
                jitter_degrees=0.0,
                sensor_max_range=30.0,
            )
            frame = sequence.frame(own, 4, 0)
            scan = frame.scan.points
            rows, columns = spherical.cells(scan, view)
            self.assertGreater(np.mean(rows >= 0), 0.999)
            self.assertGreater(len(set(columns)), 100)
            self.assertLess(np.linalg.norm(scan[:, :3], axis=1).max(), 30.2)
            ground = np.percentile(scan[:, 2], 10)
            self.assertAlmostEqual(ground, -1.2, delta=0.3)
            generation.generate(own, pathlib.Path(folder) / "a", 1)
            config_lib.write(dataclasses.replace(view, columns=60), path)
            with self.assertRaisesRegex(ValueError, "another sensor"):
                generation.generate(own, pathlib.Path(folder) / "a", 2)

    def test_a_worker_that_dies_is_an_error(self):
        with (
            mock.patch.object(generation, "_Job", lambda *_: 9),
            mock.patch.object(generation, "_write", os._exit),
            tempfile.TemporaryDirectory() as folder,
            self.assertRaisesRegex(OSError, "start again"),
        ):
            generation.generate(TINY, folder, 4, processes=2)

    def test_an_interrupt_leaves_the_rest_for_the_next_call(self):
        with tempfile.TemporaryDirectory() as folder:
            with (
                mock.patch.object(
                    generation.tqdm.tqdm,
                    "update",
                    side_effect=KeyboardInterrupt,
                ),
                self.assertRaises(KeyboardInterrupt),
            ):
                generation.generate(TINY, folder, 60, seed=4, processes=2)
            done = [
                kitti_layout.is_complete(folder, index) for index in range(60)
            ]
            self.assertTrue(any(done))
            self.assertLess(sum(done), 30)
            generation.generate(TINY, folder, 6, seed=4, processes=2)
            self.assertTrue(kitti_layout.is_complete(folder, 5))

    def test_another_seed_does_not_mix_into_the_folder(self):
        with self.assertRaisesRegex(ValueError, "manifest.json.*seed"):
            generation.generate(TINY, self.folder, 6, seed=5)
        with self.assertRaisesRegex(ValueError, "got 0 and 1"):
            generation.generate(TINY, self.folder, 0)


if __name__ == "__main__":
    absltest.main()
