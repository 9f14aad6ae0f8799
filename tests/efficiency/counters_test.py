"""The authors' counters on their six networks, and Ch. 2 Tables 4 and 6."""

import functools

import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.detection import models as detection_models
from squeeze_tf.efficiency import counters, graph, metrics, workload
from squeeze_tf.segmentation import crf, models

keras = tf.keras
layers = keras.layers


NETWORKS = {
    **detection_models.MODELS,
    "squeezeseg": lambda: models.squeezeseg(crf=crf.RecurrentCRF()),
    "squeezeseg_v2": lambda: models.squeezeseg_v2(crf=crf.RecurrentCRF()),
}
# Sums of their activation_counter and flop_counter, and all their variables.
# The last two take 3 of the 5 channels of a 64 x 512 grid into the sum.
_REST = 2 * 64 * 512
TOTALS = {
    "squeezedet": (32_542_848, 10_649_089_152, 2_082_120),
    "squeezedet_plus": (66_222_466, 77_246_240_640, 7_021_640),
    "vgg16": (141_673_858, 288_420_587_136, 15_046_536),
    "resnet50": (96_720_386, 61_283_686_016, 9_237_576),
    "squeezeseg": (21_004_288 + _REST, 6_019_940_352, 906_340),
    "squeezeseg_v2": (27_492_352 + _REST, 6_130_630_656, 926_520),
}


def count(model, batch_size=1):
    calls = graph.trace(model, batch_size).calls
    total = metrics.total(workload.of_calls(calls))
    return (
        counters.activation_counter(calls),
        counters.flop_counter(calls),
        total.parameters,
    )


@functools.cache
def totals(name):
    return count(NETWORKS[name]())


class CountersTest(parameterized.TestCase):
    @parameterized.parameters(*NETWORKS)
    def test_totals_are_those_of_the_authors_code(self, name):
        self.assertEqual(totals(name), TOTALS[name])

    def test_counts_are_for_one_input(self):
        model = models.squeezeseg(input_shape=(4, 16, 5))
        self.assertEqual(count(model, 1), count(model, 3))

    def test_flops_by_hand(self):
        # 2 x 3 outputs of 2 channels, 9 taps of 4 channels; a dense layer of
        # 12 inputs and 5 outputs whose ReLU follows a sum and does not count.
        x = keras.Input((2, 3, 4))
        y = layers.Flatten()(layers.Conv2D(2, 3, padding="same")(x))
        y = layers.Dense(5)(y)
        y = layers.ReLU()(layers.Add()([y, y]))
        _, flops, _ = count(keras.Model(x, y))
        self.assertEqual(flops, 12 * (2 * 36 + 1) + 5 * (2 * 12 + 1))


def valid(shape, num_anchors=9):
    """SqueezeDet as the thesis counts it, without padding."""
    return detection_models.squeezedet(
        input_shape=shape, num_anchors=num_anchors, padding="valid"
    )


class TablesTest(absltest.TestCase):
    def test_rows_of_ch_2_table_6(self):
        # GFLOP and MiB as counted; where the table prints another number it
        # follows. 263.3 and 65.8 are 117.0 times the scale's square.
        shape = (375, 1242, 3)
        for found, gflop, mib in (
            (count(valid(shape)), 9.7, 117.2),  # 117.0
            (count(valid((562, 1863, 3))), 22.5, 266.1),  # 263.3
            (count(valid((281, 931, 3))), 5.3, 65.0),  # 65.8
            (count(valid(shape, 16)), 11.0, 117.6),  # 117.4
            (totals("squeezedet_plus"), 77.2, 252.6),  # 252.7
            (totals("vgg16"), 288.4, 540.4),
            (totals("resnet50"), 61.3, 369.0),
        ):
            activations, flops, _ = found
            self.assertEqual(round(flops / 1e9, 1), gflop)
            self.assertEqual(round(4 * activations / 2**20, 1), mib)

    def test_squeezedet_has_the_thesis_s_boxes(self):
        # Ch. 2 §4.1: 15,048, and 35,190 at 1.5 times the size.
        for shape, boxes in (
            ((375, 1242, 3), 15_048),
            ((562, 1863, 3), 35_190),
        ):
            output = valid(shape).output_shape
            self.assertEqual(output[1] * output[2] * 9, boxes)


if __name__ == "__main__":
    absltest.main()
