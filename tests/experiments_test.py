"""The scripts as they are called: what they write and how they refuse."""

import json
import pathlib
import re
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.data import lidar_grids, point_clouds, synthetic
from tests import scripts

_SMOKE = ("--config=smoke", "--set=epochs=3")
_FIRST, _SECOND = "--set=train_data=a", "--set=validation_data=b"


def train(workdir, *more):
    return scripts.script(
        "train_segmentation",
        *_SMOKE,
        _FIRST,
        _SECOND,
        f"--workdir={workdir}",
        *more,
    )


def content(folder):
    """All files below a folder, with their time of change."""
    return {
        path: path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class TrainedTest(absltest.TestCase):
    """One short run on synthetic scans, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.workdir = cls.folder / "run"
        cls.trained = train(cls.workdir)
        # The projection of the synthetic scans: 16 x 64, +45 to -45 degrees.
        (cls.workdir / "projection.json").write_text(
            json.dumps(
                {
                    "rows": 16,
                    "columns": 64,
                    "up_degrees": 3.0,
                    "down_degrees": -25.0,
                    "left_degrees": 45.0,
                    "right_degrees": -45.0,
                    "beam_degrees": None,
                    "fold_behind": False,
                }
            )
        )

    def assert_refused(self, done, *parts):
        """Ended in one line that holds all the parts."""
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: ")
        for part in parts:
            self.assertIn(str(part), last)

    def test_training_leaves_record_checkpoint_and_settings(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        lines = (self.workdir / "record.jsonl").read_text().splitlines()
        self.assertLen(lines, 3)
        for line in lines:
            self.assertTrue(np.isfinite(list(json.loads(line).values())).all())
        for name in (
            "config.json",
            "label_map.yaml",
            "model.json",
            "tensorboard",
        ):
            self.assertTrue((self.workdir / name).exists(), name)
        self.assertEqual(list(self.workdir.rglob("*.tmp")), [])
        self.assertIn(str(self.workdir), self.trained.stdout)

    def test_the_readme_shows_python_that_runs(self):
        text = (scripts.ROOT / "README.md").read_text().replace(".pcd", ".bin")
        example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
        point_clouds.write_bin(self.folder / "scan.bin", np.ones((100, 4)))
        enter = f"import os; os.chdir({str(self.folder)!r})\n"
        done = scripts.python(
            "-c", f"{enter}{example}assert len(class_ids) == 100"
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_killed_run_started_again_gives_the_same_record(self):
        workdir = self.folder / "killed"
        scripts.killed(
            workdir,
            *("-m", "experiments.train_segmentation"),
            *(*_SMOKE, _FIRST, _SECOND, f"--workdir={workdir}"),
        )
        # Meanwhile, another config is refused there and changes nothing.
        before = content(workdir)
        self.assert_refused(
            train(workdir, "--set=dropout=0.1"),
            workdir / "config.json",
            "another run",
        )
        self.assertEqual(content(workdir), before)
        again = train(workdir)
        self.assertEqual(again.returncode, 0, again.stderr)
        got, expected = (
            [
                json.loads(line)
                for line in (folder / "record.jsonl").read_text().splitlines()
            ]
            for folder in (workdir, self.workdir)
        )
        self.assertLen(got, 3)
        for line, wanted in zip(got, expected, strict=True):
            self.assertEqual(set(line), set(wanted))
            for name in wanted:
                # Threads may add up gradients in another order, which may
                # turn a cell's label.
                tolerance = {"atol": 0.01} if "iou" in name else {"rtol": 1e-4}
                np.testing.assert_allclose(
                    line[name], wanted[name], **tolerance
                )

    def test_evaluation_writes_tables_and_pictures(self):
        done = scripts.script(
            "evaluate_segmentation",
            f"--workdir={self.workdir}",
            "--pictures=2",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        folder = self.workdir / "evaluation"
        confusion = np.loadtxt(
            folder / "confusion.csv", delimiter=",", skiprows=1
        )
        returns = (synthetic.lidar_grids(4, "b")[..., 4] > 0).sum()
        self.assertEqual(confusion.sum(), returns)
        summary = json.loads((folder / "evaluation.json").read_text())
        scores = summary["classes"]
        self.assertEqual(
            list(scores), ["unknown", "car", "pedestrian", "cyclist"]
        )
        hits = confusion[1, 1]
        union = confusion[1].sum() + confusion[:, 1].sum() - hits
        self.assertAlmostEqual(scores["car"]["iou"], hits / union)
        self.assertEqual(list(summary["instances"]), list(scores)[1:])
        self.assertIn("pedestrian", done.stdout)
        self.assertLen(list(folder.glob("*.png")), 2)
        self.assertEqual(list(folder.glob("*.tmp")), [])

    def test_exports_take_the_grids_of_the_run(self):
        done = scripts.script(
            "export_model",
            f"--workdir={self.workdir}",
            f"--output={self.folder / 'exports'}",
            "--formats=saved_model,float32",
            "--num_inputs=2",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split() for line in done.stdout.splitlines()]
        for row, kind in zip(rows[1:], ("saved_model", "float32")):
            self.assertEqual(row[0], kind)
            self.assertLess(float(row[1]), 1e-4)
        path = self.folder / "exports" / "float32.tflite"
        interpreter = tf.lite.Interpreter(str(path))
        (given,) = interpreter.get_input_details()
        self.assertEqual(list(given["shape"]), [1, 16, 64, 5])
        self.assertTrue((self.folder / "exports" / "saved_model").is_dir())

    def test_good_scans_are_labelled_and_bad_ones_listed(self):
        scans, output = self.folder / "scans", self.folder / "labels"
        scans.mkdir()
        grid = synthetic.lidar_grids(4, "b")[0]
        points = grid[grid[..., 4] > 0][:, :4]
        point_clouds.write_bin(scans / "b_good.bin", points)
        data = (scans / "b_good.bin").read_bytes()
        nan = points.copy()
        nan[7, 1] = np.nan
        point_clouds.write_bin(scans / "d_nan.bin", nan)
        (scans / "a_cut.bin").write_bytes(data[: 1000 - 6])
        (scans / "c_empty.bin").write_bytes(b"")
        np.save(scans / "e_channels.npy", points[:, :2])
        point_clouds.write_bin(scans / "f_good.bin", points[::2])
        done = scripts.script(
            "segment_scans",
            f"--workdir={self.workdir}",
            f"--input={scans}",
            f"--output={output}",
            "--picture",
            "--instances=car",
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        bad = done.stderr.strip().splitlines()[-4:]
        for line, name in zip(
            bad, ("a_cut.bin", "c_empty.bin", "d_nan.bin", "e_channels.npy")
        ):
            self.assertStartsWith(line, str(scans / name))
            self.assertIn("expected", line)
        self.assertIn("2 of 6 scans", done.stdout)
        self.assertIn("network", done.stdout)
        names = {path.name for path in output.iterdir()}
        self.assertEqual(
            names, {"b_good.label", "b_good.png", "f_good.label", "f_good.png"}
        )
        class_ids, _ = point_clouds.read_labels(
            output / "b_good.label", len(points)
        )
        self.assertContainsSubset(set(class_ids), {0, 1, 2, 3})

    def test_labels_that_are_there_stay_unless_asked_otherwise(self):
        scans, output = self.folder / "again", self.folder / "again_labels"
        for folder in (scans, output):
            folder.mkdir()
        grid = synthetic.lidar_grids(4, "b")[0]
        points = grid[grid[..., 4] > 0][:, :4]
        for name in "abc":
            point_clouds.write_bin(scans / f"{name}.bin", points)
        truth, picture = output / "b.label", output / "c.png"
        truth.write_bytes(b"truth")
        picture.write_bytes(b"picture")
        # As the workdir's, but by another name: all columns to the right.
        view = json.loads((self.workdir / "projection.json").read_text())
        view |= {"left_degrees": 0.0, "right_degrees": -90.0}
        sensor = self.folder / "sensor.json"
        sensor.write_text(json.dumps(view))
        arguments = (
            "segment_scans",
            f"--workdir={self.workdir}",
            f"--input={scans}",
            f"--output={output}",
            f"--projection={sensor}",
            "--picture",
        )
        done = scripts.script(*arguments)
        self.assertNotEqual(done.returncode, 0)
        bad = done.stderr.strip().splitlines()[-2:]
        for line, name, path in zip(bad, "bc", (truth, picture)):
            self.assertStartsWith(line, str(scans / f"{name}.bin"))
            self.assertIn(str(path), line)
            self.assertIn("--overwrite", line)
        self.assertIn("1 of 3 scans", done.stdout)
        self.assertEqual(truth.read_bytes(), b"truth")
        self.assertEqual(picture.read_bytes(), b"picture")
        self.assertEqual(
            {path.name for path in output.iterdir()},
            {"a.label", "a.png", "b.label", "c.png"},
        )
        class_ids, _ = point_clouds.read_labels(output / "a.label", len(points))
        is_left = points[:, 1] > 0.01  # outside the view of --projection
        self.assertTrue(is_left.any())
        self.assertFalse(class_ids[is_left].any())
        self.assertTrue(class_ids[~is_left].any())
        done = scripts.script(*arguments, "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        labels = [(output / f"{name}.label").read_bytes() for name in "abc"]
        self.assertEqual(labels, labels[:1] * 3)

    def test_a_list_with_a_missing_scan_is_refused_before_any_work(self):
        scan_list = self.folder / "scans.txt"
        scan_list.write_text("absent.bin\n")
        done = scripts.script(
            "segment_scans",
            f"--workdir={self.workdir}",
            f"--input={scan_list}",
            f"--output={self.folder / 'unused'}",
        )
        self.assert_refused(done, f"{scan_list}:1", "absent.bin")
        self.assertEqual(list((self.folder / "unused").iterdir()), [])

    def test_a_file_in_the_way_of_the_output_is_named(self):
        blocked = self.folder / "blocked"
        blocked.write_text("in the way")
        done = scripts.script(
            "segment_scans",
            f"--workdir={self.workdir}",
            f"--input={self.folder}",
            f"--output={blocked}",
        )
        self.assert_refused(done, blocked)
        self.assert_refused(train(blocked), blocked)
        self.assertEqual(blocked.read_text(), "in the way")

    def test_a_workdir_without_a_run_is_named(self):
        done = scripts.script(
            "evaluate_segmentation", f"--workdir={self.folder}"
        )
        self.assert_refused(done, self.folder / "config.json")

    def test_labels_outside_the_map_are_refused_by_file(self):
        grids = self.folder / "grids"
        grids.mkdir()
        for index, grid in enumerate(synthetic.lidar_grids(4)):
            if index == 2:
                grid[3, 4, 5] = 9
            lidar_grids.write(grids / f"{index}.npy", grid)
        workdir = self.folder / "refused"
        done = train(
            workdir, "--set=dataset=grids", f"--set=train_data={grids}"
        )
        self.assert_refused(done, grids / "2.npy", "[9]")
        self.assertFalse(workdir.exists())

    def test_the_checkpoint_of_another_model_is_refused(self):
        other = self.folder / "other"
        (other / "checkpoints").mkdir(parents=True)
        for path in content(self.workdir):
            if path.parent in (self.workdir, self.workdir / "checkpoints"):
                copy = other / path.relative_to(self.workdir)
                copy.write_bytes(path.read_bytes())
        text = (other / "model.json").read_text()
        wider = text.replace('"filters": 48', '"filters": 40')
        self.assertNotEqual(wider, text)
        (other / "model.json").write_text(wider)
        done = scripts.script("evaluate_segmentation", f"--workdir={other}")
        self.assert_refused(done, other / "checkpoints", "another model")


class ArgumentsTest(absltest.TestCase):
    def test_an_unknown_field_is_refused_with_the_fields(self):
        with tempfile.TemporaryDirectory() as folder:
            done = train(pathlib.Path(folder) / "run", "--set=epoch=3")
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        self.assertRegex(done.stderr, "no field 'epoch'.*epochs")


class GeneratedTest(absltest.TestCase):
    def test_frames_are_written_in_the_layout_that_training_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            done = scripts.script(
                "generate_data",
                "--config=tiny",
                f"--folder={folder}",
                "--num_frames=2",
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            training = pathlib.Path(folder) / "training"
            for name, suffix in (
                ("velodyne", "bin"),
                ("image_2", "png"),
                ("label_2", "txt"),
                ("calib", "txt"),
                ("labels", "label"),
            ):
                files = sorted(p.name for p in (training / name).iterdir())
                self.assertEqual(files, [f"00000{i}.{suffix}" for i in (0, 1)])

    def test_the_demo_goes_through_with_few_scans(self):
        with tempfile.TemporaryDirectory() as folder:
            done = scripts.script(
                "demo",
                f"--workdir={folder}",
                "--num_train=4",
                "--num_test=2",
                "--set=epochs=1",
                "--set=batch_size=2",
                "--set=batch_norm=false",
                "--set=context_aggregation=false",
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            made = pathlib.Path(folder)
            names = {path.name for path in (made / "exports").iterdir()}
            files = {"float32.tflite", "float16.tflite", "parity.json"}
            self.assertEqual(names, files | {"saved_model"})
            table = made / "run" / "simulated" / "evaluation.json"
            self.assertTrue(table.exists())
            self.assertTrue((made / "labels" / "000000.label").exists())


if __name__ == "__main__":
    absltest.main()
