"""Latency tables of the accelerator against its times of whole networks."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from experiments import classification_run, search_problems
from squeeze_tf.search import config as search_config
from squeeze_tf.search import (
    dirac_space,
    fbnet_space,
    latency_costs,
    latency_table,
    sample,
    space,
)
from tests import scripts
from tools.synetgy import front_end, hardware, search_latency, timing, workload

SMALL = {
    "input_shape": (8, 8, 1),
    "num_classes": 10,
    "stem": (4, 8),
    "stage_channels": (16, 32),
    "stage_blocks": (1, 3),
    "last": 24,
    "stem_pools": False,
}
SYNETGY = hardware.DEVICES["ultra96"]


class LatencyTableTest(parameterized.TestCase):
    def test_the_thesiss_network_takes_what_its_frame_does(self):
        found = dirac_space.dirac_space(kinds=("e2",))
        table = search_latency.latency_table(found, SYNETGY)
        blocks = [kinds[0] for kinds in found.candidates]
        np.testing.assert_allclose(
            latency_costs.estimate(table, found, blocks),
            timing.time_frame(workload.diracdeltanet(), SYNETGY).latency_us,
            rtol=1e-12,
        )

    def test_random_networks_take_the_sum_of_their_operators(self):
        found = dirac_space.dirac_space(
            **SMALL,
            kinds=("e1", "e3", "skip"),
            weight_bits=6,
            activation_bits=3,
        )
        device = hardware.DEVICES["codenet"]
        table = search_latency.latency_table(found, device, batch=2)
        self.assertEqual(table.batch_size, 2)
        for architecture in sample.draw(
            found, sample.uniform(found), 2, seed=1
        ):
            program = front_end.read(space.network(found, architecture))
            np.testing.assert_allclose(
                latency_costs.estimate(table, found, architecture),
                timing.time_frame(program.frame, device, 2).latency_us,
                rtol=1e-12,
            )

    @parameterized.parameters(
        (
            fbnet_space.fbnet_space(input_shape=(32, 32, 3), kinds=("k3_e1",)),
            r"layer first \(Conv2D\) is the first in full precision; supported",
        ),
        (
            dirac_space.dirac_space(**SMALL, weight_bits=32),
            r"layer conv2 \(QuantShiftConv2D\) .* 32-bit weights; supported: 1",
        ),
    )
    def test_what_the_accelerator_has_not_is_refused(self, found, message):
        with self.assertRaisesRegex(ValueError, message):
            search_latency.latency_table(found, SYNETGY)


class CommandLineTest(absltest.TestCase):
    def test_writes_the_table_of_a_search(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        output = pathlib.Path(folder.name) / "table.json"
        done = scripts.python(
            *("-m", "tools.synetgy.search_table", "--config=smoke"),
            *("--set=stage_channels=64", "--set=stage_blocks=3"),
            *("--device_set=clock_mhz=125", f"--output={output}"),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        table = latency_table.read(output)
        self.assertEqual((table.name, table.engine), (SYNETGY.name, "synetgy"))
        # Both ends, the halving and e1; "skip" needs none.
        self.assertLen(table.entries, 4)
        for entry in table.entries.values():
            self.assertLen(set(entry.known.values()), 1)
            self.assertEqual(entry.repeats, 0)
        config = dataclasses.replace(
            search_config.DIRAC["smoke"],
            stage_channels=(64,),
            stage_blocks=(3,),
            cost="latency",
            latency_table=str(output),
            device=SYNETGY.name,
        )
        problem = search_problems.dirac(config, 10)
        self.assertEqual(problem.unit, "us")
        blocks = ("down", "skip", "e1")
        run = dataclasses.replace(config, **problem.fields(blocks))
        program = front_end.read(classification_run.build(run, 10))
        slow = dataclasses.replace(SYNETGY, clock_mhz=125)
        np.testing.assert_allclose(
            problem.cost(blocks),
            timing.time_frame(program.frame, slow).latency_us,
            rtol=1e-12,
        )


if __name__ == "__main__":
    absltest.main()
