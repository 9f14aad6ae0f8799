"""The picture: points under the roof, a panel for each size."""

import pathlib
import tempfile

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from matplotlib import figure

from squeeze_tf.efficiency import graph, machine, picture, report

keras = tf.keras
layers = keras.layers


def make(name):
    x = keras.Input((8, 8, 4), name="x")
    y = layers.Conv2D(6, 3, name="conv")(layers.Dropout(0.5)(x))
    y = layers.Conv2D(2, 1, name="last")(layers.MaxPooling2D()(y))
    traced = graph.trace(keras.Model(x, y))
    return report.count(traced, "network", 1, machine.PRESETS[name])


class RooflineTest(absltest.TestCase):
    def test_points_are_the_bounds_and_lie_on_the_roof(self):
        found = make("titan_x")
        axis = figure.Figure().subplots()
        picture.roofline(axis, found.loads, found.machine)
        points = axis.collections[0].get_offsets()
        bounds = [
            machine.roofline(load, found.machine)
            for load in found.loads
            if load.macs
        ]
        np.testing.assert_allclose(
            points, [(x.macs_per_byte, x.macs_per_second) for x in bounds]
        )
        x, y = axis.lines[0].get_data()
        roof = np.exp(np.interp(np.log(points[:, 0]), np.log(x), np.log(y)))
        np.testing.assert_allclose(roof, points[:, 1])
        self.assertEqual(y.max(), found.machine.peak_macs_per_second)
        names = {text.get_text() for text in axis.texts}
        self.assertEqual(names, {"conv", "last"})


class PictureTest(absltest.TestCase):
    def test_the_roofline_is_drawn_where_it_is_known(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "picture.png"
            for name, panels in (("titan_x", 4), ("figure_1", 3)):
                picture.write(make(name), path)
                image = cv2.imread(str(path))
                self.assertEqual(image.shape, (300 * panels, 1000, 3))
                self.assertGreater(image.std(), 5)
            self.assertLen(list(path.parent.iterdir()), 1)


if __name__ == "__main__":
    absltest.main()
