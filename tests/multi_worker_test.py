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
    def test_two_workers_give_the_record_of_one_process(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
        processes = [
            scripts.start(
                *_ARGUMENTS,
                "--strategy=multi_worker",
                f"--workdir={folder / 'two'}",
                f"--set=cache={folder / 'cache'}",  # one file for both
                TF_CONFIG=json.dumps(
                    {
                        "cluster": {"worker": workers},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            )
            for index in range(2)
        ]
        one = scripts.python(*_ARGUMENTS, f"--workdir={folder / 'one'}")
        self.assertEqual(one.returncode, 0, one.stderr)
        for process in processes:
            done = scripts.finish(process)
            self.assertEqual(done.returncode, 0, done.stderr)
        expected, got = record(folder / "one"), record(folder / "two")
        self.assertLen(got, 2)
        for line, wanted in zip(got, expected, strict=True):
            self.assertEqual(set(line), set(wanted))
            for name in ("loss", "val_loss"):
                np.testing.assert_allclose(line[name], wanted[name], rtol=1e-4)
        self.assertNotEqual(got[0]["loss"], got[1]["loss"])


if __name__ == "__main__":
    absltest.main()
