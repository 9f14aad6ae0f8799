"""The command line as it is called."""

import pathlib
import tempfile

from absl.testing import absltest

from squeeze_tf import training
from tests import scripts
from tests.synetgy import networks


class CommandLineTest(absltest.TestCase):
    def test_networks_are_simulated_and_bad_input_is_refused(self):
        tool = ("-m", "tools.synetgy")
        refused = scripts.start(*tool, "--device=fpga")
        with tempfile.TemporaryDirectory() as folder:
            workdir = pathlib.Path(folder) / "run"
            training.save_model(networks.chain(), workdir)
            output = pathlib.Path(folder) / "out"
            done = scripts.python(
                *tool,
                f"--model={workdir}",
                "--batch=4",
                "--set=clock_mhz=125",
                "--simulate=3",
                f"--output={output}",
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue((output / "report.txt").exists())
        self.assertIn("of 3 images 3 have equal outputs", done.stdout)
        done = scripts.finish(refused)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("Traceback", done.stderr)
        (line,) = done.stderr.strip().splitlines()[-1:]
        self.assertStartsWith(line, "error: device must be one of codenet, ul")


if __name__ == "__main__":
    absltest.main()
