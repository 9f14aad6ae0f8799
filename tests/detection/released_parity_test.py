"""Our detectors against the authors' TensorFlow 1 graphs, on real images.

Within 1e-4: probabilities and losses of their own value, ConvDet's output and
layers of the largest of the tensor, boxes of the image's width (as a fraction
of 1242 px, so .12 px; they hold to .01).
"""

import importlib.util
import json
import re

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import tf1_checkpoint
from squeeze_tf.data import class_lists, image_folders, image_labels
from squeeze_tf.detection import (
    anchors,
    augmentation,
    decode,
    inputs,
    loss,
    models,
    targets,
)
from squeeze_tf.geometry import boxes as boxes_lib
from tests import shared_files

NETS = {
    "squeezeDet": ("squeezedet", anchors.KITTI_SHAPES),
    "squeezeDetPlus": ("squeezedet_plus", anchors.KITTI_SHAPES),
    "vgg16": ("vgg16", anchors.KITTI_SHAPES),
    "resnet50": ("resnet50", anchors.KITTI_RESNET50_SHAPES),
}
BOTH = ("squeezeDet", "squeezeDetPlus")
FILL = models.IMAGE_MEAN


def path(relative):
    return shared_files.path(f"reference/tf1/{relative}")


def reference(name):
    return np.load(path(f"npz/{name}.npz"))


def released_model(name):
    key, _ = NETS[name]
    model = models.MODELS[key](frozen=True)
    if name in BOTH:
        tf1_checkpoint.load(
            model,
            path(f"ckpt/{name}") / "model.ckpt-87000",
            models.FROM_RELEASED,
        )
    else:
        _set_by_rule(model, name)
    return model


def _set_by_rule(model, name):
    """Weights of the reference's rule, for which there is no checkpoint."""
    spec = importlib.util.spec_from_file_location(
        "weights_rule", path("weights_rule.py")
    )
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    known = json.loads(path(f"layers/{name}.json").read_text())
    npz = reference(name)
    values = rule.values(
        known["variables"],
        npz["seed"],
        {"vgg16": "conv6", "resnet50": "conv5"}[name],
        npz["final_scale"],
        npz["final_bias"],
    )
    released = {
        "kernel": "kernels",
        "bias": "biases",
        "moving_mean": "mean",
        "moving_variance": "var",
    }
    by_name = {key.replace("/", "_"): key for key in values}
    for layer in model.layers:
        for weight in layer.weights if layer.name != "normalized" else ():
            leaf = weight.name.rsplit("/", 1)[-1].split(":")[0]
            prefix = layer.name.removesuffix("_bn")
            key = by_name.pop(f"{prefix}_{released.get(leaf, leaf)}")
            change = models.FROM_RELEASED.get(key, lambda value: value)
            weight.assign(change(values[key]))
    assert not by_name, by_name


def image(name, size):
    """demo.py's way: resized by OpenCV; red, green, blue."""
    read = cv2.imread(str(path(f"det_data/{name}.png"))).astype(np.float32)
    return cv2.resize(read, size[::-1])[None, ..., ::-1]


def grid(name, model):
    return anchors.grid(
        NETS[name][1], model.input_shape[1:3], model.output_shape[1:3]
    )


