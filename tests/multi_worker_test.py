"""Two workers that share a batch train as one process with all of it."""

import json
import pathlib
import socket
import tempfile

import numpy as np
from absl.testing import absltest

from tests import scripts

_ARGUMENTS = (
    "-m",
    "experiments.train_segmentation",
    "--config=smoke",
    "--set=epochs=2",
    "--set=batch_norm=false",  # statistics of a worker's own half differ
    "--set=dropout=0",  # each worker draws its own
    "--set=validation_data=b",
)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def record(workdir):
    lines = (workdir / "record.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


class MultiWorkerTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start_two(self, name, *arguments):
        """Starts both workers of a run; finish() waits for them."""
        workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
        return [
            scripts.start(
                *_ARGUMENTS,
                "--strategy=multi_worker",
                f"--workdir={self.folder / name}",
                f"--set=cache={self.folder / 'cache'}",  # one file for both
                *arguments,
                TF_CONFIG=json.dumps(
                    {
                        "cluster": {"worker": workers},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            )
            for index in range(2)
        ]

    def finish(self, processes):
        for process in processes:
            done = scripts.finish(process)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_two_workers_give_the_record_of_one_process(self):
        processes = self.start_two("two")
        one = scripts.python(*_ARGUMENTS, f"--workdir={self.folder / 'one'}")
        self.assertEqual(one.returncode, 0, one.stderr)
        self.finish(processes)
        expected, got = record(self.folder / "one"), record(self.folder / "two")
        self.assertLen(got, 2)
        for line, wanted in zip(got, expected, strict=True):
            self.assertEqual(set(line), set(wanted))
            for name in ("loss", "val_loss"):
                np.testing.assert_allclose(line[name], wanted[name], rtol=1e-4)
        self.assertNotEqual(got[0]["loss"], got[1]["loss"])

        # The second worker dies while the first saves: it is an epoch behind.
        checkpoints = self.folder / "two" / "worker_1" / "checkpoints"
        for path in checkpoints.glob("ckpt-2.*"):
            path.unlink()
        state = checkpoints / "checkpoint"
        newest, first, _, *times = state.read_text().splitlines()
        newest = newest.replace("ckpt-2", "ckpt-1")
        state.write_text("\n".join([newest, first, times[0], times[2]]))
        self.finish(self.start_two("two"))
        again = record(self.folder / "two")
        self.assertEqual(again[0], got[0])
        for name in ("loss", "val_loss"):
            np.testing.assert_allclose(again[1][name], got[1][name], rtol=1e-5)


if __name__ == "__main__":
    absltest.main()
