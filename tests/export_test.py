"""Exports need nothing of this package and give the live model's scores."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.protobuf import saved_model_pb2

from squeeze_tf import export
from squeeze_tf.layers import fire
from squeeze_tf.ops import custom_ops
from squeeze_tf.segmentation import crf, grid_layers, models
from tests import scripts

keras = tf.keras

_ALONE = """
import sys
sys.modules["squeeze_tf"] = None  # from here on its import fails
import numpy as np, tensorflow as tf
folder = sys.argv[1]
serve = tf.saved_model.load(folder + "/saved").signatures["serving_default"]
grid = np.load(folder + "/grid.npy")
np.save(folder + "/scores.npy", serve(grid=tf.constant(grid))["scores"])
assert not [name for name in sys.modules if name.startswith("squeeze_tf.")]
"""


def operators(path):
    """Names of all operators of a SavedModel."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def
    return {node.op for node in nodes}


def scans(count=2):
    """[count, 4, 32, 5] with a fifth of the cells empty."""
    random = np.random.default_rng(0)
    grid = random.normal(size=(count, 4, 32, 5)).astype(np.float32) * 4
    grid[..., 4] = np.linalg.norm(grid[..., :3], axis=-1)
    grid[random.random(grid.shape[:3]) < 0.2] = 0
    return grid


def small_model():
    """Every kind of layer of the real ones; 600,000 weights in one of them."""
    grid = keras.Input((4, 32, 5))
    settings = fire.Convolutions(batch_norm=True)
    mask = grid_layers.ReturnMask()(grid)
    x = fire.convolution(
        grid, 64, 3, strides=(1, 2), name="conv1", settings=settings
    )
    x = models.context_aggregation(x, name="se1", settings=settings)
    x = fire.convolution(x, 1024, 3, name="large", settings=settings)
    x = fire.fire_deconv(
        x, squeeze=8, expand=8, name="deconv", settings=settings
    )
    x = keras.layers.Conv2D(4, 1)(x)
    return keras.Model(
        grid, crf.RecurrentCRF(num_iterations=1)([x, grid, mask])
    )


class ExportTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keras.utils.set_random_seed(0)
        cls.model = models.squeezeseg_v2(
            input_shape=(4, 32, 5), crf=crf.RecurrentCRF()
        )
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        export.saved_model(cls.model, cls.folder / "saved")

    def test_saved_model_holds_stock_operators_alone(self):
        found = operators(self.folder / "saved")
        self.assertIn("Conv2D", found)
        self.assertFalse([name for name in found if "SqueezeTf" in name])
        self.assertEqual(list(self.folder.glob(".*")), [])

    def test_saved_model_runs_where_this_package_is_not(self):
        grid = scans(3)  # any batch size
        np.save(self.folder / "grid.npy", grid)
        done = scripts.python("-c", _ALONE, self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        scores = np.load(self.folder / "scores.npy")
        np.testing.assert_allclose(scores, self.model(grid), atol=1e-5)

    def test_saved_model_agrees(self):
        parity = export.compare(
            self.model, self.folder / "saved", "saved_model", scans()[:, None]
        )
        self.assertLess(parity.largest_difference, 1e-5)
        self.assertEqual(parity.agreement, 1)
        export.check(parity)

    def test_an_existing_path_is_refused_and_kept(self):
        before = (self.folder / "saved" / "saved_model.pb").read_bytes()
        with self.assertRaisesRegex(FileExistsError, "saved exists"):
            export.saved_model(self.model, self.folder / "saved")
        after = (self.folder / "saved" / "saved_model.pb").read_bytes()
        self.assertEqual(before, after)

    def test_unknown_kinds_are_refused(self):
        with self.assertRaisesRegex(ValueError, "kind must be one of"):
            export.tflite(self.model, self.folder / "x", "int4")

    def test_comparing_with_nothing_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at least one input"):
            export.compare(self.model, self.folder / "saved", "saved_model", [])

    def test_compare_counts_cells_whose_label_differs(self):
        other = keras.models.clone_model(self.model)
        other.set_weights(self.model.get_weights())
        bias = other.get_layer("conv14_prob").bias
        bias.assign(bias + [0.0, 50.0, 0.0, 0.0])
        parity = export.compare(
            other, self.folder / "saved", "saved_model", scans()[:, None]
        )
        one, two = (m(scans()).numpy() for m in (self.model, other))
        same = (one.argmax(-1) == two.argmax(-1)).mean()
        self.assertLess(same, 0.9)
        self.assertAlmostEqual(parity.agreement, same)
        returns = scans()[..., 4] > 0
        same = (one.argmax(-1) == two.argmax(-1))[returns].mean()
        self.assertNotAlmostEqual(parity.agreement, same)
        at_returns = export.compare(
            other,
            self.folder / "saved",
            "saved_model",
            scans()[:, None],
            export.cell_labels(lambda grid: grid[..., 4] > 0),
        )
        self.assertAlmostEqual(at_returns.agreement, same)
        self.assertAlmostEqual(
            parity.largest_difference, np.abs(one - two).max(), places=5
        )
        with self.assertRaisesRegex(ValueError, "saved: outputs agree.*below"):
            export.check(parity)


class CheckTest(absltest.TestCase):
    def parity(self, **changes):
        values = {
            "path": pathlib.Path("saved"),
            "kind": "float32",
            "largest_difference": 1e-5,
            "agreement": 1.0,
            "size": 1,
        }
        return export.Parity(**(values | changes))

    def test_either_bound_refuses(self):
        export.check(self.parity())
        with self.assertRaisesRegex(ValueError, "scores differ"):
            export.check(self.parity(largest_difference=0.01))
        with self.assertRaisesRegex(ValueError, "outputs agree"):
            export.check(self.parity(agreement=0.99))

    def test_scores_that_are_not_finite_are_refused(self):
        model = small_model()
        last = model.trainable_weights[-1]  # a matrix of the CRF
        last.assign(np.full(last.shape, np.nan))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "saved"
            export.saved_model(model, path)
            with self.assertRaisesRegex(ValueError, "not finite"):
                export.compare(model, path, "saved_model", scans()[:1, None])


class LiteTest(parameterized.TestCase):
    # Rounding: 24 and 11 bits of mantissa, and 8 bits of each weight.
    @parameterized.parameters(
        ("float32", 1e-5, 4), ("float16", 5e-3, 2), ("int8", 0.1, 1)
    )
    def test_agrees_and_is_as_large_as_its_weights(
        self, kind, tolerance, bytes_each
    ):
        keras.utils.set_random_seed(0)
        model = small_model()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.tflite"
            export.tflite(model, path, kind)
            parity = export.compare(model, path, kind, scans()[:, None])
            self.assertEqual(
                [p.name for p in path.parent.iterdir()], [path.name]
            )
            self.assertEqual(parity.size, path.stat().st_size)
        self.assertLess(parity.largest_difference, tolerance)
        self.assertGreater(parity.agreement, 0.95)
        expected = model.count_params() * bytes_each
        self.assertBetween(parity.size, expected, expected + 60_000)


class BoundsTest(parameterized.TestCase):
    @parameterized.parameters(*export.MIN_AGREEMENT.items())
    def test_agreement_below_the_bound_is_refused(self, kind, bound):
        def parity(agreement):
            return export.Parity(pathlib.Path("m"), kind, 0.0, agreement, 1)

        export.check(parity(bound))
        with self.assertRaisesRegex(ValueError, "m: outputs agree"):
            export.check(parity(bound - 1e-6))
        export.check(parity(0.5), min_agreement=0.5)


class CustomOperatorTest(absltest.TestCase):
    def test_an_operator_left_in_the_graph_is_found_and_the_file_removed(self):
        if custom_ops.library() is None:
            self.skipTest("the custom operators are not built")
        layer = crf.RecurrentCRF()
        scores, features = keras.Input((4, 8, 3)), keras.Input((4, 8, 5))
        mask = keras.Input((4, 8, 1))
        model = keras.Model(
            [scores, features, mask], layer([scores, features, mask])
        )

        @tf.function(input_signature=[tf.TensorSpec((None, 4, 8, 9))])
        def serve(x):
            return model([x[..., :3], x[..., 3:8], x[..., 8:]])

        module = tf.Module()
        module.weights, module.serve = model.weights, serve
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "saved"
            tf.saved_model.save(module, str(path), signatures=serve)
            left = [n for n in operators(path) if n.startswith("SqueezeTf>")]
            self.assertNotEmpty(left)  # or this test would test nothing
            with self.assertRaisesRegex(ValueError, "left in .*SqueezeTf>"):
                export._reject_custom_operators(path)
            self.assertFalse(path.exists())


if __name__ == "__main__":
    absltest.main()