class ForwardTest(parameterized.TestCase):
    @parameterized.parameters(*NETS)
    def test_from_image_to_final_boxes(self, name):
        expected, model = reference(name), released_model(name)
        size = model.input_shape[1:3]
        output = model(image("000000", size))
        np.testing.assert_allclose(output, expected["demo/preds"], atol=1e-4)
        places = grid(name, model)
        np.testing.assert_array_equal(places, expected["anchors"])

        logits, confidence, deltas = decode.split(output, 3, 9)
        found = decode.clip(
            decode.decode(deltas, tf.constant(places, tf.float32)),
            size,
            inclusive=True,
        )
        np.testing.assert_allclose(  # the largest are 1242 px
            found, expected["demo/det_boxes"], rtol=1e-5, atol=1e-2
        )
        scores = tf.nn.softmax(logits) * tf.sigmoid(confidence)[..., None]
        np.testing.assert_allclose(
            tf.reduce_max(scores, -1), expected["demo/det_probs"], rtol=1e-4
        )
        # SqueezeDet+ has one anchor whose best classes are equal in float32.
        differing = tf.argmax(scores, -1) != expected["demo/det_class"]
        self.assertLessEqual(np.sum(differing), 1)

        layer = decode.Detections(
            anchors=places,
            num_classes=3,
            image_size=size,
            suppression="released",
            inclusive=True,
        )
        final = {k: v[0].numpy() for k, v in layer(output).items()}
        kept = final["scores"] > 0
        order = np.argsort(-expected["demo/nms_probs"], kind="stable")
        for ours, theirs, bound in (
            ("boxes", "demo/nms_boxes", 5e-3),
            ("scores", "demo/nms_probs", 2e-5),
            ("class_ids", "demo/nms_cls", 0),
        ):
            np.testing.assert_allclose(
                final[ours][kept], expected[theirs][order], atol=bound
            )

    @parameterized.parameters(*BOTH)
    def test_every_layer(self, name):
        expected, model = reference(name), released_model(name)
        layers = [
            k.removeprefix("sub/") for k in expected if k.startswith("sub/")
        ]
        self.assertGreater(len(layers), 40)

        def ours(released):
            suffix = "_concat" if re.fullmatch(r"fire\d+", released) else ""
            return released.replace("/", "_") + suffix

        probe = tf.keras.Model(
            model.input,
            [model.get_layer(ours(layer)).output for layer in layers],
        )
        values = probe(image("000000", model.input_shape[1:3]))
        for layer, value in zip(layers, values):
            step = int(expected[f"shape/{layer}"][-1])
            wanted = expected[f"sub/{layer}"]
            np.testing.assert_allclose(
                value.numpy().reshape(-1)[::step],
                wanted,
                rtol=0,
                atol=max(1e-4, 1e-5 * np.abs(wanted).max()),
                err_msg=layer,
            )


class TrainingTest(parameterized.TestCase):
    def batch(self, name, size):
        npz = reference(name)
        images, rows = [], []
        for i in range(2):
            read = cv2.imread(str(path(f"det_data/{i:06d}.png")))
            images.append(
                cv2.resize(read.astype(np.float32), size[::-1])[..., ::-1]
            )
            rows.append(
                np.column_stack(
                    [
                        npz[f"train/{i}/aidx"],
                        npz[f"train/{i}/label"],
                        npz[f"train/{i}/gt_scaled_cxcywh"],
                    ]
                )
            )
        count = max(map(len, rows))
        y_true = np.full((2, count, 6), targets.PADDING, np.float32)
        for target, row in zip(y_true, rows):
            target[: len(row)] = row
        return np.stack(images), y_true

    @parameterized.parameters(*BOTH)
    def test_losses_and_gradients(self, name):
        expected, model = reference(name), released_model(name)
        size = model.input_shape[1:3]
        images, y_true = self.batch(name, size)
        instance = loss.DetectionLoss(
            anchors=grid(name, model),
            num_classes=3,
            image_size=size,
            form="released",
            inclusive=True,
        )
        with tf.GradientTape() as tape:
            output = model(images, training=False)
            terms = instance.terms(y_true, output)
            total = instance(y_true, output) + tf.add_n(model.losses)
        self.assertLen(model.losses, 31)
        for term, key in zip(
            loss.TERMS, ("class_loss", "conf_loss", "bbox_loss")
        ):
            for stack in ("train", "train_f64"):
                np.testing.assert_allclose(
                    terms[term], expected[f"{stack}/{key}"], rtol=1e-5
                )
        np.testing.assert_allclose(
            total, expected["train_f64/total_loss"], rtol=1e-5
        )
        gradients = tape.gradient(total, model.trainable_weights)
        self.assertEqual(
            len(gradients), sum(k.startswith("grad_norm/") for k in expected)
        )
        for weight, gradient in zip(model.trainable_weights, gradients):
            layer, leaf = weight.name.split(":")[0].split("/")
            released = {"kernel": "kernels", "bias": "biases"}[leaf]
            key = f"{layer.replace('_', '/', 1)}/{released}"
            norm = float(expected[f"grad_norm/{key}"])
            np.testing.assert_allclose(
                np.linalg.norm(gradient), norm, rtol=1e-2, err_msg=key
            )
            some = expected[f"grad_sub/{key}"]
            step = max(1, gradient.shape.num_elements() // 200) | 1
            np.testing.assert_allclose(
                gradient.numpy().reshape(-1)[::step],
                some,
                atol=3e-2 * np.abs(some).max(),
                err_msg=key,
            )


class TargetsTest(parameterized.TestCase):
    @parameterized.parameters(*NETS)
    def test_anchors_without_ties_are_the_same(self, name):
        expected = reference(name)
        key = "targets/unique/000002"
        boxes = expected[f"{key}/gt_scaled_cxcywh"]
        places = expected["anchors"]
        chosen = targets.assign(
            tf.constant(boxes, tf.float32), tf.constant(places, tf.float32)
        ).numpy()
        np.testing.assert_array_equal(chosen, expected[f"{key}/aidx"])
        np.testing.assert_allclose(
            targets.encode(tf.constant(boxes), tf.constant(places[chosen])),
            expected[f"{key}/delta"],
            atol=1e-12,
        )

    @parameterized.parameters(*NETS)
    def test_with_ties_the_overlap_is_the_same(self, name):
        expected = reference(name)
        places = expected["anchors"]
        for image_name in ("000000", "000001"):
            key = f"targets/noaug/{image_name}"
            boxes = expected[f"{key}/gt_scaled_cxcywh"]
            chosen = targets.assign(
                tf.constant(boxes, tf.float32), tf.constant(places, tf.float32)
            ).numpy()
            overlap = boxes_lib.iou(
                tf.constant(boxes), tf.constant(places[chosen])
            )
            np.testing.assert_allclose(
                overlap,
                expected[f"{key}/chosen_iou_best_iou_nties"][:, 0],
                atol=2e-5,
            )

    @parameterized.parameters(*BOTH)
    def test_reading_and_augmentation(self, name):
        expected = reference(name)
        size = {"squeezeDet": (384, 1248), "squeezeDetPlus": (375, 1242)}[name]
        labels = path("det_data")
        draws = 0
        for key in expected:
            if not key.endswith("dy_dx_flip"):
                continue
            draws += 1
            stem = key.removesuffix("/dy_dx_flip")
            wanted = expected[f"{stem}/gt_scaled_cxcywh"]
            index = 0 if len(wanted) == 9 else 1
            file = labels / f"{index:06d}.png"
            sample = image_folders.ImageSample(
                str(index),
                file,
                image_labels.read_kitti(labels / f"{index:06d}.txt"),
            )
            learned = inputs.objects(
                [sample], class_lists.load("kitti"), inclusive=True
            )
            dy, dx, flip = (int(v) for v in expected[key])
            pixels = tf.cast(inputs.read_image(str(file)), tf.float32)
            pixels, boxes = augmentation.drift(
                pixels, tf.constant(learned.boxes), dy, dx, FILL
            )
            if flip:
                pixels, boxes = augmentation.mirror(
                    pixels, boxes, inclusive=True
                )
            pixels, boxes = inputs.resize(pixels, boxes, size)
            np.testing.assert_allclose(boxes, wanted, rtol=1e-6, atol=1e-3)
            step = int(expected[f"{stem}/image_sub_step"])
            blue_first = (pixels - FILL).numpy()[..., ::-1]
            np.testing.assert_allclose(  # 8e-3 between versions of OpenCV
                blue_first.reshape(-1)[::step],
                expected[f"{stem}/image_sub"],
                atol=2e-2,
            )
        self.assertGreater(draws, 3)


if __name__ == "__main__":
    absltest.main()
