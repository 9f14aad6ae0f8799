"""SqueezeSeg and SqueezeSegV2: counts, switches, gates and what cells see."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.layers import fire
from squeeze_tf.segmentation import config as config_lib
from squeeze_tf.segmentation import crf, grid_layers, loss, models

keras = tf.keras

SHAPE = (4, 32, 5)
# Ch. 5 Table 1, and each switch alone; the last three arguments of build().
SWITCHES = (
    ("squeezeseg", False, False, False),
    ("bn", True, False, False),
    ("bn_m", True, True, False),
    ("v2", True, True, True),
    ("m", False, True, False),
    ("cam", False, False, True),
)


def scans(seed=0, count=2, shape=SHAPE):
    """[B, H, W, 5] scans, a fifth of their cells empty, and labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, (count, *shape[:2]))
    xyz = random.normal(size=(count, *shape[:2], 3)) * 5 + labels[..., None]
    distance = np.linalg.norm(xyz, axis=-1, keepdims=True)
    intensity = labels[..., None] / 4
    grid = np.concatenate([xyz, intensity, distance], -1).astype(np.float32)
    empty = random.random(labels.shape) < 0.2
    grid[empty] = 0
    return grid, np.where(empty, loss.IGNORED, labels).astype(np.int32)


def build(batch_norm, mask_channel, context_aggregation, **kwargs):
    return models.squeezeseg(
        input_shape=SHAPE,
        batch_norm=batch_norm,
        mask_channel=mask_channel,
        context_aggregation=context_aggregation,
        **kwargs,
    )


def num_elements(weights):
    return sum(w.shape.num_elements() for w in weights)


class CountsTest(absltest.TestCase):
    # Elements of the variables in the authors' graphs, without the counters
    # of the optimiser and the fixed Gaussian kernels of the CRF.
    def test_squeezeseg_has_the_parameters_of_the_released_graph(self):
        model = models.MODELS["squeezeseg"](crf=crf.RecurrentCRF())
        constants = num_elements(model.get_layer("normalized").weights)
        self.assertEqual(num_elements(model.weights) - constants, 906_340)
        self.assertEqual(num_elements(model.trainable_weights), 906_340)
        self.assertEqual(model.output_shape, (None, 64, 512, 4))
        without = models.MODELS["squeezeseg"]()
        # The CRF: two compatibility matrices of 4 x 4.
        self.assertEqual(num_elements(without.trainable_weights), 906_308)

    def test_squeezeseg_v2_has_the_parameters_of_the_released_graph(self):
        model = models.MODELS["squeezeseg_v2"](crf=crf.RecurrentCRF())
        constants = num_elements(model.get_layer("normalized").weights)
        self.assertEqual(num_elements(model.weights) - constants, 926_520)
        self.assertEqual(num_elements(model.trainable_weights), 919_224)

    def test_the_ladder_of_configs_is_that_of_the_table(self):
        ladder = {
            "squeezeseg": (False, False, 0.0, False),
            "squeezeseg_bn": (True, False, 0.0, False),
            "squeezeseg_bn_m": (True, True, 0.0, False),
            "squeezeseg_bn_m_fl": (True, True, 2.0, False),
            "squeezeseg_v2": (True, True, 2.0, True),
        }
        for name, switches in ladder.items():
            config = config_lib.CONFIGS[name]
            got = (
                config.batch_norm,
                config.mask_channel,
                config.gamma,
                config.context_aggregation,
            )
            self.assertEqual(got, switches, name)


