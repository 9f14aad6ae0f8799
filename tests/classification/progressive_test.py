"""Paths of bit-widths, and the bounds that a step starts with."""

import tensorflow as tf
from absl.testing import absltest, parameterized

from squeeze_tf.classification import progressive
from squeeze_tf.layers import quantization

keras = tf.keras


class ParseTest(parameterized.TestCase):
    def test_reads_pairs(self):
        self.assertEqual(
            progressive.parse("32/32, 16/8,4/4"), ((32, 32), (16, 8), (4, 4))
        )

    @parameterized.parameters(
        ("4", "must be pairs such as"),
        ("4/", "must be pairs such as"),
        ("a/4", "must be pairs such as"),
        ("", "must be pairs such as"),
        ("-4/4", "must be pairs such as"),
        ("20/4", "bits must be 1 to 16"),
        ("4/0", "bits must be 1 to 16"),
        ("8/8,4/16", "8/8 and then 4/16"),
    )
    def test_other_texts_are_refused(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            progressive.parse(text)


class ResetBoundsTest(absltest.TestCase):
    def test_only_bounds_out_of_range_start_anew(self):
        x = inputs = keras.Input((4,))
        for name, alpha in (
            ("low", 0.05),
            ("kept", 9.5),
            ("high", 10.0),
            ("negative", -2.0),
        ):
            x = quantization.ActQuant(initial_alpha=alpha, name=name)(x)
        model = keras.Model(inputs, x)
        self.assertEqual(
            progressive.reset_bounds(model), ["low", "high", "negative"]
        )
        self.assertEqual(
            [float(layer.alpha[0]) for layer in model.layers[1:]],
            [1.0, 9.5, 1.0, 1.0],
        )


if __name__ == "__main__":
    absltest.main()
