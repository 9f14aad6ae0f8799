import pathlib
import tempfile

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.data import class_lists, image_folders, synthetic
from squeeze_tf.detection import anchors, decode, inference, models

keras = tf.keras
SIZE = (48, 96)
CLASSES = class_lists.load("kitti")


def detector():
    keras.utils.set_random_seed(0)
    model = models.squeezedet(input_shape=(*SIZE, 3), num_anchors=2)
    kernel = model.get_layer("conv12").kernel
    kernel.assign(kernel * 0.3)  # boxes inside the image
    layer = decode.Detections(
        anchors=anchors.grid(
            [(20, 10), (10, 20)], SIZE, model.output_shape[1:3]
        ),
        num_classes=3,
        image_size=SIZE,
        suppression="none",
    )
    return keras.Model(model.input, layer(model.output))


class InferenceTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        synthetic.write_images(self.folder, count=3)
        self.paths = image_folders.find(self.folder / "training" / "image_2")

    def test_boxes_are_scaled_to_the_file_and_low_scores_left_out(self):
        found = {
            "boxes": np.array([[48, 24, 20, 10]] * 3, np.float32),
            "class_ids": np.array([0, 2, 1]),
            "scores": np.array([0.9, 0.2, 0.0], np.float32),
        }
        labels = inference.to_labels(found, SIZE, (96, 288), CLASSES)
        self.assertEqual(labels.types.tolist(), ["car", "cyclist"])
        np.testing.assert_allclose(labels.corners[0], [114, 38, 174, 58])
        labels = inference.to_labels(found, SIZE, (96, 288), CLASSES, 0.5)
        self.assertLen(labels, 1)

    def test_files_and_frames_give_the_same(self):
        model = detector()
        for batch_size in (1, 2):
            found = list(
                inference.detect(
                    model, self.paths, CLASSES, batch_size=batch_size
                )
            )
            self.assertLen(found, 3)
            for path, labels in zip(self.paths, found):
                frame = cv2.imread(str(path))[..., ::-1]
                one = inference.detect_frame(model, frame, SIZE, CLASSES)
                self.assertGreater(len(one), 1)
                np.testing.assert_allclose(
                    one.corners, labels.corners, atol=1e-2
                )

    def test_a_damaged_file_is_named_and_the_others_before_it_are_done(self):
        self.paths[1].write_bytes(self.paths[1].read_bytes()[:999])
        found = inference.detect(detector(), self.paths, CLASSES)
        next(found)
        with self.assertRaisesRegex(
            ValueError, f"{self.paths[1]}: not a whole"
        ):
            next(found)

    def test_frames_of_a_video(self):
        path = self.folder / "a.mp4"
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter_fourcc(*"mp4v"), 12.0, (64, 32)
        )
        for level in (40, 120, 200):
            writer.write(np.full((32, 64, 3), level, np.uint8))
        writer.release()
        levels = [frame.mean() for frame in inference.frames(path)]
        np.testing.assert_allclose(levels, [40, 120, 200], atol=6)
        self.assertEqual(inference.video_rate(path), (12.0, 3))
        path.write_text("no video")
        with self.assertRaisesRegex(ValueError, "a.mp4: expected a video"):
            next(inference.frames(path))


if __name__ == "__main__":
    absltest.main()
