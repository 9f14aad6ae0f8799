"""How scripts end: one line where the input is at fault."""

import subprocess
import sys

from absl.testing import absltest, parameterized

_SCRIPT = """
import os, signal
from squeeze_tf import command_line

# A shell's background jobs are born deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def main(_):
    print("begun")
    {}

command_line.run(main)
"""


def run(body, *arguments):
    """Exit code, output and lines of errors of a script."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(body), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


class RunTest(parameterized.TestCase):
    @parameterized.parameters(
        ("raise ValueError('a.bin: expected\\n  4 numbers')", "4 numbers"),
        ("open('/nowhere/a.bin')", "No such file"),
        ("raise FloatingPointError('epoch 3: not finite')", "epoch 3"),
        ("os.kill(os.getpid(), signal.SIGINT)", "interrupted"),
    )
    def test_bad_input_and_interrupts_end_in_one_line(self, body, message):
        code, output, errors = run(body)
        self.assertEqual((code, output), (1, "begun\n"))
        self.assertLen(errors, 1)
        self.assertIn(message, errors[0])

    def test_tensorflow_errors_lose_what_surrounds_the_message(self):
        code, _, errors = run(
            "import tensorflow as tf\n"
            "    raise tf.errors.InvalidArgumentError(None, None, '{{{{"
            "function f}}}} ValueError: a.npy: no grid\\nTraceback (most "
            "recent call last):\\n  x')"
        )
        self.assertEqual(code, 1)
        self.assertEqual(errors[-1], "error: a.npy: no grid")

    def test_verbosity_shows_where(self):
        _, _, errors = run("raise ValueError('x')", "--verbosity=1")
        self.assertIn("Traceback", "".join(errors))
        self.assertEqual(errors[-1], "error: x")

    def test_a_mistake_of_ours_keeps_its_traceback(self):
        code, _, errors = run("raise KeyError('x')")
        self.assertEqual(code, 1)
        self.assertIn("Traceback (most recent call last):", errors)

    def test_unknown_arguments_are_refused(self):
        code, output, errors = run("pass", "scans")
        self.assertEqual((code, output), (1, ""))
        self.assertIn("scans", "".join(errors))


if __name__ == "__main__":
    absltest.main()
