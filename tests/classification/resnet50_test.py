"""ResNet50 and its shift variant: the parameters of Ch. 6 Table 3."""

import functools

from absl.testing import absltest, parameterized

from squeeze_tf.classification import resnet50
from tests.classification import counts

# r to the printed millions of ShiftResNet50 and ResNet50.
PRINTED = {1: (22, 26), 2: (11, 13), 4: (6.0, 6.9)}


def rounded(count):
    """Two digits, as printed."""
    return float(f"{count / 1e6:.2g}")


@functools.cache
def trained(make, **options):
    """Trained parameters of a built network."""
    return counts.trained(make(**options))


class CountsTest(parameterized.TestCase):
    @parameterized.parameters(*PRINTED)
    def test_parameters_are_those_of_table_3(self, reduction):
        shift, plain = (
            trained(make, reduction=reduction)
            for make in (resnet50.shift_resnet50, resnet50.resnet50)
        )
        self.assertEqual((rounded(shift), rounded(plain)), PRINTED[reduction])

    def test_the_whole_network_is_the_known_one(self):
        # Arithmetic of the ResNet paper: kernels, two numbers for each
        # normalised channel, 2048 x 1000 weights and 1000 biases.
        total, channels = 7 * 7 * 3 * 64 + 2 * 64 + 2048 * 1000 + 1000, 64
        for count, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
            for i in range(count):
                total += channels * width + 9 * width**2 + 4 * width**2
                total += 2 * (width + width + 4 * width)
                if i == 0:
                    total += channels * 4 * width + 2 * 4 * width
                channels = 4 * width
        self.assertEqual(trained(resnet50.resnet50, reduction=1), total)
        self.assertEqual(total, 25_557_032)

    def test_convolutions_take_each_other_s_place(self):
        # 9 w² of a 3x3 convolution against 2 E w² of two 1x1 ones, and the
        # normalisation of the E w channels between them.
        plain = trained(resnet50.resnet50, reduction=1)
        for expansion, options in ((1, {"expansion": 1}), (3, {})):
            expected = plain + sum(
                count * ((2 * expansion - 9) * w**2 + 2 * expansion * w)
                for count, w in resnet50.STAGES
            )
            made = trained(resnet50.shift_resnet50, reduction=1, **options)
            self.assertEqual(made, expected)

    def test_without_channels_it_is_refused(self):
        with self.assertRaisesRegex(ValueError, "leave a channel; got 5000"):
            resnet50.resnet50(reduction=5000)


if __name__ == "__main__":
    absltest.main()
