"""Our models against the authors' TensorFlow 1 graphs, on real scans."""

import contextlib
import re

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import tf1_checkpoint
from squeeze_tf.ops import crf as crf_ops
from squeeze_tf.ops import custom_ops
from squeeze_tf.segmentation import crf, loss, models
from tests import shared_files

CHECKPOINTS = {
    "squeezeSeg": ("squeezeseg", "model.ckpt-23000"),
    "squeezeSegV2": ("squeezeseg_v2", "model.ckpt-30700"),
}
# Weights and γ of the released configurations (thesis: not printed).
LOSSES = {
    "squeezeSeg": ((1 / 15, 1, 10, 10), 0.0),
    "squeezeSegV2": ((1 / 3, 1, 3.5, 3.5), 2.0),
}
BOTH = (
    ("stock", custom_ops.stock_ops_only),
    ("custom", contextlib.nullcontext),
)
CASES = tuple(
    (f"{name}_{ops_name}", name, ops)
    for name in CHECKPOINTS
    for ops_name, ops in BOTH
)


def released_model(name, crf_layer=True, **kwargs):
    layer = crf.RecurrentCRF(
        form="released",
        angular_theta=crf.KITTI_ANGULAR_THETA,
        bilateral_angular_theta=crf.KITTI_ANGULAR_THETA,
        bilateral_theta=crf.KITTI_BILATERAL_THETA,
    )
    key, checkpoint = CHECKPOINTS[name]
    model = models.MODELS[key](crf=layer, **kwargs)
    folder = shared_files.path(f"reference/tf1/ckpt/{name}")
    tf1_checkpoint.load(model, folder / checkpoint)
    return model


WEIGHTS = ("bilateral_filter",)  # test_filter_weights has them in full


def our_name(released):
    """The layer of ours that makes what the released graph calls so."""
    number = re.fullmatch(r"f[iu]re(\d+)_fuse", released)
    if number:
        return f"fuse{number[1]}"
    if re.fullmatch(r"fire(_deconv)?\d+", released):
        return f"{released}_concat"
    if re.fullmatch(r"se\d", released):
        return f"{released}_scaled"
    if released in ("pool", "squeeze", "excitation"):  # the last one's
        return f"se3_{released}"
    return released.replace("/", "_")


def assert_sampled(value, sample, step, atol, name):
    """Every step-th number, of the batch or, if so kept, of its first scan."""
    flat = value.numpy().reshape(-1)[::step]
    if flat.size != sample.size:
        flat = value[0].numpy().reshape(-1)[::step]
    np.testing.assert_allclose(flat, sample, rtol=0, atol=atol, err_msg=name)


def reference(name):
    return np.load(shared_files.path(f"reference/tf1/npz/{name}.npz"))


def scans():
    """[4, 64, 512, 6] the real scans of both references."""
    return reference("squeezeSeg")["raw"]


