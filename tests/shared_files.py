"""Finds the real recordings and reference vectors that tests compare with."""

import os
import pathlib
import unittest

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_VARIABLE = "SQUEEZE_TF_SHARED"


def path(relative: str) -> pathlib.Path:
    """Path of a shared file, or a skipped test with the reason."""
    base = pathlib.Path(os.environ.get(_VARIABLE, _ROOT.parent / "shared"))
    found = base / relative
    if not found.exists():
        raise unittest.SkipTest(f"{found} is absent; set {_VARIABLE}")
    return found
