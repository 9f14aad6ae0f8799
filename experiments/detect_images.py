"""Finds objects in images, a folder of them, or a video (Ch. 2 §3.1).

    python -m experiments.detect_images --workdir=DIR --input=PATH \
        --output=DIR

Writes each image with its boxes drawn and KITTI's text of them (type, box in
pixels, score; the 3-D fields unknown); of a video, the video and a text file
for each frame. What is there already is not done again.
"""

import pathlib

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from experiments import detection_run
from squeeze_tf import command_line, whole_file
from squeeze_tf.data import class_lists, image_folders, image_labels
from squeeze_tf.detection import inference, pictures

_WORKDIR = flags.DEFINE_string("workdir", None, "Of train_detection.")
_INPUT = flags.DEFINE_string("input", None, "Image, folder or video.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_MIN_SCORE = flags.DEFINE_float(
    "min_score", 0.3, "Boxes with lower scores are left out.", 0, 1
)
_SET = flags.DEFINE_multi_string("set", [], "Override, as field=value.")
_Classes = tuple[class_lists.ImageClass, ...]


def main(_: list[str]) -> None:
    """Detects with the flags' settings."""
    config = detection_run.read_run(_WORKDIR.value, _SET.value)
    classes = class_lists.load(config.class_list)
    source, folder = pathlib.Path(_INPUT.value), pathlib.Path(_OUTPUT.value)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    is_image = source.suffix.lower() in image_folders.SUFFIXES
    paths = image_folders.find(source) if source.is_dir() else [source]
    model = detection_run.load(config, _WORKDIR.value)
    detector = detection_run.detector(config, model)
    if source.is_dir() or is_image:
        count = detect_files(detector, paths, folder, classes)
        what = f"{count} images"
    else:
        what = f"{detect_video(detector, source, folder, classes)} frames"
    print(f"Boxes of {what}, drawn and as text, lie in {folder.resolve()}")


def detect_files(
    detector: tf.keras.Model,
    paths: list[pathlib.Path],
    folder: pathlib.Path,
    classes: _Classes,
) -> int:
    """Writes picture and text of each image; the text comes last."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    texts = {p: folder / "labels" / f"{p.stem}.txt" for p in paths}
    if len(set(texts.values())) < len(paths):
        raise ValueError(
            "expected images of different names, suffix apart; some are equal"
        )
    left = [path for path in paths if not texts[path].exists()]
    found = inference.detect(
        detector, left, classes, min_score=_MIN_SCORE.value
    )
    colors = pictures.colors(classes)
    for path, labels in tqdm(zip(left, found), total=len(left), unit="image"):
        picture = pictures.draw(pictures.read(path), labels, colors)
        pictures.write(folder / "pictures" / f"{path.stem}.png", picture)
        image_labels.write_kitti(texts[path], labels)
    return len(paths)


def detect_video(
    detector: tf.keras.Model,
    path: pathlib.Path,
    folder: pathlib.Path,
    classes: _Classes,
) -> int:
    """Writes the video with boxes, and each frame's text; counts frames."""
    rate, total = inference.video_rate(path)
    colors, count = pictures.colors(classes), 0
    image_size = tuple(detector.input_shape[1:3])
    run = tf.function(lambda x: detector(x, training=False))
    frames = inference.frames(path)
    first = next(frames)  # raises before anything is written
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    with whole_file.replacing(folder / f"{path.stem}.mp4") as scratch:
        part = scratch.with_suffix(".mp4")  # the suffix tells the format
        writer = cv2.VideoWriter(
            str(part),
            cv2.VideoWriter_fourcc(*"mp4v"),
            rate or 10.0,
            first.shape[1::-1],
        )
        try:
            for frame in tqdm(
                _with_first(first, frames), total=total or None, unit="frame"
            ):
                labels = inference.detect_frame(
                    run, frame, image_size, classes, _MIN_SCORE.value
                )
                writer.write(
                    np.ascontiguousarray(
                        pictures.draw(frame, labels, colors)[..., ::-1]
                    )
                )
                image_labels.write_kitti(
                    folder / "labels" / f"{path.stem}_{count:06d}.txt", labels
                )
                count += 1
        finally:
            writer.release()
        part.replace(scratch)
    return count


def _with_first(first, rest):  # noqa: ANN001, ANN202
    yield first
    yield from rest


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "input", "output"])
    command_line.run(main)
