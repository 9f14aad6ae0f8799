import pathlib
import struct
import tempfile

import joblib
import numpy as np
from absl.testing import absltest, parameterized

from squeeze_tf import caffe_weights
from squeeze_tf.detection import models

SMALL = (48, 64, 3)


def field(number, wire, content):
    """One field of a protocol buffer, by hand."""
    return varint(number << 3 | wire) + content


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def nested(number, content):
    return field(number, 2, varint(len(content)) + content)


def blob(array, old):
    """BlobProto: data in 5; the shape in 7, or of old in 1 to 4."""
    data = nested(5, struct.pack(f"<{array.size}f", *array.ravel()))
    if old:
        shape = (1,) * (4 - array.ndim) + array.shape
        sizes = [field(i + 1, 0, varint(n)) for i, n in enumerate(shape)]
        return b"".join(sizes) + data
    dims = b"".join(varint(n) for n in array.shape)
    return data + nested(7, nested(1, dims))


def caffemodel(layers, old=False):
    """NetParameter: layer in 100 (name 1, blobs 7) or layers in 2 (4, 6)."""
    out = nested(1, b"net")
    for name, arrays in layers.items():
        content = nested(4 if old else 1, name.encode())
        content += nested(2, b"type") if not old else b""
        for array in arrays:
            content += nested(6 if old else 7, blob(array, old))
        out += nested(2 if old else 100, content)
    return out


class CaffeWeightsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.random = np.random.default_rng(0)

    def array(self, *shape):
        return self.random.normal(size=shape).astype(np.float32)

    def layers(self):
        return {
            "conv1": [self.array(64, 3, 3, 3), self.array(64)],
            "fire2/squeeze1x1": [self.array(16, 64, 1, 1), self.array(16)],
            "fire2/expand3x3": [self.array(64, 16, 3, 3), self.array(64)],
            "conv10": [self.array(1000, 512, 1, 1), self.array(1000)],
        }

    def write(self, kind, layers):
        if kind == "pkl":
            path = self.folder / "net.pkl"
            joblib.dump(layers, path)
        else:
            path = self.folder / "net.caffemodel"
            path.write_bytes(caffemodel(layers, old=kind == "old"))
        return path

    @parameterized.parameters("pkl", "caffemodel", "old")
    def test_layers_of_the_same_name_are_set(self, kind):
        layers = self.layers()
        model = models.squeezedet(input_shape=SMALL)
        done, left = caffe_weights.load(model, self.write(kind, layers))
        self.assertEqual(done, ["conv1", "fire2_squeeze1x1", "fire2_expand3x3"])
        self.assertIn("conv12", left)
        self.assertLen(done + left, 1 + 30 + 1)
        for name, layer in (
            ("fire2/squeeze1x1", "fire2_squeeze1x1"),
            ("fire2/expand3x3", "fire2_expand3x3"),
        ):
            kernel, bias = model.get_layer(layer).get_weights()
            for n, m, p, q in np.ndindex(layers[name][0].shape):
                self.assertEqual(
                    kernel[p, q, m, n], layers[name][0][n, m, p, q]
                )
            np.testing.assert_array_equal(bias, layers[name][1].ravel())
        kernel, _ = model.get_layer("conv1").get_weights()
        np.testing.assert_array_equal(
            kernel[1, 2, :, 5], layers["conv1"][0][5, ::-1, 1, 2]
        )

    def test_resnet50_takes_normalisation_too(self):
        layers = {
            "conv1": [self.array(64, 3, 7, 7), self.array(64)],
            "bn_conv1": [self.array(64), self.array(64), np.array([4.0])],
            "scale_conv1": [self.array(64), self.array(64)],
            "res2a_branch2a": [self.array(64, 64, 1, 1)],
            "bn2a_branch2a": [self.array(64), self.array(64), np.array([2.0])],
            "scale2a_branch2a": [self.array(64), self.array(64)],
        }
        model = models.resnet50(input_shape=SMALL)
        done, _ = caffe_weights.load(model, self.write("caffemodel", layers))
        self.assertLen(done, 4)
        branch = "conv2_x_res2a_res2a_branch2_res2a_branch2a"
        for layer, unit, scale in (
            ("conv1_bn", "_conv1", 4),
            (f"{branch}_bn", "2a_branch2a", 2),
        ):
            gamma, beta, mean, variance = model.get_layer(layer).get_weights()
            np.testing.assert_array_equal(gamma, layers[f"scale{unit}"][0])
            np.testing.assert_array_equal(beta, layers[f"scale{unit}"][1])
            np.testing.assert_allclose(mean, layers[f"bn{unit}"][0] / scale)
            np.testing.assert_allclose(variance, layers[f"bn{unit}"][1] / scale)
        self.assertIn(branch, done)

    def test_vgg16_names(self):
        model = models.vgg16(input_shape=SMALL)
        layers = {
            "conv1_1": [self.array(64, 3, 3, 3), self.array(64)],
            "conv5_3": [self.array(512, 512, 3, 3), self.array(512)],
        }
        done, _ = caffe_weights.load(model, self.write("pkl", layers))
        self.assertEqual(done, ["conv1_conv1_1", "conv5_conv5_3"])

    def test_what_does_not_fit_is_refused_and_nothing_is_set(self):
        model = models.squeezedet(input_shape=SMALL)
        before = model.get_weights()
        layers = self.layers()
        layers["fire2/expand3x3"][0] = self.array(64, 16, 1, 1)
        path = self.write("pkl", layers)
        with self.assertRaisesRegex(ValueError, "net.pkl: fire2_expand3x3 is"):
            caffe_weights.load(model, path)
        path = self.write("pkl", {"ip1": [self.array(3, 3)]})
        with self.assertRaisesRegex(
            ValueError, "expected layers of squeezedet"
        ):
            caffe_weights.load(model, path)
        for text in (b"", b"no weights at all"):
            path = self.folder / "net.caffemodel"
            path.write_bytes(text)
            with self.assertRaisesRegex(ValueError, "net.caffemodel: expected"):
                caffe_weights.load(model, path)
        with self.assertRaisesRegex(OSError, "absent.pkl: no such file"):
            caffe_weights.load(model, self.folder / "absent.pkl")
        for now, then in zip(model.get_weights(), before):
            np.testing.assert_array_equal(now, then)


if __name__ == "__main__":
    absltest.main()
