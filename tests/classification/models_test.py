"""What all classifiers do: learn, come back from files, be exported."""

import contextlib
import dataclasses
import functools
import inspect
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf import export
from squeeze_tf.classification import (
    fbnet,
    fbnet_architectures,
    models,
    resnet50,
    shiftnet,
    shufflenet_v2,
)
from squeeze_tf.efficiency import workload

keras = tf.keras
SHARED = {
    *("input_shape", "num_classes", "mean", "std"),
    *("weight_decay", "momentum", "name"),
}
SMALL = {
    "depth": 8,
    "reduction": 4.0,
    "width": 0.5,
    "stem_pools": False,
    "stage_channels": (16, 32),
    "stage_blocks": (2, 2),
    "last": 64,
    "blocks": (
        *("skip", "k3_e3", "k5_e1", "k3_e1_g2"),
        *("k3x2sep_e6", "k5_e1_g2", "k5_e6"),
    ),
    "last_filters": 64,
    "bits": ("16", "w16a16", "32"),  # smooth enough to follow a gradient
    "widths": (16, 24, 32),
}


@contextlib.contextmanager
def shallow():
    """Each group of a network has two modules at most."""
    variants = {
        name: (tuple((k, n, e, (r[0], 1)) for k, n, e, r in groups), *rest)
        for name, (groups, *rest) in shiftnet.VARIANTS.items()
    }
    macro = tuple(dataclasses.replace(row, repeats=1) for row in fbnet.MACRO)
    architectures = {
        name: dataclasses.replace(
            found, blocks=(*found.blocks[:1], *found.blocks[1::4])
        )
        for name, found in fbnet_architectures.ARCHITECTURES.items()
    }
    stages = tuple((2, width) for _, width in resnet50.STAGES)
    with (
        mock.patch.object(shiftnet, "VARIANTS", variants),
        mock.patch.object(resnet50, "STAGES", stages),
        mock.patch.object(shufflenet_v2, "REPEATS", (2, 2, 2)),
        mock.patch.object(fbnet, "MACRO", macro),
        mock.patch.object(fbnet_architectures, "ARCHITECTURES", architectures),
    ):
        yield


def build(name, input_shape=(8, 8, 1), **options):
    keras.utils.set_random_seed(0)
    small = {
        k: v for k, v in SMALL.items() if k in models.OPTIONS.get(name, ())
    }
    with shallow():
        return models.MODELS[name](
            input_shape=input_shape, num_classes=4, **small | options
        )


@functools.cache
def shared(name):
    """A network that tests look at, for images of 16 x 16."""
    return build(
        name,
        (16, 16, 1),
        std=(128.0,),
        mean=(100.0,),
        weight_decay=0.2,
        momentum=0.7,
    )


def images(count, size):
    random = np.random.default_rng(0)
    shape = (count, size, size, 1)
    return random.uniform(0, 255, shape).astype(np.float32)


class ModelsTest(parameterized.TestCase):
    @parameterized.parameters(*models.MODELS)
    def test_a_short_step_down_the_gradient_lowers_the_loss(self, name):
        model = shared(name)
        self.assertEqual(model.output_shape, (None, 4))
        image = images(8, 16)
        target = np.eye(4)[np.arange(8) % 4]
        losses = []
        for _ in range(2):
            with tf.GradientTape() as tape:
                logits = model(image, training=True)
                losses.append(
                    tf.reduce_mean(
                        tf.nn.softmax_cross_entropy_with_logits(target, logits)
                    )
                )
            weights = model.trainable_weights
            gradients = tape.gradient(losses[-1], weights)
            squares = sum(tf.reduce_sum(g**2) for g in gradients)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.assign_sub(gradient * 1e-3 / squares)
        # Curvature is strong where a normalisation sees only eight pixels.
        self.assertBetween(losses[0] - losses[1], 0.1e-3, 2e-3)

    @parameterized.parameters(*models.MODELS)
    def test_every_model_is_counted_and_rebuilt(self, name):
        model = shared(name)
        loads = workload.workloads(model)
        self.assertEqual([x.name for x in loads if not x.is_counted], [])
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        image = images(2, 16)
        np.testing.assert_array_equal(again(image), model(image))

    def test_an_exported_network_gives_the_same_logits(self):
        model = build("shift_resnet", mean=(100.0,))
        image = images(1, 8)
        with tempfile.TemporaryDirectory() as folder:
            export.tflite(model, f"{folder}/model.tflite", "float32")
            lite = tf.lite.Interpreter(f"{folder}/model.tflite")
            (found,) = lite.get_signature_runner()(image=image).values()
        np.testing.assert_allclose(found, model(image), atol=1e-4)

    @parameterized.parameters(*models.MODELS)
    def test_options_are_the_arguments_that_others_have_not(self, name):
        model = models.MODELS[name]
        arguments = set(inspect.signature(model).parameters)
        own = arguments - SHARED - set(getattr(model, "keywords", ()))
        self.assertEqual(own, set(models.OPTIONS.get(name, ())))
        self.assertLessEqual(SHARED, arguments)

    @parameterized.parameters(*models.MODELS)
    def test_every_kernel_decays_and_every_average_has_the_momentum(self, name):
        model = shared(name)
        squares = sum(
            np.sum(np.float64(w.numpy()) ** 2)
            for w in model.weights
            if "kernel" in w.name or "alpha" in w.name
        )
        self.assertAlmostEqual(
            sum(float(v) for v in model.losses) / (0.1 * squares), 1, places=4
        )
        norms = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self.assertEqual({layer.momentum for layer in norms}, {0.7})
        self.assertEqual({layer.epsilon for layer in norms}, {1e-5})

    @parameterized.parameters(("shift_resnet", 4), ("shiftnet_c", 32))
    def test_maps_shrink_by_a_fixed_factor_down_to_one_pixel(
        self, name, factor
    ):
        for model in (shared(name), build(name, (50, 50, 3))):
            size = model.input_shape[1]
            last = model.get_layer("pool").input_shape[1:3]
            self.assertEqual(last, (-(-size // factor),) * 2)


if __name__ == "__main__":
    absltest.main()