class ReleasedParityTest(parameterized.TestCase):
    @parameterized.named_parameters(*CASES)
    def test_forward_and_loss(self, name, ops):
        expected = reference(name)
        raw = scans()
        model = released_model(name)
        outputs = [
            model.get_layer("conv14_prob").output,
            model.get_layer("normalized").output,
            model.output,
        ]
        with ops():
            probe = tf.function(tf.keras.Model(model.input, outputs))
            logits, normalized, energy = probe(raw[..., :5])
        mask = expected["lidar_mask"][..., 0]
        np.testing.assert_array_equal(mask, raw[..., 4] > 0)
        if name == "squeezeSeg":
            np.testing.assert_allclose(
                normalized[0], expected["lidar_input_scan0"], atol=1e-5
            )
        np.testing.assert_allclose(
            tf.gather(logits, [0, 3]), expected["logits_scans03"], atol=1e-4
        )
        np.testing.assert_allclose(
            energy[0], expected["crf_energy_final_scan0"], atol=1e-5
        )
        probability = tf.nn.softmax(energy).numpy() * mask[..., None]
        np.testing.assert_allclose(
            probability[[0, 3]], expected["prob_scans03"], atol=5e-6
        )
        np.testing.assert_array_equal(
            probability.argmax(-1), expected["pred_cls"]
        )
        weights, gamma = LOSSES[name]
        focal = loss.FocalLoss(weights, gamma, scale=15.0)
        for labels, suffix in (
            (raw[..., 5], ""),
            (expected["label_synth"], "_synth"),
        ):
            labels = np.where(mask, labels, loss.IGNORED).astype(np.int32)
            value = float(focal(labels, energy))
            np.testing.assert_allclose(
                value, expected[f"eval_f64/cls_loss{suffix}"], rtol=1e-5
            )
            np.testing.assert_allclose(
                value + sum(float(v) for v in model.losses),
                expected[f"eval_f64/total_loss{suffix}"],
                rtol=1e-5,
            )

    @parameterized.named_parameters(*((name, name) for name in CHECKPOINTS))
    def test_every_layer(self, name):
        expected = reference(name)
        model = released_model(name)
        ours = {}
        for layer in model.layers:
            ours[layer.name.removesuffix("_bn")] = layer.output  # bn comes last
        names = [k[4:] for k in expected.files if k.startswith("sub/")]
        layers = [
            n for n in names if not n.startswith("crf_") and n not in WEIGHTS
        ]
        probe = {n: ours[our_name(n)] for n in layers}
        got = tf.keras.Model(model.input, probe)(scans()[..., :5])
        self.assertGreater(len(layers), 60)
        for layer, value in got.items():
            sample = expected[f"sub/{layer}"]
            if layer == "excitation":  # kept before its sigmoid
                sample = 1 / (1 + np.exp(-sample))
            step = int(expected[f"shape/{layer}"][-1])
            # Scores reach 176 inside, where float32 resolves no 1e-4.
            atol = max(1e-4, 2e-6 * np.abs(sample).max())
            assert_sampled(value, sample, step, atol, layer)

    @parameterized.named_parameters(*CASES)
    def test_every_step_of_the_crf(self, name, ops):
        expected = reference(name)
        model = released_model(name)
        layer = model.get_layer("recurrent_crf")
        with ops():
            x, normalized, mask = tf.keras.Model(
                model.input,
                [
                    model.get_layer("conv14_prob").output,
                    model.get_layer("normalized").output,
                    model.get_layer("mask").output,
                ],
            )(scans()[..., :5])
            kernel = crf_ops.angular_gaussian(
                (3, 5), crf.KITTI_ANGULAR_THETA, floor_exponent=True
            )
            everywhere = np.ones_like(kernel)
            everywhere[1, 2] = 0
            angular_matrix, bilateral_matrix = (
                layer.weights[i] for i in (0, 1)
            )
            for iteration in range(3):
                q = tf.nn.softmax(x)
                angular, bilateral = crf_ops.crf_message(
                    q,
                    normalized[..., :3],
                    mask[..., 0] > 0,
                    angular_kernel=kernel,
                    bilateral_kernel=everywhere,
                    theta=crf.KITTI_BILATERAL_THETA,
                )
                pairwise = tf.matmul(angular, angular_matrix)
                pairwise += tf.matmul(bilateral * angular, bilateral_matrix)
                x = q + pairwise
                for key, value in (
                    ("unary", q),
                    ("ang_msg", angular),
                    ("biang_msg", angular),  # both thetas are the same
                    ("bi_msg", bilateral),
                    ("pairwise", pairwise),
                    ("energy", x),
                ):
                    sample = expected[f"sub/crf_{key}_{iteration}"]
                    assert_sampled(value, sample, 131, 1e-4, key)

    def test_filter_weights(self):
        expected = reference("squeezeSeg")
        released = expected["const_angular_kernel"]  # [3, 5, C, C], diagonal
        ours = crf_ops.angular_gaussian(
            (3, 5), crf.KITTI_ANGULAR_THETA, floor_exponent=True
        )
        for c in range(4):
            np.testing.assert_allclose(
                ours[..., c], released[..., c, c], rtol=1e-6
            )
        want = expected["bilateral_scan0_rows24_40_cls0_cls2"]
        features = expected["lidar_input_scan0"][..., :3]
        padded = np.pad(features, ((1, 1), (2, 2), (0, 0)))
        place = 0
        for dy in range(3):
            for dx in range(5):
                if (dy, dx) == (1, 2):
                    continue
                # The weight is the bilateral message of a lone probability.
                kernel = np.zeros((3, 5, 2))
                kernel[dy, dx] = 1
                _, weight = crf_ops.crf_message(
                    np.ones((1, 66, 516, 2), np.float32),
                    padded[None],
                    np.ones((1, 66, 516), bool),
                    angular_kernel=kernel,
                    bilateral_kernel=kernel,
                    theta=[0.015, 0.01],
                )
                np.testing.assert_allclose(
                    weight[0, 25:41, 2:514],
                    want[:, :, place],
                    atol=1e-4,
                    err_msg=f"offset {dy - 1}, {dx - 2}",
                )
                place += 1

    @parameterized.named_parameters(*CASES)
    def test_gradients_of_the_total_loss(self, name, ops):
        expected = reference(name)
        raw = scans()
        training = name == "squeezeSegV2"
        model = released_model(name, dropout=0.0)
        weights, gamma = LOSSES[name]
        focal = loss.FocalLoss(weights, gamma, scale=15.0)
        labels = np.where(raw[..., 4] > 0, raw[..., 5], loss.IGNORED)
        with ops(), tf.GradientTape() as tape:
            energy = model(raw[..., :5], training=training)
            total = focal(labels, energy) + sum(model.losses)
        key = "train_f64/total_loss" if training else "eval_f64/total_loss"
        np.testing.assert_allclose(
            float(total), expected[key], rtol=1e-4 if training else 1e-5
        )
        gradients = tape.gradient(total, model.trainable_weights)
        errors = []
        for weight, gradient in zip(model.trainable_weights, gradients):
            released = released_key(weight.name, expected)
            want = float(expected[released])
            errors.append(abs(np.linalg.norm(gradient) / want - 1))
        # The reference's README: batch statistics in float32 are soft.
        self.assertLess(np.median(errors), 0.05 if training else 1e-4)
        self.assertLess(np.max(errors), 0.4 if training else 1e-2)


def released_key(name, expected):
    layer, leaf = name.split(":")[0].rsplit("/", 1)
    leaf = {"kernel": "kernels", "bias": "biases"}.get(leaf, leaf)
    flat = f"grad_norm_{layer.removesuffix('_bn')}_{leaf}"
    matches = [k for k in expected.files if k.replace("/", "_") == flat]
    assert len(matches) == 1, (name, flat, matches)
    return matches[0]


if __name__ == "__main__":
    absltest.main()
