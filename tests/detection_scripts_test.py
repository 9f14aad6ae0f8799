"""The detection scripts as they are called: what they write and refuse."""

import json
import pathlib
import shutil
import tempfile

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.data import image_labels, synthetic
from squeeze_tf.detection import inference, pictures
from tests import scripts


class DetectionScriptsTest(absltest.TestCase):
    """One short run on generated images, which all tests here share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.data = synthetic.write_images(cls.folder / "data", count=7)
        cls.images = cls.data / "training" / "image_2"
        cls.workdir = cls.folder / "run"
        cls.trained = cls.train(cls.workdir)

    @classmethod
    def arguments(cls, workdir, *more):
        return (
            "--config=smoke",
            f"--set=train_data={cls.data}",
            f"--set=validation_data={cls.data}",
            f"--workdir={workdir}",
            *more,
        )

    @classmethod
    def train(cls, workdir, *more):
        return scripts.script("train_detection", *cls.arguments(workdir, *more))

    def detect(self, source, output, workdir=None, *more):
        return scripts.script(
            "detect_images",
            f"--workdir={workdir or self.workdir}",
            f"--input={source}",
            f"--output={output}",
            "--min_score=0",
            *more,
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
        record = [
            json.loads(line)
            for line in (self.workdir / "record.jsonl").read_text().splitlines()
        ]
        self.assertLen(record, 2)
        for name in ("class_loss", "confidence_loss", "box_loss"):
            self.assertIn(f"val_{name}", record[0])
        terms = ("class_loss", "confidence_loss", "box_loss")
        for line in record:  # no decay in the loss: it is decoupled
            self.assertAlmostEqual(
                sum(line[t] for t in terms), line["loss"], places=3
            )
        config = json.loads((self.workdir / "config.json").read_text())
        self.assertLen(config["anchors"], 6)
        self.assertTrue((self.workdir / "class_list.yaml").exists())

    def test_a_killed_run_started_again_gives_the_same_record(self):
        workdir = self.folder / "killed"
        scripts.killed(
            workdir,
            *("-m", "experiments.train_detection"),
            *self.arguments(workdir),
        )
        self.assert_refused(
            self.train(workdir, "--set=box_weight=1"), "another run"
        )
        again = self.train(workdir)
        self.assertEqual(again.returncode, 0, again.stderr)
        got, expected = (
            [
                json.loads(line)
                for line in (folder / "record.jsonl").read_text().splitlines()
            ]
            for folder in (workdir, self.workdir)
        )
        self.assertLen(got, 2)
        for line, wanted in zip(got, expected, strict=True):
            for name, value in wanted.items():
                np.testing.assert_allclose(line[name], value, rtol=1e-3)

    def test_evaluation_writes_tables_curves_and_pictures(self):
        done = scripts.script(
            "evaluate_detection",
            f"--workdir={self.workdir}",
            "--resamples=10",
            "--pictures=1",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        folder = self.workdir / "evaluation"
        found = json.loads((folder / "evaluation.json").read_text())
        self.assertLen(found["curves"], 9)
        self.assertLen(found["coco"], 12)
        heights = [
            y1 - y0 + 1  # the authors' error analysis counts pixels
            for path in (self.data / "training" / "label_2").iterdir()
            for _, y0, _, y1 in image_labels.read_kitti(path).corners
        ]
        self.assertEqual(
            found["errors"]["num_objects"], sum(h >= 25 for h in heights)
        )
        recalls = list(found["recall"].values())
        self.assertEqual(recalls, sorted(recalls))
        for name in ("precision_recall.png", "recall.png", "image_0000.png"):
            self.assertGreater(pictures.read(folder / name).size, 1000)
        self.assertLen(list((folder / "detections").glob("*.txt")), 7)
        self.assertTrue(list((folder / "errors").glob("missed_*.png")))
        self.assertIn("pedestrian", done.stdout)

    def test_a_folder_an_image_and_a_video(self):
        output = self.folder / "found"
        done = self.detect(self.images, output)
        self.assertEqual(done.returncode, 0, done.stderr)
        texts = sorted((output / "labels").glob("*.txt"))
        self.assertLen(texts, 7)
        self.assertLen(list((output / "pictures").glob("*.png")), 7)
        labels = image_labels.read_kitti(texts[0])
        everything = [image_labels.read_kitti(text) for text in texts]
        self.assertGreater(sum(map(len, everything)), 0)
        self.assertContainsSubset(
            labels.types.tolist(), ["car", "pedestrian", "cyclist"]
        )
        self.assertTrue((labels.corners[:, 2] <= 150.01).all())
        texts[1].unlink()
        before = texts[0].stat().st_mtime_ns
        again = self.detect(self.images, output)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("7 images (6 were there already)", again.stdout)
        self.assertTrue(texts[1].exists())
        self.assertEqual(texts[0].stat().st_mtime_ns, before)

        one = self.folder / "one"
        done = self.detect(self.images / "000003.png", one)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            (one / "labels" / "000003.txt").read_bytes(),
            texts[3].read_bytes(),
        )

        video = self.folder / "drive.avi"
        writer = cv2.VideoWriter(
            str(video), cv2.VideoWriter_fourcc(*"MJPG"), 10, (150, 75)
        )
        for path in sorted(self.images.iterdir()):
            writer.write(cv2.imread(str(path)))
        writer.release()
        done = self.detect(video, self.folder / "film")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLen(list((self.folder / "film/labels").glob("*")), 7)
        film = self.folder / "film" / "pictures" / "drive.mp4"
        self.assertEqual([p.name for p in film.parent.iterdir()], [film.name])
        reader = cv2.VideoCapture(str(film))
        source = next(inference.frames(video))
        height = int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.assertEqual(height, source.shape[0] + source.shape[0] % 2)
        self.assertEqual(int(reader.get(cv2.CAP_PROP_FRAME_COUNT)), 7)

    def test_bad_input_is_one_clear_error(self):
        out = self.folder / "unused"
        corrupt = self.folder / "corrupt.png"
        content = (self.images / "000000.png").read_bytes()
        corrupt.write_bytes(content[: len(content) // 2])
        self.assert_refused(self.detect(corrupt, out), corrupt, "not a whole")
        empty = self.folder / "empty"
        empty.mkdir()
        self.assert_refused(self.detect(empty, out), empty, "got none")
        video = self.folder / "empty.mp4"
        video.write_bytes(b"")
        self.assert_refused(self.detect(video, out), video, "no frame")
        self.assert_refused(
            self.detect(self.folder / "absent", out), "absent: no such file"
        )
        self.assertFalse(list(out.rglob("*.txt")))
        # Files that are not this script's, or made with other settings.
        mine = self.folder / "mine"
        shutil.copytree(self.images, mine / "pictures")
        before = (mine / "pictures" / "000000.png").read_bytes()
        self.assert_refused(
            self.detect(mine / "pictures", mine), mine, "not of this script"
        )
        self.assertEqual(
            (mine / "pictures" / "000000.png").read_bytes(), before
        )
        webp = self.folder / "a.webp"
        cv2.imwrite(str(webp), np.zeros((20, 30, 3), np.uint8))
        self.assert_refused(self.detect(webp, out), webp, "got WEBP")
        for setting in ("input_height=32", "anchors=3,4"):
            done = scripts.script(
                "evaluate_detection",
                f"--workdir={self.workdir}",
                f"--set={setting}",
            )
            self.assert_refused(done, setting, "cannot change a trained")
        # A checkpoint of other classes than the list says.
        other = self.folder / "other"
        shutil.copytree(self.workdir, other)
        (other / "class_list.yaml").write_text("classes:\n  - {name: cat}\n")
        self.assert_refused(
            self.detect(self.images, out, other), other, "1 classes"
        )

    def test_a_damaged_validation_image_is_named(self):
        data = self.folder / "bad_validation"
        shutil.copytree(self.data, data)
        bad = data / "training" / "image_2" / "000002.png"
        bad.write_bytes(bad.read_bytes()[:5000])
        done = self.train(
            self.folder / "stopped_later", f"--set=validation_data={data}"
        )
        self.assert_refused(done, bad, "not a whole image file")

    def test_a_damaged_training_image_is_named(self):
        data = self.folder / "damaged"
        shutil.copytree(self.data, data)
        bad = data / "training" / "image_2" / "000004.png"
        bad.write_bytes(bad.read_bytes()[:5000])
        done = self.train(self.folder / "stopped", f"--set=train_data={data}")
        self.assert_refused(done, bad, "not a whole image file")

    def test_exports_give_the_final_boxes(self):
        exports = self.folder / "exports"
        done = scripts.script(
            "export_model",
            f"--workdir={self.workdir}",
            f"--output={exports}",
            "--formats=saved_model,float32",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        serve = tf.saved_model.load(str(exports / "saved_model")).signatures[
            "serving_default"
        ]
        image = np.random.default_rng(0).uniform(0, 255, (1, 64, 128, 3))
        made = serve(image=tf.constant(image, tf.float32))
        self.assertEqual(set(made), {"boxes", "class_ids", "scores"})
        lite = tf.lite.Interpreter(str(exports / "float32.tflite"))
        lite = lite.get_signature_runner()(image=image.astype(np.float32))
        for name, value in made.items():
            np.testing.assert_allclose(lite[name], value, rtol=1e-4, atol=1e-2)
        report = json.loads((exports / "parity.json").read_text())
        self.assertEqual([r["agreement"] for r in report], [1.0, 1.0])

    def test_the_design_space_is_a_table(self):
        done = scripts.script(
            "explore_detection",
            *self.arguments(
                self.folder / "space",
                "--set=epochs=1",
                "--rows=scale_down,16_anchors",
                "--train",
                "--repeats=2",
            ),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(
            (self.folder / "space" / "exploration.json").read_text()
        )
        small, many = rows
        self.assertLess(2 * small["flops"], many["flops"])
        # 13 more anchors of 8 channels, 3 x 3 x 768 weights and a bias each;
        # the size of the images adds none.
        self.assertEqual(
            many["size"] - small["size"], 4 * 13 * 8 * (9 * 768 + 1)
        )
        self.assertGreater(many["frames_per_second"], 0)
        self.assertIsNotNone(many["mean_ap"])
        self.assertIsNone(many["joules"])
        self.assertIn("16_anchors", done.stdout)

    def test_anchors_are_proposed(self):
        done = scripts.python(
            "-m",
            "tools.cluster_anchors",
            "--config=smoke",
            f"--set=train_data={self.data}",
            "--counts=1,3,5",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("18 objects in 7 images", done.stdout)
        self.assertRegex(
            done.stdout,
            r"--set=anchors=[\d.,]+ --set=input_height=\d+ --set=input_width=",
        )

    def test_training_without_data_is_refused(self):
        done = scripts.script(
            "train_detection",
            "--config=smoke",
            f"--workdir={self.folder / 'nothing'}",
        )
        self.assert_refused(done, "no data is given")
        self.assertFalse((self.folder / "nothing").exists())


if __name__ == "__main__":
    absltest.main()
