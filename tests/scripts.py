"""Runs Python programs of this repository as processes of their own."""

import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def start(*arguments: object, **environment: str) -> subprocess.Popen:
    """Starts Python with `arguments`, its output captured as text."""
    paths = [str(ROOT), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(paths),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "",
        }
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """Waits for the end of what start() started."""
    try:
        out, err = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += "\nkilled after 240 s"
    return subprocess.CompletedProcess(
        process.args, process.returncode, out, err
    )


def python(*arguments: object) -> subprocess.CompletedProcess:
    """Runs Python to its end."""
    return finish(start(*arguments))


def script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs a script of experiments/ to its end."""
    return python("-m", f"experiments.{name}", *arguments)


def killed(workdir: pathlib.Path, *arguments: object) -> str:
    """Runs Python until its first checkpoint, then ends it by SIGKILL.

    Args:
      workdir: of the run.
      arguments: of Python.

    Returns:
      What it printed.

    Raises:
      AssertionError: it ended by itself.
    """
    process = start(*arguments)
    latest = workdir / "checkpoints" / "checkpoint"
    while not latest.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    done = finish(process)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout
