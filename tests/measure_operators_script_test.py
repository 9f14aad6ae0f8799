"""tools/measure_operators as it is called: what it writes and refuses."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from squeeze_tf.search import fbnet_space, latency_costs, latency_table
from tests import scripts

KINDS = ("k3_e1", "skip")
TINY = (
    "--set=input_size=32",
    "--set=channels=1",
    "--set=num_classes=10",
    "--set=width=0.35",
    "--set=last_filters=16",
    f"--set=kinds={','.join(KINDS)}",
    "--repeats=5",
)


def measure(output, *more):
    """Runs the script on a tiny space."""
    return scripts.python(
        "-m", "tools.measure_operators", *TINY, f"--output={output}", *more
    )


class MeasureOperatorsTest(absltest.TestCase):
    def test_measures_verifies_and_refuses_another_engine(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        output = pathlib.Path(folder.name) / "table.json"
        done = measure(output, "--verify=3", "--name=here", "--seed=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("measure: 100%", done.stderr)
        self.assertRegex(done.stdout, r"spearman +-?[01]\.\d+")
        self.assertEqual(
            {path.name for path in output.parent.iterdir()},
            {
                "table.json",
                "table.networks.json",
                "table.verification.json",
                "table.verification.png",
            },
        )
        tiny = fbnet_space.fbnet_space(
            input_shape=(32, 32, 1),
            num_classes=10,
            width=0.35,
            last_filters=16,
            kinds=KINDS,
        )
        table = latency_table.read(output)
        latency_table.check_device(table, "here")
        self.assertLen(latency_costs.costs(table, tiny), 22)
        self.assertGreater(latency_costs.fixed_cost(table, tiny), 0)
        rows = json.loads(output.with_suffix(".verification.json").read_text())[
            "networks"
        ]
        for row in rows:
            np.testing.assert_allclose(
                row["estimate_us"],
                latency_costs.estimate(table, tiny, row["architecture"]),
            )
        before = output.read_bytes()
        done = measure(output, "--engine=xla")
        self.assertEqual(done.returncode, 1)
        self.assertIn("engine 'keras', not 'xla'", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(output.read_bytes(), before)


if __name__ == "__main__":
    absltest.main()
