import numpy as np
from absl.testing import absltest

from squeeze_tf.shift_applications import reflection


class ReflectionPadding2DTest(absltest.TestCase):
    def test_mirrors_without_doubling_the_border(self):
        x = np.arange(12.0).reshape(1, 3, 4, 1)
        expected = np.pad(x[0, :, :, 0], 2, "reflect")
        layer = reflection.ReflectionPadding2D(2)
        np.testing.assert_array_equal(layer(x)[0, :, :, 0], expected)
        np.testing.assert_array_equal(expected[0, :4], [10, 9, 8, 9])
        self.assertEqual(
            layer.compute_output_shape((None, 3, None, 1)), (None, 7, None, 1)
        )

    def test_is_rebuilt_from_its_config(self):
        layer = reflection.ReflectionPadding2D(3, name="pad")
        again = type(layer).from_config(layer.get_config())
        self.assertEqual(again.get_config(), layer.get_config())
        self.assertEqual(again.padding, 3)

    def test_too_small_maps_are_refused(self):
        with self.assertRaisesRegex(ValueError, "needs sides of 5 or more"):
            reflection.ReflectionPadding2D(4)(np.zeros((1, 9, 4, 1)))
        with self.assertRaisesRegex(ValueError, "padding must be 0 or more"):
            reflection.ReflectionPadding2D(-1)


if __name__ == "__main__":
    absltest.main()
