"""Loading the operators, and doing without."""

import os
import pathlib
import tempfile
from unittest import mock

import tensorflow as tf
from absl.testing import absltest

from squeeze_tf.ops import custom_ops


class CustomOpsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        custom_ops.library.cache_clear()
        self.addCleanup(custom_ops.library.cache_clear)

    def test_ci_has_the_library(self):
        if os.environ.get(custom_ops.REQUIRE_VARIABLE) == "1":
            self.assertIsNotNone(custom_ops.library())

    def test_stock_ops_only_nests_and_ends(self):
        x = tf.constant(0.0)
        whole = custom_ops.active_library(x)
        with custom_ops.stock_ops_only():
            with custom_ops.stock_ops_only():
                self.assertIsNone(custom_ops.active_library(x))
            self.assertIsNone(custom_ops.active_library(x))
        self.assertIs(custom_ops.active_library(x), whole)

    def test_what_xla_compiles_uses_stock_operators(self):
        x = tf.constant(0.0)
        found = []

        def look(x):
            found.append(custom_ops.active_library(x))
            return x

        plain, compiled = tf.function(look), tf.function(look, jit_compile=True)
        plain(x)
        compiled(x)
        tf.function(lambda x: compiled(tf.function(look)(x)))(tf.ones(2))
        whole = custom_ops.active_library(x)
        self.assertEqual(found, [whole, None, whole, None])

    def test_an_absent_library_means_the_twin_unless_required(self):
        absent = custom_ops._LIBRARY.with_name("absent.so")
        with mock.patch.object(custom_ops, "_LIBRARY", absent):
            with mock.patch.dict(
                os.environ, {custom_ops.REQUIRE_VARIABLE: "0"}
            ):
                self.assertIsNone(custom_ops.library())
            with mock.patch.dict(
                os.environ, {custom_ops.REQUIRE_VARIABLE: "1"}
            ):
                custom_ops.library.cache_clear()
                with self.assertRaisesRegex(RuntimeError, "absent.so"):
                    custom_ops.library()

    def test_a_broken_library_is_an_error(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "broken.so"
        path.write_text("no library")
        with mock.patch.object(custom_ops, "_LIBRARY", path):
            with self.assertRaises(tf.errors.NotFoundError):
                custom_ops.library()


if __name__ == "__main__":
    absltest.main()
