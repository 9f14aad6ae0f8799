"""Runs a script's main so that bad input ends it in one line."""

import os
import re
import sys
from collections.abc import Callable

from absl import app, flags, logging


def run(main: Callable[[list[str]], None]) -> None:
    """absl's app.run(), with one line where the input is at fault.

    A ValueError, OSError, FloatingPointError or TensorFlow error ends the
    process with exit code 1 and its message; --verbosity=1 shows where it was
    raised. Anything else is a mistake of ours and keeps its traceback.
    """

    def guarded(arguments: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        if arguments[1:]:
            raise app.UsageError(f"unknown arguments: {arguments[1:]}")
        try:
            main(arguments)
        except KeyboardInterrupt:
            sys.exit("interrupted; start again with the same flags to go on")
        except Exception as error:
            if not isinstance(error, _input_errors()):
                raise
            logging.debug("at", exc_info=True)
            _stop(f"error: {_one_line(str(error))}")

    app.run(guarded)


def _input_errors() -> tuple[type[Exception], ...]:
    """What bad input raises; without waiting for TensorFlow to load."""
    kinds = (ValueError, OSError, FloatingPointError)
    tensorflow = sys.modules.get("tensorflow")
    return (*kinds, tensorflow.errors.OpError) if tensorflow else kinds


def _stop(message: str) -> None:
    """Ends the process with exit code 1, at once.

    Threads of a data set that still read would wait for the interpreter while
    it waits for them, if it were to shut down in order.
    """
    print(message, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _one_line(message: str) -> str:
    """An error's text, freed of what TensorFlow puts around ours."""
    message = message.split("Traceback (most recent call last)")[0]
    message = re.sub(r"^\{\{.*?\}\} (\w+Error: )?", "", message)
    return " ".join(message.split())[:500]
