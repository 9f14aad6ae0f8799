"""Input pipelines: the contract, repeatability, caches, class weights."""

import os
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import config as config_lib
from squeeze_tf.data import label_maps, lidar_grids, point_clouds, synthetic
from squeeze_tf.geometry import spherical
from squeeze_tf.segmentation import augmentation, inputs, loss
from tests import shared_files

MAP = label_maps.load("kitti_grids")
PLAIN = augmentation.Augmentation()
STRONG = augmentation.Augmentation(flip=True, drop=0.3, mix=0.8, scale=0.05)


def synthetic_samples(folder="a", cache=None):
    return inputs.samples(
        "synthetic",
        folder,
        label_map=MAP,
        projection="hdl64e_front",
        cache=cache,
    )


def epoch(number, seed=0, changes=PLAIN, batch_size=3, ignored_ids=()):
    """All batches of one epoch."""
    batches = inputs.training_batches(
        synthetic_samples(),
        batch_size=batch_size,
        augmentation=changes,
        seed=seed,
        epoch=number,
        ignored_ids=ignored_ids,
    )
    return list(batches.as_numpy_iterator())


def equal(one, other):
    return all(
        np.array_equal(a, b)
        for batch, again in zip(one, other, strict=True)
        for a, b in zip(batch, again)
    )


class FolderTestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write_grids(self):
        grids = synthetic.lidar_grids(4)
        for index, grid in enumerate(grids):
            lidar_grids.write(self.folder / f"{index}.npy", grid)
        return grids

    def grid_samples(self, cache=None, label_map=MAP):
        return inputs.samples(
            "grids",
            str(self.folder),
            label_map=label_map,
            projection="hdl64e_front",
            cache=cache,
        )


class BatchesTest(parameterized.TestCase):
    def test_shapes_and_types_are_those_of_the_contract(self):
        spec = inputs.training_batches(
            synthetic_samples(),
            batch_size=2,
            augmentation=STRONG,
            seed=0,
            epoch=0,
        ).element_spec
        self.assertEqual(spec[0], tf.TensorSpec((None, 16, 64, 5), tf.float32))
        self.assertEqual(spec[1], tf.TensorSpec((None, 16, 64), tf.int32))
        sizes = [len(labels) for _, labels in epoch(0, batch_size=3)]
        self.assertEqual(sizes, [3, 1])  # the smaller batch stays

    @parameterized.named_parameters(("plain", PLAIN), ("strong", STRONG))
    def test_an_epoch_repeats_and_differs_from_others(self, changes):
        tf.random.set_seed(1)
        first = epoch(2, 5, changes)
        self.assertTrue(equal(first, epoch(2, 5, changes)))
        self.assertFalse(equal(first, epoch(3, 5, changes)))
        self.assertFalse(equal(first, epoch(2, 6, changes)))

    def test_every_epoch_holds_each_scan_once(self):
        scans = synthetic.lidar_grids(4, seed="a")
        orders = set()
        for number in range(4):
            grids = np.concatenate([grid for grid, _ in epoch(number)])
            order = [
                next(i for i, s in enumerate(scans) if (s[..., :5] == g).all())
                for g in grids
            ]
            self.assertEqual(sorted(order), [0, 1, 2, 3])
            orders.add(tuple(order))
        self.assertGreater(len(orders), 1)

    def test_a_shuffle_holds_as_many_scans_as_fit(self):
        with mock.patch.object(inputs, "_SHUFFLE_BYTES", 1):  # one scan
            grids = np.concatenate([grid for grid, _ in epoch(0)])
        scans = synthetic.lidar_grids(4, seed="a")
        np.testing.assert_array_equal(grids, scans[..., :5])

    def test_empty_and_ignored_cells_carry_no_label(self):
        samples = list(synthetic_samples().as_numpy_iterator())
        batches = inputs.evaluation_batches(synthetic_samples(), 4, (0, 2))
        ((grid, labels),) = batches.as_numpy_iterator()
        for index, sample in enumerate(samples):
            np.testing.assert_array_equal(grid[index], sample["grid"])
            for cell in np.ndindex(16, 64):
                label = sample["label_ids"][cell]
                if not sample["mask"][cell] or label in (0, 2):
                    label = loss.IGNORED
                self.assertEqual(labels[(index, *cell)], label)
        self.assertEqual(set(np.unique(labels)), {loss.IGNORED, 1, 3})
        trained = np.concatenate([x[1] for x in epoch(0, ignored_ids=(0, 2))])
        self.assertEqual(set(np.unique(trained)), {loss.IGNORED, 1, 3})


