import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import anchors, loss, models, targets

keras = tf.keras
SMALL = (80, 128, 3)
# Parameters of the released graphs, all and trained (Normalization apart),
# whose sizes in MB of 2**20 bytes Ch. 2 Table 2 prints: 7.9, 26.8, 57.4. The
# 35.1 of ResNet50 is the authors' counter, which knows one bias instead of
# four values of each normalisation: 9,191,624 numbers.
COUNTS = {
    "squeezedet": (2_082_120, 2_080_328, 7.9),
    "squeezedet_plus": (7_021_640, 7_007_432, 26.8),
    "vgg16": (15_046_536, 14_786_376, 57.4),
    "resnet50": (9_237_576, 7_761_992, 35.2),
}


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def parameters(model):
    constants = model.get_layer("normalized").weights
    return count(model.weights) - count(constants)


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(*COUNTS)
    def test_parameters_are_those_of_the_release(self, name):
        total, trained, size = COUNTS[name]
        model = models.MODELS[name](frozen=True)
        self.assertEqual(parameters(model), total)
        self.assertEqual(count(model.trainable_weights), trained)
        self.assertEqual(round(total * 4 / 2**20, 1), size)

    def test_resnet50_without_normalisation_has_the_printed_size(self):
        model = models.resnet50(frozen=True)
        kernels = count(
            w for w in model.weights if "kernel" in w.name or "bias" in w.name
        )
        biases = count(
            w
            for w in model.weights
            if "beta" in w.name and not w.name.startswith("conv1_bn")
        )  # conv1 has its own
        counted = kernels + biases
        self.assertEqual(counted, 9_191_624)
        self.assertEqual(round(counted * 4 / 2**20, 1), 35.1)

    def test_sixteen_anchors_have_the_size_of_table_4(self):
        model = models.squeezedet(num_anchors=16)
        self.assertEqual(round(parameters(model) * 4 / 2**20, 1), 9.4)

    def test_detection_layers_of_table_1(self):
        # Ch. 2 §3.2: YOLO's 7 x 7 x 1024, K = 2, C = 20, 4096 hidden units;
        # the text's "212" and "460X" follow from these.
        fc = models.fcdet_parameters(4096, (7, 7, 1024), (7, 7), 2, 20)
        convdet = models.convdet_parameters((3, 3), 1024, 2, 20)
        self.assertEqual(fc, 4096 * (50_176 + 49 * 30))
        self.assertEqual(round(fc / 1e6), 212)
        self.assertEqual(round(convdet / 1e6, 2), 0.46)
        self.assertEqual(round(fc / convdet, -1), 460)
        self.assertEqual(models.rpn_parameters(512, 9), 5 * 512 * 9)
        kernel = models.squeezedet().get_layer("conv12").kernel
        self.assertEqual(
            models.convdet_parameters((3, 3), 768, 9, 3), count([kernel])
        )


class ModelsTest(parameterized.TestCase):
    @parameterized.parameters(
        *((name, {}) for name in models.MODELS),
        ("squeezedet", {"batch_norm": True}),
    )
    def test_every_model_learns_and_is_rebuilt(self, name, options):
        keras.utils.set_random_seed(0)
        model = models.MODELS[name](
            input_shape=SMALL,
            num_classes=2,
            num_anchors=4,
            std=(58, 57, 57),
            dropout=0.0,
            **options,
        )
        rows, columns, channels = model.output_shape[1:]
        self.assertEqual(channels, 4 * (2 + 1 + 4))
        grid = anchors.grid(
            [(20, 20), (40, 30), (60, 60), (10, 50)], SMALL[:2], (rows, columns)
        )
        image = np.random.default_rng(0).uniform(0, 255, (2, *SMALL))
        boxes = tf.constant([[40.0, 40.0, 22.0, 18.0]])
        made = targets.make(
            boxes, tf.constant([1]), tf.constant(grid, tf.float32)
        )
        model.compile(
            keras.optimizers.SGD(1e-2, clipnorm=1.0),
            loss.DetectionLoss(
                anchors=grid, num_classes=2, image_size=SMALL[:2]
            ),
        )
        y = tf.stack([made, made])
        losses = [float(model.train_on_batch(image, y)) for _ in range(6)]
        self.assertLess(losses[-1], 0.9 * losses[0])
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(image), model(image))

    def test_frozen_layers_stay_and_have_no_decay(self):
        for name, stages in (
            ("squeezedet", {"conv1"}),
            ("squeezedet_plus", {"conv1"}),
            ("vgg16", {"conv1", "conv2"}),
            ("resnet50", {"conv1", "conv2", "conv3"}),
        ):
            model = models.MODELS[name](input_shape=SMALL, frozen=True)
            fixed = {
                layer.name.split("_")[0]
                for layer in model.layers
                if layer.weights and not layer.trainable_weights
            }
            self.assertEqual(fixed - {"normalized"}, stages)
            trained = [
                layer
                for layer in model.layers
                if layer.trainable and hasattr(layer, "kernel")
            ]
            self.assertLen(model.losses, len(trained))

    def test_colours_are_normalised(self):
        model = models.squeezedet(
            input_shape=SMALL, mean=(1, 2, 3), std=(2, 4, 8)
        )
        probe = keras.Model(model.input, model.get_layer("normalized").output)
        pixel = probe(np.full((1, *SMALL), 5.0))[0, 0, 0]
        np.testing.assert_allclose(pixel, [2, 3 / 4, 2 / 8], rtol=1e-6)

    def test_half_precision_leaves_targets_whole(self):
        # Keras casts targets to the output's type, which would round them.
        policy = keras.mixed_precision.global_policy()
        self.addCleanup(keras.mixed_precision.set_global_policy, policy)
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        model = models.squeezedet(input_shape=SMALL, num_anchors=1)
        self.assertEqual(model.output.dtype, "float32")
        self.assertEqual(model.get_layer("conv12").compute_dtype, "bfloat16")
        self.assertEqual(
            {w.dtype for w in model.trainable_weights}, {tf.float32}
        )

    def test_other_shapes_are_refused(self):
        for shape in ((80, 128), (80, 128, 1)):
            with self.assertRaisesRegex(ValueError, "red, green, blue"):
                models.squeezedet(input_shape=shape)
        with self.assertRaisesRegex(ValueError, "batch_norm must be true"):
            models.resnet50(batch_norm=False)


if __name__ == "__main__":
    absltest.main()
