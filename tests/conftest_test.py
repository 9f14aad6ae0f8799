"""Tests that skipped tests can be made to fail."""

import os
import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

from tests import source_tree

_SKIPPED = """
import unittest
class Test(unittest.TestCase):
    @unittest.skip("for want of data")
    def test(self): pass
"""
_EXPECTED_TO_FAIL = """
import unittest
class Test(unittest.TestCase):
    @unittest.expectedFailure
    def test(self): self.fail()
"""
_SKIPPED_MODULE = """
import unittest
raise unittest.SkipTest("for want of data")
"""


class NoSkipsTest(parameterized.TestCase):
    @parameterized.parameters(
        (_SKIPPED, "0", 0),
        (_SKIPPED, "1", 1),
        (_SKIPPED_MODULE, "1", 2),
        (_EXPECTED_TO_FAIL, "1", 0),
    )
    def test_skip_fails_where_that_is_asked(self, source, setting, status):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a_test.py").write_text(source)
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-p", "tests.conftest"]
                + ["-c", os.devnull, f"--rootdir={folder}", "a_test.py"]
                + ["-p", "no:cacheprovider", "-o", "python_files=*_test.py"],
                cwd=folder,
                env=os.environ
                | {
                    "PYTHONPATH": str(source_tree.ROOT),
                    "SQUEEZE_TF_NO_SKIPS": setting,
                },
                capture_output=True,
                text=True,
            )
        self.assertEqual(done.returncode, status, done.stdout)
        if status:
            self.assertIn("for want of data", done.stdout)


if __name__ == "__main__":
    absltest.main()