class SamplesTest(FolderTestCase):
    def test_scans_become_grids_with_the_labels_of_the_nearest_points(self):
        sequence = self.folder / "sequences" / "00"
        (sequence / "velodyne").mkdir(parents=True)
        (sequence / "labels").mkdir()
        # Two points in one direction, another to the left, one behind.
        points = np.array(
            [
                [10, 0.1, 0, 0.1],
                [5, 0.05, 0, 0.2],
                [5, 4, 0, 0.3],
                [-5, 0, 0, 0],
            ]
        )
        point_clouds.write_bin(sequence / "velodyne" / "000000.bin", points)
        point_clouds.write_labels(
            sequence / "labels" / "000000.label",
            np.array([40, 10, 70, 50]),
            np.array([0, 9, 0, 0]),
        )
        label_map = label_maps.load("semantic_kitti")
        samples = inputs.samples(
            "semantic_kitti",
            str(self.folder),
            label_map=label_map,
            projection="hdl64e_front",
        )
        (sample,) = samples.as_numpy_iterator()
        self.assertEqual(sample["mask"].sum(), 2)
        labels = sample["label_ids"][sample["mask"]]
        expected = label_maps.apply(label_map, np.array([70, 10]))
        np.testing.assert_array_equal(labels, expected)  # left to right
        np.testing.assert_allclose(
            sample["grid"][sample["mask"]][:, 3], [0.3, 0.2]
        )
        instances = sample["instance_ids"]
        self.assertEqual(instances[sample["mask"]].tolist(), [0, 9])
        for name in ("label_ids", "instance_ids"):
            self.assertFalse(sample[name][~sample["mask"]].any())

    def test_folders_and_lists_add_up(self):
        for name in ("a/0", "a/1", "b/2"):
            path = pathlib.Path(self.folder, f"{name}.bin")
            path.parent.mkdir(exist_ok=True)
            points = np.array([[10, 0, -1, int(name[-1])]], np.float32)
            point_clouds.write_bin(path, points)
            point_clouds.write_labels(path.with_suffix(".label"), [10])
        listed = pathlib.Path(self.folder, "b.txt")
        listed.write_text("b/2.bin\na/0.bin\n")
        samples = inputs.samples(
            "plain",
            f"{self.folder}/a,{listed}",
            label_map=label_maps.load("kitti"),
            projection="hdl64e_front",
        )
        found = [
            sample["grid"][..., 3].max()
            for sample in samples.as_numpy_iterator()
        ]
        self.assertEqual(found, [0, 1, 2, 0])

    @parameterized.parameters(
        ("simulated", "velodyne/{}.bin", "labels/*.label"),
        ("kitti_object", "velodyne/{}.bin", "label_2/*.txt"),
        ("semantic_kitti", "sequences/00/velodyne/{}.bin", "NN/labels/"),
        ("kitti_raw", "velodyne_points/data/{}.bin", "tracklet_labels.xml"),
        ("nuscenes", "samples/LIDAR_TOP/{}.pcd.bin", "_lidarseg.bin"),
    )
    def test_a_scan_without_labels_is_named(self, layout, scan, labels):
        paths = [self.folder / scan.format(f"00000{i}") for i in range(2)]
        paths[0].parent.mkdir(parents=True)
        for path in paths:
            path.write_bytes(b"\0" * 80)
        unlabelled = paths[0]
        if layout == "simulated":  # the first has labels, the second has none
            (self.folder / "labels").mkdir()
            point_clouds.write_labels(
                self.folder / "labels" / "000000.label", np.zeros(5, int)
            )
            unlabelled = paths[1]
        with self.assertRaises(ValueError) as caught:
            inputs.samples(
                layout,
                str(self.folder),
                label_map=MAP,
                projection="hdl64e_front",
            )
        self.assertStartsWith(str(caught.exception), f"{unlabelled}: ")
        self.assertIn(labels, str(caught.exception))

    def test_a_bad_file_is_named(self):
        grids = self.write_grids()
        cases = {
            "label 9": (np.where([0] * 5 + [1], 9, grids[2]), r"map: \[9\]"),
            "half a label": (
                np.where([0] * 5 + [1], 0.5, grids[2]),
                "whole label ids",
            ),
            "other shape": (grids[2][:, :32], r"\(16, 64, 6\).*\(16, 32, 6\)"),
            "channels": (grids[2][..., :4], r"\[H, W, 6\]"),
        }
        for name, (grid, message) in cases.items():
            np.save(self.folder / "2.npy", grid.astype(np.float32))
            with (
                self.subTest(name),
                self.assertRaisesRegex(
                    tf.errors.OpError, rf"{self.folder}/2\.npy.*{message}"
                ),
            ):
                list(self.grid_samples())

    def test_unknown_data_sets_and_projections_are_refused(self):
        with self.assertRaisesRegex(ValueError, "dataset must be one of"):
            inputs.samples("x", "", label_map=MAP, projection="hdl64e_front")
        with self.assertRaisesRegex(ValueError, "projection must be one of"):
            inputs.samples("synthetic", "", label_map=MAP, projection="hdl65")

    def test_a_projection_of_its_own_is_read_from_a_file(self):
        view = spherical.Projection(2, 8, 3.0, -3.0, 90.0, -90.0, (1.0, -1.0))
        path = str(self.folder / "sensor.json")
        config_lib.write(view, path)
        self.assertEqual(inputs.find_projection(path), view)

    @parameterized.parameters(
        ("kitti_front/val", "kitti_grids", (64, 512), 4),
        ("nuscenes/val", "nuscenes_grids", (32, 1024), 4),
        ("ika_vlp32/val", "nuscenes_grids", (32, 240), 3),
        ("semantic_kitti/val", "grids_to_kitti", (64, 1024), 5),
    )
    def test_real_grids(self, folder, label_map, shape, count):
        label_map = label_maps.load(label_map)
        samples = inputs.samples(
            "grids",
            str(shared_files.path(f"data/grids/{folder}")),
            label_map=label_map,
            projection="hdl64e_front",
        )
        found = list(samples.as_numpy_iterator())
        self.assertLen(found, count)
        statistics = lidar_grids.statistics(found, len(label_map.names))
        self.assertEqual(found[0]["grid"].shape, (*shape, 5))
        self.assertBetween(statistics["mean"][4], 5, 40)  # metres
        self.assertAlmostEqual(statistics["frequencies"].sum(), 1)


