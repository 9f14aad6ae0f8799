"""Finds objects in images, a folder of them, or a video (Ch. 2 §3.1).

    python -m experiments.detect_images --workdir=DIR --input=PATH \
        --output=DIR

Writes each image with its boxes drawn and KITTI's text of them (type, box in
pixels, score; the 3-D fields unknown); of a video, the video and a text file
for each frame. What is there already is not done again. 12 images a second
were measured for SqueezeDet at 1248 x 384 on two busy cores.
"""

import json
import pathlib
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
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
_MADE_BY = "detections.json"  # says how the folder's files came about


def main(_: list[str]) -> None:
    """Detects with the flags' settings."""
    config = detection_run.read_run(_WORKDIR.value, _SET.value)
    classes = class_lists.load(config.class_list)
    source, folder = pathlib.Path(_INPUT.value), pathlib.Path(_OUTPUT.value)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    paths = find(source)
    model = detection_run.load(config, _WORKDIR.value)
    detector = detection_run.detector(config, model)
    frames = None
    if not paths:
        frames = inference.frames(source)
        frames = _with_first(next(frames), frames)  # raises if there is none
    prepare(folder)
    if frames is None:
        done = detect_files(detector, paths, folder, classes)
        what = f"{len(paths)} images ({len(paths) - done} were there already)"
    else:
        done = detect_video(detector, source, frames, folder, classes)
        what = f"{done} frames"
    print(f"Boxes of {what}, drawn and as text, lie in {folder.resolve()}")


def find(source: pathlib.Path) -> list[pathlib.Path]:
    """The images, or none where it is a video.

    Raises:
      ValueError: a folder without images or with two of one name, or an image
        of another kind.
    """
    if source.is_dir():
        paths = image_folders.find(source)
        stems = [path.stem for path in paths]
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        if twice:
            raise ValueError(
                f"{source}: expected images of different names, suffix apart; "
                f"got {twice[0]} more than once"
            )
        return paths
    if source.suffix.lower() in image_folders.SUFFIXES:
        return [source]
    try:
        with PIL.Image.open(source) as image:
            kind = image.format
    except (OSError, ValueError):
        return []
    raise ValueError(
        f"{source}: expected {', '.join(image_folders.SUFFIXES)} or a video; "
        f"got {kind}"
    )


def prepare(folder: pathlib.Path) -> None:
    """Makes the output folder, or makes sure that it goes on from there.

    Raises:
      ValueError: it holds pictures or labels of something else.
    """
    settings = {
        "workdir": str(pathlib.Path(_WORKDIR.value).resolve()),
        "min_score": _MIN_SCORE.value,
        "set": list(_SET.value),
    }
    path = folder / _MADE_BY
    if path.exists():
        there = json.loads(path.read_text())
        if there != settings:
            raise ValueError(
                f"{folder} holds detections made otherwise: {there}; now "
                f"{settings}; take another folder"
            )
    elif any((folder / name).exists() for name in ("pictures", "labels")):
        raise ValueError(
            f"{folder} holds pictures or labels that are not of this script; "
            "take another folder"
        )
    for name in ("pictures", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    whole_file.write(path, json.dumps(settings, indent=2))


def detect_files(
    detector: tf.keras.Model,
    paths: list[pathlib.Path],
    folder: pathlib.Path,
    classes: _Classes,
) -> int:
    """Writes picture and text, which comes last, of what is not there yet."""
    texts = {p: folder / "labels" / f"{p.stem}.txt" for p in paths}
    left = [path for path in paths if not texts[path].exists()]
    found = inference.detect(
        detector, left, classes, min_score=_MIN_SCORE.value
    )
    colors = pictures.colors(classes)
    for path, labels in tqdm(zip(left, found), total=len(left), unit="image"):
        picture = pictures.draw(pictures.read(path), labels, colors)
        pictures.write(folder / "pictures" / f"{path.stem}.png", picture)
        image_labels.write_kitti(texts[path], labels)
    return len(left)


def detect_video(
    detector: tf.keras.Model,
    path: pathlib.Path,
    frames: Iterator[np.ndarray],
    folder: pathlib.Path,
    classes: _Classes,
) -> int:
    """Writes the video with boxes, and each frame's text; counts frames."""
    rate, total = inference.video_rate(path)
    colors, count, writer = pictures.colors(classes), 0, None
    image_size = tuple(detector.input_shape[1:3])
    run = tf.function(lambda x: detector(x, training=False))
    target = folder / "pictures" / f"{path.stem}.mp4"
    part = target.with_suffix(".part.mp4")  # the suffix tells the format
    try:
        for frame in tqdm(frames, total=total or None, unit="frame"):
            labels = inference.detect_frame(
                run, frame, image_size, classes, _MIN_SCORE.value
            )
            picture = _even(pictures.draw(frame, labels, colors))
            if writer is None:
                writer = cv2.VideoWriter(
                    str(part),
                    cv2.VideoWriter_fourcc(*"mp4v"),
                    rate or 10.0,
                    picture.shape[1::-1],
                )
            writer.write(np.ascontiguousarray(picture[..., ::-1]))
            text = folder / "labels" / f"{path.stem}_{count:06d}.txt"
            image_labels.write_kitti(text, labels)
            count += 1
        writer.release()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return count


def _even(image: np.ndarray) -> np.ndarray:
    """Sides of even length, which the format asks for; edges are doubled."""
    height, width = image.shape[:2]
    return np.pad(image, [(0, height % 2), (0, width % 2), (0, 0)], "edge")


def _with_first(
    first: np.ndarray, rest: Iterator[np.ndarray]
) -> Iterator[np.ndarray]:
    yield first
    yield from rest


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "input", "output"])
    command_line.run(main)
