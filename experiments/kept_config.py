"""The settings of a run, kept in its folder and compared when it goes on."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from squeeze_tf import config as config_lib

FILE = "config.json"


def keep(config: Any, workdir: pathlib.Path) -> None:
    """Writes the settings, or makes sure that they are those of the run.

    Args:
      config: flat dataclass.
      workdir: of the run; it is made.

    Raises:
      ValueError: the folder holds a run with other settings.
    """
    check(config, workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    config_lib.write(config, workdir / FILE)


def check(config: Any, workdir: pathlib.Path) -> None:
    """Refuses the folder of a run with other settings; writes nothing.

    Raises:
      ValueError: says which settings differ.
    """
    path = workdir / FILE
    if not path.exists():
        return
    there = dataclasses.asdict(config_lib.read(type(config), path))
    differing = [
        f"{field} is {there[field]} there and {value} here"
        for field, value in dataclasses.asdict(config).items()
        if value != there[field]
    ]
    if differing:
        raise ValueError(
            f"{path} is of another run; take a new workdir, or remove it: "
            + "; ".join(differing)
        )


def kind(workdir: str | os.PathLike, kinds: Iterable[type]) -> type:
    """Of which of some dataclasses the settings of a run are.

    Args:
      workdir: of the run.
      kinds: dataclasses.

    Raises:
      ValueError: of none.
      OSError: there are no settings.
    """
    path = pathlib.Path(workdir) / FILE
    reasons = []
    for candidate in kinds:
        try:
            config_lib.read(candidate, path)
        except ValueError as error:
            reasons.append(str(error))
            continue
        return candidate
    raise ValueError("; or ".join(reasons))