class CacheTest(FolderTestCase):
    def test_a_record_file_equals_the_files_and_is_used_again(self):
        self.write_grids()
        cache = self.folder / "cache"
        direct = list(self.grid_samples().as_numpy_iterator())
        for kind in ("memory", str(cache), str(cache)):
            self.assertEqual(int(self.grid_samples(kind).cardinality()), 4)
            got = list(self.grid_samples(kind).as_numpy_iterator())
            for one, other in zip(got, direct, strict=True):
                for name in other:
                    np.testing.assert_array_equal(one[name], other[name])
        (record,) = cache.iterdir()
        before = record.stat().st_mtime_ns
        self.grid_samples(str(cache))
        self.assertEqual([p.name for p in cache.iterdir()], [record.name])
        self.assertEqual(record.stat().st_mtime_ns, before)

    def test_other_data_or_labels_get_a_record_of_their_own(self):
        grids = self.write_grids()
        cache = self.folder / "cache"
        self.grid_samples(str(cache))
        lidar_grids.write(self.folder / "1.npy", np.zeros_like(grids[1]))
        sample = list(self.grid_samples(str(cache)).as_numpy_iterator())[1]
        self.assertFalse(sample["mask"].any())
        self.grid_samples(str(cache), label_maps.load("grids_to_kitti"))
        synthetic_samples("a", str(cache))
        synthetic_samples("b", str(cache))
        self.assertLen(list(cache.iterdir()), 5)

    def test_another_calibration_gets_a_record_of_its_own(self):
        source = shared_files.path("data/kitti_object/training")
        for part in ("velodyne/000001.bin", "label_2/000001.txt"):
            (self.folder / part).parent.mkdir()
            (self.folder / part).symlink_to(source / part)
        calib = self.folder / "calib" / "000001.txt"
        calib.parent.mkdir()
        cache = self.folder / "cache"
        text = (source / "calib" / "000001.txt").read_text()
        counts = []
        for shift in ("-4.069766000000e-03", "9.206976600000e+01"):
            calib.write_text(text.replace("-4.069766000000e-03", shift))
            os.utime(calib, (len(counts), len(counts)))
            samples = inputs.samples(
                "kitti_object",
                str(self.folder),
                label_map=label_maps.load("kitti"),
                projection="hdl64e_front",
                cache=str(cache),
            )
            (sample,) = samples.as_numpy_iterator()
            counts.append(np.count_nonzero(sample["label_ids"]))
        self.assertGreater(counts[0], 0)
        self.assertEqual(counts[1], 0)  # 92 m beside the boxes


class ClassWeightsTest(absltest.TestCase):
    def test_mean_over_the_returns_is_1_and_ratios_are_root_frequencies(self):
        frequencies = np.array([0.81, 0.09, 0.1, 0.0])
        weights = inputs.class_weights(frequencies)
        self.assertAlmostEqual(np.sum(weights * frequencies), 1)
        self.assertAlmostEqual(weights[1] / weights[0], 3)  # sqrt(0.81 / 0.09)
        self.assertEqual(weights[3], 0)
        ones = inputs.class_weights(frequencies, power=0.0)
        self.assertEqual(ones.tolist(), [1, 1, 1, 0])


if __name__ == "__main__":
    absltest.main()
