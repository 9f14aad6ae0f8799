"""Parses every import of the project against the table, and tests the table."""

from absl.testing import absltest, parameterized

from tests import import_rules, source_tree


class ImportsTest(parameterized.TestCase):
    @parameterized.parameters(*source_tree.PACKAGES)
    def test_follow_the_table(self, package):
        found = []
        for path, source in source_tree.python_files(package):
            found += import_rules.violations(path, source)
        self.assertEmpty(found, "\n".join(found))

    @parameterized.parameters(*source_tree.PACKAGES)
    def test_name_modules(self, package):
        found = [
            f"{path}:{line}: {module} is not a module"
            for path, source in source_tree.python_files(package)
            for line, module in import_rules.imports(path, source)
            if import_rules.unit(module) and not _is_module(module)
        ]
        self.assertEmpty(found, "\n".join(found))

    @parameterized.parameters("squeeze_tf", "experiments", "tools")
    def test_leave_private_and_version_1_tensorflow_alone(self, package):
        found = []
        for path, source in source_tree.python_files(package):
            found += import_rules.forbidden_uses(path, source)
        self.assertEmpty(found, "\n".join(found))

    @parameterized.parameters(
        ("squeeze_tf/ops/crf.py", "from squeeze_tf.layers import fire"),
        ("squeeze_tf/ops/crf.py", "import squeeze_tf.training"),
        ("squeeze_tf/ops/crf.py", "from .. import training"),
        ("squeeze_tf/ops/crf.py", "def f():\n    from squeeze_tf import data"),
        ("squeeze_tf/config.py", "from squeeze_tf.ops import crf"),
        ("squeeze_tf/simulation/scene.py", "from squeeze_tf.layers import crf"),
        ("squeeze_tf/detection/loss.py", "import squeeze_tf.segmentation.loss"),
        ("squeeze_tf/data/kitti.py", "from experiments import demo"),
        ("squeeze_tf/__init__.py", "from squeeze_tf import config"),
        ("squeeze_tf/unheard_of/a.py", "import os"),
        ("experiments/demo.py", "from tests import shared_files"),
        ("experiments/demo.py", "from tools import benchmark_operators"),
    )
    def test_against_the_table_are_noticed(self, path, source):
        self.assertLen(import_rules.violations(path, source), 1)

    @parameterized.parameters(
        ("squeeze_tf/ops/crf.py", "from squeeze_tf.ops import custom_ops"),
        ("squeeze_tf/ops/crf.py", "from . import custom_ops"),
        ("squeeze_tf/ops/crf.py", "import training, tensorflow as tf"),
        ("squeeze_tf/layers/shift.py", "from squeeze_tf import ops"),
        ("squeeze_tf/simulation/a.py", "from squeeze_tf.geometry import boxes"),
        ("squeeze_tf/adaptation/a.py", "from squeeze_tf import segmentation"),
        ("tools/inspect_scan.py", "from experiments import demo"),
        ("tests/experiments_test.py", "from experiments import demo"),
    )
    def test_within_the_table_pass(self, path, source):
        self.assertEmpty(import_rules.violations(path, source))

    @parameterized.parameters(
        "from tensorflow.python.ops import math_ops",
        "import tensorflow.compat.v1 as tf",
        "from tensorflow.compat import v1",
        "import tensorflow as tf\nx = tf.compat.v1.placeholder",
        "import tensorflow as tf\nx = tf.py_function(f, [], tf.int32)",
    )
    def test_of_forbidden_tensorflow_are_noticed(self, source):
        self.assertLen(import_rules.forbidden_uses("a.py", source), 1)


def _is_module(name):
    path = source_tree.ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


if __name__ == "__main__":
    absltest.main()
