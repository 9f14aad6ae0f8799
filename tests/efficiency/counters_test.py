"""The authors' counters on their six networks, and Ch. 2 Tables 4 and 6."""

import functools

import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.efficiency import counters, graph, metrics, workload
from squeeze_tf.segmentation import crf, models

keras = tf.keras
layers = keras.layers


def conv(x, filters, size, stride=1, padding="same", relu=True):
    return layers.Conv2D(
        filters,
        size,
        stride,
        padding,
        activation="relu" if relu else None,
    )(x)


def fire(x, squeeze, expand):
    x = conv(x, squeeze, 1)
    return layers.Concatenate()([conv(x, expand, 1), conv(x, expand, 3)])


def squeezedet(shape, padding, anchors=9):
    """Ch. 2 Table 5."""
    inputs = keras.Input(shape)
    x = conv(inputs, 64, 3, 2, padding)
    for stage in (
        ((16, 64), (16, 64)),
        ((32, 128), (32, 128)),
        ((48, 192),) * 2 + ((64, 256),) * 2 + ((96, 384),) * 2,
    ):
        x = layers.MaxPooling2D(3, 2, padding)(x)
        for squeeze, expand in stage:
            x = fire(x, squeeze, expand)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, conv(x, 8 * anchors, 3, relu=False))


def squeezedet_plus():
    inputs = keras.Input((375, 1242, 3))
    x = conv(inputs, 96, 7, 2, "valid")
    for stage in (
        ((96, 64), (96, 64), (192, 128)),
        ((192, 128), (288, 192), (288, 192), (384, 256)),
        ((384, 256),) * 3,
    ):
        x = layers.MaxPooling2D(3, 2, "valid")(x)
        for squeeze, expand in stage:
            x = fire(x, squeeze, expand)
    return keras.Model(inputs, conv(x, 72, 3, relu=False))


def vgg16():
    x = inputs = keras.Input((375, 1242, 3))
    for stage, (filters, depth) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    ):
        if stage:
            x = layers.MaxPooling2D(2, 2, "same")(x)
        for _ in range(depth):
            x = conv(x, filters, 3)
    return keras.Model(inputs, conv(x, 72, 3, relu=False))


def normalized(x, filters, size, stride=1, relu=True, bias=False):
    x = layers.Conv2D(filters, size, stride, "same", use_bias=bias)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def resnet50():
    """To its fourth stage, the stride in the first 1x1 convolution."""
    inputs = keras.Input((375, 1242, 3))
    x = normalized(inputs, 64, 7, 2, bias=True)
    x = layers.MaxPooling2D(3, 2, "valid")(x)
    for filters, depth in ((64, 3), (128, 4), (256, 6)):
        for block in range(depth):
            stride = 2 if filters > 64 and block == 0 else 1
            y = normalized(x, filters, 1, stride)
            y = normalized(
                normalized(y, filters, 3), 4 * filters, 1, relu=False
            )
            if block == 0:
                x = normalized(x, 4 * filters, 1, stride, relu=False)
            x = layers.Activation("relu")(layers.Add()([x, y]))
    return keras.Model(inputs, conv(x, 72, 3, relu=False))


NETWORKS = {
    "squeezedet": lambda: squeezedet((384, 1248, 3), "same"),
    "squeezedet_plus": squeezedet_plus,
    "vgg16": vgg16,
    "resnet50": resnet50,
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


class TablesTest(absltest.TestCase):
    def test_rows_of_ch_2_table_6(self):
        # GFLOP and MiB as counted; where the table prints another number it
        # follows. 263.3 and 65.8 are 117.0 times the scale's square.
        shape = (375, 1242, 3)
        for found, gflop, mib in (
            (count(squeezedet(shape, "valid")), 9.7, 117.2),  # 117.0
            (count(squeezedet((562, 1863, 3), "valid")), 22.5, 266.1),  # 263.3
            (count(squeezedet((281, 931, 3), "valid")), 5.3, 65.0),  # 65.8
            (count(squeezedet(shape, "valid", 16)), 11.0, 117.6),  # 117.4
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
            output = squeezedet(shape, "valid").output_shape
            self.assertEqual(output[1] * output[2] * 9, boxes)


if __name__ == "__main__":
    absltest.main()