class SwitchesTest(parameterized.TestCase):
    @parameterized.named_parameters(*SWITCHES)
    def test_every_combination_learns(self, *switches):
        keras.utils.set_random_seed(0)
        model = build(*switches, dropout=0.0, weight_decay=0.0)
        grid, labels = scans()
        model.compile(
            keras.optimizers.Adam(3e-3),
            loss=loss.FocalLoss([1.0] * 4),
            run_eagerly=True,  # cheaper than tracing for few steps
        )
        losses = [model.train_on_batch(grid, labels) for _ in range(6)]
        self.assertTrue(np.isfinite(losses).all(), losses)
        self.assertLess(losses[-1], 0.9 * losses[0])

    @parameterized.product(name=tuple(models.MODELS), form=crf.FORMS)
    def test_every_model_learns_with_a_crf_and_is_rebuilt(self, name, form):
        keras.utils.set_random_seed(0)
        layer = crf.RecurrentCRF(form=form, num_iterations=2)
        model = models.MODELS[name](
            input_shape=SHAPE, crf=layer, dropout=0.0, weight_decay=0.0
        )
        grid, labels = scans()
        model.compile(
            # The usual epsilon makes whole steps of mere rounding.
            keras.optimizers.Adam(3e-3, epsilon=1e-3),
            loss=loss.FocalLoss([1.0] * 4),
            run_eagerly=True,
        )
        losses = [model.train_on_batch(grid, labels) for _ in range(8)]
        self.assertTrue(np.isfinite(losses).all(), losses)
        # After a CRF no score leaves [-1, 2], so the loss cannot fall far.
        self.assertLess(losses[-1], losses[0])
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(grid), model(grid))

    def test_the_switches_change_what_they_name(self):
        def names(*switches):
            return {layer.name for layer in build(*switches).layers}

        plain = names(False, False, False)
        added = names(True, False, False) - plain
        self.assertTrue(all(name.endswith("_bn") for name in added))
        self.assertLen(added, 2 + 8 * 3 + 4 * 3)  # of the ReLU convolutions
        self.assertEqual(
            names(False, True, False) - plain, {"mask", "with_mask"}
        )
        added = names(False, False, True) - plain
        self.assertEqual({name[:3] for name in added}, {"se1", "se2", "se3"})

    @parameterized.parameters(
        ((4, 24, 5),), ((4, 32, 4),), ((4, 32, 6),), ((32, 5),)
    )
    def test_other_shapes_are_refused(self, shape):
        with self.assertRaisesRegex(ValueError, "multiple of 16; got"):
            models.squeezeseg(input_shape=shape)

    def test_mean_is_subtracted_and_deviation_divided_out_in_every_cell(self):
        grid, _ = scans()
        mean, std = (1.0, 2.0, 3.0, 4.0, 5.0), (2.0, 3.0, 4.0, 5.0, 6.0)
        model = models.squeezeseg(input_shape=SHAPE, mean=mean, std=std)
        inner = keras.Model(model.input, model.get_layer("normalized").output)
        expected = (grid - np.array(mean)) / np.array(std)
        np.testing.assert_allclose(inner(grid), expected, atol=1e-5)

    def test_mask_is_one_where_there_is_a_return(self):
        grid, labels = scans()
        mask = grid_layers.ReturnMask()(grid)
        np.testing.assert_array_equal(mask[..., 0], labels != loss.IGNORED)


class ContextTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        grid = keras.Input((9, 12, 32))
        y = models.context_aggregation(
            grid, name="se", settings=fire.Convolutions()
        )
        self.model = keras.Model(grid, y)
        self.x = np.random.default_rng(0).normal(size=(1, 9, 12, 32))

    def test_it_scales_each_value_by_a_gate_between_0_and_1(self):
        gate = self.model(self.x).numpy() / self.x
        self.assertGreater(gate.min(), 0)
        self.assertLess(gate.max(), 1)
        self.assertGreater(gate.std(), 0.01)

    def test_gate_is_the_printed_sequence_of_layers(self):
        weights = self.model.get_weights()
        pooled = np.zeros((9, 12, 32))
        for i, j in np.ndindex(9, 12):  # max over 7 x 7, clipped at the edge
            window = self.x[0, max(i - 3, 0) : i + 4, max(j - 3, 0) : j + 4]
            pooled[i, j] = window.max(axis=(0, 1))
        hidden = np.maximum(pooled @ weights[0][0, 0] + weights[1], 0)
        gate = 1 / (1 + np.exp(-(hidden @ weights[2][0, 0] + weights[3])))
        np.testing.assert_allclose(
            self.model(self.x)[0], self.x[0] * gate, atol=1e-5
        )

    def test_a_dropped_value_that_is_no_maximum_changes_only_its_own_cell(self):
        # Why the thesis pools: dropout noise of a cell stays in the cell.
        x = self.x.copy()
        x[0, 4, 5] = -9  # below all others: no window's maximum
        changed = x.copy()
        changed[0, 4, 5] = -8
        difference = np.abs(self.model(x) - self.model(changed))[0].max(-1)
        self.assertGreater(difference[4, 5], 0)
        difference[4, 5] = 0
        self.assertEqual(difference.max(), 0)


class ReceptiveFieldTest(absltest.TestCase):
    def test_rows_far_away_have_no_part_in_a_score(self):
        # Each 3x3 layer and pooling reaches one row; counted along the
        # deepest way: conv1, 3 pools, 8 fires, 4 deconvolutions' expands and
        # conv14 are 1 + 3 + 8 + 4 + 1 = 17 rows.
        keras.utils.set_random_seed(0)
        model = models.squeezeseg(input_shape=(40, 16, 5))
        grid, _ = scans(count=1, shape=(40, 16, 5))
        changed = grid.copy()
        changed[:, 0] += 50
        scores, other = model(grid), model(changed)
        far, near = np.s_[:, 18:], np.s_[:, :1]
        np.testing.assert_array_equal(scores[far], other[far])
        self.assertGreater(np.abs(scores[near] - other[near]).max(), 1e-3)
        self.assertFalse(np.array_equal(scores[:, 10:18], other[:, 10:18]))


if __name__ == "__main__":
    absltest.main()
