"""Runs Python programs of this repository as processes of their own."""

import multiprocessing
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""}
_LIMIT = 240  # seconds
# Forks of a process that has done so need not import them, 2 s each time.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tensorflow", "scipy.stats", "cv2"])


def start(*arguments: object, **environment: str) -> subprocess.Popen:
    """Starts Python with `arguments`, its output captured as text."""
    paths = [str(ROOT), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(paths)}
        | _ENVIRONMENT
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """Waits for the end of what start() started."""
    try:
        out, err = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\nkilled after {_LIMIT} s"
    return subprocess.CompletedProcess(
        process.args, process.returncode, out, err
    )


def python(*arguments: object) -> subprocess.CompletedProcess:
    """Runs Python to its end."""
    return finish(start(*arguments))


def module(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """As `python -m` does, in a fork, to its end."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, x) for x in ("stdout", "stderr")]
        process = _FORKS.Process(
            target=_run, args=(name, [str(x) for x in arguments], outputs)
        )
        process.start()
        process.join(_LIMIT)
        late = process.exitcode is None
        if late:
            process.kill()
            process.join()
        out, err = (pathlib.Path(x).read_text() for x in outputs)
    err += f"\nkilled after {_LIMIT} s" if late else ""
    return subprocess.CompletedProcess(name, process.exitcode, out, err)


def _run(name: str, arguments: list[str], outputs: list[str]) -> None:
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.update(_ENVIRONMENT)
    os.chdir(ROOT)
    sys.argv[1:] = arguments
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs a script of experiments/ to its end."""
    return module(f"experiments.{name}", *arguments)


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
